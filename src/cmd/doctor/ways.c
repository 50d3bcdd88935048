/*
 * cmd/doctor/ways: what the network lets through. Which way is open is known
 * only when all checks have come back: what is blocked is then told beside what
 * is not.
 */
#include "cmd/doctor/doctor.h"

#define BUT_SSH                                                  \
	"; SSH gets through from here: clone by a repository's " \
	"SSH address, and the trees of a mount come by -o transport=ssh"
#define BY_PROXY "where one goes out by a proxy, set proxy (or https_proxy)"
#define BUT_HTTPS                                                  \
	"; HTTPS gets through from here: clone by a repository's " \
	"HTTPS address, and mount without transport=ssh"
#define BUT_443 "; ssh_fallback gets through, which a mount takes by itself"
#define BUT_SSH_443                                                      \
	"; SSH gets through at ssh_fallback: the trees of a mount come " \
	"by -o transport=ssh"

void doctor_set_way(struct doctor *d, enum doctor_way way,
		    enum doctor_passes passes)
{
	mutex_lock(&d->lock);
	/* One of two hosts that is blocked is what people stumble over. */
	if (d->ways[way] != DOCTOR_BLOCKED)
		d->ways[way] = passes;
	mutex_unlock(&d->lock);
}

static enum doctor_passes way_of(struct doctor *d, enum doctor_way way)
{
	enum doctor_passes passes;

	mutex_lock(&d->lock);
	passes = d->ways[way];
	mutex_unlock(&d->lock);
	return passes;
}

void doctor_compare_ways(struct doctor *d, struct report *r)
{
	bool no_https = way_of(d, DOCTOR_HTTPS) == DOCTOR_BLOCKED;
	bool no_ssh = way_of(d, DOCTOR_SSH) == DOCTOR_BLOCKED;
	bool ssh = way_of(d, DOCTOR_SSH) == DOCTOR_PASSES;
	bool ssh_443 = way_of(d, DOCTOR_SSH_443) == DOCTOR_PASSES;

	if (no_https && (ssh || ssh_443))
		report_append(r,
			      report_level_of(r, "git") == REPORT_ERROR
				      ? "git"
				      : "https",
			      ssh ? BUT_SSH : BUT_SSH_443);
	if (no_ssh && ssh_443) {
		report_append(r, "ssh", BUT_443);
		report_soften(r, "ssh");
	} else if (no_ssh && way_of(d, DOCTOR_HTTPS) == DOCTOR_PASSES) {
		report_append(r, "ssh", BUT_HTTPS);
	}
}

static const char *remedy(int r, const char *said)
{
	switch (r) {
	case -EPROTO:
		/* A certificate that is not trusted has its remedies. */
		return strchr(said, '(') ? ""
					 : ": another server answers there, or "
					   "a proxy in between (whose "
					   "certificate ca_file can name)";
	case -ETIMEDOUT:
		return strstr(said, "resolved")
			       ? "; " BY_PROXY
			       : ": a firewall that drops it, or no "
				 "network; " BY_PROXY;
	case -ENETUNREACH:
		return ": is this machine online? " BY_PROXY;
	case -ECONNRESET:
		return ": something on the way (a firewall, a proxy) breaks it "
		       "off";
	default:
		return "";
	}
}

void doctor_add_unreachable(struct report *r, const char *name,
			    const struct ctx *ctx, int errnum)
{
	const char *said = *ctx->sentence ? ctx->sentence : strerror(-errnum);
	size_t n = strlen(said);

	report_add(r, name, REPORT_ERROR, "%.*s%s",
		   (int)(n - (n && said[n - 1] == '.')), said,
		   remedy(errnum, said));
}
