/*
 * The sizes of blobs that are not here: evicted, or left out by a filter. A
 * file `sizes` of the store. What it says of a blob is true for ever; what is
 * damaged of it says nothing, and that size is asked for again.
 *
 *	a head of 32 bytes: the magic, its CRC-32 (of the other bytes), how many
 *		records are sorted
 *	records of 32 bytes: id, CRC-32 (of the other bytes), size
 *
 * First come sorted records, by id, then the tail, as they came. A few hundred
 * more (a directory's) are one write at the end. A tail that is more than
 * TAIL_LEAST and an eighth of the sorted ones is merged with them into a new
 * file, so each record is written some nine times at most however many come.
 *
 * Processes: whoever writes holds a lock (flock) on the file itself, and looks
 * then whether the file still has its name. Readers map it, take no lock, and
 * believe a record that has its sum:
 * 1. A reads while B's write is half done: A sees the whole records of it.
 * 2. B is killed in the middle of one: the next writer cuts that off.
 * 3. B replaces the file: A goes on with the old one, and sees at its next look
 *    that the name has another.
 *
 * Nothing is synced but a new file: what a power cut takes of the tail are
 * sizes that are asked for again.
 */
#include "objects_private.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/own.h"
#include "store/say.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "bitbucketfs sizes 2\n"
#define N_MAGIC 20
#define TAIL_LEAST 4096
/* More than that, and the file is begun anew. */
#define RECORDS_MOST ((size_t)8 << 20)
#define FILE_MOST ((RECORDS_MOST + 1) * sizeof(struct size_record))

struct size_head {
	char magic[N_MAGIC];
	uint32_t sum;
	uint64_t n_sorted;
};
struct size_record {
	struct oid oid;
	uint32_t sum;
	uint64_t size;
};
_Static_assert(sizeof(struct size_head) == 32 &&
		       sizeof(struct size_record) == 32,
	       "the file's format");

/* A file as it was at a time. Immutable, counted. */
struct objects_sizes {
	struct refcount refcount;
	ino_t inode;
	off_t length; /* of the file */
	void *map;
	size_t n_map;
	struct size_record *records;
	size_t n_sorted, n_tail;
	unsigned *tail; /* positions of the sound ones, by id */
};

static uint32_t head_sum(const struct size_head *head)
{
	return digest_crc32(digest_crc32(0, head->magic, N_MAGIC),
			    &head->n_sorted, sizeof(head->n_sorted));
}

static uint32_t record_sum(const struct size_record *record)
{
	return digest_crc32(digest_crc32(0, &record->oid, sizeof(record->oid)),
			    &record->size, sizeof(record->size));
}

static struct size_head head_of(size_t n_sorted)
{
	struct size_head head = {.magic = MAGIC, .n_sorted = n_sorted};

	head.sum = head_sum(&head);
	return head;
}

static struct size_record record_of(const struct objects_size *size)
{
	struct size_record record = {.oid = size->oid, .size = size->size};

	record.sum = record_sum(&record);
	return record;
}

static bool head_is_sound(const struct size_head *head)
{
	static const char magic[] = MAGIC;

	return memcmp(head->magic, magic, N_MAGIC) == 0 &&
	       head->sum == head_sum(head);
}

static int by_id(const void *a, const void *b)
{
	const struct size_record *x = a, *y = b;

	return memcmp(x->oid.bytes, y->oid.bytes, OID_BYTES);
}

static int by_id_of(const void *a, const void *b, void *records)
{
	const struct size_record *r = records;

	return by_id(&r[*(const unsigned *)a], &r[*(const unsigned *)b]);
}

/* ---- reading ---- */

static struct objects_sizes *sizes_unref(struct objects_sizes *s)
{
	if (s && refcount_drop(&s->refcount)) {
		if (s->map)
			munmap(s->map, s->n_map);
		free(s->tail);
		free(s);
	}
	return NULL;
}
DEFINE_CLEANUP(struct objects_sizes *, sizes_unref);

static void order_tail(struct objects_sizes *s, size_t n)
{
	s->tail = mem_calloc(n + 1, sizeof(*s->tail));
	for (size_t i = s->n_sorted; i < s->n_sorted + n; i++)
		if (s->records[i].sum == record_sum(&s->records[i]))
			s->tail[s->n_tail++] = (unsigned)i;
	if (s->n_tail)
		qsort_r(s->tail, s->n_tail, sizeof(*s->tail), by_id_of,
			s->records);
}

/* -EBADMSG: it is damaged, or of another version. */
static int map_file(int fd, struct objects_sizes *s)
{
	size_t n = (size_t)s->length / sizeof(struct size_record);
	unsigned n_lost = page_guard_n_lost();
	const struct size_head *head;

	if ((uint64_t)s->length > FILE_MOST)
		return -EBADMSG;
	/* A writer has just made it. */
	if (n == 0)
		return 0;
	s->n_map = n * sizeof(struct size_record);
	s->map = mmap(NULL, s->n_map, PROT_READ, MAP_SHARED, fd, 0);
	if (s->map == MAP_FAILED) {
		s->map = NULL;
		return -errno;
	}
	head = s->map;
	s->records = (struct size_record *)s->map + 1;
	page_guard_begin();
	if (head_is_sound(head) && head->n_sorted < n) {
		s->n_sorted = (size_t)head->n_sorted;
		order_tail(s, n - 1 - s->n_sorted);
	}
	page_guard_end();
	return s->tail && page_guard_n_lost() == n_lost ? 0 : -EBADMSG;
}

static int load(const char *file, struct objects_sizes **ret_sizes)
{
	cleanup(sizes_unref) struct objects_sizes *s =
		mem_calloc(1, sizeof(*s));
	cleanup(fd) int fd = own_open(file, O_RDONLY, 0);
	struct stat st;
	int r = fd < 0 ? fd : 0;

	refcount_init(&s->refcount);
	if (r == 0 && fstat(fd, &st) < 0)
		r = -errno;
	if (r < 0)
		return r;
	s->inode = st.st_ino;
	s->length = st.st_size;
	r = map_file(fd, s);
	if (r == -EBADMSG) {
		unlink(file);
		store_say(file, EIO,
			  "The sizes of files that were kept here were "
			  "damaged: they are asked for again.");
	}
	if (r == 0)
		*ret_sizes = steal(&s);
	return r;
}

/* A reference, or NULL. */
static struct objects_sizes *sizes_now(struct objects *o)
{
	cleanup(free) char *file = mem_asprintf("%s/" OBJECTS_SIZES, o->path);
	struct objects_sizes *sizes = NULL, *old;
	struct stat st;

	if (stat(file, &st) < 0)
		return NULL;
	mutex_lock(&o->lock);
	if (o->sizes && o->sizes->inode == st.st_ino &&
	    o->sizes->length == st.st_size) {
		sizes = o->sizes;
		refcount_take(&sizes->refcount);
	}
	mutex_unlock(&o->lock);
	if (sizes || load(file, &sizes) < 0)
		return sizes;
	refcount_take(&sizes->refcount);
	mutex_lock(&o->lock);
	old = o->sizes;
	o->sizes = sizes;
	mutex_unlock(&o->lock);
	sizes_unref(old);
	return sizes;
}

static const struct size_record *find_sorted(const struct objects_sizes *s,
					     const struct size_record *like)
{
	const struct size_record *found =
		bsearch(like, s->records, s->n_sorted, sizeof(*like), by_id);

	return found && found->sum == record_sum(found) ? found : NULL;
}

static const struct size_record *find_tail(const struct objects_sizes *s,
					   const struct size_record *like)
{
	size_t from = 0, to = s->n_tail;

	while (from < to) {
		size_t mid = from + (to - from) / 2;
		const struct size_record *at = &s->records[s->tail[mid]];
		int order = by_id(like, at);

		if (order == 0)
			return at;
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return NULL;
}

static int find_in(const struct objects_sizes *s, const struct oid *oid,
		   uint64_t *ret_size)
{
	const struct size_record like = {.oid = *oid}, *found;
	unsigned n_lost = page_guard_n_lost();
	uint64_t size = 0;

	if (!s->map)
		return -ENOENT;
	page_guard_begin();
	found = find_sorted(s, &like);
	if (!found)
		found = find_tail(s, &like);
	if (found)
		size = found->size;
	page_guard_end();
	if (!found || page_guard_n_lost() != n_lost)
		return -ENOENT;
	*ret_size = size;
	return 0;
}

int objects_sizes_find(struct objects *o, const struct oid *oid,
		       uint64_t *ret_size)
{
	cleanup(sizes_unref) struct objects_sizes *s = sizes_now(o);

	return s ? find_in(s, oid, ret_size) : -ENOENT;
}

void objects_sizes_forget(struct objects *o)
{
	struct objects_sizes *old;

	mutex_lock(&o->lock);
	old = steal(&o->sizes);
	mutex_unlock(&o->lock);
	sizes_unref(old);
}

/* ---- writing ---- */

/* The file that has the name, locked. */
static int open_locked(const char *file, int *ret_fd)
{
	for (;;) {
		cleanup(fd) int fd = own_open(file, O_RDWR | O_CREAT, 0600);
		struct stat is, named;
		int r = fd < 0 ? fd : file_lock(fd, LOCK_EX);

		if (r < 0)
			return r;
		if (fstat(fd, &is) < 0)
			return -errno;
		if (stat(file, &named) < 0 || named.st_ino != is.st_ino)
			continue;
		*ret_fd = fd;
		fd = -1;
		return 0;
	}
}

/* All at `from`, or as it was. */
static int write_at(int fd, const void *data, size_t n, off_t from)
{
	ssize_t done = pwrite(fd, data, n, from);
	int r = done < 0 ? -errno : -ENOSPC;

	if (done == (ssize_t)n)
		return 0;
	return ftruncate(fd, from) < 0 ? -errno : r;
}

static int append(int fd, const struct buf *records)
{
	const off_t n_each = (off_t)sizeof(struct size_record);
	const struct size_head head = head_of(0);
	struct stat st;
	int r = 0;

	if (fstat(fd, &st) < 0)
		return -errno;
	if (st.st_size < n_each) {
		st.st_size = n_each;
		r = write_at(fd, &head, sizeof(head), 0);
	}
	return r < 0 ? r
		     : write_at(fd, records->data, records->len,
				st.st_size - st.st_size % n_each);
}

static void add_sound(struct buf *out, const struct size_record *records,
		      size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (records[i].sum == record_sum(&records[i]))
			buf_add(out, &records[i], sizeof(records[i]));
}

/* The file anew, synced, of what it has and more. Its lock is held. */
static int merge(const char *file, const struct objects_sizes *s,
		 const struct buf *more)
{
	cleanup(buf_done) struct buf all = BUF_INIT(FILE_MOST);
	size_t n = s ? s->n_sorted : 0, n_kept = 0;
	struct size_record *records;
	struct size_head head = head_of(0);

	buf_add(&all, &head, sizeof(head));
	page_guard_begin();
	if (s && s->map) {
		add_sound(&all, s->records, n);
		for (size_t i = 0; i < s->n_tail; i++)
			add_sound(&all, &s->records[s->tail[i]], 1);
	}
	page_guard_end();
	buf_add(&all, more->data, more->len);
	if (all.failed)
		return all.failed;
	records = (struct size_record *)all.data + 1;
	n = all.len / sizeof(*records) - 1;
	qsort(records, n, sizeof(*records), by_id);
	for (size_t i = 0; i < n; i++)
		if (n_kept == 0 || by_id(&records[n_kept - 1], &records[i]))
			records[n_kept++] = records[i];
	head = head_of(n_kept);
	memcpy(all.data, &head, sizeof(head));
	return file_write_atomic(file, 0600, all.data,
				 (n_kept + 1) * sizeof(*records));
}

/* The file's lock is held. */
static int add_locked(const char *file, int fd,
		      const struct objects_size *sizes, size_t n, bool sync)
{
	cleanup(sizes_unref) struct objects_sizes *s = NULL;
	cleanup(buf_done) struct buf records = BUF_INIT(FILE_MOST);
	size_t n_tail;
	uint64_t size;

	(void)load(file, &s);
	for (size_t i = 0; i < n; i++) {
		struct size_record record = record_of(&sizes[i]);

		if (!s || find_in(s, &sizes[i].oid, &size) < 0)
			buf_add(&records, &record, sizeof(record));
	}
	if (records.failed)
		return records.failed;
	n_tail = (s ? s->n_tail : 0) + records.len / sizeof(struct size_record);
	if (sync || !s || n_tail > TAIL_LEAST + s->n_sorted / 8)
		return n_tail == 0 ? 0 : merge(file, s, &records);
	return records.len ? append(fd, &records) : 0;
}

int objects_sizes_add(const char *path, const struct objects_size *sizes,
		      size_t n, bool sync)
{
	cleanup(free) char *file = mem_asprintf("%s/" OBJECTS_SIZES, path);
	cleanup(fd) int fd = -1;
	int r = open_locked(file, &fd);

	if (r == 0)
		r = add_locked(file, fd, sizes, n, sync);
	/* Too many: those that matter are asked for again. */
	if (r == -EMSGSIZE)
		unlink(file);
	return r;
}

int objects_note_sizes(struct objects *o, const struct objects_size *sizes,
		       size_t n)
{
	return objects_sizes_add(o->path, sizes, n, false);
}
