/*
 * wire/ssh: whether one is let in, for people who ask what is wrong. A server
 * that gives nobody a shell ends the session with a status of its own; 255 is
 * ssh's, who did not get that far.
 */
#include "ssh_private.h"

#include <sys/wait.h>

#define SSH_FAILED 255

static int place_of(const struct ssh *ssh, const char *url, bool falls_back,
		    struct ssh_place *ret_place)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};

	if (ssh_place_parse(url, &place))
		return -EINVAL;
	if (falls_back)
		return ssh_fallback_place(ssh, &place, ret_place) ? 0
								  : -EOPNOTSUPP;
	*ret_place = place;
	place = (struct ssh_place){0};
	return 0;
}

static int fail(struct ctx *ctx, const struct ssh_place *place, int r)
{
	if (r == -ENOENT)
		return ctx_fail(ctx, -EIO,
				"there is no ssh on this machine: install "
				"openssh-client");
	if (r == -ETIMEDOUT)
		return ctx_fail(ctx, r,
				"no SSH connection to %s in time (a firewall "
				"may drop it, or no name server answers)",
				place->host);
	return ctx_fail(ctx, r, "ssh cannot be run: %s", strerror(-r));
}

int ssh_try(struct ctx *ctx, struct ssh *ssh, const char *url, bool falls_back,
	    int64_t timeout_ms)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	cleanup(buf_done) struct buf said = BUF_INIT(SSH_SAID_MAX);
	struct ssh_verdict verdict;
	int status = -1, r = place_of(ssh, url, falls_back, &place);

	if (r)
		return ctx_fail(ctx, r, "there is no such place for SSH");
	r = ssh_sign_in(ctx, ssh, &place, timeout_ms, &said, &status);
	if (r)
		return fail(ctx, &place, r);
	if (status >= 0 && WIFEXITED(status) &&
	    WEXITSTATUS(status) != SSH_FAILED)
		return 0;
	ssh_judge(&place, said.data ? said.data : "", &verdict);
	ssh_find_out(ctx, ssh, &place, &verdict);
	return ctx_fail(ctx, verdict.errnum, "%s", verdict.sentence);
}
