/*
 * The sizes of a directory's files, which a tree does not have: with a blob
 * comes its size, so a directory's small blobs are fetched at once, by the one
 * id of its tree: "want <tree>" under the filter "combine:tree:1+blob:limit=N"
 * is the tree, those blobs in it that are smaller than N, and nothing below (a
 * wanted object is outside of the filter, and its entries are at depth 0). Of
 * those that are larger the server is asked for sizes alone (object-info),
 * where it offers that.
 *
 * For such a filter git goes through all trees below: it leaves one out only
 * if each part of the combination does. Where those are many, or not known to
 * be few, the blobs are wanted by their ids or, if they are many, by the filter
 * "tree:1" alone, as long as they are not too large together; then by the
 * combination after all, which leaves out the large ones.
 *
 * A server that refuses such a filter, and tells no sizes, is asked for all of
 * them by their ids.
 *
 * A directory is asked for once: what did not come will not come the next time.
 */
#include "clone/clone_private.h"

/* A directory's blobs, as large as they may be, are about so many bytes; in a
 * pack they are a quarter of it. Files of a few pages always come. Less of both
 * where the server tells the sizes of the others in one more round trip. */
#define DIRECTORY_BYTES (64 * MIB)
#define LIMIT_LEAST (16 * KIB)
#define LESS_WITH_SIZES 4
#define LIMIT_MOST MIB
/* What comes again for each that comes. */
#define AGAIN_BYTES MIB
/* Of a pack of blobs of any size; where there is a filter by size instead,
 * about what that would have brought. */
#define LISTED_BYTES (64 * MIB)
#define LISTED_FIRST_BYTES (16 * MIB)
/* A blob without a name is a millisecond of the server's, in which it looks for
 * what it could be a change of: forty trees. */
#define LISTED_MOST 128
/* A server goes through so many trees in a round trip or two. */
#define TREES_FEW 256
#define REMEMBERED 256

/* Trees that were asked for. */
struct clone_directories {
	struct {
		struct oid tree;
		bool here, elsewhere; /* of git; of somebody else */
	} asked[REMEMBERED];
	unsigned next;
};

struct clone_directories *clone_directories_free(struct clone_directories *d)
{
	free(d);
	return NULL;
}

static bool was_asked(struct clone *c, const struct oid *tree, bool elsewhere,
		      bool take)
{
	struct clone_set *cs = c->clones;
	struct clone_directories *d;
	bool *asked, was;
	unsigned i;

	mutex_lock(&cs->lock);
	if (!c->directories)
		c->directories = mem_calloc(1, sizeof(*c->directories));
	d = c->directories;
	for (i = 0; i < REMEMBERED; i++)
		if (oid_equal(&d->asked[i].tree, tree))
			break;
	if (i == REMEMBERED) {
		i = d->next;
		d->next = (d->next + 1) % REMEMBERED;
		memset(&d->asked[i], 0, sizeof(d->asked[i]));
		d->asked[i].tree = *tree;
	}
	asked = elsewhere ? &d->asked[i].elsewhere : &d->asked[i].here;
	was = *asked;
	*asked = *asked || take;
	mutex_unlock(&cs->lock);
	return was;
}

bool clone_directory_was_asked(struct clone *c, const struct oid *tree)
{
	return was_asked(c, tree, false, false);
}

bool clone_sizes_elsewhere(struct clone *c, const struct oid *tree)
{
	return !was_asked(c, tree, true, true);
}

int clone_note_sizes(struct clone *c, const struct objects_size *sizes,
		     size_t n)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	return r < 0 ? r : objects_note_sizes(objects, sizes, n);
}

/* ---- what is lacking ---- */

/* Blobs of the job's directory whose size is not known; what those are together
 * that are known. */
struct lacking {
	struct oid *oids; /* symbolic links first */
	size_t n, n_links;
	uint64_t n_here;
};

static void lacking_done(struct lacking *l)
{
	free(l->oids);
}
DEFINE_CLEANUP_DONE(struct lacking, lacking_done);

static void add_lacking(struct lacking *l, const struct tree_entry *e)
{
	size_t at = l->n++;

	if (e->kind == TREE_SYMLINK) {
		l->oids[at] = l->oids[l->n_links];
		at = l->n_links++;
	}
	l->oids[at] = e->oid;
}

/* Without the tree (its commit is being fetched again) nothing is known of it.
 */
static int find_lacking(struct clone_job *j, struct lacking *l)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	int r = objects_read_tree(j->ctx, j->objects, &j->need.oid, &list);

	if (r < 0)
		return r;
	l->oids = mem_calloc(list->n_entries + 1, sizeof(*l->oids));
	for (size_t i = 0; i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);
		uint64_t size = 0;

		if (e->kind == TREE_DIRECTORY || e->kind == TREE_SUBMODULE)
			continue;
		if (objects_blob_size(j->ctx, j->objects, &e->oid, &size) ==
		    -ENOENT)
			add_lacking(l, e);
		l->n_here += size;
	}
	return 0;
}

bool clone_directory_is_here(struct clone_job *j)
{
	cleanup(lacking_done) struct lacking l = {.n = 0};

	return find_lacking(j, &l) == 0 && l.n == 0;
}

/* ---- fetching it ---- */

/* What is here comes again. That is worth it while it takes about as long as
 * the round trips that fetching file after file would be; and never where the
 * server tells sizes alone. */
static bool is_worth_it(const struct clone_job *j, const struct lacking *l)
{
	if (l->n_here && j->session->caps.object_info)
		return false;
	return l->n && l->n_here / l->n <= AGAIN_BYTES;
}

/* Of those that are not here (way.c) it is not known. */
static bool has_many_trees(const struct clone_job *j)
{
	struct oid trees[TREES_FEW + 1] = {j->need.oid};
	size_t n = 1;

	for (size_t i = 0; i < n; i++) {
		cleanup(tree_list_unref) struct tree_list *list = NULL;

		if (objects_read_tree(j->ctx, j->objects, &trees[i], &list) < 0)
			return true;
		for (size_t k = 0; k < list->n_entries; k++) {
			const struct tree_entry *e = tree_list_entry(list, k);

			if (e->kind != TREE_DIRECTORY)
				continue;
			if (n == ARRAY_SIZE(trees))
				return true;
			trees[n++] = e->oid;
		}
	}
	return false;
}

static bool choose_filter(struct clone_job *j, const struct lacking *l)
{
	unsigned less = j->session->caps.object_info ? LESS_WITH_SIZES : 1;
	uint64_t limit = DIRECTORY_BYTES / less / l->n;

	if (limit < LIMIT_LEAST / less)
		limit = LIMIT_LEAST / less;
	if (limit > LIMIT_MOST)
		limit = LIMIT_MOST;
	snprintf(j->directory_filter, sizeof(j->directory_filter),
		 "combine:tree:1+blob:limit=%llu", (unsigned long long)limit);
	return clone_filter_try(j, j->directory_filter,
				CLONE_FILTER_COMBINE | CLONE_FILTER_TREE |
					CLONE_FILTER_BLOB_LIMIT);
}

/* By SSH what is broken off ends the session. */
static bool has_second(struct clone_job *j, const struct lacking *l)
{
	return !j->server->is_ssh && choose_filter(j, l);
}

/* Whatever their sizes. */
static bool choose_all(struct clone_job *j, const struct lacking *l)
{
	j->lists_first = has_second(j, l) &&
			 clone_filter_try(j, "tree:1", CLONE_FILTER_TREE);
	return j->lists_first;
}

/* Without a filter each by its id, however large it is, up to what is bearable.
 * Where the server tells sizes only the symbolic links: a look at one's size
 * is mostly followed by one at where it leads. */
void clone_directory_choose(struct clone_job *j)
{
	cleanup(lacking_done) struct lacking l = {.n = 0};
	bool info = j->session->caps.object_info, many, by_ids;

	free(j->listed);
	j->listed = NULL;
	j->n_listed = 0;
	j->lists_first = false;
	if (find_lacking(j, &l) < 0 || l.n == 0)
		return;
	many = !j->listed_too_much && has_many_trees(j);
	by_ids = many && (info ? l.n_links : l.n) <= LISTED_MOST;
	if (!by_ids && (is_worth_it(j, &l) ? (many && choose_all(j, &l)) ||
						     choose_filter(j, &l)
					   : !info))
		return;
	j->lists_first = by_ids && has_second(j, &l);
	j->filter = NULL;
	j->filter_kinds = 0;
	j->listed = steal(&l.oids);
	j->n_listed = info ? l.n_links : l.n;
}

bool clone_directory_is_too_much(const struct clone_job *j, uint64_t n_bytes)
{
	return j->need.kind == CLONE_NEED_DIRECTORY &&
	       (j->n_listed || j->lists_first) &&
	       n_bytes > (j->lists_first ? LISTED_FIRST_BYTES : LISTED_BYTES);
}

bool clone_directory_goes_on(struct clone_job *j, int r)
{
	if (r != -EFBIG || !j->lists_first)
		return false;
	j->listed_too_much = true;
	return true;
}

/* ---- asking for sizes ---- */

struct answers {
	struct objects_size *sizes;
	size_t n, room;
};

static void take_size(void *arg, const char *oid, uint64_t size)
{
	struct answers *a = arg;

	if (a->n < a->room && oid_parse(oid, &a->sizes[a->n].oid) == 0)
		a->sizes[a->n++].size = size;
}

static int ask_for(struct clone_job *j, const struct lacking *l)
{
	char(*hex)[41] = mem_calloc(l->n, sizeof(*hex));
	const char **oids = mem_calloc(l->n, sizeof(*oids));
	struct answers a = {.sizes = mem_calloc(l->n, sizeof(*a.sizes)),
			    .room = l->n};
	int r;

	for (size_t i = 0; i < l->n; i++)
		oids[i] = oid_hex(&l->oids[i], hex[i]);
	r = upload_pack_object_info(j->ctx, j->session->up, oids, l->n,
				    take_size, &a);
	if (a.n && r >= 0)
		r = objects_note_sizes(j->objects, a.sizes, a.n);
	free(a.sizes);
	free(oids);
	free(hex);
	return r;
}

int clone_directory_end(struct clone_job *j, int r)
{
	cleanup(lacking_done) struct lacking l = {.n = 0};

	/* As much as is too much will be the next time, too. */
	if (r == -EFBIG && j->n_listed)
		r = 0;
	if (r < 0 || j->whole)
		return r;

	if (j->session->caps.object_info && find_lacking(j, &l) == 0 && l.n)
		r = ask_for(j, &l);
	(void)was_asked(j->clone, &j->need.oid, false, true);
	/* What came, came; whoever lacks more of it fetches the file. */
	if (r < 0 && !ctx_is_cancelled(j->ctx)) {
		j->ctx->sentence[0] = '\0';
		r = 0;
	}
	return r;
}
