/*
 * libgit2's memory. It holds an object, its delta and what that is a change of
 * whole, and a pack of some kB may claim gigabytes: 15 changes, each twice as
 * long as the one before. So a large block is no memory but a file without a
 * name, mapped, in the directory of the store that the thread is at work for:
 * the kernel writes it out and takes its pages when it needs them. Blocks over
 * the bound are refused.
 *
 * A block that is a file begins at a page, which a block of the C library never
 * does: only such a block is looked for among the files when it is freed.
 */
#include "objects_private.h"

#include "base/file.h"
#include "base/map.h"

#include <fcntl.h>
#include <git2.h>
#include <git2/sys/alloc.h>
#include <malloc.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

/* Over what is read at a piece by us (blobs of 8 MB). */
#define BLOCK_LEAST (10 * MIB)
/* Without a file, as on a full disk, so much is memory all the same. */
#define BLOCK_WITHOUT_FILE (64 * MIB)

struct block {
	void *at;
	size_t size;
	UT_hash_handle hh;
};

static struct {
	struct mutex lock;
	struct block *table; /* under lock */
	uintptr_t page;
	atomic_uint_fast64_t n_bytes, n_most;
} blocks = {.lock = MUTEX_INITIALIZER};

static __thread const struct objects *worker;
static __thread int refused;

const struct objects *objects_alloc_for(const struct objects *o)
{
	const struct objects *before = worker;

	worker = o;
	return before;
}

int objects_alloc_refused(void)
{
	int r = refused;

	refused = 0;
	return r;
}

uint64_t objects_alloc_most(void)
{
	return atomic_load(&blocks.n_most);
}

/* Without a name: whatever becomes of us, nothing of it is left. */
static int open_nameless(void)
{
	cleanup(free) char *path = NULL;
	int fd = open(worker->path, O_RDWR | O_TMPFILE | O_CLOEXEC, 0600);

	if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR))
		return fd < 0 ? -errno : fd;
	path = mem_asprintf("%s/tmp-block-XXXXXX", worker->path);
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return -errno;
	unlink(path);
	return fd;
}

static int map_file(size_t n, void **ret_at)
{
	cleanup(fd) int fd = open_nameless();
	void *at;
	int r;

	if (fd < 0)
		return fd;
	/* A page that finds no room on the disk would be SIGBUS. */
	r = posix_fallocate(fd, 0, (off_t)n);
	if (r > 0)
		return -r;
	at = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return -errno;
	*ret_at = at;
	return 0;
}

static void note_most(uint64_t n)
{
	uint64_t most = atomic_load(&blocks.n_most);

	while (n > most &&
	       !atomic_compare_exchange_weak(&blocks.n_most, &most, n))
		continue;
}

static void *big_block(size_t n)
{
	struct block *b;
	void *at = NULL;
	int r = n > OBJECTS_BLOCK_MOST ? -EFBIG : map_file(n, &at);

	if (r < 0 && n <= BLOCK_WITHOUT_FILE)
		return malloc(n);
	if (r < 0) {
		refused = r;
		return NULL;
	}
	b = mem_calloc(1, sizeof(*b));
	b->at = at;
	b->size = n;
	mutex_lock(&blocks.lock);
	HASH_ADD_PTR(blocks.table, at, b);
	mutex_unlock(&blocks.lock);
	note_most(atomic_fetch_add(&blocks.n_bytes, n) + n);
	return at;
}

/* NULL: the C library's. */
static struct block *find_block(void *at, bool take)
{
	struct block *b = NULL;

	if (!at || ((uintptr_t)at & (blocks.page - 1)))
		return NULL;
	mutex_lock(&blocks.lock);
	HASH_FIND_PTR(blocks.table, &at, b);
	if (b && take)
		HASH_DEL(blocks.table, b);
	mutex_unlock(&blocks.lock);
	return b;
}

static void block_free(void *at)
{
	struct block *b = find_block(at, true);

	if (!b) {
		free(at);
		return;
	}
	munmap(b->at, b->size);
	atomic_fetch_sub(&blocks.n_bytes, b->size);
	free(b);
}

static void *block_new(size_t n)
{
	return n >= BLOCK_LEAST && worker ? big_block(n) : malloc(n);
}

static void *block_resize(void *at, size_t n)
{
	struct block *b = find_block(at, false);
	size_t old;
	void *fresh;

	if (!b && (n < BLOCK_LEAST || !worker))
		return realloc(at, n);
	old = b ? b->size : at ? malloc_usable_size(at) : 0;
	fresh = block_new(n);
	if (!fresh)
		return NULL;
	if (old)
		memcpy(fresh, at, old < n ? old : n);
	block_free(at);
	return fresh;
}

/* ---- as libgit2 asks ---- */

static void *git_malloc(size_t n, const char *, int)
{
	return block_new(n ? n : 1);
}

static void *git_realloc(void *at, size_t n, const char *, int)
{
	return block_resize(at, n ? n : 1);
}

#ifdef ALLOCATOR_HAS_CALLOC /* libgit2 before 1.8 */
static void *git_mallocarray(size_t n, size_t size, const char *file, int line)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return git_malloc(n * size, file, line);
}

/* A new file is zeros, memory in its place is not. */
static void *zeros(size_t n)
{
	void *at = big_block(n);

	if (at && !find_block(at, false))
		memset(at, 0, n);
	return at;
}

static void *git_calloc(size_t n, size_t size, const char *, int)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return n * size >= BLOCK_LEAST && worker ? zeros(n * size)
						 : calloc(n, size);
}

static void *git_reallocarray(void *at, size_t n, size_t size, const char *file,
			      int line)
{
	if (size && n > SIZE_MAX / size)
		return NULL;
	return git_realloc(at, n * size, file, line);
}

static char *git_substrdup(const char *text, size_t n, const char *file,
			   int line)
{
	char *copy = n < SIZE_MAX ? git_malloc(n + 1, file, line) : NULL;

	if (copy) {
		memcpy(copy, text, n);
		copy[n] = '\0';
	}
	return copy;
}

static char *git_strndup(const char *text, size_t n, const char *file, int line)
{
	return git_substrdup(text, strnlen(text, n), file, line);
}

static char *git_strdup(const char *text, const char *file, int line)
{
	return git_substrdup(text, strlen(text), file, line);
}
#endif

void objects_alloc_init(void)
{
	static git_allocator allocator = {
		.gmalloc = git_malloc,
		.grealloc = git_realloc,
		.gfree = block_free,
#ifdef ALLOCATOR_HAS_CALLOC
		.gcalloc = git_calloc,
		.gmallocarray = git_mallocarray,
		.greallocarray = git_reallocarray,
		.gstrdup = git_strdup,
		.gstrndup = git_strndup,
		.gsubstrdup = git_substrdup,
#endif
	};

	blocks.page = (uintptr_t)sysconf(_SC_PAGESIZE);
	git_libgit2_opts(GIT_OPT_SET_ALLOCATOR, &allocator);
}
