/*
 * model/dirs/status, of one repository: how much of it is at hand, and how old.
 */
#include "model/dirs/hierarchy.h"
#include "model/dirs/status.h"
#include "model/git/large_count.h"
#include "model/repository.h"

/* "acme/widgets/…" */
static bool names_of(const char *path, char **ret_workspace, char **ret_name)
{
	size_t n = strcspn(path, "/");
	const char *name = path + n + (path[n] == '/');
	size_t n_name = strcspn(name, "/");

	if (!n || !n_name || *path == '.' || *name == '.')
		return false;
	*ret_workspace = mem_dup0(path, n);
	*ret_name = mem_dup0(name, n_name);
	return true;
}

/* As its workspace's listing has it, made what a node of it would be. */
static bool find_listed(struct ctx *ctx, struct model *model,
			const char *workspace, const char *name,
			struct found *ret)
{
	cleanup(scope_unref) struct scope *listing =
		documents_listing_scope(model->config.documents, workspace);
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;

	if (documents_collection(ctx, model->config.documents,
				 &resource_repositories, listing, READ_CACHED,
				 &c, &age))
		return false;
	for (size_t i = 0; i < c->n_items; i++)
		if (!strcmp(c->items[i].name, name)) {
			hierarchy_found_repository(listing, c->items[i].id,
						   name, 0, 0, ret);
			return true;
		}
	return false;
}

/* The kernel knows it, because somebody has entered it by its name. */
static struct node *find_entered(struct model *model, const char *workspace,
				 const char *name)
{
	struct node *root = node_get(model->nodes, NODE_ROOT_INO);
	struct node *above = node_child(model->nodes, root, workspace);
	struct node *node = above ? node_child(model->nodes, above, name)
				  : NULL;

	node_unref(model->nodes, above);
	node_unref(model->nodes, root);
	if (node && node->provider == &provider_repository)
		return node;
	node_unref(model->nodes, node);
	return NULL;
}

struct counting {
	struct ctx *ctx;
	struct model *model;
	struct json *at_hand; /* an array */
	size_t n_all;
};

static void count(void *arg, const struct resource *row, struct scope *scope,
		  const char *path)
{
	struct counting *c = arg;
	struct answer_age age;
	struct json *o;

	c->n_all++;
	if (!row_dir_age_at_hand(c->ctx, c->model, row, scope, &age))
		return;
	o = json_append_object(c->at_hand);
	json_add_str(o, "path", path + 1);
	status_json_time(o, "fetched", age.fetched_ms);
	json_add_bool(o, "fresh", age.left_ms > 0);
}

static void add_repository(struct ctx *ctx, struct model *model,
			   const struct row_dir *dir, struct json *o)
{
	cleanup(answer_document_done) struct answer_document object = {0};
	struct counting counting = {.ctx = ctx, .model = model};

	documents_item(ctx, model->config.documents, dir->row, dir->collection,
		       dir->id, READ_CACHED, &object);
	json_add_str(o, "uuid", dir->id);
	counting.at_hand = json_add_array(o, "at_hand");
	row_dir_each(row_dir_rows(dir), dir->scope, &object, "", count,
		     &counting);
	json_add_int(o, "all", (int64_t)counting.n_all);
}

/* Of one that nobody has entered nothing is known of its files. */
static void add_large(struct model *model, struct node *node, struct json *o)
{
	struct large_sum sum = {0};
	enum large_known known = node ? large_count(model, node, &sum)
				      : LARGE_UNKNOWN;

	json_add_str(o, "lfs_known",
		     known == LARGE_COUNTED    ? "yes"
		     : known == LARGE_COUNTING ? "counting"
		     : known == LARGE_TOO_MANY ? "too many"
					       : "no");
	if (known != LARGE_COUNTED) {
		json_add_null(o, "lfs");
		return;
	}
	o = json_add_object(o, "lfs");
	json_add_int(o, "objects", (int64_t)sum.n);
	json_add_int(o, "bytes", (int64_t)sum.n_bytes);
	json_add_int(o, "objects_here", (int64_t)sum.n_here);
	json_add_int(o, "bytes_here", (int64_t)sum.n_bytes_here);
}

void status_repository_json(struct ctx *ctx, struct model *model,
			    const char *path, struct json *root)
{
	cleanup(free) char *workspace = NULL;
	cleanup(free) char *name = NULL;
	struct found found = {0};
	struct node *node;
	struct json *o;

	if (!names_of(path, &workspace, &name))
		return;
	node = find_entered(model, workspace, name);
	if (!node && !find_listed(ctx, model, workspace, name, &found))
		return;
	o = json_add_object(root, "repository");
	json_add_str(o, "workspace", workspace);
	json_add_str(o, "repository", name);
	add_repository(ctx, model, node ? row_dir_of(node) : found.what.data,
		       o);
	add_large(model, node, o);
	if (!node)
		provider_found_nothing(&found);
	node_unref(model->nodes, node);
}
