/*
 * bitbucketfs logout: what login keeps, and what was cached for that account,
 * is gone. --all: everything of this program's that is this user's.
 *
 * Each thing that is removed is a line, and what becomes of each live mount.
 */
#include "setup/account.h"
#include "cmd/command.h"
#include "cmd/mount/live.h"
#include "cmd/login/logout.h"
#include "cmd/mount/preflight.h"
#include "cmd/remote_oauth.h"
#include "setup/sign_in.h"

#include "base/file.h"
#include "base/log.h"

/* Whose cache it is, as long as the secret is there to tell. */
static void find_account(struct remote *remote)
{
	char why[1024] = "";
	cleanup(ctx_done) struct ctx ctx;
	cleanup(free) char *where = NULL;
	struct credential_source source;
	const struct config *config = &remote->config;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = sign_in_source_new(&ctx, config->profile, config->api_url, &source,
			       &where);
	if (r == -EOPNOTSUPP)
		(void)remote_oauth_kept(remote);
	else if (!r)
		(void)credential_new_from(&ctx, &source, &remote->credential);
	if (!remote->credential)
		return;
	(void)account_find(&ctx, &remote->account, config->cache_dir,
			   config->api_url, remote->credential, why);
}

static void say_held(const char *dir)
{
	cleanup(buf_done) struct buf points = BUF_INIT(4 * KIB);
	size_t n = preflight_others(&points);

	command_say("what is cached in %s stays, for it is in use%s%s: "
		    "bitbucketfs umount, then logout --all",
		    dir, n ? " at " : "", n ? points.data : "");
}

static void remove_cache(const struct account *account, struct buf *out)
{
	int r = account->dir ? account_remove(account) : 0;

	if (r == -EBUSY)
		say_held(account->dir);
	else if (r)
		command_say("what is cached in %s could not be removed: %s",
			    account->dir, strerror(-r));
	else if (account->dir)
		buf_printf(out, "Removed: what was cached, %s\n", account->dir);
}

/* A credential that login did not keep is none that logout can remove. */
static void say_others(const struct config *config)
{
	if (config->token_command)
		command_say("note: token_command still signs in");
	else if (config->token)
		command_say("note: the token in %s still signs in",
			    !strcmp(config->token_from, "environment")
				    ? "the environment (BITBUCKETFS_TOKEN)"
				    : config->token_from);
}

/* First the mounts, which let go of the cache; then the cache, of which a name
 * says from the first moment that it is to go (account_remove). The sign-in
 * goes last: who is killed before can run it again, and finds what is left. */
static enum command_exit log_out(struct remote *remote, bool keep_cache)
{
	const struct config *config = &remote->config;
	cleanup(buf_done) struct buf out = BUF_INIT(0);
	cleanup(free) char *path = NULL;
	cleanup(ctx_done) struct ctx ctx;
	size_t n_failed;
	int r;

	ctx_init(&ctx, NULL, -1);
	if (!keep_cache)
		find_account(remote);
	n_failed = live_tell_signed_out(config, keep_cache, &out);
	if (!keep_cache)
		remove_cache(&remote->account, &out);
	r = sign_in_erase(&ctx, config->profile, config->api_url);
	if (r && r != -ENOENT) {
		command_say("%s", ctx.sentence);
		(void)command_print(out.data ? out.data : "", out.len);
		return COMMAND_FAILED;
	}
	(void)sign_in_path(config->profile, config->api_url, &path);
	if (!r)
		buf_printf(&out, "Removed: the sign-in, %s\n", path);
	else if (!out.len)
		buf_puts(&out, LOGOUT_NOBODY "\n");
	say_others(config);
	if (command_print(out.data ? out.data : "", out.len) != COMMAND_OK)
		return COMMAND_FAILED;
	return n_failed ? COMMAND_FAILED : COMMAND_OK;
}

static enum command_exit run(struct remote *remote,
			     const struct command_line *line)
{
	cleanup(ctx_done) struct ctx ctx;
	cleanup(fd) int lock = -1;
	enum command_exit end = remote_read_config(remote, line);

	ctx_init(&ctx, NULL, -1);
	if (end != COMMAND_OK)
		return end;
	lock = sign_in_lock(&ctx);
	if (lock < 0) {
		command_say("%s", ctx.sentence);
		return COMMAND_FAILED;
	}
	return line->all ? logout_all(remote, line)
			 : log_out(remote, line->keep_cache);
}

enum command_exit logout_command(const struct command_line *line)
{
	struct remote remote = {0};
	enum command_exit end;

	if (line->config && !line->all)
		return command_usage("--config goes with --all: the "
				     "configuration is not one account's");
	if (line->keep_cache && line->all)
		return command_usage("--keep-cache and --all are two: one of "
				     "them");
	log_to_stderr(LOG_LEVEL_ERROR);
	end = run(&remote, line);
	remote_done(&remote);
	return end;
}
