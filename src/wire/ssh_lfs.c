/*
 * wire/ssh: what the server says by SSH of its LFS (git-lfs,
 * docs/api/authentication.md, "SSH"). A session of its own, for what is said is
 * good for a while.
 */
#include "ssh_private.h"

#define AUTHENTICATE_MS 20000

static int ask_at(struct ctx *ctx, struct ssh *ssh,
		  const struct ssh_place *place, const char *path,
		  struct buf *out, struct ssh_verdict *ret_verdict)
{
	cleanup(buf_done) struct buf said = BUF_INIT(SSH_SAID_MAX);
	int status = -1;
	int r = ssh_run(ctx, ssh, place, "git-lfs-authenticate", path,
			"download", AUTHENTICATE_MS, out, &said, &status);

	ssh_count_session(ssh);
	if (r < 0)
		return ctx_fail(ctx, r == -ENOENT ? -EIO : r,
				"no answer of %s about LFS by SSH: %s",
				place->host, strerror(-r));
	if (!status)
		return 0;
	buf_puts(&said, "");
	ssh_judge(place, said.data, ret_verdict);
	ssh_find_out(ctx, ssh, place, ret_verdict);
	return ctx_fail(ctx, ret_verdict->errnum, "%s", ret_verdict->sentence);
}

int ssh_authenticate_lfs(struct ctx *ctx, struct ssh *ssh, const char *url,
			 const char *workspace, const char *slug,
			 struct buf *out)
{
	cleanup(ssh_place_done) struct ssh_place place = {0}, other = {0};
	struct ssh_verdict verdict = {.kind = SSH_UNKNOWN};
	cleanup(free) char *path = NULL;
	bool has_other, back;
	int r;

	if (!ssh_can_be_asked_for(workspace, slug))
		return ctx_fail(ctx, -ENOENT, "there is no such path for SSH");
	if (ssh_place_parse(url, &place))
		return ctx_fail(ctx, -EINVAL, "there is no such place for SSH");
	path = mem_asprintf("%s/%s.git", workspace, slug);
	has_other = ssh_fallback_place(ssh, &place, &other);
	back = has_other && ssh_falls_back_first(ssh);
	r = ask_at(ctx, ssh, back ? &other : &place, path, out, &verdict);
	if (r < 0 && has_other && verdict.kind == SSH_NOT_CONNECTED)
		r = ask_at(ctx, ssh, back ? &place : &other, path, out,
			   &verdict);
	return r;
}
