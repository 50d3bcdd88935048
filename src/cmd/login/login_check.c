/*
 * cmd/login/login_check: first a repository to ask about, by the requests that
 * two of the scopes want anyway; the rest side by side.
 */
#include "cmd/login/login_check.h"

#include "base/text.h"

#define ALL_MS (60 * 1000)

/* {ws} and {repo} of paths, and what people write for them in places. */
static const struct probe {
	const char *scope, *old; /* of API tokens; of access tokens */
	const char *path;
	const char *access; /* of access tokens, where that is another one */
	const char *places; /* in the mount */
	bool extra;         /* not one of the six */
} probes[] = {
	{"read:user:bitbucket", "account", "/user", "",
	 ".bitbucketfs/user.json, .bitbucketfs/account/emails"},
	{"read:workspace:bitbucket", "account", "/user/workspaces?pagelen=100",
	 "/workspaces/{ws}",
	 "the workspaces of the account (else -o workspaces=…), "
	 "WORKSPACE/.workspace/members"},
	{"read:repository:bitbucket", "repository",
	 "/repositories/{ws}?pagelen=1", NULL,
	 "WORKSPACE/REPOSITORY, and all its files (tree, branches, tags, "
	 "commits, downloads)"},
	{"read:project:bitbucket", "project",
	 "/workspaces/{ws}/projects?pagelen=1", NULL,
	 "WORKSPACE/.workspace/projects"},
	{"read:pullrequest:bitbucket", "pullrequest",
	 "/repositories/{repo}/pullrequests?pagelen=1", NULL,
	 "REPOSITORY/pullrequests, REPOSITORY/settings/default-reviewers"},
	{"read:pipeline:bitbucket", "pipeline",
	 "/repositories/{repo}/pipelines?pagelen=1", NULL,
	 "REPOSITORY/pipelines, deployments, environments"},
	{"read:snippet:bitbucket", "snippet", "/snippets/{ws}?pagelen=1", NULL,
	 "WORKSPACE/.workspace/snippets", .extra = true},
	{"read:webhook:bitbucket", "webhook",
	 "/repositories/{repo}/hooks?pagelen=1", NULL,
	 "REPOSITORY/settings/hooks, WORKSPACE/.workspace/hooks",
	 .extra = true},
	{"admin:repository:bitbucket", "repository:admin",
	 "/repositories/{repo}/branch-restrictions?pagelen=1", NULL,
	 "REPOSITORY/settings/branch-restrictions, deploy-keys", .extra = true},
};
#define N_PROBES ARRAY_SIZE(probes)
#define SCOPE_WIDTH 28

struct found {
	const struct probe *probe;
	struct check *check;
	enum {
		UNASKED,
		THERE,
		MISSING,
		REFUSED,
		UNKNOWN, /* 404: the service looks for the thing first */
	} what;
	struct json *answer;
	char sentence[512];
	struct thread *thread;
};
struct check {
	struct remote *remote;
	bool is_access; /* an access token */
	bool old_names; /* so are those of OAuth called */
	char *workspace, *repository;
	struct found found[N_PROBES];
};

/* NULL: not for this kind of credential. */
static char *path_of(const struct check *check, const struct probe *probe)
{
	const char *path = check->is_access && probe->access ? probe->access
							     : probe->path;
	const char *name = NULL, *open = strchr(path, '{');
	struct buf out = BUF_INIT(8 * KIB);

	if (!*path)
		return NULL;
	if (open)
		name = !strncmp(open, "{ws}", 4) ? check->workspace
						 : check->repository;
	if (open && !name)
		return NULL;
	buf_add(&out, path, open ? (size_t)(open - path) : strlen(path));
	if (open) {
		text_percent_encode(&out, name, "/");
		buf_puts(&out, strchr(open, '}') + 1);
	}
	return buf_steal(&out, NULL);
}

static void judge(struct found *found, int r, long status)
{
	found->what = !r              ? THERE
		      : status == 403 ? MISSING
		      : status == 401 ? REFUSED
				      : UNKNOWN;
}

static void ask_path(struct found *found, const char *path)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, ALL_MS);
	r = bitbucket_get_once(&ctx, found->check->remote->bitbucket, path,
			       &reply, &answer);
	judge(found, r, answer.status);
	if (!r)
		(void)json_parse(reply.body.data, reply.body.len,
				 &found->answer);
	snprintf(found->sentence, sizeof(found->sentence), "%s",
		 *ctx.sentence || !r ? ctx.sentence : strerror(-r));
}

static void ask(void *arg)
{
	struct found *found = arg;
	cleanup(free) char *path = path_of(found->check, found->probe);

	if (path)
		ask_path(found, path);
}

static void take_workspace(struct check *check, const struct json *answer)
{
	const struct json *values = answer ? json_at(answer, "values") : NULL;
	const char *slug =
		values && json_first(values)
			? json_str(json_first(values), "workspace.slug")
			: NULL;

	if (!check->workspace && slug && text_is_workspace_id(slug))
		check->workspace = mem_strdup(slug);
}

static void take_repository(struct check *check, const struct json *answer)
{
	const struct json *values = answer ? json_at(answer, "values") : NULL;
	const char *name = values && json_first(values)
				   ? json_str(json_first(values), "full_name")
				   : NULL;

	if (name && strchr(name, '/'))
		check->repository = mem_strdup(name);
}

/* Side by side; where no thread can be had, here. */
static void begin(struct found *found)
{
	if (thread_start("scope", ask, found, &found->thread))
		ask(found);
}

static void ask_all(struct check *check)
{
	char **configured = check->remote->config.workspaces;

	for (size_t i = 0; i < N_PROBES; i++) {
		check->found[i].probe = &probes[i];
		check->found[i].check = check;
	}
	if (configured && configured[0])
		check->workspace = mem_strdup(configured[0]);
	begin(&check->found[0]);
	ask(&check->found[1]);
	take_workspace(check, check->found[1].answer);
	ask(&check->found[2]);
	take_repository(check, check->found[2].answer);
	for (size_t i = 3; i < N_PROBES; i++)
		begin(&check->found[i]);
	for (size_t i = 0; i < N_PROBES; i++)
		thread_join(check->found[i].thread);
}

/* ---- what is said ---- */

static const char *why_unasked(const struct found *found)
{
	if (!found->check->workspace)
		return "not asked: no workspace is known (-o workspaces=NAME)";
	return "not asked: no repository is known";
}

static void add_line(struct buf *out, const struct found *found)
{
	const struct probe *probe = found->probe;
	const char *scope = found->check->old_names ? probe->old : probe->scope;

	buf_printf(out, "%-*s", SCOPE_WIDTH, scope);
	switch (found->what) {
	case UNASKED:
		buf_printf(out, "%s\n", why_unasked(found));
		return;
	case THERE:
		buf_puts(out, "good\n");
		return;
	case MISSING:
		buf_printf(out, "missing%s: it would show %s\n",
			   probe->extra ? " (few need it)" : "", probe->places);
		/* Another one may be what the service asks for. */
		if (strstr(found->sentence, scope))
			return;
		break;
	case REFUSED:
	case UNKNOWN:
		buf_puts(out, "cannot be told\n");
		break;
	}
	buf_printf(out, "%*s", SCOPE_WIDTH, "");
	text_clean(out, found->sentence, strlen(found->sentence), "");
	buf_putc(out, '\n');
}

static enum command_exit tell(const struct check *check)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	enum command_exit end = COMMAND_OK, printed;

	for (size_t i = 0; i < N_PROBES; i++) {
		const struct found *found = &check->found[i];

		if (found->what == REFUSED) {
			command_say("%s", found->sentence);
			return COMMAND_SIGN_IN;
		}
		if (found->what == UNKNOWN ||
		    (found->what == MISSING && !found->probe->extra))
			end = COMMAND_FAILED;
		/* What is asked of an account is not for tokens of none. */
		if (!check->is_access || !found->probe->access ||
		    *found->probe->access)
			add_line(&out, found);
	}
	printed = command_print(out.data, out.len);
	return printed == COMMAND_OK ? end : printed;
}

enum command_exit login_check(struct remote *remote)
{
	enum credential_kind kind = credential_kind(remote->credential);
	struct check check = {
		.remote = remote,
		.is_access = kind == CREDENTIAL_ACCESS_TOKEN,
		.old_names = kind == CREDENTIAL_ACCESS_TOKEN ||
			     kind == CREDENTIAL_OAUTH,
	};
	enum command_exit end;

	if (kind == CREDENTIAL_ANONYMOUS) {
		command_say("nobody is signed in: bitbucketfs login");
		return COMMAND_SIGN_IN;
	}
	ask_all(&check);
	end = tell(&check);
	for (size_t i = 0; i < N_PROBES; i++)
		json_free(check.found[i].answer);
	free(check.workspace);
	free(check.repository);
	return end;
}
