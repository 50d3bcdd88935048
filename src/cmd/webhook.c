/*
 * cmd/webhook: nothing is looked for in a payload before its signature is
 * checked, and no mount is told anything before the whole of it was read.
 */
#include "cmd/webhook.h"

#include "cmd/mount/inside.h"
#include "cmd/mount/live.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/reach.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/own.h"
#include "base/text.h"
#include "table/webhook.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define PAYLOAD_MAX (25 * MIB)
#define SECRET_MAX (4 * KIB)
#define HEX 64
static const char method[] = "sha256=";

/* ---- who made it ---- */

int webhook_check(const char *signature, const void *secret, size_t n_secret,
		  const void *payload, size_t n_payload)
{
	char want[HEX + 1], is[HEX + 1];

	if (!signature || strncmp(signature, method, sizeof(method) - 1) != 0)
		return -EBADMSG;
	signature += sizeof(method) - 1;
	if (strlen(signature) != HEX)
		return -EBADMSG;
	for (size_t i = 0; i < HEX; i++)
		is[i] = signature[i] >= 'A' && signature[i] <= 'F'
				? (char)(signature[i] - 'A' + 'a')
				: signature[i];
	digest_hmac_sha256_hex(secret, n_secret, payload, n_payload, want);
	return digest_equal(want, is, HEX) ? 0 : -EPERM;
}

/* Nobody else can read it: who can, can sign. */
static int read_secret(const char *path, struct buf *secret)
{
	struct stat st;
	cleanup(fd) int fd = own_open(path, O_RDONLY | O_CLOEXEC, 0);

	if (fd < 0)
		return fd;
	if (fstat(fd, &st))
		return -errno;
	if (st.st_uid != geteuid() || st.st_mode & 077)
		return -EPERM;
	return file_read_fd(fd, SECRET_MAX, secret);
}

static enum command_exit take_secret(const char *path, struct buf *secret)
{
	int r = read_secret(path, secret);

	if (r == -EPERM)
		return command_usage("%s has to be a file of yours that "
				     "nobody else can read (chmod 600)",
				     path);
	if (r)
		return command_usage(
			"the secret cannot be read from %s: %s", path,
			r == -ELOOP ? "it is a symbolic link" : strerror(-r));
	/* An editor ends it with a line's end; Bitbucket's form has none. */
	while (secret->len && strchr("\r\n", secret->data[secret->len - 1]))
		buf_cut(secret, secret->len - 1);
	return secret->len ? COMMAND_OK
			   : command_usage("there is no secret in %s", path);
}

static enum command_exit believe(const struct command_line *line,
				 const struct buf *payload)
{
	struct buf secret = BUF_INIT(SECRET_MAX + 1);
	enum command_exit end = take_secret(line->secret_file, &secret);
	int r = 0;

	if (end == COMMAND_OK)
		r = webhook_check(line->signature, secret.data, secret.len,
				  payload->data, payload->len);
	text_wipe(buf_steal(&secret, NULL));
	if (end != COMMAND_OK || !r)
		return end;
	command_say(r == -EPERM
			    ? "the signature is not that of the payload by the "
			      "secret: nothing was refreshed"
		    : line->signature && *line->signature
			    ? "the signature is none that Bitbucket makes "
			      "(sha256=…): nothing was refreshed"
			    : "the payload is not signed: nothing was "
			      "refreshed");
	return COMMAND_FAILED;
}

/* ---- what it says ---- */

static enum command_exit read_payload(struct buf *payload)
{
	int r = isatty(STDIN_FILENO)
			? -ENOTTY
			: file_read_fd(STDIN_FILENO, PAYLOAD_MAX, payload);

	if (!r)
		return COMMAND_OK;
	if (r == -ENOTTY)
		return command_usage("the payload comes on standard input: "
				     "bitbucketfs refresh --webhook <FILE");
	if (r == -EFBIG || r == -EMSGSIZE || r == -ENOSPC)
		command_say("the payload is larger than 25 MiB: nothing was "
			    "refreshed");
	else
		command_could_not("the payload cannot be read", r);
	return COMMAND_FAILED;
}

static enum command_exit parse(const struct command_line *line,
			       const struct buf *payload, struct webhook *ret)
{
	cleanup(json_free) struct json *json = NULL;
	int r = json_parse(payload->data ? payload->data : "", payload->len,
			   &json);

	if (!r)
		r = webhook_read(
			json, line->event && *line->event ? line->event : NULL,
			ret);
	if (r >= 0)
		return COMMAND_OK;
	command_say("this is no payload of a webhook of Bitbucket%s%s: nothing "
		    "was refreshed",
		    line->event && *line->event ? "'s event " : "",
		    line->event && *line->event ? line->event : "");
	return COMMAND_FAILED;
}

/* ---- the mounts ---- */

struct tell {
	const struct webhook *webhook;
	struct buf *out;
	enum command_exit end;
	size_t n_mounts;
};

static enum command_exit tell_place(const struct tell *t, const char *path,
				    dev_t device,
				    const struct webhook_place *place)
{
	const struct webhook *w = t->webhook;
	const char *words[] = {"heard",
			       w->uuid,
			       w->workspace,
			       w->slug,
			       place->how == WEBHOOK_ASK ? "ask" : "outdated",
			       place->path,
			       NULL};
	cleanup(control_answer_done) struct control_answer answer = {0};
	enum command_exit end = reach_ask(path, device, words,
					  LIVE_REFRESH_MS + REACH_MS, &answer);

	if (end != COMMAND_OK)
		return end;
	if (answer.errnum) {
		command_say("%s/%s/%s/%s: %s", path, w->workspace, w->slug,
			    place->path,
			    *answer.text ? answer.text
					 : strerror(-answer.errnum));
		return COMMAND_FAILED;
	}
	buf_puts(t->out, answer.text);
	return COMMAND_OK;
}

/* A mount that does not answer is said once. */
static void tell_mount(struct tell *t, const char *path, dev_t device)
{
	t->n_mounts++;
	for (size_t i = 0; i < t->webhook->n_places; i++) {
		enum command_exit end =
			tell_place(t, path, device, &t->webhook->places[i]);

		if (end == COMMAND_OK)
			continue;
		t->end = end;
		return;
	}
}

static void visit(void *arg, const char *path,
		  const struct preflight_place *place)
{
	if (place->user == getuid())
		tell_mount(arg, path, place->device);
}

static enum command_exit tell_all(struct tell *t)
{
	cleanup(buf_done) struct buf table = BUF_INIT(0);
	int r = preflight_table(&table);

	if (r) {
		command_could_not("mounts cannot be found", r);
		return COMMAND_FAILED;
	}
	preflight_each(table.data ? table.data : "", visit, t);
	if (t->n_mounts)
		return t->end;
	command_say("no Bitbucket is mounted");
	return COMMAND_NOT_MOUNTED;
}

static enum command_exit tell_those(struct tell *t, const char *const *places,
				    size_t n_places)
{
	for (size_t i = 0; i < n_places; i++) {
		cleanup(inside_done) struct inside inside = {0};
		enum command_exit end = inside_of(places[i], &inside);

		if (end == COMMAND_OK)
			tell_mount(t, inside.mountpoint, inside.device);
		else
			t->end = end;
	}
	return t->end;
}

static enum command_exit tell(const struct webhook *webhook,
			      const char *const *places, size_t n_places)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	struct tell t = {.webhook = webhook, .out = &out};
	enum command_exit end;

	if (!webhook->n_places) {
		buf_printf(&out, "%s: nothing of the mount is about it\n",
			   webhook->event ? webhook->event
					  : "an event without a name");
		text_clean_buf(&out, 0, "\n");
		return command_print(out.data, out.len);
	}
	end = n_places ? tell_those(&t, places, n_places) : tell_all(&t);
	if (end == COMMAND_OK && !out.len)
		buf_printf(&out, "%s/%s: nobody has looked there\n",
			   webhook->workspace, webhook->slug);
	if (out.len && command_print(out.data, out.len) != COMMAND_OK)
		end = COMMAND_FAILED;
	return end;
}

enum command_exit webhook_refresh(const struct command_line *line,
				  const char *const *places, size_t n_places)
{
	cleanup(buf_done) struct buf payload = BUF_INIT(PAYLOAD_MAX + 1);
	cleanup(webhook_done) struct webhook webhook = {0};
	enum command_exit end;

	if (line->signature && !line->secret_file)
		return command_usage("--signature needs --secret-file: without "
				     "the secret nobody can tell who signed");
	end = read_payload(&payload);
	if (end == COMMAND_OK && line->secret_file)
		end = believe(line, &payload);
	if (end == COMMAND_OK)
		end = parse(line, &payload, &webhook);
	return end == COMMAND_OK ? tell(&webhook, places, n_places) : end;
}
