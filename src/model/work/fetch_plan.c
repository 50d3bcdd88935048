/*
 * model/work/fetch: what a place is made of, by the resource table; what of it
 * is at hand is left out. A tree is one step: git brings it whole.
 */
#include "fetch_private.h"

#include "model/dirs/hierarchy.h"

#include "base/clock.h"

#define DAY_MS (INT64_C(24) * 60 * 60 * 1000)
/* Of a workspace with more repositories than anybody has. */
#define STEPS_MOST 1000000
#define LINKS_MOST 8

struct planning {
	struct ctx *ctx;
	struct model *model;
	struct fetch_plan *plan;
	bool is_workspace;
};

void fetch_plan_done(struct fetch_plan *plan)
{
	for (size_t i = 0; i < plan->n; i++)
		free(plan->steps[i].path);
	free(plan->steps);
	*plan = (struct fetch_plan){0};
}

static void add(struct fetch_plan *plan, const char *path, bool is_tree)
{
	if (plan->n == STEPS_MOST)
		return;
	mem_grow(plan->steps, plan->n, plan->size);
	plan->steps[plan->n++] = (struct fetch_step){
		.path = mem_strdup(path),
		.is_tree = is_tree,
	};
}

/* 1. A workspace of 1,000 repositories is fetched: a day's quota.
 * 2. It is broken off, and begun again.
 * 3. The first lists are stale by now: asked for again, they use up what the
 *    last ones need, which are never reached.
 * So there a day is young enough. */
static bool is_at_hand(const struct planning *p, const struct answer_age *age)
{
	return age->left_ms > 0 ||
	       (p->is_workspace && age->fetched_ms > clock_wall_ms() - DAY_MS);
}

static void plan_row(void *arg, const struct resource *row, struct scope *scope,
		     const char *path)
{
	const struct planning *p = arg;
	struct answer_age age;

	if (row_dir_age_at_hand(p->ctx, p->model, row, scope, &age) &&
	    is_at_hand(p, &age))
		p->plan->n_at_hand++;
	else
		add(p->plan, path, false);
}

static void plan_rows(struct planning *p, const struct row_dir *dir,
		      const char *path)
{
	cleanup(answer_document_done) struct answer_document object = {0};

	if (dir->collection)
		documents_item(p->ctx, p->model->config.documents, dir->row,
			       dir->collection, dir->id, READ_CACHED, &object);
	row_dir_each(row_dir_rows(dir), dir->scope, &object, path, plan_row, p);
}

static int plan_workspace(struct planning *p, const char *name)
{
	cleanup(scope_unref) struct scope *listing = NULL;
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;
	int r;

	p->is_workspace = true;
	p->plan->kind = "workspace";
	r = hierarchy_listing(p->ctx, p->model, name, READ_THROUGH, &c, &age);
	if (r < 0)
		return r;
	listing = documents_listing_scope(p->model->config.documents, name);
	for (size_t i = 0; i < c->n_items; i++) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", name, c->items[i].name);
		struct found found = {0};

		hierarchy_found_repository(listing, c->items[i].id,
					   c->items[i].name, 0, 0, &found);
		plan_rows(p, found.what.data, path);
		provider_found_nothing(&found);
	}
	p->plan->n_repositories = c->n_items;
	return 0;
}

/* A row or an item. Of an item that names a commit its files, too. */
static void plan_place(struct planning *p, struct node *node, const char *path)
{
	const struct row_dir *dir = row_dir_of(node);

	if (node->provider != &provider_repository && dir->row->endpoint &&
	    !dir->collection)
		plan_row(p, dir->row, dir->scope, path);
	if (node->provider != &provider_repository && dir->collection)
		add(p->plan, path, false);
	plan_rows(p, dir, path);
	if (node->provider != &provider_repository && dir->collection &&
	    resource_find_row(row_dir_rows(dir), "tree")) {
		cleanup(free) char *tree = mem_asprintf("%s/tree", path);

		add(p->plan, tree, true);
	}
}

/* The tree that a node is in; NULL: none. */
static const struct node *tree_above(const struct node *node)
{
	while (node && node->provider->kind != PROVIDER_CHECKOUT)
		node = node->parent;
	return node;
}

static int plan_node(struct planning *p, struct node *node)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const struct node *tree = tree_above(node);

	p->plan->kind = tree ? "tree" : "place";
	/* A file is made of its directory's answer. */
	if (!tree && !S_ISDIR(node->mode) && node->parent)
		node = node->parent;
	node_path(tree ? tree : node, &path);
	if (tree)
		add(p->plan, path.data, true);
	else if (node->provider == &provider_repository ||
		 node->provider == &provider_row_dir)
		plan_place(p, node, path.data);
	else
		return ctx_fail(p->ctx, -EINVAL,
				"There is nothing to fetch there.");
	return 0;
}

/* ---- the place ---- */

/* Where a link of ours leads, and rest below it: such begin with all of their
 * "..". */
static int follow(struct planning *p, struct node *link, const char *rest,
		  struct buf *ret_path)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct blob *target = NULL;
	const struct node *dir = link->parent;
	const char *at;
	int r = link->provider->readlink(p->ctx, p->model, link, &target);

	if (r < 0)
		return r;
	for (at = blob_data(target); !strncmp(at, "../", 3) && dir->parent;
	     at += 3)
		dir = dir->parent;
	node_path(dir, &path);
	buf_clear(ret_path);
	buf_printf(ret_path, "%s%s%s%s%s", path.len ? path.data : "",
		   path.len ? "/" : "", at, *rest ? "/" : "", rest);
	blob_unref(target);
	return 0;
}

/* Down to the end, or to the first link, which is followed: 1. */
static int go_down(struct planning *p, struct buf *path, struct node **ret)
{
	struct node *node = node_get(p->model->nodes, NODE_ROOT_INO);
	const char *at = path->data;
	int r = 0;

	while (!r && *at) {
		size_t n = strcspn(at, "/");
		cleanup(free) char *name = mem_dup0(at, n);
		struct node *child = NULL;

		at += n + (at[n] == '/');
		r = model_resolve(p->ctx, p->model, node, name, &child);
		node_unref(p->model->nodes, node);
		node = child;
		if (!r && S_ISLNK(node->mode) && !tree_above(node)) {
			cleanup(free) char *rest = mem_strdup(at);

			r = follow(p, node, rest, path);
			r = r ? r : 1;
		}
	}
	if (r)
		node_unref(p->model->nodes, node);
	else
		*ret = node;
	return r;
}

int fetch_find_place(struct ctx *ctx, struct model *model, const char *asked,
		     struct node **ret)
{
	struct planning p = {.ctx = ctx, .model = model};
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	int r = buf_puts(&path, asked) ? -ENAMETOOLONG : 1;

	for (unsigned n = 0; r == 1; n++)
		r = n < LINKS_MOST ? go_down(&p, &path, ret) : -ELOOP;
	return r;
}

int fetch_plan_make(struct ctx *ctx, struct model *model, const char *path,
		    struct fetch_plan *ret)
{
	struct planning p = {.ctx = ctx, .model = model, .plan = ret};
	struct node *node = NULL;
	int r;

	*ret = (struct fetch_plan){0};
	if (!*path)
		return ctx_fail(ctx, -EINVAL,
				"Name a workspace, a repository, or a tree.");
	if (!strchr(path, '/') && *path != '.')
		return plan_workspace(&p, path);
	r = fetch_find_place(ctx, model, path, &node);
	if (!r)
		r = plan_node(&p, node);
	node_unref(model->nodes, node);
	return r;
}
