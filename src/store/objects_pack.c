/*
 * Taking in a pack. It is indexed in a directory of its own below the store's
 * tmp-…/, synced there (or later, objects_pack_relax), and then named in
 * objects/pack: first the pack, then its index, which is what makes it visible.
 * `shallow` is merged before, for a commit must not be seen without it.
 *
 * Naming happens under the store's lock: two processes that take in the same
 * objects give them the same name, though not necessarily the same bytes, and
 * the pack of one with the index of the other would be garbage.
 */
#include "objects_private.h"

#include "store/pack_read.h"
#include "store/written.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/file.h"
#include "base/own.h"

#include <dirent.h>
#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

/* What a server can make us write in one go. */
#define PACK_BYTES_MOST ((uint64_t)32 << 30)
#define SHALLOW_BYTES_MOST (64 * MIB)

struct objects_pack {
	struct objects *objects;
	char *dir; /* NULL: it was not begun */
	bool thin;
	git_odb *odb; /* completes a thin pack; no handle is held so long */
	struct git_indexer *indexer;
	git_indexer_progress progress; /* the indexer counts in it */
	int failed;
	bool keeps_rest;
	bool promised, has_blobs; /* objects_pack_promise */
	bool relaxed;             /* objects_pack_relax */
	char **ret_name;          /* may be NULL */
	unsigned char head[12];   /* "PACK", version, number of objects */
	atomic_uint_fast64_t n_bytes;
	atomic_uint n_objects, n_objects_total;
};

static int note_progress(const git_indexer_progress *progress, void *arg)
{
	struct objects_pack *p = arg;

	atomic_store(&p->n_objects, progress->received_objects);
	return 0;
}

int objects_pack_begin(struct objects *o, bool thin,
		       struct objects_pack **ret_pack)
{
	cleanup(objects_pack_drop) struct objects_pack *p =
		mem_calloc(1, sizeof(*p));
	cleanup(free) char *objects = mem_asprintf("%s/objects", o->path);
	git_indexer_options options = GIT_INDEXER_OPTIONS_INIT;
	int r = objects_tmp_name(o, "pack", &p->dir);

	p->objects = o;
	p->thin = thin;
	if (r < 0)
		return r;
	if (mkdir(p->dir, 0700) < 0)
		return -errno;
	options.progress_cb = note_progress;
	options.progress_cb_payload = p;
	/* verify stays off: it refuses packs without all their objects. */
	r = git_odb_open(&p->odb, objects);
	if (r == 0)
		r = git_indexer_new(&p->indexer, p->dir, 0, p->odb, &options);
	if (r < 0)
		return objects_errno(r);
	*ret_pack = steal(&p);
	return 0;
}

/* A full disk, no descriptors: libgit2 does not always say so. */
static int machine_errno(const struct objects_pack *p)
{
	cleanup(free) char *name = mem_asprintf("%s/probe", p->dir);
	cleanup(fd) int fd = open(name, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
	char page[4096] = {0};
	int r = fd < 0 ? -errno : 0;

	if (r == 0 && write(fd, page, sizeof(page)) < 0)
		r = -errno;
	unlink(name);
	/* The disk's quota is not the service's. */
	return r == -EDQUOT ? -ENOSPC : r;
}

/* -EBADMSG when the bytes are at fault. */
static int indexer_errno(const struct objects_pack *p, int result)
{
	int r = objects_errno(result);

	if (r != -EIO && r != -ENOENT && r != -EINVAL && r != -EEXIST)
		return r;
	r = machine_errno(p);
	return r < 0 ? r : -EBADMSG;
}

/* By libgit2, which may read bases of deltas from packs that are here. */
static int guarded(struct objects_pack *p,
		   int (*call)(struct objects_pack *, const void *, size_t),
		   const void *data, size_t n)
{
	const struct objects *before = objects_alloc_for(p->objects);
	unsigned n_lost = page_guard_n_lost();
	int r;

	page_guard_begin();
	r = call(p, data, n);
	page_guard_end();
	objects_alloc_for(before);
	if (r >= 0 && page_guard_n_lost() == n_lost)
		return 0;
	return r < 0 ? indexer_errno(p, r) : -EBADMSG;
}

static int call_append(struct objects_pack *p, const void *data, size_t n)
{
	return git_indexer_append(p->indexer, data, n, &p->progress);
}

static int call_commit(struct objects_pack *p, const void *, size_t)
{
	return git_indexer_commit(p->indexer, &p->progress);
}

static int read_head(struct objects_pack *p)
{
	const unsigned char *h = p->head;

	if (memcmp(h, "PACK", 4) != 0 || h[4] || h[5] || h[6] ||
	    (h[7] != 2 && h[7] != 3))
		return -EBADMSG;
	atomic_store(&p->n_objects_total, (unsigned)h[8] << 24 |
						  (unsigned)h[9] << 16 |
						  (unsigned)h[10] << 8 | h[11]);
	return 0;
}

static int append(struct objects_pack *p, const void *data, size_t n)
{
	uint64_t before = atomic_fetch_add(&p->n_bytes, n);
	int r;

	if (before + n > PACK_BYTES_MOST)
		return -EFBIG;
	written_note(n);
	if (before < sizeof(p->head)) {
		size_t room = sizeof(p->head) - (size_t)before;

		memcpy(p->head + before, data, n < room ? n : room);
		if (before + n >= sizeof(p->head)) {
			r = read_head(p);
			if (r < 0)
				return r;
		}
	}
	return guarded(p, call_append, data, n);
}

int objects_pack_write(struct objects_pack *p, const void *data, size_t n)
{
	if (p->failed == 0 && n > 0)
		p->failed = append(p, data, n);
	return p->failed;
}

void objects_pack_progress(const struct objects_pack *p,
			   struct objects_progress *ret_progress)
{
	*ret_progress = (struct objects_progress){
		.n_bytes = atomic_load(&p->n_bytes),
		.n_objects = atomic_load(&p->n_objects),
		.n_objects_total = atomic_load(&p->n_objects_total),
	};
}

/* Whole lines of the file, with those added that it lacks. The lock is held. */
static int merge_shallow(const struct objects_pack *p,
			 const char *const *shallow, size_t n)
{
	struct objects *o = p->objects;
	cleanup(free) char *path = mem_asprintf("%s/shallow", o->path);
	cleanup(buf_done) struct buf text = BUF_INIT(SHALLOW_BYTES_MOST);
	cleanup(buf_done) struct buf old = BUF_INIT(SHALLOW_BYTES_MOST);
	bool changed = false;
	struct oid oid;
	int r = own_read(path, SHALLOW_BYTES_MOST, &old);

	if (r < 0 && r != -ENOENT)
		return r;
	if (old.len)
		buf_add(&text, old.data, old.len);
	if (text.len && text.data[text.len - 1] != '\n')
		buf_putc(&text, '\n');
	for (size_t i = 0; i < n; i++) {
		if (oid_parse(shallow[i], &oid) < 0)
			return -EBADMSG;
		if (text.len && strstr(text.data, shallow[i]))
			continue;
		buf_printf(&text, "%s\n", shallow[i]);
		changed = true;
	}
	if (text.failed)
		return text.failed;
	if (!changed)
		return 0;
	/* In the place of another one it is synced: a power cut would take what
	 * that says of earlier packs. */
	if (!p->relaxed || old.len)
		return file_write_atomic(path, 0600, text.data, text.len);
	objects_sync_later(o, "shallow");
	return file_write_relaxed(path, 0600, text.data, text.len);
}

static int rename_into_place(const struct objects_pack *p, const char *name,
			     const char *as, const char *suffix)
{
	cleanup(free) char *from =
		mem_asprintf("%s/pack-%s.%s", p->dir, name, suffix);
	cleanup(free) char *to = mem_asprintf("%s/objects/pack/pack-%s.%s",
					      p->objects->path, as, suffix);

	return rename(from, to) < 0 ? -errno : 0;
}

void objects_pack_promise(struct objects_pack *p, bool has_blobs)
{
	p->promised = true;
	p->has_blobs = has_blobs;
}

void objects_pack_tell_name(struct objects_pack *p, char **ret_name)
{
	p->ret_name = ret_name;
}

void objects_pack_relax(struct objects_pack *p)
{
	p->relaxed = true;
}

static char *promisor_path(const struct objects_pack *p)
{
	return mem_asprintf("%s/promisor", p->dir);
}

static int write_promisor(const struct objects_pack *p)
{
	cleanup(free) char *path = promisor_path(p);
	const char *says = p->has_blobs ? OBJECTS_HAS_BLOBS : "";
	size_t n = strlen(says);
	cleanup(fd) int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0400);

	return fd < 0 || write(fd, says, n) != (ssize_t)n ? -errno : 0;
}

/* It is there before the index: without it git would miss what the pack's
 * objects lead to. */
static int promise(const struct objects_pack *p, const char *as)
{
	cleanup(free) char *from = promisor_path(p);
	cleanup(free) char *to = mem_asprintf(
		"%s/objects/pack/pack-%s.promisor", p->objects->path, as);

	return p->promised && rename(from, to) < 0 ? -errno : 0;
}

static int tell_name(const struct objects_pack *p, const char *as)
{
	if (p->ret_name) {
		free(*p->ret_name);
		*p->ret_name = mem_asprintf("pack-%s", as);
	}
	return 0;
}

/* Takes as long as the disk does; the lock is not held. */
static int prepare(const struct objects_pack *p, const char *name)
{
	int r = p->promised ? write_promisor(p) : 0;

	return r == 0 && !p->relaxed ? objects_sync_pack(p->dir, name) : r;
}

/* name: that of the files in the pack's directory; as: that which they get. */
static int rename_all(const struct objects_pack *p, const char *name,
		      const char *as)
{
	cleanup(free) char *pack = mem_asprintf("objects/pack/pack-%s", as);
	int r = promise(p, as);

	if (r == 0)
		r = rename_into_place(p, name, as, "pack");
	if (r == 0)
		r = rename_into_place(p, name, as, "idx");
	if (r == 0 && p->relaxed)
		objects_sync_later(p->objects, pack);
	else if (r == 0)
		r = objects_fsync_dir(p->objects->path, "objects/pack");
	return r < 0 ? r : tell_name(p, as);
}

/* The pack of that name that is here is as good. */
static int keep_other(const struct objects_pack *p, const char *name)
{
	int r = promise(p, name);

	return r < 0 ? r : tell_name(p, name);
}

/* The lock is held. */
static int install(const struct objects_pack *p, const char *name)
{
	cleanup(free) char *base =
		mem_asprintf("%s/objects/pack/pack-%s", p->objects->path, name);
	cleanup(free) char *index = mem_asprintf("%s.idx", base);
	cleanup(free) char *file = mem_asprintf("pack-%s", name);
	cleanup(free) char *unique = mem_asprintf("%s %s %lld", name, p->dir,
						  (long long)clock_wall_ms());
	const char *as = name;
	char other[41];
	int r;

	if (access(index, F_OK) == 0) {
		/* A pack of this name is here and was fetched all the same,
		 * perhaps because it is damaged. Then it is set aside, and ours
		 * gets another name: libgit2 knows a pack by its path, and
		 * would go on reading the damaged one while anybody has it
		 * open. */
		r = objects_check_pack_locked(p->objects, file);
		if (r < 0)
			return r;
		if (r == 0)
			return keep_other(p, name);
		digest_sha1_hex(unique, strlen(unique), other);
		as = other;
	}
	return rename_all(p, name, as);
}

/* Of a pack with a delta that libgit2 cannot apply: whether the delta is too
 * large or damaged, which libgit2 does not tell apart (it misreads the size of
 * a delta of 2 GB or more). -EFBIG: one is too large; -EBADMSG: none is, so the
 * pack is damaged; -EINTR: cancelled. */
static int why_damaged(const struct ctx *ctx, const struct objects_pack *p)
{
	DIR *d = opendir(p->dir);
	int r = -EBADMSG;
	struct dirent *e;

	while (d && r == -EBADMSG && (e = readdir(d))) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", p->dir, e->d_name);
		uint64_t size = 0;

		if (strncmp(e->d_name, "pack", 4) == 0 &&
		    pack_read_largest_delta(ctx, path, &size) < 0)
			r = -EINTR;
		else if (size > OBJECTS_BLOCK_MOST)
			r = -EFBIG;
	}
	if (d)
		closedir(d);
	return r;
}

/* The part of committing that reads and writes much. */
static int finish_index(const struct ctx *ctx, struct objects_pack *p)
{
	int r = p->failed;

	if (r == 0 && atomic_load(&p->n_bytes) < sizeof(p->head))
		r = -EBADMSG;
	if (r < 0 || atomic_load(&p->n_objects_total) == 0)
		return r;
	r = guarded(p, call_commit, NULL, 0);
	/* Of a thin pack it stays -EBADMSG: what is damaged may be a base in
	 * the store, and after -EFBIG the caller would not ask for a pack that
	 * needs no base. */
	return r == -EBADMSG && !p->thin ? why_damaged(ctx, p) : r;
}

int objects_pack_commit(struct ctx *ctx, struct objects_pack *pack,
			const char *const *shallow, size_t n_shallow)
{
	cleanup(objects_pack_drop) struct objects_pack *p = pack;
	struct objects *o = p->objects;
	cleanup(fd) int lock = -1;
	int r = finish_index(ctx, p);

	/* It came whole, or is damaged. */
	if (r != -EINTR)
		p->keeps_rest = false;
	if (r == 0 && atomic_load(&p->n_objects_total))
		r = prepare(p, git_indexer_name(p->indexer));
	if (r < 0)
		return r;
	r = objects_lock(o->path, LOCK_EX, &lock);
	if (r == 0 && n_shallow)
		r = merge_shallow(p, shallow, n_shallow);
	if (r == 0 && atomic_load(&p->n_objects_total))
		r = install(p, git_indexer_name(p->indexer));
	if (r == 0) {
		objects_warm_grew(o);
		objects_packs_changed(o);
	}
	return r;
}

int objects_pack_keep_rest(struct objects_pack *p)
{
	int r = objects_rest_mark(p->dir);

	p->keeps_rest = r == 0;
	return r;
}

struct objects_pack *objects_pack_drop(struct objects_pack *p)
{
	if (!p)
		return NULL;
	/* Before libgit2 removes its file. */
	if (p->keeps_rest && p->failed == 0)
		objects_rest_keep(p->objects->path, p->dir);
	if (p->indexer) {
		git_indexer_free(p->indexer);
		mem_give_back();
	}
	git_odb_free(p->odb);
	if (p->dir) {
		file_remove_tree(p->dir);
		objects_tmp_done(p->objects);
	}
	free(p->dir);
	free(p);
	return NULL;
}
