/*
 * cmd/doctor/service: what the API says, in as few requests as tell it, one
 * after the other: a credential that was refused is not sent again, because the
 * account would be locked (src/api/README.md, 3).
 *
 * Without ADDRESS: who one is, the workspaces, one of the repositories. With
 * one: who one is, that repository, and for a typo the lists in which its name
 * would be. Five at most.
 */
#include "cmd/doctor/service_private.h"

#include "base/clock.h"

/* ---- one request ---- */

static void forget(struct service_asking *a)
{
	bitbucket_reply_done(&a->reply);
	http_response_done(&a->answer);
	a->json = json_free(a->json);
	a->reply = (struct bitbucket_reply){0};
	a->answer = (struct http_response){0};
}

int service_ask(struct service_asking *a, const char *path)
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
void service_add_refusal(struct service_asking *a, const char *name,
			 enum report_level level)
{
	report_add(a->r, name, level, "%s%s", a->sentence,
		   strstr(a->sentence, "lacks the scope")
			   ? ": make a token that has it; the scopes of one "
			     "cannot be changed"
			   : "");
}

/* ---- who one is ---- */

static const char *first_workspace(const struct doctor *d)
{
	char **all = d->remote.config.workspaces;

	if (d->address.workspace)
		return d->address.workspace;
	return all ? all[0] : NULL;
}

bool service_is_account(const struct doctor *d)
{
	enum credential_kind kind = credential_kind(d->remote.credential);

	return kind != CREDENTIAL_ANONYMOUS && kind != CREDENTIAL_ACCESS_TOKEN;
}

/* What costs least and tells whether the credential is good. */
static char *first_path(const struct doctor *d)
{
	const char *workspace = first_workspace(d);

	if (service_is_account(d))
		return mem_strdup("/user");
	if (workspace && d->address.repository)
		return bitbucket_repository_path(workspace,
						 d->address.repository);
	return workspace ? bitbucket_workspace_path(workspace)
			 : mem_strdup("/hook_events");
}

static void judge_user(struct service_asking *a)
{
	const char *name = json_str(a->json, "display_name");

	if (!json_str(a->json, "uuid"))
		report_add(a->r, "account", REPORT_ERROR,
			   "the answer to /user is no account: is api_url (%s) "
			   "that of Bitbucket?",
			   a->d->remote.config.api_url);
	else
		report_add(a->r, "account", REPORT_OK, "signed in as %s (%s)",
			   name ? name : "somebody without a name",
			   credential_label(a->d->remote.credential));
}

const char *doctor_credential_from(const struct doctor *d)
{
	const struct config *config = &d->remote.config;

	return config->token_command ? "token_command"
	       : config->token_from  ? config->token_from
				     : "login";
}

/* What login keeps is not asked for as long as there is another one. */
static void add_source(struct service_asking *a)
{
	const struct doctor *d = a->d;
	cleanup(free) char *words =
		mem_asprintf("; the one that was refused is from %s, which "
			     "wins over login: change it there, or take it out",
			     doctor_credential_from(d));

	if (!d->remote.is_kept &&
	    credential_kind(d->remote.credential) != CREDENTIAL_ANONYMOUS)
		report_append(a->r, "account", words);
}

/* The service forbids all that is not below /2.0; other servers have none. */
static bool is_elsewhere(const struct service_asking *a)
{
	const char *url = a->d->remote.config.api_url;
	size_t n = strlen(url);

	return a->answer.status == 404 ||
	       (a->answer.status == 403 &&
		(n < 4 || strcmp(url + n - 4, "/2.0") != 0));
}

/* False: it is refused, or not the API, and nothing more is sent with it. */
static bool judge_account(struct service_asking *a)
{
	enum credential_kind kind = credential_kind(a->d->remote.credential);

	if (a->answer.status == 401) {
		service_add_refusal(a, "account", REPORT_ERROR);
		add_source(a);
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
	else if (is_elsewhere(a))
		report_add(a->r, "account", REPORT_ERROR,
			   "%s: is api_url (%s) that of Bitbucket, which ends "
			   "in /2.0?",
			   a->sentence, a->d->remote.config.api_url);
	else if (a->answer.status == 403)
		service_add_refusal(a, "account", REPORT_WARNING);
	else if (a->result)
		report_add(a->r, "account", REPORT_ERROR, "%s", a->sentence);
	else
		judge_user(a);
	return kind == CREDENTIAL_ACCESS_TOKEN || !is_elsewhere(a);
}

/* ---- what there is ---- */

/* The names of a list's items at that path; "" when there are none. */
char *service_names_of(const struct json *json, const char *path, size_t most)
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

static void judge_repositories(struct service_asking *a, const char *workspace)
{
	cleanup(free) char *base = bitbucket_workspace_path(workspace);
	/* "/workspaces/acme", whose repositories are "/repositories/acme". */
	cleanup(free) char *path =
		mem_asprintf("/repositories%s?pagelen=1", strrchr(base, '/'));

	if (service_ask(a, path)) {
		report_add(a->r, "repositories", REPORT_ERROR, "%s",
			   a->sentence);
		return;
	}
	if (service_judge_service(a))
		return;
	if (a->result)
		service_add_refusal(a, "repositories", REPORT_ERROR);
	else if (!json_n_items(json_at(a->json, "values")))
		report_add(a->r, "repositories", REPORT_WARNING,
			   "%s has none that this account may see", workspace);
	else
		report_add(a->r, "repositories", REPORT_OK,
			   "%s has some that this account may see", workspace);
}

static void judge_workspaces(struct service_asking *a)
{
	cleanup(free) char *names = NULL;
	cleanup(free) char *first = NULL;

	if (service_ask(a, "/user/workspaces?pagelen=100")) {
		report_add(a->r, "workspaces", REPORT_ERROR, "%s", a->sentence);
		return;
	}
	if (service_judge_service(a))
		return;
	if (a->result) {
		service_add_refusal(a, "workspaces", REPORT_ERROR);
		return;
	}
	names = service_names_of(a->json, "workspace.slug", 8);
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
static void look_around(struct service_asking *a, bool asked_workspace)
{
	enum credential_kind kind = credential_kind(a->d->remote.credential);
	const char *workspace = first_workspace(a->d);

	if (service_is_account(a->d)) {
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

static void look(struct service_asking *a)
{
	cleanup(free) char *path = first_path(a->d);
	bool is_user = !strcmp(path, "/user");

	if (!service_judge_network(a, service_ask(a, path)) ||
	    service_judge_service(a) || !judge_account(a))
		return;
	if (a->d->address.workspace)
		service_look_at_address(a, !is_user);
	else
		look_around(a, !is_user);
}

void doctor_check_service(struct ctx *ctx, struct doctor *d, struct report *r)
{
	struct service_asking a = {.ctx = ctx, .d = d, .r = r};

	if (!d->is_configured || !d->has_credential)
		return;
	look(&a);
	forget(&a);
}
