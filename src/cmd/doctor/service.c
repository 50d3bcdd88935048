/*
 * cmd/doctor/service: what the API says, in as few requests as tell it, one
 * after the other: a credential that was refused is not sent again, because the
 * account would be locked (src/api/README.md, 3).
 *
 * Without ADDRESS: who one is, the workspaces, one of the repositories. With
 * one: who one is, that repository, and for a typo the lists in which its name
 * would be. Five at most.
 */
#include "cmd/doctor/service.h"
#include "cmd/doctor/doctor.h"

#include "cmd/login_form.h"
#include "cmd/suggest.h"

#include "base/clock.h"
#include "base/text.h"

#include <strings.h>

#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 3600 * SECOND_MS)
#define CLOCK_MOST_MS (300 * SECOND_MS)

/* ---- what needs no service ---- */

char *service_clock_off(int64_t ahead_ms)
{
	int64_t off = ahead_ms < 0 ? -ahead_ms : ahead_ms;
	const char *where = ahead_ms < 0 ? "behind" : "ahead";

	if (off <= CLOCK_MOST_MS)
		return NULL;
	if (off >= 2 * DAY_MS)
		return mem_asprintf("%lld days %s", (long long)(off / DAY_MS),
				    where);
	return mem_asprintf("%lld minutes %s",
			    (long long)(off / (60 * SECOND_MS)), where);
}

static enum login_form form_of(const char *token)
{
	enum login_form form = LOGIN_FORM_UNKNOWN;
	char *bare = NULL;
	cleanup(free) char *name = NULL;
	const char *note = NULL;

	if (token && login_form_token(token, &bare, &form, &name, &note))
		form = LOGIN_FORM_UNKNOWN;
	text_wipe(bare);
	return form;
}

static const char *odd_name(enum credential_kind kind, const char *label)
{
	if (kind == CREDENTIAL_API_TOKEN && !strchr(label, '@'))
		return "email is no e-mail: an API token goes with the e-mail "
		       "of the Atlassian account "
		       "(https://bitbucket.org/account/settings/email/), not "
		       "with the user name";
	if (kind == CREDENTIAL_BASIC && strchr(label, '@'))
		return "username is an e-mail: with an API token, write it as "
		       "email";
	return NULL;
}

const char *service_odd_credential(enum credential_kind kind, const char *label,
				   const char *token)
{
	bool has_name = kind == CREDENTIAL_API_TOKEN ||
			kind == CREDENTIAL_BASIC;

	switch (form_of(token)) {
	case LOGIN_FORM_APP_PASSWORD:
		return "this has the form of an app password (ATBB…), which "
		       "Bitbucket takes no more since 2026-07-28: make an API "
		       "token with scopes at id.atlassian.com, and give it "
		       "with the e-mail of the Atlassian account";
	case LOGIN_FORM_ACCESS_TOKEN:
		if (has_name)
			return "this has the form of an access token of a "
			       "repository, project or workspace (ATCT…), "
			       "which goes alone: take email or username out";
		break;
	case LOGIN_FORM_API_TOKEN:
	case LOGIN_FORM_UNKNOWN:
		break;
	}
	return odd_name(kind, label);
}

/* ---- one request ---- */

struct asking {
	struct ctx *ctx;
	struct doctor *d;
	struct report *r;
	/* Of the last request. */
	struct bitbucket_reply reply;
	struct http_response answer;
	struct json *json; /* NULL: it is none */
	char sentence[512];
	int result;
	int64_t took_ms;
};

static void forget(struct asking *a)
{
	bitbucket_reply_done(&a->reply);
	http_response_done(&a->answer);
	a->json = json_free(a->json);
	a->reply = (struct bitbucket_reply){0};
	a->answer = (struct http_response){0};
}

/* 0 when it came, whatever it says. */
static int ask(struct asking *a, const char *path)
{
	int64_t began = clock_mono_ms();
	size_t n;

	forget(a);
	a->ctx->sentence[0] = '\0';
	/* A pause of the mounts', or a cache on the way, is not asked. */
	a->ctx->urgent = true;
	a->result = bitbucket_get_once(a->ctx, a->d->remote.bitbucket, path,
				       &a->reply, &a->answer);
	a->took_ms = clock_mono_ms() - began;
	atomic_fetch_add(&a->d->n_requests, a->answer.n_asked);
	snprintf(a->sentence, sizeof(a->sentence), "%s",
		 *a->ctx->sentence ? a->ctx->sentence : strerror(-a->result));
	n = strlen(a->sentence);
	if (n && a->sentence[n - 1] == '.')
		a->sentence[n - 1] = 0;
	if (!a->result && a->reply.body.data)
		(void)json_parse(a->reply.body.data, a->reply.body.len,
				 &a->json);
	return a->answer.status ? 0 : a->result;
}

/* Of what was not let: the sentence has the scope, where the service says it.
 */
static void add_refusal(struct asking *a, const char *name,
			enum report_level level)
{
	report_add(a->r, name, level, "%s%s", a->sentence,
		   strstr(a->sentence, "lacks the scope")
			   ? ": make a token that has it; the scopes of one "
			     "cannot be changed"
			   : "");
}

/* ---- the network ---- */

static void judge_clock(struct asking *a, int64_t server_ms)
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
static void ask_clock(struct asking *a)
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

/* False: nothing more can be asked. */
static bool judge_network(struct asking *a, int r)
{
	cleanup(http_url_done) struct http_url url = {0};

	/* The source of the credential failed: nothing was sent. */
	if (r == -EACCES) {
		report_add(a->r, "account", REPORT_ERROR, "%s", a->sentence);
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

static void add_limit(struct asking *a)
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

/* True: the service itself is in trouble, or wants no more requests. */
static bool judge_service(struct asking *a)
{
	if (a->answer.status == 429)
		add_limit(a);
	else if (a->answer.status >= 500)
		report_add(a->r, "service", REPORT_ERROR,
			   "%s: the service is in trouble itself, see "
			   "https://bitbucket.status.atlassian.com",
			   a->sentence);
	else if (a->answer.rate_near_limit)
		report_add(a->r, "requests", REPORT_WARNING,
			   "the service says that its limit is near");
	return a->answer.status == 429 || a->answer.status >= 500;
}

/* ---- who one is ---- */

static const char *first_workspace(const struct doctor *d)
{
	char **all = d->remote.config.workspaces;

	if (d->address.workspace)
		return d->address.workspace;
	return all ? all[0] : NULL;
}

/* Who has workspaces of its own to list. */
static bool is_account(const struct doctor *d)
{
	enum credential_kind kind = credential_kind(d->remote.credential);

	return kind != CREDENTIAL_ANONYMOUS && kind != CREDENTIAL_ACCESS_TOKEN;
}

/* What costs least and tells whether the credential is good. */
static char *first_path(const struct doctor *d)
{
	const char *workspace = first_workspace(d);

	if (is_account(d))
		return mem_strdup("/user");
	if (workspace && d->address.repository)
		return bitbucket_repository_path(workspace,
						 d->address.repository);
	return workspace ? bitbucket_workspace_path(workspace)
			 : mem_strdup("/hook_events");
}

static void judge_user(struct asking *a)
{
	const char *name = json_str(a->json, "display_name");

	if (!json_str(a->json, "uuid"))
		report_add(a->r, "account", REPORT_ERROR,
			   "the answer to /user is no account: is %s the API "
			   "of Bitbucket, or does a page of the network answer "
			   "in its place (sign in there by a browser)?",
			   a->d->remote.config.api_url);
	else
		report_add(a->r, "account", REPORT_OK, "signed in as %s (%s)",
			   name ? name : "somebody without a name",
			   credential_label(a->d->remote.credential));
}

/* False: it is refused, and nothing more is sent with it. */
static bool judge_account(struct asking *a)
{
	enum credential_kind kind = credential_kind(a->d->remote.credential);

	if (a->answer.status == 401) {
		add_refusal(a, "account", REPORT_ERROR);
		return false;
	}
	if (kind == CREDENTIAL_ANONYMOUS) {
		report_add(a->r, "account", REPORT_OK,
			   "nobody is signed in: what is public alone is "
			   "there, and 60 requests an hour");
		return true;
	}
	if (kind == CREDENTIAL_ACCESS_TOKEN)
		report_add(a->r, "account", REPORT_OK,
			   "the access token is taken");
	else if (a->answer.status == 403)
		add_refusal(a, "account", REPORT_WARNING);
	else if (a->result)
		report_add(a->r, "account", REPORT_ERROR, "%s", a->sentence);
	else
		judge_user(a);
	return true;
}

/* ---- what there is ---- */

/* The names of a list's items at that path; "" when there are none. */
static char *names_of(const struct json *json, const char *path, size_t most)
{
	const struct json *values = json_at(json, "values");
	struct buf names = BUF_INIT(4 * KIB);
	size_t n = 0;

	for (const struct json *i = json_first(values); i && n < most;
	     i = json_next(i))
		if (json_str(i, path))
			buf_printf(&names, "%s%s", n++ ? ", " : "",
				   json_str(i, path));
	buf_puts(&names, "");
	return buf_steal(&names, NULL);
}

static void judge_repositories(struct asking *a, const char *workspace)
{
	cleanup(free) char *base = bitbucket_workspace_path(workspace);
	/* "/workspaces/acme", whose repositories are "/repositories/acme". */
	cleanup(free) char *path =
		mem_asprintf("/repositories%s?pagelen=1", strrchr(base, '/'));

	if (ask(a, path)) {
		report_add(a->r, "repositories", REPORT_ERROR, "%s",
			   a->sentence);
		return;
	}
	if (judge_service(a))
		return;
	if (a->result)
		add_refusal(a, "repositories", REPORT_ERROR);
	else if (!json_n_items(json_at(a->json, "values")))
		report_add(a->r, "repositories", REPORT_WARNING,
			   "%s has none that this account may see", workspace);
	else
		report_add(a->r, "repositories", REPORT_OK,
			   "%s has some that this account may see", workspace);
}

static void judge_workspaces(struct asking *a)
{
	cleanup(free) char *names = NULL;
	cleanup(free) char *first = NULL;

	if (ask(a, "/user/workspaces?pagelen=100")) {
		report_add(a->r, "workspaces", REPORT_ERROR, "%s", a->sentence);
		return;
	}
	if (judge_service(a))
		return;
	if (a->result) {
		add_refusal(a, "workspaces", REPORT_ERROR);
		return;
	}
	names = names_of(a->json, "workspace.slug", 8);
	if (!*names) {
		report_add(a->r, "workspaces", REPORT_WARNING,
			   "this account is a member of none: name those that "
			   "it may see by workspaces = A:B");
		return;
	}
	report_add(a->r, "workspaces", REPORT_OK, "%s", names);
	first = mem_dup0(names, strcspn(names, ","));
	judge_repositories(a, first);
}

/* An access token has none of its own; nor has who is not signed in. */
static void look_around(struct asking *a, bool asked_workspace)
{
	enum credential_kind kind = credential_kind(a->d->remote.credential);
	const char *workspace = first_workspace(a->d);

	if (is_account(a->d)) {
		judge_workspaces(a);
		return;
	}
	if (!workspace) {
		if (kind == CREDENTIAL_ACCESS_TOKEN)
			report_add(a->r, "workspaces", REPORT_WARNING,
				   "an access token cannot list its "
				   "workspaces: name them by workspaces = A:B");
		return;
	}
	if (asked_workspace && a->result && a->answer.status != 403)
		report_add(a->r, "workspaces", REPORT_ERROR,
			   "there is no workspace %s that this account may "
			   "see: compare it with the address of its page",
			   workspace);
	else
		judge_repositories(a, workspace);
}

/* ---- ADDRESS ---- */

/* ": did you mean widgets?" of the names of a list; "". */
static char *meant(const struct json *json, const char *path, const char *word)
{
	struct suggest suggest = {.word = word};

	JSON_EACH (i, json_at(json, "values"))
		if (json_str(i, path))
			suggest_try(&suggest, json_str(i, path));
	return suggest_words(&suggest);
}

static void no_workspace(struct asking *a, const char *workspace)
{
	cleanup(free) char *hint = mem_strdup("");
	enum credential_kind kind = credential_kind(a->d->remote.credential);
	cleanup(free) char *names = mem_strdup("");

	if (is_account(a->d) && !ask(a, "/user/workspaces?pagelen=100") &&
	    !a->result) {
		free(hint);
		hint = meant(a->json, "workspace.slug", workspace);
		free(names);
		names = names_of(a->json, "workspace.slug", 8);
	}
	report_add(a->r, "workspace", REPORT_ERROR,
		   "there is no workspace %s that this account may see%s%s%s%s",
		   workspace, hint,
		   *hint || !*names ? "" : ": those of this account are ",
		   *hint ? "" : names,
		   kind == CREDENTIAL_ANONYMOUS
			   ? ": nobody is signed in, so that what is private "
			     "is not there"
			   : "");
}

static void no_repository(struct asking *a)
{
	const char *workspace = a->d->address.workspace;
	const char *repository = a->d->address.repository;
	cleanup(free) char *base = bitbucket_workspace_path(workspace);
	cleanup(free) char *path =
		mem_asprintf("/repositories%s?pagelen=100&sort=-updated_on",
			     strrchr(base, '/'));
	cleanup(free) char *hint = NULL;
	bool is_anonymous = credential_kind(a->d->remote.credential) ==
			    CREDENTIAL_ANONYMOUS;

	if (ask(a, path) || judge_service(a))
		return;
	if (a->result) {
		no_workspace(a, workspace);
		return;
	}
	hint = meant(a->json, "slug", repository);
	report_add(a->r, "repository", REPORT_ERROR,
		   "%s has no repository %s that this account may see%s%s",
		   workspace, repository, hint,
		   *hint          ? ""
		   : is_anonymous ? ": nobody is signed in, so that what is "
				    "private is not there"
				  : ": the one name is in the address of its "
				    "page, the right to see it is given in its "
				    "settings");
}

static void judge_repository(struct asking *a)
{
	const char *name = json_str(a->json, "full_name");

	if (judge_service(a))
		return;
	if (a->answer.status == 404 || a->answer.status == 410) {
		no_repository(a);
		return;
	}
	if (a->result) {
		add_refusal(a, "repository", REPORT_ERROR);
		return;
	}
	report_add(a->r, "repository", REPORT_OK, "%s is there%s",
		   name ? name : a->d->address.repository,
		   json_bool(a->json, "is_private", false) ? " (private)" : "");
	doctor_check_clone(a->ctx, a->d, a->r);
}

static void judge_workspace(struct asking *a)
{
	const char *workspace = a->d->address.workspace;

	if (judge_service(a))
		return;
	if (a->answer.status == 404 || a->answer.status == 410)
		no_workspace(a, workspace);
	else if (a->result)
		add_refusal(a, "workspace", REPORT_ERROR);
	else
		report_add(a->r, "workspace", REPORT_OK, "%s is there",
			   workspace);
}

static void look_at_address(struct asking *a, bool asked)
{
	const struct address *address = &a->d->address;
	bool is_repository = address->repository != NULL;
	cleanup(free) char *path =
		is_repository ? bitbucket_repository_path(address->workspace,
							  address->repository)
			      : bitbucket_workspace_path(address->workspace);

	if (!asked && ask(a, path)) {
		report_add(a->r, is_repository ? "repository" : "workspace",
			   REPORT_ERROR, "%s", a->sentence);
		return;
	}
	if (is_repository)
		judge_repository(a);
	else
		judge_workspace(a);
}

static void look(struct asking *a)
{
	cleanup(free) char *path = first_path(a->d);
	bool is_user = !strcmp(path, "/user");

	if (!judge_network(a, ask(a, path)) || judge_service(a) ||
	    !judge_account(a))
		return;
	if (a->d->address.workspace)
		look_at_address(a, !is_user);
	else
		look_around(a, !is_user);
}

void doctor_check_service(struct ctx *ctx, struct doctor *d, struct report *r)
{
	struct asking a = {.ctx = ctx, .d = d, .r = r};

	if (!d->is_configured || !d->has_credential)
		return;
	look(&a);
	forget(&a);
}
