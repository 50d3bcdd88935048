/*
 * cmd/doctor/ssh: whether SSH gets through and the service takes one of the
 * user's keys, at the usual port and at that of the fallback. The sentences are
 * wire/ssh's.
 */
#include "cmd/doctor/doctor.h"

#include "wire/ssh.h"

/* Of the check's time; what is left is for finding out why. */
#define TRY_MS 4000

/* Where SSH would go: what was given, what is configured, the service itself;
 * NULL: nowhere. Free it. */
static char *place_url(const struct doctor *d)
{
	const struct config *config = &d->remote.config;
	cleanup(ssh_place_done) struct ssh_place place = {0};

	if (d->wants_ssh && d->given && d->address.form == ADDRESS_SSH &&
	    !ssh_place_parse(d->address.word, &place)) {
		free(place.prefix);
		place.prefix = mem_strdup("");
		return ssh_place_url(&place);
	}
	if (config->ssh_url)
		return mem_strdup(config->ssh_url);
	/* Another server may be a mirror, which was never asked by SSH. */
	return strcmp(config->git_url, CONFIG_GIT_URL)
		       ? NULL
		       : mem_strdup("ssh://git@" SSH_HOST);
}

static int open_ssh(const struct doctor *d, struct ssh **ret_ssh)
{
	const struct ssh_config config = {
		.agent = d->remote.config.ssh_agent,
		.fallback = d->remote.config.ssh_fallback,
	};

	return ssh_new(&config, ret_ssh);
}

static bool is_blocked(int r)
{
	return r == -ENETUNREACH || r == -ETIMEDOUT || r == -ECONNRESET;
}

/* Who does not use SSH is told, and has no error. */
static void add(struct ctx *ctx, const struct doctor *d, struct report *r,
		const char *name, int e)
{
	const char *said = *ctx->sentence ? ctx->sentence : strerror(-e);

	if (d->wants_ssh)
		report_add(r, name, REPORT_ERROR, "%s", said);
	else
		report_add(r, name, REPORT_OK,
			   "is not used, and would not work: %s", said);
}

void doctor_check_ssh(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(free) char *url = d->is_configured ? place_url(d) : NULL;
	cleanup(ssh_free) struct ssh *ssh = NULL;
	int e;

	if (!url || open_ssh(d, &ssh))
		return;
	e = ssh_try(ctx, ssh, url, false, TRY_MS);
	if (e)
		add(ctx, d, r, "ssh", e);
	else
		report_add(r, "ssh", REPORT_OK, "%s lets one in", url);
	if (!e)
		doctor_set_way(d, DOCTOR_SSH, DOCTOR_PASSES);
	else if (is_blocked(e))
		doctor_set_way(d, DOCTOR_SSH, DOCTOR_BLOCKED);
}

void doctor_check_ssh_443(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(free) char *url = d->is_configured ? place_url(d) : NULL;
	cleanup(ssh_free) struct ssh *ssh = NULL;
	int e;

	if (!url || open_ssh(d, &ssh))
		return;
	e = ssh_try(ctx, ssh, url, true, TRY_MS);
	if (e == -EOPNOTSUPP)
		return;
	if (!e)
		doctor_set_way(d, DOCTOR_SSH_443, DOCTOR_PASSES);
	/* It is asked only where the usual port does not connect, so that it
	 * alone is nobody's error. */
	if (is_blocked(e))
		report_add(r, "ssh-443", REPORT_OK, "does not get through: %s",
			   ctx->sentence);
	else
		report_add(r, "ssh-443", REPORT_OK,
			   "gets through; a mount takes it where the usual "
			   "port does not connect");
}

/* ---- one repository ---- */

struct first_byte {
	struct link *link;
};

/* That something comes says that it is there. */
static int take_first(void *arg, const void *data, size_t n)
{
	struct first_byte *first = arg;

	(void)data;
	(void)n;
	first->link->ended = true;
	return 0;
}

void doctor_check_clone_ssh(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(free) char *url = place_url(d);
	cleanup(ssh_free) struct ssh *ssh = NULL;
	cleanup(link_free) struct link *link = NULL;
	struct first_byte first = {0};
	const struct http_sink sink = {.write = take_first, .arg = &first};
	int e;

	if (!url || open_ssh(d, &ssh))
		return;
	ctx->sentence[0] = '\0';
	e = link_ssh_new(ssh, url, "", d->address.workspace,
			 d->address.repository, &link);
	first.link = link;
	if (!e)
		e = link->ops->advertise(ctx, link, &sink);
	if (e)
		report_add(r, "clone", REPORT_ERROR,
			   "git cannot have it by SSH: %s",
			   *ctx->sentence ? ctx->sentence : strerror(-e));
	else
		report_add(r, "clone", REPORT_OK,
			   "git can have it by SSH, of %s", url);
}
