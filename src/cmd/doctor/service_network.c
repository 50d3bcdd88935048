/*
 * cmd/doctor/service: whether the API answers at all, and whether what answers
 * is it.
 */
#include "cmd/doctor/service_private.h"

#include "base/clock.h"

#define DAY_MS (INT64_C(24) * 3600 * 1000)
#define HTTP_NETWORK_SIGN_IN 511

static void judge_clock(struct service_asking *a, int64_t server_ms)
{
	int64_t ahead = clock_wall_ms() - server_ms;
	cleanup(free) char *off = NULL;
	char now[24];

	if (server_ms < 0)
		return;
	off = service_clock_off(ahead);
	if (!off)
		report_add(a->r, "clock", REPORT_OK,
			   "goes as the server's does");
	else
		report_add(a->r, "clock",
			   ahead >= DAY_MS || ahead <= -DAY_MS ? REPORT_ERROR
							       : REPORT_WARNING,
			   "this machine's clock is %s (it says %s): "
			   "certificates and what is cached are judged by it; "
			   "run sudo timedatectl set-ntp true",
			   off, clock_format_iso8601(clock_wall_ms(), now));
}

/* A clock that is far off makes every certificate wrong, so the server cannot
 * say over TLS how late it is. Nothing secret goes there. */
static void ask_clock(struct service_asking *a)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(http_url_done) struct http_url url = {0};
	cleanup(free) char *plain = NULL;
	struct http_request request = {.method = "HEAD", .no_redirects = true};

	if (http_url_parse(a->d->remote.config.api_url, &url) || !url.https)
		return;
	plain = mem_asprintf("http://%s/", url.host);
	request.url = plain;
	if (!http_perform(a->ctx, a->d->http, &request, NULL, &answer))
		judge_clock(a, answer.date_ms);
}

bool service_judge_network(struct service_asking *a, int r)
{
	cleanup(http_url_done) struct http_url url = {0};

	/* The source of the credential failed: nothing was sent. */
	if (r == -EACCES || (r && strstr(a->sentence, "OAuth token"))) {
		report_add(a->r, "account", REPORT_ERROR, "%s", a->sentence);
		return false;
	}
	if (r && a->answer.other_host) {
		report_add(a->r, "https", REPORT_ERROR,
			   "the API sends one to another host, as a network "
			   "does where one has to sign in by a browser first: "
			   "%s",
			   a->sentence);
		return false;
	}
	if (r) {
		doctor_add_unreachable(a->r, "https", a->ctx, r);
		if (r == -EPROTO)
			ask_clock(a);
		else
			doctor_set_way(a->d, DOCTOR_HTTPS, DOCTOR_BLOCKED);
		return false;
	}
	doctor_set_way(a->d, DOCTOR_HTTPS, DOCTOR_PASSES);
	(void)http_url_parse(a->d->remote.config.api_url, &url);
	report_add(a->r, "https", REPORT_OK, "%s answers in %lld ms",
		   url.authority ? url.authority : "the API",
		   (long long)a->took_ms);
	judge_clock(a, a->answer.date_ms);
	return true;
}

static void add_limit(struct service_asking *a)
{
	int64_t wait_s = a->answer.retry_after_s > 0 ? a->answer.retry_after_s
						     : a->answer.rate_reset_s;

	if (wait_s > 0)
		report_add(a->r, "requests", REPORT_ERROR,
			   "%s: wait for %lld minutes", a->sentence,
			   (long long)(wait_s + 59) / 60);
	else
		report_add(a->r, "requests", REPORT_ERROR,
			   "%s: what was asked an hour ago counts no more, so "
			   "wait",
			   a->sentence);
}

/* What the API never says. */
static bool is_page(const struct service_asking *a)
{
	return a->answer.status == HTTP_NETWORK_SIGN_IN ||
	       (!a->result && !json_is_object(a->json));
}

bool service_judge_service(struct service_asking *a)
{
	bool page = is_page(a);

	if (a->answer.status == 429)
		add_limit(a);
	else if (page)
		report_add(a->r, "service", REPORT_ERROR,
			   "what answers is not the API: is api_url (%s) that "
			   "of Bitbucket, or does a page of the network answer "
			   "in its place (sign in there by a browser)?",
			   a->d->remote.config.api_url);
	else if (a->answer.status >= 500)
		report_add(a->r, "service", REPORT_ERROR,
			   "%s: the service is in trouble itself, see "
			   "https://bitbucket.status.atlassian.com",
			   a->sentence);
	else if (a->answer.rate_near_limit)
		report_add(a->r, "requests", REPORT_WARNING,
			   "the service says that its limit is near");
	return page || a->answer.status == 429 || a->answer.status >= 500;
}
