/*
 * api/bitbucket, JSON → structs. What the service sends is read as it comes:
 * every member may be missing, null, or of another type, and one odd object
 * never costs the others.
 */
#include "api/bitbucket_private.h"

#include "base/clock.h"

void bitbucket_workspace_done(struct bitbucket_workspace *w)
{
	free(w->slug);
	free(w->uuid);
	*w = (struct bitbucket_workspace){0};
}

void bitbucket_repository_done(struct bitbucket_repository *r)
{
	free(r->slug);
	free(r->uuid);
	free(r->workspace);
	free(r->workspace_uuid);
	free(r->project);
	free(r->json);
	*r = (struct bitbucket_repository){0};
}

void bitbucket_repositories_done(struct bitbucket_repositories *all)
{
	for (size_t i = 0; i < all->n_items; i++)
		bitbucket_repository_done(&all->items[i]);
	free(all->items);
	*all = (struct bitbucket_repositories){0};
}

/* "{…}" of hex digits and dashes: others name directories by it, so anything
 * else counts as not told. NULL then. */
static const char *uuid_at(const struct json *json, const char *path)
{
	const char *uuid = json_str(json, path);
	size_t n;

	if (!uuid || uuid[0] != '{')
		return NULL;
	n = strspn(uuid + 1, "0123456789abcdefABCDEF-");
	if (n == 0 || n > 64 || strcmp(uuid + 1 + n, "}"))
		return NULL;
	return uuid;
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static int64_t time_at(const struct json *json, const char *path)
{
	const char *text = json_str(json, path);
	int64_t ms;

	return text && !clock_parse_iso8601(text, &ms) ? ms : 0;
}

/* What a repository is called. *ret_workspace: free it. False: nothing. */
static bool read_names(const struct json *json, const char **ret_slug,
		       char **ret_workspace)
{
	const char *slug = json_str(json, "slug");
	const char *full = json_str(json, "full_name");
	const char *workspace = json_str(json, "workspace.slug");
	const char *slash = full ? strchr(full, '/') : NULL;

	if ((!slug || !*slug) && full)
		slug = slash ? slash + 1 : full;
	if (!json_is_object(json) || !slug || !*slug)
		return false;
	*ret_slug = slug;
	*ret_workspace = (!workspace || !*workspace) && slash
				 ? mem_dup0(full, (size_t)(slash - full))
				 : mem_strdup(or_empty(workspace));
	return true;
}

static char *identity(const struct json *json, const char *workspace,
		      const char *slug)
{
	const char *uuid = uuid_at(json, "uuid");

	return uuid ? mem_strdup(uuid)
		    : mem_asprintf("name:%s/%s", workspace, slug);
}

char *bitbucket_repository_identity(const struct json *json)
{
	cleanup(free) char *workspace = NULL;
	const char *slug;

	return read_names(json, &slug, &workspace)
		       ? identity(json, workspace, slug)
		       : NULL;
}

int bitbucket_read_repository(const struct json *json,
			      struct bitbucket_repository *ret)
{
	cleanup(free) char *workspace = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	const char *slug;

	if (!read_names(json, &slug, &workspace) || json_compact(json, &text))
		return -EBADMSG;
	*ret = (struct bitbucket_repository){
		.slug = mem_strdup(slug),
		.uuid = identity(json, workspace, slug),
		.workspace = steal(&workspace),
		.workspace_uuid =
			mem_strdup(or_empty(uuid_at(json, "workspace.uuid"))),
		.project = mem_strdup(or_empty(json_str(json, "project.key"))),
		.updated_ms = time_at(json, "updated_on"),
	};
	if (!ret->updated_ms)
		ret->updated_ms = time_at(json, "created_on");
	ret->json = buf_steal(&text, &ret->n_json);
	return 0;
}

int bitbucket_read_workspace(const struct json *json,
			     struct bitbucket_workspace *ret)
{
	const char *slug = json_str(json, "slug");

	if (!json_is_object(json) || !slug || !*slug)
		return -EBADMSG;
	ret->slug = mem_strdup(slug);
	ret->uuid = mem_strdup(or_empty(uuid_at(json, "uuid")));
	return 0;
}
