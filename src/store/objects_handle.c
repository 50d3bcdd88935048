/*
 * Handles: libgit2's options, the pool, opening and closing a store.
 *
 * libgit2's odb reads under a mutex of its own: readers of one odb would queue.
 * So every user gets a whole repository handle from a pool of about twice the
 * cores; packs and their windows are shared by libgit2 below that. libgit2
 * itself would read the directory of packs at every miss; here a handle first
 * looks in the packs that it knows, and the directory is read for all handles
 * once in 100 ms at most.
 */
#include "objects_private.h"

#include "store/pack_map.h"

#include "base/clock.h"
#include "base/file.h"

#include <fcntl.h>
#include <git2.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOOK_EVERY_MS 100
/* libgit2 keeps the bases of deltas, up to 16 MiB a pack, as long as some
 * handle has the pack open, and has no option for it. So handles are closed
 * after so many bytes; opening one takes some 0.3 ms. */
#define CLOSE_AFTER_BYTES (8 * MIB)
/* No errno of Linux is larger. */
#define ERRNO_MOST 134
/* An indexer allocates a pointer for each object that a pack's header claims,
 * so a stranger's 12 bytes would take all memory. As many as this, never
 * written, take address space alone. */
#define PACK_OBJECTS_MOST ((size_t)16 * 1000 * 1000)

/* libgit2 clears errno, but puts the system's words for it at the end of its
 * own. */
static int system_errno(const git_error *last)
{
	const char *text = last && last->message ? last->message : "";
	size_t n = strlen(text);

	for (int e = 1; e < ERRNO_MOST; e++) {
		const char *words = strerror(e);
		size_t n_words = strlen(words);

		if (n > n_words + 2 && strcmp(text + n - n_words, words) == 0 &&
		    memcmp(text + n - n_words - 2, ": ", 2) == 0)
			/* EDQUOT says to people that the service's quota is
			 * used up. */
			return e == EDQUOT ? ENOSPC : e;
	}
	return 0;
}

/* Whether the errno is about this machine, and not about the repository. */
static bool is_machines_fault(int r)
{
	switch (-r) {
	case EACCES:
	case EPERM:
	case EROFS:
	case ENOSPC:
	case EDQUOT:
	case ENOMEM:
	case EMFILE:
	case ENFILE:
	case EBUSY:
		return true;
	default:
		return false;
	}
}

/* The one table from libgit2's codes to errno. */
int objects_errno(int result)
{
	const git_error *last = git_error_last();
	int who = last ? last->klass : GIT_ERROR_NONE;
	int system, refused = objects_alloc_refused();

	/* libgit2 says that there is no memory, or what followed from that; the
	 * reason is what refused it. */
	if (result < 0 && refused < 0)
		return refused;

	switch (result) {
	case GIT_OK:
		return 0;
	case GIT_ENOTFOUND:
		return -ENOENT;
	case GIT_EEXISTS:
		return -EEXIST;
	case GIT_EINVALIDSPEC:
		return -EINVAL;
	case GIT_ELOCKED:
		return -EBUSY;
	default:
		break;
	}
	if (who == GIT_ERROR_NOMEMORY)
		return -ENOMEM;
	/* Other errors ("invalid packfile") carry an old errno. */
	system = who == GIT_ERROR_OS ? system_errno(last) : 0;
	/* Of others garbage is the cause: an offset that cannot be mapped. */
	return is_machines_fault(-system) ? -system : -EIO;
}

int objects_probe(const struct objects *o)
{
	cleanup(free) char *dir = mem_asprintf("%s/objects/pack", o->path);
	cleanup(fd) int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return fd < 0 && errno != ENOENT && errno != ENOTDIR ? -errno : 0;
}

static void set_options(void)
{
	static const char *extensions[] = {"partialclone", "preciousobjects"};

	git_libgit2_opts(GIT_OPT_SET_EXTENSIONS, extensions,
			 ARRAY_SIZE(extensions));
	/* Hashes are verified when a pack comes in; verifying them with each
	 * read would halve its speed. */
	git_libgit2_opts(GIT_OPT_ENABLE_STRICT_HASH_VERIFICATION, 0);
	git_libgit2_opts(GIT_OPT_ENABLE_CACHING, 0);
	/* Packs and refs are synced by us: objects_sync.c, objects_refs.c. */
	git_libgit2_opts(GIT_OPT_ENABLE_FSYNC_GITDIR, 0);
	git_libgit2_opts(GIT_OPT_DISABLE_PACK_KEEP_FILE_CHECKS, 1);
	git_libgit2_opts(GIT_OPT_SET_PACK_MAX_OBJECTS, PACK_OBJECTS_MOST);
	/* The directory is ours; the user's git configuration is not. */
	git_libgit2_opts(GIT_OPT_SET_OWNER_VALIDATION, 0);
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_PROGRAMDATA,
			 "");
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_SYSTEM, "");
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_XDG, "");
	git_libgit2_opts(GIT_OPT_SET_SEARCH_PATH, GIT_CONFIG_LEVEL_GLOBAL, "");
}

static struct {
	struct mutex lock;
	struct cond changed;
	enum {
		LIBRARY_NEW,
		LIBRARY_BEGINS,
		LIBRARY_THERE
	} state under_lock;
} library = {.lock = MUTEX_INITIALIZER};

char *objects_library(void)
{
	int major = 0, minor = 0, patch = 0;

	git_libgit2_version(&major, &minor, &patch);
	return mem_asprintf("%d.%d.%d", major, minor, patch);
}

const char *objects_library_built(void)
{
	return LIBGIT2_VERSION;
}

void objects_global_init(void)
{
	static atomic_bool done;

	if (atomic_exchange(&done, true))
		return;
	cond_init(&library.changed);
	page_guard_init();
	objects_warm_init();
	objects_keep_init();
	objects_big_init();
}

static int library_begin(void)
{
	if (git_libgit2_init() < 0)
		return -ENOMEM;
	set_options();
	objects_alloc_init();
	return 0;
}

int objects_library_begin(void)
{
	bool mine;
	int r;

	objects_global_init();
	mutex_lock(&library.lock);
	while (library.state == LIBRARY_BEGINS)
		cond_wait(&library.changed, &library.lock);
	mine = library.state == LIBRARY_NEW;
	if (mine)
		library.state = LIBRARY_BEGINS;
	mutex_unlock(&library.lock);
	if (!mine)
		return 0;
	r = library_begin();
	mutex_lock(&library.lock);
	library.state = r < 0 ? LIBRARY_NEW : LIBRARY_THERE;
	cond_broadcast(&library.changed);
	mutex_unlock(&library.lock);
	return r;
}

/* ---- handles ---- */

static struct objects_handle *handle_free(struct objects_handle *h)
{
	if (!h)
		return NULL;
	pack_map_free(h->map);
	git_odb_free(h->odb);
	git_repository_free(h->repo);
	free(h);
	return NULL;
}
DEFINE_CLEANUP(struct objects_handle *, handle_free);

static int handle_open(struct objects *o, struct objects_handle **ret_handle)
{
	cleanup(handle_free) struct objects_handle *h =
		mem_calloc(1, sizeof(*h));
	int r;

	/* Before libgit2 looks for packs:
	 * 1. A opens a handle, which reads the directory of packs.
	 * 2. B takes in a pack: the store's generation is 8.
	 * 3. A gives its handle generation 8. It does not know B's pack and
	 *    would never look for it: -ENOENT for what is in there.
	 */
	mutex_lock(&o->lock);
	h->generation = o->generation;
	h->epoch = o->epoch;
	mutex_unlock(&o->lock);
	r = git_repository_open_bare(&h->repo, o->path);
	if (r == GIT_OK)
		r = git_repository_odb(&h->odb, h->repo);
	if (r < 0)
		return objects_errno(r);
	*ret_handle = steal(&h);
	return 0;
}

/* Asked once: the C library opens a file of /sys to answer. */
static unsigned handles_most(void)
{
	long n = 2 * sysconf(_SC_NPROCESSORS_ONLN);

	return n < 2 ? 2 : n > 16 ? 16 : (unsigned)n;
}

int objects_take(struct objects *o, struct objects_handle **ret_handle)
{
	struct objects_handle *h, *old = NULL;
	int64_t now = clock_mono_ms();
	unsigned generation;
	int r = 0;

	objects_watch(o);
	mutex_lock(&o->lock);
	while (!o->idle && o->n_handles >= o->handles_most)
		cond_wait(&o->freed, &o->lock);
	h = o->idle;
	if (h)
		o->idle = h->next;
	else
		o->n_handles++;
	if (o->n_handles == 1 && !h)
		o->used_ms = now;
	o->n_busy++;
	generation = o->generation;
	if (h && h->epoch != o->epoch)
		old = steal(&h);
	mutex_unlock(&o->lock);

	handle_free(old);
	page_guard_begin();
	objects_alloc_for(o);
	if (!h)
		r = handle_open(o, &h);
	if (r < 0) {
		objects_give(o, NULL);
		return r;
	}
	objects_warm_use(o);
	if (h->generation != generation) {
		git_odb_refresh(h->odb);
		h->generation = generation;
	}
	*ret_handle = h;
	return 0;
}

void objects_give(struct objects *o, struct objects_handle *h)
{
	page_guard_end();
	objects_alloc_for(NULL);
	mutex_lock(&o->lock);
	o->n_busy--;
	/* One of an older epoch is closed: it has a replaced pack mapped. */
	if (h && h->epoch == o->epoch) {
		h->next = o->idle;
		o->idle = steal(&h);
	} else {
		o->n_handles--;
	}
	cond_signal(&o->freed);
	mutex_unlock(&o->lock);
	handle_free(h);
}

void objects_close_idle(struct objects *o)
{
	struct objects_handle *h, *next;

	mutex_lock(&o->lock);
	h = steal(&o->idle);
	o->n_handles = o->n_busy;
	o->n_read = 0;
	mutex_unlock(&o->lock);
	for (; h; h = next) {
		next = h->next;
		handle_free(h);
	}
}

void objects_was_read(struct objects *o, uint64_t n)
{
	int64_t now = clock_mono_ms();
	bool full;

	mutex_lock(&o->lock);
	o->used_ms = now;
	o->n_read += n;
	full = o->n_read > CLOSE_AFTER_BYTES && o->n_busy == 0;
	mutex_unlock(&o->lock);
	if (full)
		objects_close_idle(o);
}

void objects_packs_changed(struct objects *o)
{
	mutex_lock(&o->lock);
	o->generation++;
	mutex_unlock(&o->lock);
}

unsigned objects_n_packs(struct objects *o)
{
	return mutex_with(&o->lock, o->n_packs);
}

void objects_packs_replaced(struct objects *o)
{
	mutex_lock(&o->lock);
	o->generation++;
	o->epoch++;
	mutex_unlock(&o->lock);
	objects_close_idle(o);
}

int objects_find(struct objects *o, struct objects_handle *h,
		 const struct oid *oid)
{
	git_oid id;
	int64_t now = clock_mono_ms();
	unsigned generation;
	int r;

	git_oid_fromraw(&id, oid->bytes);
	if (git_odb_exists_ext(h->odb, &id, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	/* Another process may have taken in a pack. Without the pause each look
	 * for what is not here would read the directory. */
	mutex_lock(&o->lock);
	if (now < o->looked_ms || now - o->looked_ms >= LOOK_EVERY_MS) {
		o->looked_ms = now;
		o->generation++;
	}
	generation = o->generation;
	mutex_unlock(&o->lock);
	if (h->generation == generation)
		return -ENOENT;
	git_odb_refresh(h->odb);
	h->generation = generation;
	if (git_odb_exists_ext(h->odb, &id, GIT_ODB_LOOKUP_NO_REFRESH))
		return 0;
	r = objects_probe(o);
	return r < 0 ? r : -ENOENT;
}

/* ---- opening ---- */

/* Under the exclusive lock. -EBADMSG: broken, to be set aside. */
static int open_locked(struct objects *o)
{
	struct objects_handle *h = NULL;
	int r = objects_make_dirs(o->path);

	if (r < 0)
		return is_machines_fault(r) ? r : -EBADMSG;
	r = objects_take(o, &h);
	if (r < 0)
		return is_machines_fault(r) ? r : -EBADMSG;
	objects_give(o, h);
	if (!objects_packs_are_sound(o)) {
		r = objects_check_locked(o);
		if (r < 0)
			return is_machines_fault(r) ? r : -EBADMSG;
	}
	return objects_tmp_open(o);
}

static int open_or_set_aside(struct objects *o)
{
	for (int i = 0;; i++) {
		cleanup(fd) int lock = -1;
		struct stat st;
		int r = objects_make_store(o->path);

		if (r < 0)
			return r;
		if (i == 0 && stat(o->path, &st) == 0 && !S_ISDIR(st.st_mode)) {
			r = objects_set_aside(o->path, "is no directory");
			if (r < 0)
				return r;
			continue;
		}
		r = objects_lock(o->path, LOCK_EX, &lock);
		if (r == 0)
			r = open_locked(o);
		if (r != -EBADMSG)
			return r;
		if (i > 0)
			return -EIO;
		r = objects_set_aside(o->path, "is damaged");
		if (r < 0)
			return r;
	}
}

int objects_open(const char *path, struct objects **ret_objects)
{
	static atomic_uint_fast64_t last_id;
	cleanup(objects_close) struct objects *o = mem_calloc(1, sizeof(*o));
	int r = objects_library_begin();

	o->id = atomic_fetch_add(&last_id, 1) + 1;
	o->handles_most = handles_most();
	o->tmp_lock = -1;
	o->looked_ms = clock_mono_ms();
	mutex_init(&o->lock);
	cond_init(&o->freed);
	cond_init(&o->tmp_moved);
	cond_init(&o->checked);
	if (r == 0)
		r = file_absolute(path, &o->path);
	if (r == 0)
		r = open_or_set_aside(o);
	if (r < 0)
		return r;
	*ret_objects = steal(&o);
	return 0;
}

void objects_trim(struct objects *o)
{
	objects_keep_forget(o);
	objects_close_idle(o);
	mem_give_back();
}

struct objects *objects_close(struct objects *o)
{
	if (!o)
		return NULL;
	objects_warm_forget(o);
	objects_keep_forget(o);
	objects_close_idle(o);
	objects_sizes_forget(o);
	objects_sync_forget(o);
	check(o->n_handles == 0);
	objects_tmp_close(o);
	cond_done(&o->checked);
	cond_done(&o->tmp_moved);
	cond_done(&o->freed);
	mutex_done(&o->lock);
	free(o->indexes);
	free(o->path);
	free(o);
	return NULL;
}
