/*
 * Evicting: the blobs of commits that nobody read lately go, with the packs
 * that no other commit needs. What stays of those commits, themselves and their
 * trees, is written into one new pack. As in a partial clone of git's
 * (gitformat-pack, "promisor") a file pack-….promisor beside it says that
 * what its objects lead to may not be here, so git fsck has nothing to say;
 * and the config names a promisor remote. The sizes of the blobs are kept
 * (objects_sizes.c), symbolic links stay whole.
 *
 * The order, in which a process may be killed anywhere:
 * 1. sizes: what they say is true also of what is here;
 * 2. the new pack: its objects are here twice;
 * 3. marks: OBJECTS_TREES is made, OBJECTS_COMPLETE goes. More is here than is
 *    marked;
 * 4. the packs go, each with its index first: without it the pack is not seen,
 *    and is swept by whoever opens the store next.
 *
 * Two lock files. bitbucketfs.lock, as whenever something gets a name. And
 * evict.lock, exclusively, all the time, which a fetch holds shared
 * (objects_hold):
 * 1. A, which is another process perhaps, tells the server that commit 1 is
 *    here: what comes is commit 2 without the blobs that 1 has.
 * 2. B evicts the blobs of 1.
 * 3. A marks commit 2 as complete, which it is not.
 *
 * Who reads meanwhile: handles that are given out after the new pack came know
 * it (objects_warm_replaced; another process: objects_watch), and those that
 * meet a pack that went fail with -EIO, upon which objects_doubt has them read
 * once more.
 */
#include "objects_private.h"

#include "store/pack_read.h"

#include "base/file.h"
#include "base/map.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_MOST 4096

/* ---- the lock ---- */

static int lock_evict(const char *path, int how, int *ret_fd)
{
	cleanup(free) char *name = mem_asprintf("%s/evict.lock", path);
	cleanup(fd) int fd = own_open(name, O_RDWR | O_CREAT, 0600);
	int r = fd < 0 ? fd : file_lock(fd, how | LOCK_NB);

	if (r < 0)
		return r == -EWOULDBLOCK ? -EBUSY : r;
	*ret_fd = fd;
	fd = -1;
	return 0;
}

#define HOLD_AGAIN_MS 20

int objects_hold(struct ctx *ctx, struct objects *o, int *ret_fd)
{
	int r;

	/* An eviction takes a second or so; it holds no lock that a reader
	 * wants. */
	while ((r = lock_evict(o->path, LOCK_SH, ret_fd)) == -EBUSY) {
		r = ctx_sleep(ctx, HOLD_AGAIN_MS);
		if (r < 0)
			return r;
	}
	/* Somebody removed the store: it is made anew by who writes to it. */
	return r == -ENOENT ? 0 : r;
}

/* ---- what a commit leads to ---- */

enum kind {
	COMMIT,
	TREE,
	BLOB,
	LINK
};
struct member {
	struct oid oid;
	enum kind kind;
	unsigned n_packs; /* of those that stay, how many have it */
	UT_hash_handle hh;
};
struct pack_name {
	char *name; /* without suffix */
	uint64_t size;
};
struct eviction {
	struct ctx *ctx;
	struct objects *o;
	struct objects_handle *h;
	int64_t before_ms;
	struct oid *cold; /* commits whose blobs go */
	size_t n_cold, room_cold, n_warm;
	struct member *warm;     /* all that must stay as it is */
	struct member *rest;     /* what else the other commits lead to */
	struct pack_name *packs; /* that go */
	size_t n_packs, room_packs;
};

static bool has(const struct member *set, const struct oid *oid)
{
	const struct member *m;

	HASH_FIND(hh, set, oid, sizeof(*oid), m);
	return m != NULL;
}

static bool add(struct member **set, const struct oid *oid, enum kind kind)
{
	struct member *m;

	if (has(*set, oid))
		return false;
	m = mem_calloc(1, sizeof(*m));
	m->oid = *oid;
	m->kind = kind;
	HASH_ADD(hh, *set, oid, sizeof(m->oid), m);
	return true;
}

static void clear(struct member **set)
{
	struct member *m, *next;

	HASH_ITER (hh, *set, m, next) {
		HASH_DEL(*set, m);
		free(m);
	}
}

/* Oids that are still to be read. */
struct pending {
	struct oid *items;
	size_t n, room;
};

static void visit(struct eviction *e, struct member **set, struct pending *todo,
		  const struct oid *oid, enum kind kind)
{
	/* What stays as it is needs nothing of what is kept of the rest. */
	if (set == &e->rest && has(e->warm, oid))
		return;
	if (!add(set, oid, kind) || kind == BLOB || kind == LINK)
		return;
	mem_grow(todo->items, todo->n, todo->room);
	todo->items[todo->n++] = *oid;
}

/* "<mode> <name>\0<20 bytes>" one after the other; garbage ends it. */
static void visit_tree(struct eviction *e, struct member **set,
		       struct pending *todo, const char *at, size_t n)
{
	const char *end = at + n;

	while (at < end) {
		const char *nul = memchr(at, '\0', (size_t)(end - at));
		struct oid oid;

		if (!nul || end - nul <= OID_BYTES)
			return;
		memcpy(oid.bytes, nul + 1, OID_BYTES);
		if (at[0] == '4')
			visit(e, set, todo, &oid, TREE);
		else if (at[0] == '1' && at[1] == '2')
			visit(e, set, todo, &oid, LINK);
		else if (at[0] == '1' && at[1] == '0')
			visit(e, set, todo, &oid, BLOB);
		at = nul + 1 + OID_BYTES;
	}
}

/* "tree <40 digits>\n" … */
static void visit_commit(struct eviction *e, struct member **set,
			 struct pending *todo, const char *at, size_t n)
{
	cleanup(free) char *hex = NULL;
	struct oid tree;

	if (n < 46 || strncmp(at, "tree ", 5) != 0)
		return;
	hex = mem_dup0(at + 5, 40);
	if (oid_parse(hex, &tree) == 0)
		visit(e, set, todo, &tree, TREE);
}

/* What is missing is fetched by whoever looks for it, as it would be without
 * us. */
static int walk(struct eviction *e, struct member **set,
		const struct oid *commit)
{
	struct pending todo = {0};

	visit(e, set, &todo, commit, COMMIT);
	while (todo.n && !ctx_is_cancelled(e->ctx)) {
		struct oid oid = todo.items[--todo.n];
		git_odb_object *raw = NULL;
		git_oid id;

		git_oid_fromraw(&id, oid.bytes);
		if (git_odb_read(&raw, e->h->odb, &id) < 0)
			continue;
		if (git_odb_object_type(raw) == GIT_OBJECT_TREE)
			visit_tree(e, set, &todo, git_odb_object_data(raw),
				   git_odb_object_size(raw));
		else if (git_odb_object_type(raw) == GIT_OBJECT_COMMIT)
			visit_commit(e, set, &todo, git_odb_object_data(raw),
				     git_odb_object_size(raw));
		git_odb_object_free(raw);
	}
	free(todo.items);
	return ctx_is_cancelled(e->ctx) ? -EINTR : 0;
}

/* ---- commits that were read lately, and others ---- */

static int walk_warm(struct eviction *e)
{
	struct oid *commits = NULL;
	size_t n = 0;
	int r = objects_marked(e->o, OBJECTS_COMPLETE, SIZE_MAX, &commits, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (objects_read_ms(e->o, &commits[i]) < e->before_ms) {
			mem_grow(e->cold, e->n_cold, e->room_cold);
			e->cold[e->n_cold++] = commits[i];
			continue;
		}
		e->n_warm++;
		r = walk(e, &e->warm, &commits[i]);
	}
	free(commits);
	return r;
}

struct targets {
	struct oid *items;
	size_t n, room;
	struct git_repository *repo;
};

static int add_target(const char *name, void *arg)
{
	struct targets *t = arg;
	git_oid id;

	if (git_reference_name_to_id(&id, t->repo, name) < 0)
		return 0;
	mem_grow(t->items, t->n, t->room);
	memcpy(t->items[t->n++].bytes, id.id, OID_BYTES);
	return 0;
}

/* All that refs lead to, marks among them: otherwise git would find a ref
 * without its commit. */
static int walk_rest(struct eviction *e)
{
	struct targets t = {.repo = e->h->repo};
	int r = objects_errno(git_reference_foreach_glob(e->h->repo, "refs/*",
							 add_target, &t));

	for (size_t i = 0; r == 0 && i < t.n; i++)
		r = walk(e, &e->rest, &t.items[i]);
	free(t.items);
	return r;
}

/* ---- packs ---- */

static char *pack_path(const char *store, const char *name, const char *suffix)
{
	return mem_asprintf("%s/objects/pack/%s%s", store, name, suffix);
}

static bool is_promisor(const char *store, const char *name)
{
	cleanup(free) char *path = pack_path(store, name, ".promisor");

	return access(path, F_OK) == 0;
}

static int by_size(const void *a, const void *b)
{
	const struct pack_name *x = a, *y = b;

	return x->size > y->size ? -1 : x->size < y->size;
}

/* The largest first; free_names. */
static int list_packs(const char *store, struct pack_name **ret_packs,
		      size_t *ret_n)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", store);
	DIR *d = opendir(dir);
	struct pack_name *packs = NULL;
	size_t n = 0, room = 0;
	struct dirent *e;
	struct stat st;

	if (!d)
		return -errno;
	while ((e = readdir(d))) {
		size_t length = strlen(e->d_name);
		cleanup(free) char *path = NULL;

		if (length <= 4 || strcmp(e->d_name + length - 4, ".idx") != 0)
			continue;
		mem_grow(packs, n, room);
		packs[n].name = mem_dup0(e->d_name, length - 4);
		path = pack_path(store, packs[n].name, ".pack");
		packs[n].size = stat(path, &st) == 0 ? (uint64_t)st.st_size : 0;
		n++;
	}
	closedir(d);
	if (n)
		qsort(packs, n, sizeof(*packs), by_size);
	*ret_packs = packs;
	*ret_n = n;
	return 0;
}

static void free_names(struct pack_name *packs, size_t n)
{
	while (n)
		free(packs[--n].name);
	free(packs);
}

static int count_in(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct member *m;

	HASH_FIND(hh, e->warm, oid, sizeof(*oid), m);
	if (m)
		m->n_packs++;
	return 0;
}

static int is_needed(void *arg, const struct oid *oid)
{
	const struct eviction *e = arg;
	const struct member *m;

	HASH_FIND(hh, e->warm, oid, sizeof(*oid), m);
	return m && m->n_packs < 2;
}

static int count_out(void *arg, const struct oid *oid)
{
	struct eviction *e = arg;
	struct member *m;

	HASH_FIND(hh, e->warm, oid, sizeof(*oid), m);
	if (m)
		m->n_packs--;
	return 0;
}

static int each_in(struct eviction *e, const struct pack_name *pack,
		   int (*each)(void *arg, const struct oid *))
{
	cleanup(free) char *index = pack_path(e->o->path, pack->name, ".idx");

	return ctx_is_cancelled(e->ctx) ? -EINTR
					: pack_index_each(index, each, e);
}

/* Those go whose objects need not stay as they are, or are in another pack that
 * stays. Of what they have besides, nothing is lost: it is written anew, or
 * nobody leads to it. */
static int choose_packs(struct eviction *e)
{
	struct pack_name *packs = NULL;
	size_t n = 0;
	int r = list_packs(e->o->path, &packs, &n);

	for (size_t i = 0; r == 0 && i < n; i++)
		r = each_in(e, &packs[i], count_in);
	for (size_t i = 0; r >= 0 && i < n; i++) {
		r = each_in(e, &packs[i], is_needed);
		if (r == 0)
			r = each_in(e, &packs[i], count_out);
		else
			continue;
		mem_grow(e->packs, e->n_packs, e->room_packs);
		e->packs[e->n_packs].size = packs[i].size;
		e->packs[e->n_packs++].name = steal(&packs[i].name);
	}
	free_names(packs, n);
	return r < 0 ? r : 0;
}

/* False: what would go is the pack of an earlier eviction, which has nothing to
 * spare. */
static bool is_worth(const struct eviction *e)
{
	for (size_t i = 0; i < e->n_packs; i++)
		if (!is_promisor(e->o->path, e->packs[i].name))
			return true;
	return false;
}

/* ---- what is kept ---- */

static int keep_sizes(struct eviction *e)
{
	struct objects_size *sizes = NULL;
	size_t n = 0, room = 0;
	struct member *m, *next;
	int r;

	HASH_ITER (hh, e->rest, m, next) {
		uint64_t size;

		if (m->kind != BLOB && m->kind != LINK)
			continue;
		if (objects_blob_size(e->ctx, e->o, &m->oid, &size) < 0)
			continue;
		mem_grow(sizes, n, room);
		sizes[n++] = (struct objects_size){m->oid, size};
	}
	r = n ? objects_sizes_write(e->o->path, sizes, n) : 0;
	free(sizes);
	return r;
}

static bool is_kept(struct eviction *e, const struct member *m)
{
	uint64_t size;

	if (m->kind == BLOB)
		return false;
	return m->kind != LINK ||
	       (objects_has(e->o, &m->oid) &&
		objects_blob_size(e->ctx, e->o, &m->oid, &size) == 0 &&
		size < LINK_MOST);
}

static int write_piece(void *bytes, size_t n, void *arg)
{
	return objects_pack_write(arg, bytes, n);
}

static int write_objects(struct eviction *e, git_packbuilder *builder,
			 struct objects_pack *pack)
{
	struct member *m, *next;
	int r;

	git_packbuilder_set_threads(builder, 1);
	HASH_ITER (hh, e->rest, m, next) {
		git_oid id;

		if (ctx_is_cancelled(e->ctx))
			return -EINTR;
		if (!is_kept(e, m))
			continue;
		git_oid_fromraw(&id, m->oid.bytes);
		/* One that is missing was so before. */
		if (git_odb_exists(e->h->odb, &id) &&
		    git_packbuilder_insert(builder, &id, NULL) < 0)
			return -EIO;
	}
	if (git_packbuilder_object_count(builder) == 0)
		return 0;
	r = git_packbuilder_foreach(builder, write_piece, pack);
	return r < 0 ? objects_errno(r) : 1;
}

/* The new pack is here, and synced. */
static int keep_objects(struct eviction *e, char **ret_name)
{
	cleanup(objects_pack_drop) struct objects_pack *pack = NULL;
	git_packbuilder *builder = NULL;
	unsigned n_lost = page_guard_n_lost();
	int r = objects_pack_begin(e->o, false, &pack);

	if (r < 0)
		return r;
	objects_pack_promise(pack, ret_name);
	r = objects_errno(git_packbuilder_new(&builder, e->h->repo));
	if (r == 0)
		r = write_objects(e, builder, pack);
	git_packbuilder_free(builder);
	/* Zeros in the place of what the disk has lost. */
	if (r >= 0 && page_guard_n_lost() != n_lost)
		r = -EIO;
	return r > 0 ? objects_pack_commit(e->ctx, steal(&pack), NULL, 0) : r;
}

static int change_marks(struct eviction *e)
{
	int r = 0;

	for (size_t i = 0; r == 0 && i < e->n_cold; i++) {
		r = objects_mark(e->o, &e->cold[i], OBJECTS_TREES);
		if (r == 0)
			r = objects_unmark(e->o, &e->cold[i], OBJECTS_COMPLETE,
					   false);
	}
	return r;
}

/* ---- what goes ---- */

static uint64_t remove_file(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && unlink(path) == 0
		       ? (uint64_t)st.st_blocks * 512
		       : 0;
}

static int remove_pack(const struct objects *o, const char *name,
		       uint64_t *ret_freed)
{
	static const char *const suffixes[] = {".idx", ".rev", ".pack",
					       ".promisor"};

	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		cleanup(free) char *path =
			pack_path(o->path, name, suffixes[i]);

		*ret_freed += remove_file(path);
		if (access(path, F_OK) == 0)
			return -EROFS;
	}
	return 0;
}

/* kept: the pack that was just written. It has the name of one that was to go
 * if it has the same objects. */
static int remove_packs(struct eviction *e, const char *kept,
			uint64_t *ret_freed)
{
	cleanup(fd) int lock = -1;
	int r = objects_lock(e->o->path, LOCK_EX, &lock);

	for (size_t i = 0; r == 0 && i < e->n_packs; i++)
		if (!kept || strcmp(e->packs[i].name, kept) != 0)
			r = remove_pack(e->o, e->packs[i].name, ret_freed);
	return r;
}

/* A big file has what a pack has. Who has it open goes on reading it. */
static void remove_big(struct eviction *e, uint64_t *ret_freed)
{
	cleanup(free) char *dir = mem_asprintf("%s/big", e->o->path);
	DIR *d = opendir(dir);
	struct dirent *entry;
	struct oid oid;

	while (d && (entry = readdir(d))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", dir, entry->d_name);

		if (oid_parse(entry->d_name, &oid) == 0 && !has(e->warm, &oid))
			*ret_freed += remove_file(path);
	}
	if (d)
		closedir(d);
}

/* ---- all of it ---- */

static int evict_steps(struct eviction *e, uint64_t *ret_freed)
{
	cleanup(free) char *kept = NULL;
	int r = walk_warm(e);

	if (r == 0)
		r = choose_packs(e);
	if (r == 0)
		r = walk_rest(e);
	if (r == 0 && !is_worth(e))
		return change_marks(e);
	if (r == 0)
		r = keep_sizes(e);
	if (r == 0)
		r = keep_objects(e, &kept);
	if (r == 0)
		r = change_marks(e);
	if (r < 0)
		return r;
	objects_warm_replaced(e->o);
	r = remove_packs(e, kept, ret_freed);
	objects_packs_replaced(e->o);
	objects_warm_replaced(e->o);
	remove_big(e, ret_freed);
	return r;
}

static int evict_open(struct ctx *ctx, struct objects *o, int64_t before_ms,
		      uint64_t *ret_freed)
{
	struct eviction e = {.ctx = ctx, .o = o, .before_ms = before_ms};
	int r = objects_take(o, &e.h);

	if (r < 0)
		return r;
	r = evict_steps(&e, ret_freed);
	objects_give(o, e.h);
	clear(&e.warm);
	clear(&e.rest);
	free_names(e.packs, e.n_packs);
	free(e.cold);
	return r;
}

/* Whether opening the store may gain anything: a commit that is complete and
 * was not read lately; or no commit is complete, and there are packs all the
 * same.
 */
static bool may_gain(const char *path, int64_t before_ms)
{
	bool any = false, gain = objects_marks_before(path, before_ms, &any);
	struct pack_name *names = NULL;
	size_t n = 0;

	if (gain || any || list_packs(path, &names, &n) < 0)
		return gain;
	for (size_t i = 0; i < n; i++)
		gain = gain || !is_promisor(path, names[i].name);
	free_names(names, n);
	return gain;
}

int objects_evict(struct ctx *ctx, const char *path, int64_t before_ms,
		  uint64_t *ret_freed)
{
	cleanup(objects_close) struct objects *o = NULL;
	cleanup(fd) int lock = -1;
	uint64_t freed = 0;
	int r;

	*ret_freed = 0;
	if (!may_gain(path, before_ms))
		return 0;
	r = lock_evict(path, LOCK_EX, &lock);
	if (r == 0)
		r = objects_open(path, &o);
	if (r == 0)
		r = evict_open(ctx, o, before_ms, &freed);
	*ret_freed = freed;
	return r;
}
