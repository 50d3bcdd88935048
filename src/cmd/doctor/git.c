/*
 * cmd/doctor/git: git's part of the service, over HTTPS.
 */
#include "cmd/doctor/doctor.h"
#include "cmd/git_once.h"

#include "base/clock.h"
#include "wire/ssh.h"

/* Whether anything answers there; nothing secret goes along. */
static void look_at(struct ctx *ctx, struct doctor *d, const char *url,
		    struct report *r)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(free) char *top = mem_asprintf("%s/", url);
	const struct http_request request = {
		.method = "HEAD", .url = top, .no_redirects = true};
	int64_t began = clock_mono_ms();
	int e = http_perform(ctx, d->http, &request, NULL, &answer);

	if (e) {
		doctor_add_unreachable(r, "git", ctx, e);
		if (e != -EPROTO)
			doctor_set_way(d, DOCTOR_HTTPS, DOCTOR_BLOCKED);
		return;
	}
	report_add(r, "git", REPORT_OK, "%s answers in %lld ms", url,
		   (long long)(clock_mono_ms() - began));
}

void doctor_check_git(struct ctx *ctx, struct doctor *d, struct report *r)
{
	const struct config *config = &d->remote.config;

	if (!d->is_configured)
		return;
	/* Of a server that has both doctor_check_service tells. */
	if (!http_same_origin(config->git_url, config->api_url))
		look_at(ctx, d, config->git_url, r);
	/* By SSH it is ssh's to reach, and asked when something is missing. */
	if (config->git_fallback && !ssh_is_url(config->git_fallback))
		look_at(ctx, d, config->git_fallback, r);
}

/* ---- one repository ---- */

void doctor_check_clone(struct ctx *ctx, struct doctor *d, struct report *r)
{
	const struct config *config = &d->remote.config;
	cleanup(free) char *repository = mem_asprintf(
		"%s/%s", d->address.workspace, d->address.repository);
	int e;

	if (d->wants_ssh) {
		doctor_check_clone_ssh(ctx, d, r);
		return;
	}
	ctx->sentence[0] = '\0';
	/* A mirror is not shown the secret. */
	e = git_once(ctx, &d->remote, d->http, repository, !config->is_mirror);
	if (e)
		report_add(r, "clone", REPORT_ERROR,
			   "git cannot have %s/%s.git: %s", config->git_url,
			   repository,
			   *ctx->sentence ? ctx->sentence : strerror(-e));
	else
		report_add(r, "clone", REPORT_OK, "git can have %s/%s.git",
			   config->git_url, repository);
}
