/*
 * store/spool. A published file is one file on the disk, so that it appears and
 * goes as a whole: its bytes (sparse), then from the next 4 KiB on a map of 8
 * bytes a chunk (spool_check.c), then a head of 512 bytes, which is found from
 * the end. Older versions wrote a map of one byte a chunk, without sums: theirs
 * are read, too.
 */
#include "spool_private.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/own.h"
#include "store/say.h"
#include "store/written.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "bitbucketfs spool 2\n"
#define MAGIC_OLD "bitbucketfs spool 1\n"
#define TMP ".tmp-"
#define HEAD_KEY 216
#define N_NAME 40 /* of a published file */

struct head {
	char magic[24];
	uint64_t size;
	char tag[256];
	uint32_t sum; /* of the head without it */
	/* Its beginning, for who looks at the directory; "" in files of older
	 * versions. */
	char key[HEAD_KEY];
	uint32_t verified; /* 1: its bytes are what its key names */
};

static uint32_t head_sum(struct head head)
{
	head.sum = 0;
	return digest_crc32(0, &head, sizeof(head));
}

static char *path_of(const struct spool *s, const char *key)
{
	char hex[41];

	digest_sha1_hex(key, strlen(key), hex);
	return mem_asprintf("%s/%s", s->dir, hex);
}

int spool_open(const char *dir, uint64_t max_bytes, struct spool **ret_spool)
{
	struct spool *s;
	int r = file_mkdirs(dir, 0700);

	if (r == 0)
		r = file_sweep(dir);
	if (r < 0)
		return r;
	s = mem_calloc(1, sizeof(*s));
	s->dir = mem_strdup(dir);
	s->max_bytes = max_bytes ? max_bytes : SPOOL_MAX_BYTES;
	*ret_spool = s;
	return 0;
}

struct spool *spool_close(struct spool *s)
{
	if (!s)
		return NULL;
	free(s->dir);
	free(s);
	return NULL;
}

static bool is_full(int r)
{
	return r == -ENOSPC || r == -EDQUOT;
}

/* ---- the bound ---- */

struct entry {
	char name[41];
	struct timespec used;
	uint64_t size; /* on the disk */
};

static int by_use(const void *a, const void *b)
{
	const struct timespec *x = &((const struct entry *)a)->used;
	const struct timespec *y = &((const struct entry *)b)->used;

	if (x->tv_sec != y->tv_sec)
		return x->tv_sec < y->tv_sec ? -1 : 1;
	return x->tv_nsec < y->tv_nsec ? -1 : x->tv_nsec > y->tv_nsec;
}

/* All published files; free them. */
static size_t list_entries(const struct spool *s, struct entry **ret,
			   uint64_t *ret_sum)
{
	struct entry *entries = NULL;
	size_t n = 0, room = 0;
	DIR *d = opendir(s->dir);
	struct dirent *e;
	struct stat st;

	*ret_sum = 0;
	while (d && (e = readdir(d))) {
		if (e->d_name[0] == '.' || strlen(e->d_name) != N_NAME ||
		    fstatat(dirfd(d), e->d_name, &st, AT_SYMLINK_NOFOLLOW) < 0)
			continue;
		mem_grow(entries, n, room);
		entries[n] = (struct entry){
			.used = st.st_atim,
			.size = (uint64_t)st.st_blocks * 512,
		};
		memcpy(entries[n].name, e->d_name, 41);
		*ret_sum += entries[n++].size;
	}
	if (d)
		closedir(d);
	*ret = entries;
	return n;
}

uint64_t spool_disk_bytes(struct spool *s)
{
	cleanup(free) struct entry *entries = NULL;
	uint64_t sum;

	list_entries(s, &entries, &sum);
	return sum;
}

/* Removes the oldest but this one until what is left and `more` are within the
 * bound; false: nothing could be removed. */
static bool prune(struct spool *s, const char *but, uint64_t more,
		  uint64_t bound)
{
	cleanup(free) struct entry *entries = NULL;
	const char *slash = strrchr(but, '/');
	bool any = false;
	uint64_t sum;
	size_t n = list_entries(s, &entries, &sum);

	if (n)
		qsort(entries, n, sizeof(*entries), by_use);
	for (size_t i = 0; i < n && sum + more > bound; i++) {
		cleanup(free) char *path =
			mem_asprintf("%s/%s", s->dir, entries[i].name);

		if (!strcmp(entries[i].name, slash + 1))
			continue;
		if (unlink(path) == 0) {
			sum -= entries[i].size;
			any = true;
		}
	}
	return any;
}

/* ---- files ---- */

static struct spool_file *file_new(struct spool *s, char *path, int fd)
{
	struct spool_file *f = mem_calloc(1, sizeof(*f));

	refcount_init(&f->refcount);
	f->spool = s;
	f->path = path;
	f->fd = fd;
	f->round = 1;
	mutex_init(&f->lock);
	cond_init(&f->keeper_wanted);
	return f;
}

/* Keeps the sums that were made of the bytes as they came. */
static void be_published(struct spool_file *f, const struct head *head)
{
	uint64_t n = spool_n_chunks(head->size);
	struct spool_chunk *chunks = mem_calloc(n + 1, sizeof(*chunks));
	struct stat st;

	mutex_lock(&f->lock);
	for (uint64_t i = 0; f->n_summed == head->size && i < n; i++)
		chunks[i] = (struct spool_chunk){.is_summed = true,
						 .sum = f->chunks[i].sum};
	free(f->chunks);
	f->chunks = chunks;
	f->size = head->size;
	f->n_chunks = n;
	f->is_old = memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0;
	f->verified = !f->is_old && head->verified == 1;
	memcpy(f->tag, head->tag, sizeof(f->tag));
	if (fstat(f->fd, &st) == 0)
		f->mtime = st.st_mtim;
	f->published = true;
	mutex_unlock(&f->lock);
}

ssize_t spool_read_at(int fd, uint64_t offset, void *data, size_t n)
{
	size_t got = 0;

	while (got < n) {
		ssize_t done = pread(fd, (char *)data + got, n - got,
				     (off_t)(offset + got));

		if (done < 0 && errno == EINTR)
			continue;
		if (done < 0)
			return -errno;
		if (done == 0)
			break;
		got += (size_t)done;
	}
	return (ssize_t)got;
}

/* A file that this program did not write, or a truncated one, counts as absent.
 */
static int read_head(int fd, struct head *head)
{
	struct stat st;
	bool is_old;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(*head) ||
	    spool_read_at(fd, (uint64_t)st.st_size - sizeof(*head), head,
			  sizeof(*head)) != sizeof(*head))
		return -ENOENT;
	is_old = memcmp(head->magic, MAGIC_OLD, sizeof(MAGIC_OLD)) == 0;
	if ((!is_old && (memcmp(head->magic, MAGIC, sizeof(MAGIC)) != 0 ||
			 head->sum != head_sum(*head))) ||
	    head->size > SPOOL_MAX_FILE)
		return -ENOENT;
	head->tag[sizeof(head->tag) - 1] = '\0';
	return (uint64_t)st.st_size ==
			       spool_map_offset(head->size) +
				       spool_map_size(head->size, is_old) +
				       sizeof(*head)
		       ? 0
		       : -ENOENT;
}

int spool_head_note(struct spool_file *f, bool verified)
{
	struct head head;
	int r = f->in_memory ? -ENOENT : read_head(f->fd, &head);

	if (r < 0 || f->is_old || head.verified == verified)
		return r;
	head.verified = verified;
	head.sum = head_sum(head);
	spool_write_begin(f);
	r = file_write_at(f->fd,
			  spool_map_offset(f->size) +
				  spool_map_size(f->size, false),
			  &head, sizeof(head));
	spool_write_end(f);
	return r;
}

int spool_each(const char *dir,
	       int (*each)(void *arg, const struct spool_seen *), void *arg)
{
	DIR *d = opendir(dir);
	struct dirent *e;
	int r = d || errno == ENOENT ? 0 : -errno;

	while (r == 0 && d && (e = readdir(d))) {
		cleanup(free) char *path = NULL;
		cleanup(fd) int fd = -1;
		struct head head;
		struct stat st;

		if (strlen(e->d_name) != N_NAME)
			continue;
		path = mem_asprintf("%s/%s", dir, e->d_name);
		/* Its time is when somebody read it: not now. */
		fd = own_open(path, O_RDONLY | O_NOATIME, 0);
		if (fd < 0 || fstat(fd, &st) < 0)
			continue;
		if (read_head(fd, &head) < 0)
			head.key[0] = '\0';
		head.key[sizeof(head.key) - 1] = '\0';
		r = each(arg,
			 &(struct spool_seen){
				 .path = path,
				 .key = head.key,
				 .n_bytes = (uint64_t)st.st_blocks * 512,
				 .used_ms = (int64_t)st.st_atim.tv_sec * 1000 +
					    st.st_atim.tv_nsec / 1000000,
			 });
	}
	if (d)
		closedir(d);
	return r;
}

/* Unlinked before it is said, so that it is said once. */
static void say_unreadable(const char *path)
{
	if (unlink(path) == 0)
		store_say(
			path, EIO,
			"A download, an object of LFS or the log of a step "
			"that was kept here was damaged: it is fetched again.");
}

/* The errors of own_open for something that is not a file of this user's: as if
 * there were none. */
static bool is_no_file(int r)
{
	return r == -ENOENT || r == -ELOOP || r == -EISDIR || r == -EPERM;
}

int spool_find(struct spool *s, const char *key, struct spool_file **ret_file)
{
	static const struct timespec used_now[2] = {
		{.tv_nsec = UTIME_NOW},
		{.tv_nsec = UTIME_OMIT},
	};
	cleanup(free) char *path = path_of(s, key);
	cleanup(fd) int fd = own_open(path, O_RDWR, 0);
	cleanup(spool_file_unref) struct spool_file *f = NULL;
	struct head head;
	int r = fd < 0 ? fd : read_head(fd, &head);

	if (fd < 0 && is_no_file(r))
		return -ENOENT;
	if (r == 0) {
		/* By hand, for most file systems are mounted relatime. */
		futimens(fd, used_now);
		f = file_new(s, mem_strdup(path), fd);
		fd = -1;
		be_published(f, &head);
		r = spool_map_read(f);
		spool_advise(f);
	}
	if (r == -ENOENT && (f || fd >= 0))
		say_unreadable(path);
	if (r < 0)
		return r;
	*ret_file = steal(&f);
	return 0;
}

bool spool_is_kept(struct spool *s, const char *key, uint64_t size)
{
	cleanup(free) char *path = path_of(s, key);
	cleanup(fd) int fd = own_open(path, O_RDONLY, 0);
	cleanup(spool_file_unref) struct spool_file *f = NULL;
	struct head head;

	if (fd < 0 || read_head(fd, &head) < 0 || head.size != size)
		return false;
	f = file_new(s, mem_strdup(path), fd);
	fd = -1;
	be_published(f, &head);
	return spool_map_read(f) == 0 && spool_is_verified(f);
}

int spool_new(struct spool *s, struct spool_file **ret_file)
{
	char *path = NULL;
	bool made = false;
	int fd;

	do {
		free(path);
		path = mem_asprintf("%s/" TMP "%ld-%u", s->dir, (long)getpid(),
				    atomic_fetch_add(&s->serial, 1));
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
		/* Somebody removed the cache under us: it is begun anew. */
		if (fd < 0 && errno == ENOENT && !made) {
			made = true;
			if (file_mkdirs(s->dir, 0700) == 0)
				errno = EEXIST;
		}
	} while (fd < 0 && errno == EEXIST);
	if (fd < 0) {
		int r = -errno;

		free(path);
		return r;
	}
	*ret_file = file_new(s, path, fd);
	return 0;
}

int spool_publish(struct spool_file *f, const char *key, uint64_t size,
		  const char *tag)
{
	cleanup(free) char *path = path_of(f->spool, key);
	struct head head = {.magic = MAGIC, .size = size};
	uint64_t map = spool_map_offset(size);
	int r;

	check(!f->published && strlen(tag) < sizeof(head.tag));
	if (size > SPOOL_MAX_FILE)
		return -EFBIG;
	memcpy(head.tag, tag, strlen(tag) + 1);
	snprintf(head.key, sizeof(head.key), "%s", key);
	prune(f->spool, path, size, f->spool->max_bytes);
	/* Anything beyond the end of the bytes is not a mark. */
	if (ftruncate(f->fd, (off_t)size) < 0 ||
	    ftruncate(f->fd, (off_t)(map + spool_map_size(size, false))) < 0)
		return -errno;
	head.sum = head_sum(head);
	r = file_write_at(f->fd, map + spool_map_size(size, false), &head,
			  sizeof(head));
	if (is_full(r) && (r = spool_memory_move(f, size)) == 0)
		r = file_write_at(f->fd, map + spool_map_size(size, false),
				  &head, sizeof(head));
	if (r < 0)
		return is_full(r) ? -ENOSPC : r;
	/* A file in memory has no name to be found by. */
	if (!f->in_memory) {
		if (rename(f->path, path) < 0)
			return -errno;
		free(f->path);
		f->path = steal(&path);
		atomic_store(&f->spool->homeless, false);
	}
	be_published(f, &head);
	spool_advise(f);
	return 0;
}

struct spool_file *spool_file_ref(struct spool_file *f)
{
	refcount_take(&f->refcount);
	return f;
}

struct spool_file *spool_file_unref(struct spool_file *f)
{
	if (!f || !refcount_drop(&f->refcount))
		return NULL;
	spool_keeper_end(f);
	if (f->published && !f->in_memory)
		(void)spool_map_keep(f);
	else if (!f->published)
		unlink(f->path);
	spool_memory_drop(f);
	file_close(f->fd);
	cond_done(&f->keeper_wanted);
	mutex_done(&f->lock);
	free(f->chunks);
	free(f->path);
	free(f);
	return NULL;
}

uint64_t spool_file_size(const struct spool_file *f)
{
	check(f->published);
	return f->size;
}

const char *spool_file_tag(const struct spool_file *f)
{
	check(f->published);
	return f->tag;
}

/* ---- bytes ---- */

int spool_write(struct spool_file *f, uint64_t offset, const void *data,
		size_t n)
{
	bool refused;
	int r;

	check(!f->published || (offset <= f->size && n <= f->size - offset));
	if (offset + n > SPOOL_MAX_FILE)
		return -EFBIG;
	spool_write_begin(f);
	/* While the file moves to memory a write would land in the old one
	 * alone. And in memory it has a bound of its own: otherwise a log that
	 * goes on growing would take all of the machine's. */
	mutex_lock(&f->lock);
	refused = f->moving || (f->in_memory && offset + n > SPOOL_MEMORY_FILE);
	mutex_unlock(&f->lock);
	r = refused ? -ENOSPC : file_write_at(f->fd, offset, data, n);
	if (!refused && is_full(r) && prune(f->spool, f->path, 0, 0))
		r = file_write_at(f->fd, offset, data, n);
	if (!refused && is_full(r) &&
	    (r = spool_memory_move(f, offset + n)) == 0)
		r = file_write_at(f->fd, offset, data, n);
	if (r == 0)
		written_note(n);
	if (r == 0)
		(f->published ? spool_sum_pieces : spool_sum_more)(f, offset,
								   data, n);
	spool_write_end(f);
	/* The disk's quota is not the service's. */
	return is_full(r) ? -ENOSPC : r;
}

int spool_dup(const struct spool_file *f, int *ret_fd)
{
	int fd = fcntl(f->fd, F_DUPFD_CLOEXEC, 3);

	if (fd < 0)
		return -errno;
	*ret_fd = fd;
	return 0;
}

ssize_t spool_read(const struct spool_file *f, uint64_t offset, void *data,
		   size_t n)
{
	return spool_read_at(f->fd, offset, data, n);
}
