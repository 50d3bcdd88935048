/*
 * cmd/doctor/service: whether the workspace and the repository of ADDRESS are
 * there, and which may have been meant.
 */
#include "cmd/doctor/service_private.h"

#include "base/suggest.h"

/* ": did you mean widgets?" of the names of a list; "". */
static char *meant(const struct json *json, const char *path, const char *word)
{
	struct suggest suggest = {.word = word};

	JSON_EACH (i, json_at(json, "values"))
		if (json_str(i, path))
			suggest_try(&suggest, json_str(i, path));
	return suggest_words(&suggest);
}

static void no_workspace(struct service_asking *a, const char *workspace)
{
	cleanup(free) char *hint = mem_strdup("");
	enum credential_kind kind = credential_kind(a->d->remote.credential);
	cleanup(free) char *names = mem_strdup("");

	if (service_is_account(a->d) &&
	    !service_ask(a, "/user/workspaces?pagelen=100") && !a->result) {
		free(hint);
		hint = meant(a->json, "workspace.slug", workspace);
		free(names);
		names = service_names_of(a->json, "workspace.slug", 8);
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

static void no_repository(struct service_asking *a)
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

	if (service_ask(a, path) || service_judge_service(a))
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

static void judge_repository(struct service_asking *a)
{
	const char *name = json_str(a->json, "full_name");

	if (service_judge_service(a))
		return;
	if (a->answer.status == 404 || a->answer.status == 410) {
		no_repository(a);
		return;
	}
	if (a->result) {
		service_add_refusal(a, "repository", REPORT_ERROR);
		return;
	}
	report_add(a->r, "repository", REPORT_OK, "%s is there%s",
		   name ? name : a->d->address.repository,
		   json_bool(a->json, "is_private", false) ? " (private)" : "");
	doctor_check_clone(a->ctx, a->d, a->r);
}

static void judge_workspace(struct service_asking *a)
{
	const char *workspace = a->d->address.workspace;

	if (service_judge_service(a))
		return;
	if (a->answer.status == 404 || a->answer.status == 410)
		no_workspace(a, workspace);
	else if (a->result)
		service_add_refusal(a, "workspace", REPORT_ERROR);
	else
		report_add(a->r, "workspace", REPORT_OK, "%s is there",
			   workspace);
}

void service_look_at_address(struct service_asking *a, bool asked)
{
	const struct address *address = &a->d->address;
	bool is_repository = address->repository != NULL;
	cleanup(free) char *path =
		is_repository ? bitbucket_repository_path(address->workspace,
							  address->repository)
			      : bitbucket_workspace_path(address->workspace);

	if (!asked && service_ask(a, path)) {
		report_add(a->r, is_repository ? "repository" : "workspace",
			   REPORT_ERROR, "%s", a->sentence);
		return;
	}
	if (is_repository)
		judge_repository(a);
	else
		judge_workspace(a);
}
