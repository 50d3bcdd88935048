/*
 * model/dirs/heard: somebody says that something of a repository has changed: a
 * webhook (table/webhook.h). What people have looked at is asked for again, or
 * becomes outdated, so that who looks next asks; of a repository that the
 * kernel knows nothing of nothing is done, and nothing costs a request that
 * nobody is going to look at.
 *
 * The repository is found by its uuid: the payload has its new name, the mount
 * may still have the old one.
 */
#include "model/dirs/heard.h"

#include "model/dirs/hierarchy.h"
#include "model/git/checkout.h"
#include "model/git/git_refresh.h"
#include "model/repository.h"

#include <strings.h>

/* ---- the repository ---- */

struct search {
	const char *uuid;
	struct node_table *nodes;
	struct node *found; /* a reference */
};

static void is_it(void *arg, struct node *node)
{
	struct search *search = arg;

	if (!search->found && !strcasecmp(row_dir_of(node)->id, search->uuid))
		search->found = node_ref(search->nodes, node);
}

static struct node *find_repository(struct model *model,
				    const struct model_news *news)
{
	struct search search = {.uuid = news->uuid, .nodes = model->nodes};
	struct node *root, *workspace;

	if (*news->uuid)
		node_each(model->nodes, &provider_repository, is_it, &search);
	if (search.found)
		return search.found;
	root = node_get(model->nodes, NODE_ROOT_INO);
	workspace = node_child(model->nodes, root, news->workspace);
	if (workspace)
		search.found = node_child(model->nodes, workspace, news->slug);
	node_unref(model->nodes, workspace);
	node_unref(model->nodes, root);
	/* Another one may have its name by now. */
	if (search.found && *news->uuid &&
	    row_dir_of(search.found)->id[0] == '{') {
		node_unref(model->nodes, search.found);
		search.found = NULL;
	}
	return search.found;
}

/* What the kernel knows of a path below; a reference, or NULL. */
static struct node *known(struct model *model, struct node *from,
			  const char *path)
{
	struct node *node = node_ref(model->nodes, from);

	while (node && *path) {
		size_t n = strcspn(path, "/");
		cleanup(free) char *name = mem_dup0(path, n);
		struct node *child = node_child(model->nodes, node, name);

		node_unref(model->nodes, node);
		node = child;
		path += n + (path[n] == '/');
	}
	return node;
}

/* ---- the place, in the table ---- */

static void place_done(struct row_dir *place)
{
	scope_unref(place->collection);
	scope_unref(place->scope);
	free(place->id);
}
DEFINE_CLEANUP_DONE(struct row_dir, place_done);

/* The id of an item by its name; NULL: a run that the list does not have. */
static char *id_of(struct ctx *ctx, struct model *model,
		   const struct row_dir *list, const char *name)
{
	cleanup(collection_unref) struct collection *c = NULL;
	const struct collection_item *item;
	struct answer_age age;

	if (!list->row->items->has_numbers)
		return mem_strdup(name);
	if (documents_collection(ctx, model->config.documents, list->row,
				 list->scope, READ_CACHED, &c, &age) < 0)
		return NULL;
	item = collection_find(c, name);
	return item ? mem_strdup(item->id) : NULL;
}

/* One name further: a row, or an item of the list that the place is. */
static int go_on(struct ctx *ctx, struct model *model, struct row_dir *place,
		 const char *name)
{
	const struct resource *row =
		resource_find_row(row_dir_rows(place), name);
	struct row_dir next = {.row = row ? row : place->row};

	if (row) {
		next.scope = scope_below(place->scope, name);
	} else if (!place->collection && place->row->items) {
		next.id = id_of(ctx, model, place, name);
		if (!next.id)
			return -ENOENT;
		next.scope = scope_item(place->scope, place->row, next.id);
		next.collection = scope_ref(place->scope);
	} else {
		return -ENOENT;
	}
	place_done(place);
	*place = next;
	return 0;
}

static int find_place(struct ctx *ctx, struct model *model,
		      const struct row_dir *repository, const char *path,
		      struct row_dir *ret)
{
	int r = 0;

	*ret = (struct row_dir){
		.row = repository->row,
		.scope = scope_ref(repository->scope),
		.collection = scope_ref(repository->collection),
		.id = mem_strdup(repository->id),
	};
	while (r == 0 && *path) {
		size_t n = strcspn(path, "/");
		cleanup(free) char *name = mem_dup0(path, n);

		r = go_on(ctx, model, ret, name);
		path += n + (path[n] == '/');
	}
	return r;
}

/* ---- outdated ---- */

static void tell_list(struct model *model, struct node *dir)
{
	const struct resource_file *file = row_dir_of(dir)->row->files;

	for (size_t i = 0; row_dir_index[i].name; i++)
		model_changed_entry(model, dir, row_dir_index[i].name);
	for (; file && file->name; file++)
		model_changed_entry(model, dir, file->name);
	row_dir_rows_outdated(model, dir);
	model_changed_inode(model, dir, true);
}

/* A pull request is at one place of four. */
static struct node *known_place(struct model *model, struct node *repository,
				const char *path)
{
	static const char *const states[] = {"merged", "declined",
					     "superseded"};
	static const char pulls[] = "pullrequests/";
	size_t n = sizeof(pulls) - 1;
	struct node *node = known(model, repository, path);

	if (strncmp(path, pulls, n) != 0)
		return node;
	for (size_t i = 0; !node && i < ARRAY_SIZE(states); i++) {
		cleanup(free) char *other =
			mem_asprintf("%s%s/%s", pulls, states[i], path + n);

		node = known(model, repository, other);
	}
	return node;
}

static void outdated(struct ctx *ctx, struct model *model,
		     struct node *repository, const char *path,
		     struct buf *said)
{
	cleanup(place_done) struct row_dir place = {0};
	struct node *node;

	if (find_place(ctx, model, row_dir_of(repository), path, &place) < 0 ||
	    !documents_outdated(model->config.documents, place.row, place.scope,
				NULL))
		return;
	node = known_place(model, repository, path);
	if (node && node->provider == &provider_row_dir)
		tell_list(model, node);
	node_unref(model->nodes, node);
	provider_say(said, "%s: outdated\n", path);
}

/* What was said of a commit is said of the pull requests whose last one it is:
 * of those whose statuses/ somebody looks at. */
struct statuses {
	struct ctx *ctx;
	struct model *model;
	struct node *repository;
	const char *commit;
	struct buf *said;
};

static bool is_last_commit(const struct statuses *s, struct node *pull)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct row_dir *p = row_dir_of(pull);
	const char *path = p->collection ? p->row->builds : NULL, *hash;

	if (!path ||
	    row_dir_document(s->ctx, s->model, pull, READ_CACHED, &document) <
		    0 ||
	    !(json = json_of(document.body)))
		return false;
	hash = json_str(json, path);
	return hash && *hash && !strncmp(s->commit, hash, strlen(hash));
}

static void tell_statuses(void *arg, struct node *node)
{
	const struct statuses *s = arg;
	const struct row_dir *p = row_dir_of(node);
	cleanup(buf_done) struct buf path = BUF_INIT(0);

	if (p->collection || !p->row->is_builds || p->row->items ||
	    repository_above(node) != s->repository ||
	    !is_last_commit(s, node->parent) ||
	    !documents_outdated(s->model->config.documents, p->row, p->scope,
				NULL))
		return;
	tell_list(s->model, node);
	node_path_below(node, s->repository, &path);
	provider_say(s->said, "%s: outdated\n", path.data);
}

static void statuses_outdated(struct ctx *ctx, struct model *model,
			      struct node *repository, const char *path,
			      struct buf *said)
{
	static const char commits[] = "commits/", statuses[] = "/statuses";
	size_t n = strlen(path), n_id = sizeof(commits) - 1;
	cleanup(free) char *commit = NULL;

	if (n != n_id + 40 + sizeof(statuses) - 1 ||
	    strncmp(path, commits, n_id) != 0 ||
	    strcmp(path + n_id + 40, statuses) != 0)
		return;
	commit = mem_dup0(path + n_id, 40);
	node_each(model->nodes, &provider_row_dir, tell_statuses,
		  &(struct statuses){ctx, model, repository, commit, said});
}

static void listing_outdated(struct model *model, struct node *repository,
			     struct buf *said)
{
	const struct row_dir *p = row_dir_of(repository);

	if (!documents_outdated(model->config.documents, p->row, p->collection,
				NULL))
		return;
	model_changed_inode(model, repository->parent, true);
	provider_say(said, "%s: outdated\n", repository->parent->name);
}

/* Of one that came, or came from another workspace, nothing is known yet. */
static void workspace_outdated(struct model *model, const char *name,
			       struct buf *said)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);
	struct node *node = node_child(model->nodes, root, name);
	cleanup(scope_unref) struct scope *listing =
		documents_listing_scope(model->config.documents, name);

	if (node && documents_outdated(model->config.documents,
				       &resource_repositories, listing, NULL)) {
		model_changed_inode(model, node, true);
		provider_say(said, "%s: outdated\n", name);
	}
	node_unref(model->nodes, node);
	node_unref(model->nodes, root);
}

/* ---- asked for again ---- */

/* The branch that tree/ shows, as a path; free it. NULL: it is not known. */
static char *main_branch(struct ctx *ctx, struct model *model,
			 struct node *repository)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const char *name;

	if (row_dir_document(ctx, model, repository, READ_CACHED, &document) <
		    0 ||
	    !(json = json_of(document.body)))
		return NULL;
	name = json_str(json, "mainbranch.name");
	return name ? mem_asprintf("branches/%s", name) : NULL;
}

static bool is_shown_tree(struct model *model, struct node *repository,
			  const char *path)
{
	struct node *node = known(model, repository, path);
	bool is = node && node->provider->kind == PROVIDER_CHECKOUT &&
		  checkout_is_shown(node);

	node_unref(model->nodes, node);
	return is;
}

/* A push to the main branch is seen in tree/, and in branches/ if somebody is
 * there, too. */
static int ask_git(struct ctx *ctx, struct model *model,
		   struct node *repository, const char *path, struct buf *said)
{
	const char *workspace = row_dir_of(repository)->scope->workspace;
	cleanup(free) char *main = main_branch(ctx, model, repository);
	bool tree = main && !strcmp(path, main) &&
		    is_shown_tree(model, repository, "tree");
	int r = 0;

	if (tree)
		r = git_refresh_path(ctx, model, repository, workspace,
				     repository->name, "tree", said);
	if (r == 0 && (!tree || is_shown_tree(model, repository, path)))
		r = git_refresh_path(ctx, model, repository, workspace,
				     repository->name, path, said);
	return r;
}

/* Whether the item's document says that its directory is not where the node is:
 * a pull request that was merged. Told only then: a shell that stands in the
 * directory would be cut off. */
static bool has_moved(struct ctx *ctx, struct model *model, struct node *node)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct row_dir *p = row_dir_of(node);

	return p->row->items->where &&
	       row_dir_document(ctx, model, node, READ_CACHED, &document) ==
		       0 &&
	       (json = json_of(document.body)) &&
	       strcmp(p->row->items->where(json),
		      p->row->is_beside ? p->row->name : "") != 0;
}

/* An item that somebody has looked at is one request. What of it is at hand
 * otherwise came with its list, or is that there is none. */
static int ask_item(struct ctx *ctx, struct model *model,
		    struct node *repository, const char *path, struct buf *said)
{
	cleanup(place_done) struct row_dir place = {0};
	struct node *node, *list;
	int r = find_place(ctx, model, row_dir_of(repository), path, &place);

	if (r < 0 || !place.collection)
		return 0;
	node = known_place(model, repository, path);
	if (node && node->provider == &provider_row_dir) {
		r = row_dir_refresh(ctx, model, node, NULL, said);
		if (has_moved(ctx, model, node))
			model_changed_entry(model, node->parent, node->name);
		node_unref(model->nodes, node);
		return r;
	}
	node_unref(model->nodes, node);
	if (documents_outdated(model->config.documents, place.row,
			       place.collection, place.id))
		provider_say(said, "%s: outdated\n", path);
	list = known(model, repository, place.row->name);
	if (list)
		model_changed_entry(model, list, place.id);
	node_unref(model->nodes, list);
	return 0;
}

static int ask(struct ctx *ctx, struct model *model, struct node *repository,
	       const char *path, struct buf *said)
{
	const char *workspace = row_dir_of(repository)->scope->workspace;

	ctx->urgent = true;
	if (!strcmp(path, ".."))
		return hierarchy_refresh_workspace(ctx, model, workspace, said);
	if (!*path)
		return hierarchy_refresh_repository(ctx, model, workspace,
						    repository->name, said);
	return git_refresh_is_path(path)
		       ? ask_git(ctx, model, repository, path, said)
		       : ask_item(ctx, model, repository, path, said);
}

int heard_place(struct ctx *ctx, struct model *model,
		const struct model_news *news, struct buf *said)
{
	struct node *repository = find_repository(model, news);
	int r = 0;

	if (!strcmp(news->path, "..") &&
	    (!repository || strcmp(row_dir_of(repository)->scope->workspace,
				   news->workspace) != 0))
		workspace_outdated(model, news->workspace, said);
	if (!repository)
		return 0;
	if (news->ask)
		r = ask(ctx, model, repository, news->path, said);
	else if (!strcmp(news->path, ".."))
		listing_outdated(model, repository, said);
	else
		outdated(ctx, model, repository, news->path, said);
	if (!news->ask)
		statuses_outdated(ctx, model, repository, news->path, said);
	node_unref(model->nodes, repository);
	return r;
}
