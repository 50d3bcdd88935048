/*
 * cmd/who: whose credential it is, by one request.
 */
#include "cmd/who.h"

#include "base/json.h"

#define ALL_MS (60 * 1000)

static const char *kind_name(enum credential_kind kind)
{
	switch (kind) {
	case CREDENTIAL_ANONYMOUS:
		return "anonymous";
	case CREDENTIAL_API_TOKEN:
		return "API token";
	case CREDENTIAL_BASIC:
		return "user name and secret";
	case CREDENTIAL_OAUTH:
		return "OAuth";
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return "access token";
}

static const char *first_workspace(const struct remote *remote)
{
	char **all = remote->config.workspaces;

	return all ? all[0] : NULL;
}

/* What can be asked of whom this is; NULL: nothing. */
static char *path_of(const struct remote *remote)
{
	switch (credential_kind(remote->credential)) {
	case CREDENTIAL_ANONYMOUS:
		return NULL;
	case CREDENTIAL_API_TOKEN:
	case CREDENTIAL_BASIC:
	case CREDENTIAL_OAUTH:
		return mem_strdup("/user");
	case CREDENTIAL_ACCESS_TOKEN:
		break;
	}
	return first_workspace(remote)
		       ? bitbucket_workspace_path(first_workspace(remote))
		       : NULL;
}

static enum command_exit ask_service(struct remote *remote, const char *path,
				     struct json **ret_answer)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(ctx_done) struct ctx ctx;
	bool is_token = credential_kind(remote->credential) ==
			CREDENTIAL_ACCESS_TOKEN;
	int r;

	ctx_init(&ctx, NULL, ALL_MS);
	r = bitbucket_get(&ctx, remote->bitbucket, path, NULL, &reply);
	if (!r)
		r = bitbucket_parse(&ctx, &reply, path, ret_answer);
	if (!r)
		return COMMAND_OK;
	/* The credential is good: a scope is missing, or the workspace. */
	if (reply.status == 403 ||
	    (is_token && (reply.status == 404 || reply.status == 410))) {
		snprintf(remote->note, sizeof(remote->note), "%s",
			 ctx.sentence);
		return COMMAND_OK;
	}
	command_say("%s", *ctx.sentence ? ctx.sentence : strerror(-r));
	return remote_end(remote, reply.status == 401 ? 401 : 0);
}

enum command_exit who_ask(struct remote *remote, struct json **ret_answer)
{
	cleanup(free) char *path = path_of(remote);
	bool known;
	enum command_exit end = remote_enter(remote, &known);

	if (end != COMMAND_OK)
		return end;
	if (path && known)
		return ask_service(remote, path, ret_answer);
	/* A credential that is new here was asked about just now. */
	if (remote->account.user_json)
		(void)json_parse(remote->account.user_json,
				 remote->account.n_user_json, ret_answer);
	return COMMAND_OK;
}

struct json *who_told(const struct remote *remote, const struct json *answer)
{
	static const char *const names[] = {"display_name", "nickname",
					    "account_id", "uuid"};
	enum credential_kind kind = credential_kind(remote->credential);
	struct json *all = json_new_object(), *quota;
	struct budget_state state;

	json_add_str(all, "kind", kind_name(kind));
	if (remote->config.profile)
		json_add_str(all, "profile", remote->config.profile);
	if (kind == CREDENTIAL_ACCESS_TOKEN && first_workspace(remote))
		json_add_str(all, "workspace", first_workspace(remote));
	if (kind == CREDENTIAL_API_TOKEN)
		json_add_str(all, "email",
			     credential_label(remote->credential));
	if (kind == CREDENTIAL_BASIC)
		json_add_str(all, "username",
			     credential_label(remote->credential));
	for (size_t i = 0;
	     kind != CREDENTIAL_ACCESS_TOKEN && answer && i < ARRAY_SIZE(names);
	     i++)
		if (json_str(answer, names[i]))
			json_add_str(all, names[i], json_str(answer, names[i]));
	json_add_str(all, "api_url", remote->config.api_url);
	if (remote->config.token_command)
		json_add_str(all, "from", "token_command");
	else if (kind != CREDENTIAL_ANONYMOUS && remote->config.token_from)
		json_add_str(all, "from", remote->config.token_from);
	if (*remote->note)
		json_add_str(all, "note", remote->note);
	budget_state(remote->budget, &state);
	quota = json_add_object(all, "quota");
	json_add_int(quota, "limit", state.api.limit);
	json_add_int(quota, "left", state.api.left);
	json_add_bool(quota, "told", state.api.told);
	return all;
}
