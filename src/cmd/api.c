/*
 * bitbucketfs api [--raw] PATH [-q QUERY]: one GET of the API, printed.
 *
 * The account's cache has the ledger of its requests, which a mount beside it
 * counts in, too; nothing else of it is read.
 */
#include "cmd/command.h"
#include "cmd/remote.h"
#include "cmd/target.h"

#include "base/log.h"

#define BODY_MAX ((size_t)64 * MIB)
#define ALL_MS (10 * 60 * 1000)

static int take(void *arg, const void *data, size_t n)
{
	return buf_add(arg, data, n) ? -EFBIG : 0;
}

/* As it comes, kept until it is whole: a reader that takes its time must not
 * make the service's connection wait. */
static int get_raw(struct ctx *ctx, struct remote *remote, const char *path,
		   struct buf *body, long *ret_status)
{
	cleanup(http_response_done) struct http_response answer = {0};
	const struct bitbucket_range whole = {0};
	const struct http_sink sink = {.write = take, .arg = body};
	int r = bitbucket_get_bytes(ctx, remote->bitbucket, path, &whole, &sink,
				    &answer);

	*ret_status = answer.status;
	if (r == -EFBIG)
		return ctx_fail(ctx, r, "%s has more than 64 MiB.", path);
	/* Where it is signed for is not shown: such a URL is a secret. */
	if (!r && answer.status != 200)
		return ctx_fail(ctx, -EPERM,
				"%s is at another host (%ld), which this "
				"command does not ask: read it in a mount, or "
				"by bitbucketfs curl.",
				path, answer.status);
	return r;
}

static enum command_exit get(struct remote *remote, const char *path, bool raw,
			     struct buf *body)
{
	cleanup(ctx_done) struct ctx ctx;
	long status = 0;
	int r;

	ctx_init(&ctx, NULL, ALL_MS);
	r = raw ? get_raw(&ctx, remote, path, body, &status)
		: bitbucket_get_merged(&ctx, remote->bitbucket, path, NULL,
				       body, &status);
	if (!r)
		return COMMAND_OK;
	command_say("%s%s", *ctx.sentence ? ctx.sentence : strerror(-r),
		    !raw && r == -EIO && status == 200
			    ? " What is no JSON is printed by --raw."
			    : "");
	return remote_end(remote, status);
}

static enum command_exit ask(struct remote *remote, const char *path, bool raw,
			     struct buf *body)
{
	bool known;
	enum command_exit end = remote_open(remote, &known);

	return end == COMMAND_OK ? get(remote, path, raw, body) : end;
}

enum command_exit api_command(const struct command_line *line)
{
	cleanup(buf_done) struct buf body = BUF_INIT(BODY_MAX);
	cleanup(free) char *path = NULL;
	struct remote remote = {0};
	enum command_exit end;

	if (!line->n_operands)
		return command_usage("api needs a PATH, like /user");
	/* What an odd sign-in means for a mount is of no matter here. */
	log_to_stderr(LOG_LEVEL_ERROR);
	end = remote_configure(&remote, line);
	if (end == COMMAND_OK)
		end = target_path(remote.config.api_url, line->operands[0],
				  line->query, !line->raw, &path);
	if (end == COMMAND_OK)
		end = ask(&remote, path, line->raw, &body);
	remote_done(&remote);
	return end == COMMAND_OK ? command_print(body.data, body.len) : end;
}
