/*
 * tree/forge: the root, workspaces and repositories as directories.
 *
 * A workspace's listing is one answer of many objects. Whenever one is at
 * hand, it is what gets refreshed: a thousand outdated `info` files are ten
 * requests together, not a thousand.
 */
#include "tree/git_view.h"
#include "tree/place.h"

#include "base/clock.h"
#include "remote/resource.h"

#define CONTROL_NAME ".bitbucketfs"
#define IMPOSSIBLE_MS (INT64_C(60) * 1000)
#define MOMENT_MS 1000 /* while a refresh is under way */
/* Of a directory that nobody listed: every path through it would ask. */
#define UNLISTED_MS (INT64_C(60) * 1000)

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

static void repository_free(void *data)
{
	struct repository_data *d = data;

	catalog_repository_done(&d->repository);
	free(d->workspace);
	free(d);
}

static bool repository_same(const struct node_what *a,
			    const struct node_what *b)
{
	const struct repository_data *x = a->data, *y = b->data;

	return strcmp(x->repository.uuid, y->repository.uuid) == 0;
}

static uint64_t repository_hash(const struct node_what *what, uint64_t seed)
{
	const struct repository_data *d = what->data;

	for (const char *p = d->repository.uuid; *p; p++)
		seed = (seed ^ (unsigned char)*p) * 0x100000001b3ULL;
	return seed;
}

const char *forge_workspace(const struct node *node)
{
	return ((struct workspace_data *)node->what.data)->slug;
}

const struct repository_data *forge_repository(const struct node *node)
{
	return node->what.data;
}

/* How long the kernel may believe what is this old. */
static int64_t believe_ms(const struct catalog_age *age)
{
	return age->stale ? MOMENT_MS : age->left_ms;
}

/* A listing that is at hand, of whatever age; NULL: it was never listed. */
static struct catalog_repositories *
known_listing(struct ctx *ctx, struct model *model, const char *workspace)
{
	struct catalog_repositories *list = NULL;

	if (catalog_repositories(ctx, model->config.catalog, workspace,
				 SOURCE_CACHED, &list) < 0)
		return NULL;
	return list;
}

/* The newest change of a workspace's repositories, as far as they are known:
 * the workspace's own mtime. */
static int64_t workspace_mtime(const struct model *model,
			       const struct catalog_repositories *list)
{
	int64_t newest = 0;

	for (size_t i = 0; list && i < list->n_items; i++)
		if (list->items[i].updated_ms > newest)
			newest = list->items[i].updated_ms;
	return newest ? newest : model->started_ms;
}

/*
 * The kernel keeps a listing until it is told. Whoever brings a newer one (a
 * lookup, the background, another mount of the same cache) need not know of
 * that: what the kernel listed is compared with what is at hand. True: told.
 */
static bool tell_if_other(struct model *model, const struct node *dir,
			  _Atomic uint64_t *shown, uint64_t now)
{
	uint64_t before = atomic_load(shown);

	if (!before || before == now ||
	    !atomic_compare_exchange_strong(shown, &before, now))
		return false;
	model_changed_inode(model, dir, true);
	return true;
}

static void found_workspace(struct ctx *ctx, struct model *model,
			    const char *slug, int64_t left_ms,
			    struct found *found)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *list =
		known_listing(ctx, model, slug);
	struct workspace_data *w = xcalloc(1, sizeof(*w));

	mutex_init(&w->lock);
	w->slug = xstrdup(slug);
	*found = (struct found){
		.what =
			{
				.provider = &provider_workspace,
				.mode = S_IFDIR | 0555,
				.mtime_ms = workspace_mtime(model, list),
				.data = w,
			},
		.left_ms = left_ms,
		/* They live as long as its own listing does. */
		.ask_attr = list != NULL,
	};
}

static void found_control(struct model *model, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = &provider_control,
				.mode = S_IFDIR | 0555,
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
		ret_found->left_ms = age.left_ms > 0 ? believe_ms(&age)
						     : IMPOSSIBLE_MS;
		return 0;
	}
	if (r < 0)
		return r;
	found_workspace(ctx, model, w.slug, believe_ms(&age), ret_found);
	/* Entered by name: from now on it is listed. */
	if (catalog_workspaces(ctx, model->config.catalog, SOURCE_CACHED,
			       &list) == 0)
		tell_if_other(model, dir, &model->root_shown, names_hash(list));
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
			found_workspace(ctx, model, name,
					believe_ms(&list->age), &found);
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
	*ret_left_ms = UNLISTED_MS;
	if (catalog_workspaces(ctx, model->config.catalog, SOURCE_CACHED,
			       &list) < 0)
		return 0;
	tell_if_other(model, node, &model->root_shown, names_hash(list));
	if (list->age.left_ms > 0) {
		*ret_left_ms = list->age.left_ms;
	} else if (listed) {
		*ret_left_ms = MOMENT_MS;
		refresh_root(model->refresh);
	}
	return 0;
}

static void found_repository(const char *workspace,
			     const struct catalog_repository *repository,
			     int64_t left_ms, struct found *found)
{
	struct repository_data *d = xcalloc(1, sizeof(*d));

	d->workspace = xstrdup(workspace);
	d->repository = (struct catalog_repository){
		.name = xstrdup(repository->name),
		.slug = xstrdup(repository->slug),
		.uuid = xstrdup(repository->uuid),
		.project = xstrdup(repository->project),
		.key = xstrdup(repository->key),
		.updated_ms = repository->updated_ms,
	};
	*found = (struct found){
		.what =
			{
				.provider = &provider_repository,
				.mode = S_IFDIR | 0555,
				.mtime_ms = repository->updated_ms,
				.data = d,
			},
		.left_ms = left_ms,
	};
}

/*
 * Where a workspace was listed before, its listing is brought up to date as
 * the policy says (served stale, or waited for a little). Says nothing of a
 * failure: what is cached will do. NULL: it was never listed.
 */
static struct catalog_repositories *
freshen(struct ctx *ctx, struct model *model, const char *workspace)
{
	struct catalog_repositories *before =
		known_listing(ctx, model, workspace);
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

/* About the workspace itself: keyed by its uuid, where that is known. */
static int found_about(struct ctx *ctx, struct model *model, struct node *dir,
		       struct found *ret_found)
{
	cleanup(catalog_workspace_done) struct catalog_workspace w = {0};
	cleanup(free) char *key = NULL;
	const char *slug = forge_workspace(dir);

	catalog_known_workspace(model->config.catalog, slug, &w);
	key = xasprintf("about/%s", *w.uuid ? w.uuid : slug);
	return place_found_row(ctx, model, dir, &resource_workspace,
			       scope_new(key, slug, ""), ret_found);
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
		list = known_listing(ctx, model, workspace);
		if (!list) {
			ret_found->left_ms = IMPOSSIBLE_MS;
			return 0;
		}
	}
	r = catalog_repository(ctx, catalog, workspace, name, &found, &age);
	if ((r == 0 || r == -ENOENT) && age.stale && !list)
		list = freshen(ctx, model, workspace);
	if ((r == 0 || r == -ENOENT) && age.stale && list) {
		catalog_repository_done(&found);
		found = (struct catalog_repository){0};
		r = catalog_repository(ctx, catalog, workspace, name, &found,
				       &age);
	} else if (r == 0 && age.stale) {
		refresh_repository(model->refresh, workspace, name);
	}
	if (r == -ENOENT) {
		ret_found->left_ms = age.left_ms > 0 ? believe_ms(&age)
						     : IMPOSSIBLE_MS;
		return 0;
	}
	if (r < 0)
		return r;
	found_repository(workspace, &found, believe_ms(&age), ret_found);
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
			found_repository(forge_workspace(dir), item,
					 believe_ms(&list->age), &found);
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
	*ret_left_ms = UNLISTED_MS;
	/* The kernel answers a listing by itself: this is where we hear that
	 * somebody looks at it. */
	list = listed ? freshen(ctx, model, slug)
		      : known_listing(ctx, model, slug);
	if (!list)
		return 0;
	if (listed || list->age.left_ms > 0)
		*ret_left_ms = list->age.left_ms > 0 ? list->age.left_ms
						     : MOMENT_MS;
	if (tell_if_other(model, node, shown_of(node), list->version))
		model->kernel.flush(model->kernel.arg, 200);
	node_set_mtime_ms(model->nodes, node, workspace_mtime(model, list));
	return 0;
}

/* Outdated, and nobody waits for it; see the head of this file. */
static void refresh_behind(struct model *model, const struct repository_data *d,
			   const struct catalog_repositories *list)
{
	if (list && list->age.left_ms <= 0)
		refresh_workspace(model->refresh, d->workspace);
	else
		refresh_repository(model->refresh, d->workspace,
				   d->repository.name);
}

/* The document behind a repository's files. */
static int repository_document(struct ctx *ctx, struct model *model,
			       struct node *dir,
			       struct catalog_document *ret_document)
{
	cleanup(catalog_repositories_free) struct catalog_repositories *list =
		NULL;
	const struct repository_data *d = forge_repository(dir);
	struct catalog *catalog = model->config.catalog;
	int r;

	r = catalog_document(ctx, catalog, d->workspace, &d->repository,
			     SOURCE_CACHED, ret_document);
	if (r == 0 && ret_document->age.left_ms > 0)
		return 0;
	if (r == 0)
		list = freshen(ctx, model, d->workspace);
	if (list) {
		struct catalog_document fresh = {0};

		if (catalog_document(ctx, catalog, d->workspace, &d->repository,
				     SOURCE_CACHED, &fresh) == 0) {
			catalog_document_done(ret_document);
			*ret_document = fresh;
		}
		if (ret_document->age.left_ms <= 0)
			refresh_behind(model, d, list);
		return 0;
	}
	if (r == 0)
		catalog_document_done(ret_document);
	r = catalog_document(ctx, catalog, d->workspace, &d->repository,
			     SOURCE_READ, ret_document);
	if (r == 0 && ret_document->age.stale)
		refresh_repository(model->refresh, d->workspace,
				   d->repository.name);
	return r;
}

static struct scope *repository_scope(const struct node *dir)
{
	const struct repository_data *d = forge_repository(dir);

	return scope_new(d->repository.key, d->workspace, d->repository.slug);
}

int forge_found_tree(struct model *model, struct node *dir,
		     struct found *ret_found)
{
	struct git_view *view = NULL;
	int r = git_view_new(model, dir, NULL, NULL, &view);

	if (r < 0)
		return r;
	git_view_found(view, node_mtime_ms(model->nodes, dir), FOREVER_MS,
		       ret_found);
	return 0;
}

/* A row, or what its needs make of it: then it is as old as they are. */
static int lookup_row(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(scope_unref) struct scope *scope = repository_scope(dir);
	const struct resource *row =
		resource_find_row(resource_repository.rows, name);
	int64_t left_ms;
	int r;

	if (!row || !row->needs)
		return place_lookup_row(ctx, model, dir,
					resource_repository.rows, scope, name,
					ret_found);
	r = repository_document(ctx, model, dir, &document);
	if (r < 0)
		return r;
	left_ms = believe_ms(&document.age);
	if (place_is_there(row, &document))
		r = place_lookup_row(ctx, model, dir, resource_repository.rows,
				     scope, name, ret_found);
	ret_found->left_ms = left_ms;
	return r;
}

static int repository_lookup(struct ctx *ctx, struct model *model,
			     struct node *dir, const char *name,
			     struct found *ret_found)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	const struct resource_file *file =
		resource_find_file(resource_repository.files, name);
	int r;

	ret_found->left_ms = FOREVER_MS;
	if (!file)
		return lookup_row(ctx, model, dir, name, ret_found);
	r = repository_document(ctx, model, dir, &document);
	if (r < 0)
		return r;
	r = meta_found(model, file, &document, ret_found);
	if (r == 0)
		ret_found->left_ms = believe_ms(&document.age);
	return r;
}

/* Never waits: attributes where the document is at hand, names where not. */
static int repository_list(struct ctx *ctx, struct model *model,
			   struct node *dir, uint64_t after, bool plus,
			   provider_emit *emit, void *arg)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	const struct repository_data *d = forge_repository(dir);
	struct found found;
	cleanup(scope_unref) struct scope *scope = repository_scope(dir);
	const struct resource_file *files = resource_repository.files;
	size_t n = resource_n_files(files);
	bool known = catalog_document(ctx, model->config.catalog, d->workspace,
				      &d->repository, SOURCE_CACHED,
				      &document) == 0;
	bool have = plus && known && document.age.left_ms > 0;

	for (size_t i = (size_t)after; i < n; i++)
		if (!emit(arg, files[i].name, i + 1, S_IFREG,
			  have && meta_found(model, &files[i], &document,
					     &found) == 0
				  ? &found
				  : NULL))
			return 0;
	place_list_rows(ctx, model, dir, resource_repository.rows, scope,
			known ? &document : NULL,
			after > n ? (size_t)after - n : 0, n, plus, emit, arg);
	return 0;
}

static int repository_attr(struct ctx *ctx, struct model *model,
			   struct node *node, int64_t *ret_left_ms,
			   uint64_t *ret_size)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	const struct repository_data *d = forge_repository(node);
	struct catalog_repositories *list;

	(void)ret_size;
	*ret_left_ms = MOMENT_MS;
	if (catalog_document(ctx, model->config.catalog, d->workspace,
			     &d->repository, SOURCE_CACHED, &document) < 0)
		return 0;
	node_set_mtime_ms(model->nodes, node, document.updated_ms);
	if (document.age.left_ms > 0) {
		*ret_left_ms = document.age.left_ms;
	} else {
		list = known_listing(ctx, model, d->workspace);
		refresh_behind(model, d, list);
		catalog_repositories_free(list);
	}
	return 0;
}

const struct provider provider_root = {
	.name = "root",
	.lookup = root_lookup,
	.list = root_list,
	.attr = root_attr,
};

const struct provider provider_workspace = {
	.name = "workspace",
	.lookup = workspace_lookup,
	.list = workspace_list,
	.attr = workspace_attr,
	.free_data = workspace_free,
};

const struct provider provider_repository = {
	.name = "repository",
	.lookup = repository_lookup,
	.list = repository_list,
	.attr = repository_attr,
	.same_data = repository_same,
	.hash_data = repository_hash,
	.free_data = repository_free,
};
