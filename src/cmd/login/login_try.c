/*
 * cmd/login/login_try: a thread looks for a repository and asks git for it,
 * while the one that called asks whose credential it is.
 */
#include "cmd/login/login_try.h"
#include "cmd/git_once.h"

#include "base/text.h"

#define ALL_MS (60 * 1000)
#define WORKSPACES_TRIED 3

void login_try_done(struct login_try *try)
{
	json_free(try->answer);
	free(try->repository);
	*try = (struct login_try){0};
}

/* ---- a repository ---- */

static int get(struct ctx *ctx, struct remote *remote, const char *path,
	       struct json **ret_answer)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r = bitbucket_get(ctx, remote->bitbucket, path, NULL, &reply);

	return r ? r : bitbucket_parse(ctx, &reply, path, ret_answer);
}

/* The full name of the first of its page. */
static int first_of(struct ctx *ctx, struct remote *remote,
		    const char *workspace, char **ret_repository)
{
	cleanup(json_free) struct json *answer = NULL;
	cleanup(free) char *path = bitbucket_workspace_path(workspace);
	cleanup(free) char *list = mem_asprintf("/repositories/%s?pagelen=1",
						path + strlen("/workspaces/"));
	const struct json *values;
	const char *name;
	int r = get(ctx, remote, list, &answer);

	values = r ? NULL : json_at(answer, "values");
	name = values && json_first(values)
		       ? json_str(json_first(values), "full_name")
		       : NULL;
	if (name && strchr(name, '/'))
		*ret_repository = mem_strdup(name);
	return r;
}

static int look_into(struct ctx *ctx, struct remote *remote,
		     const char *workspace, char **ret_workspace,
		     char **ret_repository)
{
	if (!*ret_workspace)
		*ret_workspace = mem_strdup(workspace);
	return first_of(ctx, remote, workspace, ret_repository);
}

static int find_repository(struct ctx *ctx, struct remote *remote,
			   char **ret_workspace, char **ret_repository)
{
	cleanup(json_free) struct json *answer = NULL;
	char **configured = remote->config.workspaces;
	const struct json *values = NULL;
	size_t n = 0;
	int r = 0;

	for (; !*ret_repository && configured && configured[n] &&
	       n < WORKSPACES_TRIED;
	     n++)
		r = look_into(ctx, remote, configured[n], ret_workspace,
			      ret_repository);
	/* An access token cannot list its workspaces. */
	if (n || credential_kind(remote->credential) == CREDENTIAL_ACCESS_TOKEN)
		return *ret_repository ? 0 : r;
	r = get(ctx, remote, "/user/workspaces?pagelen=10", &answer);
	values = r ? NULL : json_at(answer, "values");
	for (const struct json *i = values ? json_first(values) : NULL;
	     i && !*ret_repository && n < WORKSPACES_TRIED; i = json_next(i)) {
		const char *slug = json_str(i, "workspace.slug");

		if (slug && text_is_workspace_id(slug)) {
			n++;
			r = look_into(ctx, remote, slug, ret_workspace,
				      ret_repository);
		}
	}
	return *ret_repository ? 0 : r;
}

/* ---- git ---- */

struct beside {
	struct remote *remote;
	struct login_try *to;
};

static void run_beside(void *arg)
{
	struct beside *beside = arg;
	struct login_try *to = beside->to;
	cleanup(free) char *workspace = NULL;
	cleanup(ctx_done) struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, ALL_MS);
	r = find_repository(&ctx, beside->remote, &workspace, &to->repository);
	if (!to->repository) {
		snprintf(to->sentence, sizeof(to->sentence), "%s",
			 r ? ctx.sentence
			   : "there is no repository to ask for");
		return;
	}
	r = git_once(&ctx, beside->remote, beside->remote->api_http,
		     to->repository, true);
	to->git = r ? LOGIN_GIT_BAD : LOGIN_GIT_GOOD;
	if (r)
		snprintf(to->sentence, sizeof(to->sentence), "%s",
			 *ctx.sentence ? ctx.sentence : strerror(-r));
}

enum command_exit login_try(struct remote *remote, struct login_try *ret)
{
	struct beside beside = {remote, ret};
	struct thread *thread = NULL;
	enum command_exit end;
	int r = 0;

	/* A mirror is not the service: it is shown no secret. */
	if (remote->config.is_mirror)
		snprintf(ret->sentence, sizeof(ret->sentence),
			 "git_url is a mirror, which is given no credential");
	else
		r = thread_start("git", run_beside, &beside, &thread);
	if (r)
		snprintf(ret->sentence, sizeof(ret->sentence), "%s",
			 strerror(-r));
	end = who_ask(remote, &ret->answer);
	thread_join(thread);
	return end;
}
