/*
 * cmd/doctor/curl: what else on this machine signs in at the service, in curl's
 * and git's own files.
 */
#include "cmd/doctor/doctor.h"

#include "base/file.h"

#include <strings.h>

#define NETRC_MAX (256 * KIB)
#define WORDS " \t\r\n"

static bool is_of_service(const struct doctor *d, const char *host, size_t n)
{
	const char *const urls[] = {d->remote.config.api_url,
				    d->remote.config.git_url};

	for (size_t i = 0; i < ARRAY_SIZE(urls); i++) {
		cleanup(http_url_done) struct http_url url = {0};

		if (!http_url_parse(urls[i], &url) && strlen(url.host) == n &&
		    !strncasecmp(url.host, host, n))
			return true;
	}
	return false;
}

/* The first machine of a .netrc that is the service's; NULL: none. */
static char *machine_of(const struct doctor *d, const char *text)
{
	bool is_name = false;

	while (text && *(text += strspn(text, WORDS))) {
		size_t n = strcspn(text, WORDS);

		if (is_name && is_of_service(d, text, n))
			return mem_dup0(text, n);
		is_name = n == 7 && !strncmp(text, "machine", 7);
		text += n;
	}
	return NULL;
}

void doctor_check_curl(struct ctx *ctx, struct doctor *d, struct report *r)
{
	cleanup(buf_done) struct buf text = BUF_INIT(NETRC_MAX);
	cleanup(free) char *path = NULL;
	cleanup(free) char *machine = NULL;

	(void)ctx;
	if (!d->is_configured)
		return;
	if (!file_home_path(".netrc", &path) &&
	    !file_read(path, NETRC_MAX, &text))
		machine = machine_of(d, text.data);
	if (text.data)
		explicit_bzero(text.data, text.len);
	if (machine)
		report_add(r, "curl", REPORT_WARNING,
			   "%s has a secret for %s, which git and curl -n send "
			   "whatever is configured here: an app password "
			   "there is dead since 2026-07-28, take it out",
			   path, machine);
	else
		report_add(r, "curl", REPORT_OK,
			   "bitbucketfs curl PATH prints a line of curl that "
			   "signs in as configured, with all quotes");
}
