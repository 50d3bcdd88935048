/*
 * Evicting: the blobs of commits that nobody read lately go, with the packs
 * that no other commit needs. What stays of those commits, themselves and their
 * trees, is written into one new pack. As in a partial clone of git's
 * (gitformat-pack, "promisor") a file pack-….promisor beside it says that
 * what its objects lead to may not be here, so git fsck has nothing to say;
 * and the config names a promisor remote. The sizes of the blobs are kept
 * (objects_sizes.c); symbolic links stay whole, as do .gitattributes and
 * pointers of LFS, without which nobody could say how large a file is shown.
 *
 * The order, in which a process may be killed anywhere:
 * 1. sizes: what they say is true also of what is here;
 * 2. the new pack: its objects are here twice;
 * 3. marks: OBJECTS_TREES is made, OBJECTS_COMPLETE goes. More is here than is
 *    marked;
 * 4. the packs go, each with its index first: without it the pack is not seen,
 *    and is swept by whoever opens the store next.
 *
 * Three lock files. bitbucketfs.lock, as whenever something gets a name. And
 * evict.lock, exclusively, all the time, which a fetch holds shared
 * (objects_hold):
 * 1. A, which is another process perhaps, tells the server that commit 1 is
 *    here: what comes is commit 2 without the blobs that 1 has.
 * 2. B evicts the blobs of 1.
 * 3. A marks commit 2 as complete, which it is not.
 *
 * And evict.next, exclusively by an eviction that waits for the fetches which
 * are under way, shared for a moment by one that begins: otherwise two walks,
 * each of which always fetches something, would leave no time to evict.
 *
 * Who reads meanwhile: handles that are given out after the new pack came know
 * it (objects_warm_replaced; another process: objects_watch), and those that
 * meet a pack that went fail with -EIO, upon which objects_doubt has them read
 * once more.
 */
#include "objects_evict_private.h"

#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINK_MOST 4096
#define ATTRIBUTES_MOST ((uint64_t)1 << 20)
/* Of pointers of LFS (git-lfs's docs/spec.md). */
#define POINTER_LEAST 100
#define POINTER_MOST 1023
/* A second in which no fetch begins, and one in which they do: one that is
 * under way may be long. */
#define PARTS_AGAIN_MS 4
#define PARTS_TRIES_ALONE 250
#define PARTS_TRIES (2 * PARTS_TRIES_ALONE)

/* ---- the lock ---- */

static int lock_file(const char *path, const char *name, int how, int *ret_fd)
{
	cleanup(free) char *file = mem_asprintf("%s/%s", path, name);
	int r = objects_flock(file, how | LOCK_NB, ret_fd);

	return r == -EWOULDBLOCK ? -EBUSY : r;
}

int objects_evict_lock(const char *path, int how, int *ret_fd)
{
	return lock_file(path, "evict.lock", how, ret_fd);
}

static int lock_next(const char *path, int how, int *ret_fd)
{
	return lock_file(path, "evict.next", how, ret_fd);
}

static int hold_behind(const char *path, int *ret_fd)
{
	cleanup(fd) int next = -1;
	int r = lock_next(path, LOCK_SH, &next);

	return r < 0 ? r : objects_evict_lock(path, LOCK_SH, ret_fd);
}

#define HOLD_AGAIN_MS 20

int objects_hold(struct ctx *ctx, struct objects *o, int *ret_fd)
{
	int r;

	/* An eviction takes a second or so; it holds no lock that a reader
	 * wants. */
	while ((r = hold_behind(o->path, ret_fd)) == -EBUSY) {
		r = ctx_sleep(ctx, HOLD_AGAIN_MS);
		if (r < 0)
			return r;
	}
	/* Somebody removed the store: it is made anew by who writes to it. */
	return r == -ENOENT ? 0 : r;
}

/* ---- what is kept ---- */

static int keep_sizes(struct eviction *e)
{
	struct objects_size *sizes = NULL;
	size_t n = 0, room = 0;
	struct evict_member *m, *next;
	int r;

	HASH_ITER (hh, e->rest, m, next) {
		uint64_t size;

		if (ctx_is_cancelled(e->ctx))
			break;
		if (!m->goes || m->kind == EVICT_COMMIT ||
		    m->kind == EVICT_TREE)
			continue;
		if (objects_blob_size(e->ctx, e->o, &m->oid, &size) < 0)
			continue;
		mem_grow(sizes, n, room);
		sizes[n++] = (struct objects_size){m->oid, size};
	}
	if (ctx_is_cancelled(e->ctx))
		r = -EINTR;
	else
		r = n ? objects_sizes_add(e->o->path, sizes, n, true) : 0;
	free(sizes);
	return r;
}

/* By the one line that all have; more than those are kept, too. */
static bool is_pointer(struct eviction *e, const struct oid *oid)
{
	static const char line[] = "oid sha256:";
	cleanup(blob_unref) struct blob *blob = NULL;

	return objects_read_blob(e->ctx, e->o, oid, POINTER_MOST, &blob) == 0 &&
	       memmem(blob_data(blob), blob_len(blob), line, strlen(line));
}

static bool is_kept(struct eviction *e, const struct evict_member *m)
{
	bool leads_on = m->kind == EVICT_COMMIT || m->kind == EVICT_TREE;
	uint64_t size;

	if (m->n_packs > 0)
		return false;
	/* All trees but those of parts: one in a pack that stays may lead to a
	 * blob that goes, and then has to be in a promisor pack. */
	if (!m->goes)
		return leads_on && !e->is_of_parts;
	if (leads_on)
		return true;
	if (!objects_has(e->o, &m->oid) ||
	    objects_blob_size(e->ctx, e->o, &m->oid, &size) < 0)
		return false;
	switch (m->kind) {
	case EVICT_LINK:
		return size < LINK_MOST;
	case EVICT_ATTRIBUTES:
		return size <= ATTRIBUTES_MOST;
	case EVICT_COMMIT:
	case EVICT_TREE:
	case EVICT_BLOB:
		break;
	}
	return size >= POINTER_LEAST && size <= POINTER_MOST &&
	       is_pointer(e, &m->oid);
}

struct writing {
	struct ctx *ctx;
	struct objects_pack *pack;
};

static int write_piece(void *bytes, size_t n, void *arg)
{
	const struct writing *w = arg;

	return ctx_is_cancelled(w->ctx) ? -EINTR
					: objects_pack_write(w->pack, bytes, n);
}

/* Comparing a hundred thousand trees takes seconds, for which whoever unmounts
 * would wait. */
static int go_on(int, uint32_t, uint32_t, void *arg)
{
	return ctx_is_cancelled(arg) ? GIT_EUSER : 0;
}

static int write_objects(struct eviction *e, git_packbuilder *builder,
			 struct objects_pack *pack)
{
	struct evict_member *m, *next;
	int r;

	git_packbuilder_set_threads(builder, 1);
	git_packbuilder_set_callbacks(builder, go_on, e->ctx);
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
	r = git_packbuilder_foreach(builder, write_piece,
				    &(struct writing){e->ctx, pack});
	if (r < 0 && ctx_is_cancelled(e->ctx))
		return -EINTR;
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
	objects_pack_promise(pack, false);
	objects_pack_tell_name(pack, ret_name);
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
		int64_t read_ms = objects_read_ms(e->o, &e->cold[i]);

		r = objects_mark(e->o, &e->cold[i], OBJECTS_TREES);
		objects_set_read_ms(e->o, &e->cold[i], read_ms);
		if (r == 0)
			r = objects_unmark(e->o, &e->cold[i], OBJECTS_COMPLETE,
					   false);
	}
	return r;
}

/* ---- what goes ---- */

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

		if (oid_parse(entry->d_name, &oid) == 0 &&
		    !objects_evict_find(e->warm, &oid))
			*ret_freed += objects_evict_unlink(path);
	}
	if (d)
		closedir(d);
}

/* ---- all of it ---- */

static int evict_steps(struct eviction *e, uint64_t *ret_freed)
{
	cleanup(free) char *kept = NULL;
	int r = objects_evict_reach(e);

	if (r == 0)
		r = objects_evict_choose(e);
	if (r == 0 && !objects_evict_is_worth(e))
		return change_marks(e);
	if (r == 0)
		r = keep_sizes(e);
	if (r == 0)
		r = keep_objects(e, &kept);
	if (r == 0)
		r = change_marks(e);
	if (r < 0)
		return r;
	objects_note_evicted(e->o->path, true);
	objects_warm_replaced(e->o);
	r = objects_evict_remove(e, kept, ret_freed);
	objects_packs_replaced(e->o);
	objects_warm_replaced(e->o);
	/* Of those that are being read store/evict lets go one by one. */
	if (!e->is_of_parts)
		remove_big(e, ret_freed);
	return r;
}

static int evict_open(struct eviction *e, uint64_t *ret_freed)
{
	int r = objects_take(e->o, &e->h);

	if (r < 0)
		return r;
	r = evict_steps(e, ret_freed);
	objects_give(e->o, e->h);
	objects_evict_choose_done(e);
	objects_evict_reach_done(e);
	return r;
}

/* evict.lock is held. */
static int evict_locked(const char *path, struct eviction *e,
			uint64_t *ret_freed)
{
	cleanup(objects_close) struct objects *o = NULL;
	uint64_t freed = 0;
	int r = objects_open(path, &o);

	e->o = o;
	if (r == 0)
		r = evict_open(e, &freed);
	*ret_freed = freed;
	mem_give_back();
	return r;
}

/* Whether opening the store may gain anything: a commit that is complete and
 * was not read lately; or, with blobs that came by themselves, another one that
 * was not, or none at all.
 */
static bool may_gain(const char *path, int64_t before_ms)
{
	bool complete = false, trees = false;

	if (objects_marks_before(path, OBJECTS_COMPLETE, before_ms, &complete))
		return true;
	return (objects_marks_before(path, OBJECTS_TREES, before_ms, &trees) ||
		!(complete || trees)) &&
	       objects_evict_has_spare(path);
}

int objects_evict(struct ctx *ctx, const char *path, int64_t before_ms,
		  uint64_t *ret_freed)
{
	struct eviction e = {.ctx = ctx, .before_ms = before_ms};
	cleanup(fd) int lock = -1;
	int r;

	*ret_freed = 0;
	if (!may_gain(path, before_ms))
		return 0;
	r = objects_evict_lock(path, LOCK_EX, &lock);
	return r < 0 ? r : evict_locked(path, &e, ret_freed);
}

/* A walk fetches one directory after the other: there is time in between, if
 * little. */
static int lock_between(struct ctx *ctx, const char *path, int *ret_fd)
{
	cleanup(fd) int next = -1;
	int r = -EBUSY, slept = 0;

	for (int i = 0; slept == 0 && r == -EBUSY && i < PARTS_TRIES; i++) {
		if (i == PARTS_TRIES_ALONE) {
			next = file_close(next);
		} else if (i < PARTS_TRIES_ALONE && next < 0) {
			(void)lock_next(path, LOCK_EX, &next);
		}
		r = objects_evict_lock(path, LOCK_EX, ret_fd);
		if (r == -EBUSY)
			slept = ctx_sleep(ctx, PARTS_AGAIN_MS);
	}
	return slept < 0 ? slept : r;
}

int objects_evict_parts(struct ctx *ctx, const char *path, int64_t before_ms,
			uint64_t n_bytes, uint64_t *ret_freed)
{
	struct eviction e = {
		.ctx = ctx,
		.before_ms = before_ms,
		.is_of_parts = true,
		.n_bytes_most = n_bytes,
	};
	cleanup(fd) int lock = -1;
	int r;

	*ret_freed = 0;
	if (!objects_evict_has_spare(path))
		return 0;
	r = lock_between(ctx, path, &lock);
	return r < 0 ? r : evict_locked(path, &e, ret_freed);
}

/* A store that is going, whole: nobody has it open by that name. */
static char *gone_path(const char *path)
{
	return mem_asprintf("%s" OBJECTS_GONE, path);
}

int objects_remove(const char *path)
{
	cleanup(free) char *gone = gone_path(path);
	cleanup(fd) int evict = -1, lock = -1;
	int r = objects_evict_lock(path, LOCK_EX, &evict);

	if (r == 0)
		r = objects_lock(path, LOCK_EX, &lock);
	if (r == 0 && objects_tmp_lives(path))
		r = -EBUSY;
	/* 1. Half of it is removed. 2. The process is killed. 3. Whoever opens
	 * the other half finds refs without commits. */
	if (r == 0 && rename(path, gone) < 0)
		r = -errno;
	return r < 0 ? r : file_remove_tree(gone);
}
