/*
 * tree/forge: a workspace as a directory: its repositories, and .workspace/.
 */
#include "forge_private.h"

/* A decoded listing, shared by the calls that page through it. */
struct shared_listing {
	struct refs refs;
	struct catalog_repositories *list;
};

struct workspace_data {
	char *slug;
	struct mutex lock;
	struct shared_listing *last; /* under lock */
	_Atomic uint64_t shown;      /* version: what the kernel last listed */
};

static void listing_unref(struct shared_listing *shared)
{
	if (shared && refs_drop(&shared->refs)) {
		catalog_repositories_free(shared->list);
		free(shared);
	}
}

static void workspace_free(void *data)
{
	struct workspace_data *w = data;

	listing_unref(w->last);
	mutex_done(&w->lock);
	free(w->slug);
	free(w);
}

const char *forge_workspace(const struct node *node)
{
	return ((struct workspace_data *)node->what.data)->slug;
}

void forge_found_workspace(struct ctx *ctx, struct model *model,
			   const char *slug, int64_t left_ms,
			   struct found *found)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *list =
		forge_known_listing(ctx, model, slug);
	struct workspace_data *w = xcalloc(1, sizeof(*w));

	mutex_init(&w->lock);
	w->slug = xstrdup(slug);
	*found = (struct found){
		.what =
			{
				.provider = &provider_workspace,
				.mode = NODE_DIRECTORY,
				.mtime_ms = forge_workspace_mtime(model, list),
				.data = w,
			},
		.left_ms = left_ms,
		/* They live as long as its own listing does. */
		.ask_attr = list != NULL,
	};
}

/* About the workspace itself: keyed by its uuid, where that is known. */
static int found_about(struct ctx *ctx, struct model *model, struct node *dir,
		       struct found *ret_found)
{
	cleanup(catalog_workspace_done) struct catalog_workspace w = {0};
	cleanup(free) char *key = NULL;
	const char *slug = forge_workspace(dir);

	catalog_known_workspace(model->config.catalog, slug, &w);
	key = xasprintf("about/%s", *w.uuid ? w.uuid : slug);
	return place_found_row(
		ctx, model, dir, &resource_workspace,
		scope_new(key, slug, *w.uuid ? w.uuid : w.slug, ""), ret_found);
}

static int workspace_lookup(struct ctx *ctx, struct model *model,
			    struct node *dir, const char *name,
			    struct found *ret_found)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *list =
		NULL;
	cleanup(catalog_repository_done) struct catalog_repository found = {0};
	const char *workspace = forge_workspace(dir);
	struct catalog *catalog = model->config.catalog;
	struct catalog_age age = {0};
	int r;

	if (strcmp(name, resource_workspace.name) == 0)
		return found_about(ctx, model, dir, ret_found);
	if (forge_is_probe(name)) {
		list = forge_known_listing(ctx, model, workspace);
		if (!list) {
			ret_found->left_ms = FORGE_IMPOSSIBLE_MS;
			return 0;
		}
	}
	r = catalog_repository(ctx, catalog, workspace, name, &found, &age);
	if ((r == 0 || r == -ENOENT) && age.stale && !list)
		list = forge_freshen(ctx, model, workspace);
	if ((r == 0 || r == -ENOENT) && age.stale && list) {
		catalog_repository_done(&found);
		found = (struct catalog_repository){0};
		r = catalog_repository(ctx, catalog, workspace, name, &found,
				       &age);
	} else if (r == 0 && age.stale) {
		refresh_repository(model->refresh, workspace, name);
	}
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? place_believe_ms(&age)
						     : FORGE_IMPOSSIBLE_MS;
		return 0;
	}
	if (r < 0)
		return r;
	forge_found_repository(workspace, &found, place_believe_ms(&age),
			       ret_found);
	return 0;
}

static const char *repository_name(const void *names, size_t i)
{
	const struct catalog_repositories *list = names;

	return i < list->n_items ? list->items[i].name
				 : resource_workspace.name;
}

/* The listing from the start, or for a later piece the one of the piece
 * before. */
static int shared_listing(struct ctx *ctx, struct model *model,
			  struct node *dir, bool again,
			  struct shared_listing **ret_shared)
{
	struct workspace_data *w = dir->what.data;
	struct shared_listing *shared = NULL, *old;
	int r;

	if (again) {
		mutex_lock(&w->lock);
		shared = w->last;
		if (shared)
			refs_take(&shared->refs);
		mutex_unlock(&w->lock);
	}
	if (!shared) {
		struct catalog_repositories *list = NULL;

		r = catalog_repositories(ctx, model->config.catalog, w->slug,
					 SOURCE_READ, &list);
		if (r < 0)
			return r;
		shared = xcalloc(1, sizeof(*shared));
		refs_init(&shared->refs);
		shared->list = list;
		if (list->age.stale)
			refresh_workspace(model->refresh, w->slug);
		refs_take(&shared->refs);
		mutex_lock(&w->lock);
		old = w->last;
		w->last = shared;
		mutex_unlock(&w->lock);
		listing_unref(old);
	}
	*ret_shared = shared;
	return 0;
}

/* Nobody pages through it any more. */
static void forget_listing(struct node *dir)
{
	struct workspace_data *w = dir->what.data;
	struct shared_listing *old;

	mutex_lock(&w->lock);
	old = w->last;
	w->last = NULL;
	mutex_unlock(&w->lock);
	listing_unref(old);
}

static _Atomic uint64_t *shown_of(const struct node *dir)
{
	return &((struct workspace_data *)dir->what.data)->shown;
}

static int workspace_list(struct ctx *ctx, struct model *model,
			  struct node *dir, uint64_t after, bool plus,
			  provider_emit *emit, void *arg)
{
	cleanup(free) struct dirbook_entry *entries = NULL;
	struct shared_listing *shared = NULL;
	const struct catalog_repositories *list;
	size_t n, i;
	int r;

	r = shared_listing(ctx, model, dir, after > 0, &shared);
	if (r < 0)
		return r;
	list = shared->list;
	if (after == 0)
		atomic_store(shown_of(dir), list->version);
	dirbook_order(node_book(model->nodes, dir, true), list->n_items + 1,
		      repository_name, list, after, &entries, &n);
	for (i = 0; i < n; i++) {
		const struct catalog_repository *item =
			&list->items[entries[i].index];
		const char *name = repository_name(list, entries[i].index);
		bool about = entries[i].index == list->n_items;
		struct found found;

		if (about)
			r = found_about(ctx, model, dir, &found);
		else if (plus)
			forge_found_repository(forge_workspace(dir), item,
					       place_believe_ms(&list->age),
					       &found);
		if (!emit(arg, name, entries[i].cookie, S_IFDIR,
			  plus || about ? &found : NULL))
			break;
	}
	if (i == n)
		forget_listing(dir);
	listing_unref(shared);
	return 0;
}

static int workspace_attr(struct ctx *ctx, struct model *model,
			  struct node *node, int64_t *ret_left_ms,
			  uint64_t *ret_size)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *list =
		NULL;
	const char *slug = forge_workspace(node);
	bool listed = atomic_load(shown_of(node));

	(void)ret_size;
	*ret_left_ms = FORGE_UNLISTED_MS;
	/* The kernel answers a listing by itself: this is where we hear that
	 * somebody looks at it. */
	list = listed ? forge_freshen(ctx, model, slug)
		      : forge_known_listing(ctx, model, slug);
	if (!list)
		return 0;
	if (listed || list->age.left_ms > 0)
		*ret_left_ms = list->age.left_ms > 0 ? list->age.left_ms
						     : FORGE_MOMENT_MS;
	if (forge_tell_if_other(model, node, shown_of(node), list->version))
		model->kernel.flush(model->kernel.arg, 200);
	node_set_mtime_ms(model->nodes, node,
			  forge_workspace_mtime(model, list));
	return 0;
}

const struct provider provider_workspace = {
	.name = "workspace",
	.lookup = workspace_lookup,
	.list = workspace_list,
	.attr = workspace_attr,
	.free_data = workspace_free,
};
