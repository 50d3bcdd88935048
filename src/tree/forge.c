/*
 * tree/forge: the root as a directory; and what it has in common with
 * workspaces and repositories.
 *
 * A workspace's listing is one answer of many objects. Whenever one is at
 * hand, it is what gets refreshed: a thousand outdated `info` files are one
 * request together, not a thousand.
 */
#include "forge_private.h"

#define CONTROL_NAME ".bitbucketfs"

struct catalog_repositories *
forge_known_listing(struct ctx *ctx, struct model *model, const char *workspace)
{
	struct catalog_repositories *list = NULL;

	if (catalog_repositories(ctx, model->config.catalog, workspace,
				 SOURCE_CACHED, &list) < 0)
		return NULL;
	return list;
}

int64_t forge_workspace_mtime(const struct model *model,
			      const struct catalog_repositories *list)
{
	int64_t newest = 0;

	for (size_t i = 0; list && i < list->n_items; i++)
		if (list->items[i].updated_ms > newest)
			newest = list->items[i].updated_ms;
	return newest ? newest : model->started_ms;
}

bool forge_tell_if_other(struct model *model, const struct node *dir,
			 _Atomic uint64_t *shown, uint64_t now)
{
	uint64_t before = atomic_load(shown);

	if (!before || before == now ||
	    !atomic_compare_exchange_strong(shown, &before, now))
		return false;
	model_changed_inode(model, dir, true);
	return true;
}

struct catalog_repositories *forge_freshen(struct ctx *ctx, struct model *model,
					   const char *workspace)
{
	struct catalog_repositories *before =
		forge_known_listing(ctx, model, workspace);
	struct catalog_repositories *after = NULL;

	if (!before || before->age.left_ms > 0 ||
	    catalog_repositories(ctx, model->config.catalog, workspace,
				 SOURCE_READ, &after) < 0)
		return before;
	if (after->age.stale)
		refresh_workspace(model->refresh, workspace);
	catalog_repositories_free(before);
	return after;
}

/* Legal as slugs, all of them, so that a workspace never listed would be asked
 * for each; one that a listing has exists all the same. */
bool forge_is_probe(const char *name)
{
	static const char *const names[] = {
		".git",
		".hg",
		".svn",
		".jj",
		".bzr",
		".hidden",
		".envrc",
		".editorconfig",
		".directory",
		".ds_store",
		".nomedia",
		".xdg-volume-info",
		".metadata",
		".localized",
		".gitignore",
		".gitmodules",
		".ignore",
		".rgignore",
		"autorun.inf",
		"desktop.ini",
		"thumbs.db",
		".tool-versions",
		".python-version",
		".nvmrc",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(name, names[i]) == 0)
			return true;
	return strncmp(name, ".trash", strlen(".trash")) == 0 ||
	       strncmp(name, "._", strlen("._")) == 0;
}

static void found_control(struct model *model, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = &provider_control,
				.mode = NODE_DIRECTORY,
				.mtime_ms = model->started_ms,
			},
		.left_ms = FOREVER_MS,
	};
}

static uint64_t names_hash(const struct catalog_workspaces *list)
{
	uint64_t h = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < list->n_items; i++)
		for (const char *p = list->items[i].slug;; p++) {
			h = (h ^ (unsigned char)*p) * 0x100000001b3ULL;
			if (!*p)
				break;
		}
	return h;
}

static int root_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *name, struct found *ret_found)
{
	cleanup(catalog_workspaces_free) struct catalog_workspaces *list = NULL;
	cleanup(catalog_workspace_done) struct catalog_workspace w = {0};
	struct catalog_age age = {0};
	int r;

	if (strcmp(name, CONTROL_NAME) == 0) {
		found_control(model, ret_found);
		return 0;
	}
	r = catalog_workspace(ctx, model->config.catalog, name, &w, &age);
	if (age.stale)
		refresh_root(model->refresh);
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? place_believe_ms(&age)
						     : FORGE_IMPOSSIBLE_MS;
		return 0;
	}
	if (r < 0)
		return r;
	forge_found_workspace(ctx, model, w.slug, place_believe_ms(&age),
			      ret_found);
	/* Entered by name: from now on it is listed. */
	if (catalog_workspaces(ctx, model->config.catalog, SOURCE_CACHED,
			       &list) == 0)
		forge_tell_if_other(model, dir, &model->root_shown,
				    names_hash(list));
	return 0;
}

static const char *workspace_name(const void *names, size_t i)
{
	const struct catalog_workspaces *list = names;

	return i < list->n_items ? list->items[i].slug : CONTROL_NAME;
}

static int root_list(struct ctx *ctx, struct model *model, struct node *dir,
		     uint64_t after, bool plus, provider_emit *emit, void *arg)
{
	cleanup(catalog_workspaces_free) struct catalog_workspaces *list = NULL;
	cleanup(free) struct dirbook_entry *entries = NULL;
	size_t n;
	int r;

	r = catalog_workspaces(ctx, model->config.catalog, SOURCE_READ, &list);
	if (r < 0)
		return r;
	if (list->age.stale)
		refresh_root(model->refresh);
	if (after == 0)
		atomic_store(&model->root_shown, names_hash(list));
	dirbook_order(node_book(model->nodes, dir, true), list->n_items + 1,
		      workspace_name, list, after, &entries, &n);
	for (size_t i = 0; i < n; i++) {
		const char *name = workspace_name(list, entries[i].index);
		struct found found;

		if (entries[i].index == list->n_items)
			found_control(model, &found);
		else if (plus)
			forge_found_workspace(ctx, model, name,
					      place_believe_ms(&list->age),
					      &found);
		if (!emit(arg, name, entries[i].cookie, S_IFDIR,
			  plus || entries[i].index == list->n_items ? &found
								    : NULL))
			break;
	}
	return 0;
}

/* Never waits: `df` and `stat` of the mount point must answer. */
static int root_attr(struct ctx *ctx, struct model *model, struct node *node,
		     int64_t *ret_left_ms, uint64_t *ret_size)
{
	cleanup(catalog_workspaces_free) struct catalog_workspaces *list = NULL;

	bool listed = atomic_load(&model->root_shown);

	(void)ret_size;
	*ret_left_ms = FORGE_UNLISTED_MS;
	if (catalog_workspaces(ctx, model->config.catalog, SOURCE_CACHED,
			       &list) < 0)
		return 0;
	forge_tell_if_other(model, node, &model->root_shown, names_hash(list));
	if (list->age.left_ms > 0) {
		*ret_left_ms = list->age.left_ms;
	} else if (listed) {
		*ret_left_ms = FORGE_MOMENT_MS;
		refresh_root(model->refresh);
	}
	return 0;
}

const struct provider provider_root = {
	.name = "root",
	.lookup = root_lookup,
	.list = root_list,
	.attr = root_attr,
};
