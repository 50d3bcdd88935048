/*
 * model/dirs/by_branch: pipelines/by-branch/: a symbolic link to the newest run
 * of each branch, of the list of pipelines, for no request beyond the list's. A
 * slash in a branch's name is a directory, which is a row directory like the
 * one above it, of the same row.
 *
 * Names are paths of file names (documents_branch_runs), so the path of a name
 * below by-branch/ is what is looked for.
 */
#include "model/dirs/row_file.h"
#include "model/dirs/specials.h"
#include "model/probe.h"

static bool is_by_branch(const struct node *node)
{
	return node && node->provider == &provider_row_dir &&
	       !row_dir_of(node)->collection &&
	       row_dir_of(node)->row->special == RESOURCE_BY_BRANCH;
}

/* by-branch/ itself. */
static struct node *top_of(struct node *dir)
{
	while (is_by_branch(dir->parent))
		dir = dir->parent;
	return dir;
}

/* "" in by-branch/, "feature/" in a directory of it; and the way up from there
 * to pipelines/. */
static void prefix_of(struct node *dir, struct buf *prefix, struct buf *up)
{
	struct node *top = top_of(dir);

	node_path_below(dir, top, prefix);
	if (prefix->len)
		buf_putc(prefix, '/');
	for (; dir != top->parent; dir = dir->parent)
		buf_puts(up, "../");
}

static int runs_of(struct ctx *ctx, struct model *model, struct node *dir,
		   struct collection **ret_runs, struct answer_age *ret_age)
{
	cleanup(collection_unref) struct collection *list = NULL;
	struct node *pipelines = top_of(dir)->parent;
	int r = row_dir_collection(ctx, model, pipelines, READ_THROUGH, &list,
				   ret_age);

	return r < 0 ? r
		     : documents_branch_runs(model->config.documents,
					     row_dir_of(pipelines)->scope,
					     ret_runs);
}

/* rest: of the run's name, what is below the directory. */
static void found(struct model *model, struct node *dir,
		  const struct collection_item *run, const char *rest,
		  const char *up, int64_t left_ms, struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	size_t n = strcspn(rest, "/");
	cleanup(free) char *name = mem_dup0(rest, n);

	if (rest[n]) {
		row_dir_found_dir(p->row, scope_below(p->scope, name),
				  node_mtime_ms(model->nodes, dir), left_ms,
				  false, ret_found);
	} else {
		cleanup(free) char *target = mem_asprintf("%s%s", up, run->id);

		row_dir_found_link(target, run->time_ms, left_ms, ret_found);
	}
}

int by_branch_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		     const char *name, struct found *ret_found)
{
	cleanup(collection_unref) struct collection *runs = NULL;
	cleanup(buf_done) struct buf path = BUF_INIT(0), up = BUF_INIT(0);
	struct answer_age age;
	size_t n, n_prefix;
	int r;

	if (probe_matches(name))
		return 0;
	r = runs_of(ctx, model, dir, &runs, &age);
	if (r < 0)
		return r;
	ret_found->left_ms = row_dir_believe_ms(&age);
	prefix_of(dir, &path, &up);
	n_prefix = path.len;
	buf_puts(&path, name);
	n = path.len;
	for (size_t i = 0; i < runs->n_items; i++) {
		const char *of = runs->items[i].name;

		if (strncmp(of, path.data, n) || (of[n] && of[n] != '/'))
			continue;
		found(model, dir, &runs->items[i], of + n_prefix, up.data,
		      ret_found->left_ms, ret_found);
		return 0;
	}
	return 0;
}

/* ---- listing ---- */

/* The pin of a listing. */
struct by_branch {
	struct collection *runs;
	char **names; /* what is listed, of each run; NULL: it is not */
	size_t n_prefix;
	struct buf up;
};

void by_branch_free(void *data)
{
	struct by_branch *by = data;

	if (!by)
		return;
	for (size_t i = 0; by->names && i < by->runs->n_items; i++)
		free(by->names[i]);
	free(by->names);
	collection_unref(by->runs);
	buf_done(&by->up);
	free(by);
}

/* Names that begin alike stand together, for they are sorted: what a directory
 * is made of is one name. */
static void add_names(struct by_branch *by, const char *prefix,
		      struct dirlist *l)
{
	const char *last = "";
	size_t n_last = 0;

	by->names = mem_calloc(by->runs->n_items + 1, sizeof(*by->names));
	for (unsigned i = 0; i < by->runs->n_items; i++) {
		const char *rest = by->runs->items[i].name + by->n_prefix;
		size_t n;

		if (strncmp(by->runs->items[i].name, prefix, by->n_prefix) != 0)
			continue;
		n = strcspn(rest, "/");
		if (n == n_last && !strncmp(rest, last, n))
			continue;
		last = rest;
		n_last = n;
		by->names[i] = mem_dup0(rest, n);
		dirlist_add(l, by->names[i], 0, rest[n] ? S_IFDIR : S_IFLNK,
			    ROW_DIR_TAG_SPECIAL + i);
	}
}

int by_branch_open(struct ctx *ctx, struct model *model, struct node *dir,
		   struct row_dir_names *names, const struct row_dir_names *,
		   struct dirlist *l)
{
	cleanup(buf_done) struct buf prefix = BUF_INIT(0);
	struct by_branch *by = mem_calloc(1, sizeof(*by));
	size_t first = l->n_names;
	int r;

	by->up = (struct buf)BUF_INIT(0);
	names->special_data = by;
	r = runs_of(ctx, model, dir, &by->runs, &names->age);
	if (r < 0)
		return r;
	names->left_ms = row_dir_believe_ms(&names->age);
	prefix_of(dir, &prefix, &by->up);
	by->n_prefix = prefix.len;
	add_names(by, prefix.data ? prefix.data : "", l);
	dirlist_number(l, first, node_book(model->nodes, dir, true),
		       ROW_DIR_FIRST_ITEM);
	l->n_bytes += by->runs->n_items * (sizeof(*by->runs->items) + 100);
	return 0;
}

bool by_branch_found(struct dirlist_piece *piece,
		     const struct row_dir_names *names, size_t i,
		     struct found *ret_found)
{
	const struct by_branch *by = names->special_data;
	const struct collection_item *run = &by->runs->items[i];
	struct answer_age age = row_dir_age(piece, names);

	found(piece->model, piece->dir, run, run->name + by->n_prefix,
	      by->up.data, row_dir_believe_ms(&age), ret_found);
	return true;
}

/* ---- a newer list ---- */

struct telling {
	struct model *model;
	struct node *top;
	const struct collection *runs;
};

static bool is_below(const struct node *node, const struct node *top)
{
	while (node && node != top)
		node = node->parent;
	return node;
}

/* The link may lead to another run by now. */
static void tell_link(void *arg, struct node *link)
{
	struct telling *t = arg;

	if (is_below(link->parent, t->top))
		model_changed_entry(t->model, link->parent, link->name);
}

static bool is_still(const struct telling *t, const struct node *dir)
{
	cleanup(buf_done) struct buf path = BUF_INIT(0);

	if (dir == t->top)
		return true;
	node_path_below(dir, t->top, &path);
	buf_putc(&path, '/');
	for (size_t i = 0; i < t->runs->n_items; i++)
		if (!strncmp(t->runs->items[i].name, path.data, path.len))
			return true;
	return false;
}

/* A name that is no directory any more may be a link by now. Told only then: a
 * shell that stands in the directory would be cut off. */
static void tell_dir(void *arg, struct node *dir)
{
	struct telling *t = arg;

	if (!is_below(dir, t->top))
		return;
	model_changed_inode(t->model, dir, true);
	if (!is_still(t, dir))
		model_changed_entry(t->model, dir->parent, dir->name);
}

void by_branch_outdated(struct model *model, struct node *top)
{
	cleanup(collection_unref) struct collection *runs = NULL;
	struct telling t = {.model = model, .top = top};

	if (documents_branch_runs(model->config.documents,
				  row_dir_of(top->parent)->scope, &runs) < 0)
		return;
	t.runs = runs;
	node_each(model->nodes, &provider_link, tell_link, &t);
	node_each(model->nodes, &provider_row_dir, tell_dir, &t);
}
