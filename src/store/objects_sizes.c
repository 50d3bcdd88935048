/*
 * The sizes of blobs that were evicted: a file `sizes` of the store, sorted by
 * id. What it says of a blob is true for ever; a file that is damaged says
 * nothing, and is removed.
 *
 *	magic (24 bytes), then of each blob its id (20) and size (8, the
 *	machine's order), then the CRC-32 of all before it (4)
 */
#include "objects_private.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/own.h"
#include "store/say.h"

#include <sys/stat.h>
#include <unistd.h>

#define MAGIC "bitbucketfs sizes 1\n"
#define N_MAGIC 24
#define N_EACH (OID_BYTES + sizeof(uint64_t))
#define N_SUM sizeof(uint32_t)
#define FILE_MOST ((size_t)1 << 30)

static int by_id(const void *a, const void *b)
{
	const struct objects_size *x = a, *y = b;

	return memcmp(x->oid.bytes, y->oid.bytes, OID_BYTES);
}

int objects_sizes_write(const char *path, struct objects_size *sizes, size_t n)
{
	cleanup(buf_done) struct buf text = BUF_INIT(FILE_MOST);
	cleanup(free) char *file = mem_asprintf("%s/" OBJECTS_SIZES, path);
	char magic[N_MAGIC] = MAGIC;
	uint32_t sum;

	if (n)
		qsort(sizes, n, sizeof(*sizes), by_id);
	buf_add(&text, magic, sizeof(magic));
	for (size_t i = 0; i < n; i++) {
		buf_add(&text, sizes[i].oid.bytes, OID_BYTES);
		buf_add(&text, &sizes[i].size, sizeof(sizes[i].size));
	}
	if (text.failed)
		return text.failed;
	sum = digest_crc32(0, text.data, text.len);
	buf_add(&text, &sum, sizeof(sum));
	if (text.failed)
		return text.failed;
	return file_write_atomic(file, 0600, text.data, text.len);
}

static bool is_sound(const struct buf *text)
{
	static const char magic[N_MAGIC] = MAGIC;
	uint32_t sum;

	if (text->len < N_MAGIC + N_SUM ||
	    (text->len - N_MAGIC - N_SUM) % N_EACH != 0 ||
	    memcmp(text->data, magic, N_MAGIC) != 0)
		return false;
	memcpy(&sum, text->data + text->len - N_SUM, N_SUM);
	return sum == digest_crc32(0, text->data, text->len - N_SUM);
}

/* The file as it is now; NULL: there is none that says anything. */
static struct blob *load(const char *file)
{
	cleanup(buf_done) struct buf text = BUF_INIT(FILE_MOST);
	char *bytes;
	size_t n;

	if (own_read(file, FILE_MOST, &text) < 0)
		return NULL;
	if (!is_sound(&text)) {
		unlink(file);
		store_say(file, EIO,
			  "The sizes of evicted files that were kept here were "
			  "damaged: they are fetched again.");
		return NULL;
	}
	bytes = buf_steal(&text, &n);
	return blob_take(bytes, n);
}

static bool is_loaded(const struct objects *o, const struct stat *st)
{
	return o->sizes && o->sizes_at.inode == st->st_ino &&
	       o->sizes_at.size == st->st_size &&
	       o->sizes_at.mtime.tv_sec == st->st_mtim.tv_sec &&
	       o->sizes_at.mtime.tv_nsec == st->st_mtim.tv_nsec;
}

/* A reference, or NULL. */
static struct blob *sizes_now(struct objects *o)
{
	cleanup(free) char *file = mem_asprintf("%s/" OBJECTS_SIZES, o->path);
	struct blob *sizes = NULL, *old;
	struct stat st;

	if (stat(file, &st) < 0)
		return NULL;
	mutex_lock(&o->lock);
	if (is_loaded(o, &st))
		sizes = blob_ref(o->sizes);
	mutex_unlock(&o->lock);
	if (sizes)
		return sizes;
	sizes = load(file);
	if (!sizes)
		return NULL;
	mutex_lock(&o->lock);
	old = o->sizes;
	o->sizes = blob_ref(sizes);
	o->sizes_at = (struct objects_index){
		.inode = st.st_ino, .size = st.st_size, .mtime = st.st_mtim};
	mutex_unlock(&o->lock);
	blob_unref(old);
	return sizes;
}

int objects_sizes_find(struct objects *o, const struct oid *oid,
		       uint64_t *ret_size)
{
	cleanup(blob_unref) struct blob *sizes = sizes_now(o);
	const char *at;
	size_t from = 0, to;

	if (!sizes)
		return -ENOENT;
	to = (blob_len(sizes) - N_MAGIC - N_SUM) / N_EACH;
	while (from < to) {
		size_t mid = from + (to - from) / 2;
		int order;

		at = blob_data(sizes) + N_MAGIC + mid * N_EACH;
		order = memcmp(oid->bytes, at, OID_BYTES);
		if (order == 0) {
			memcpy(ret_size, at + OID_BYTES, sizeof(*ret_size));
			return 0;
		}
		if (order < 0)
			to = mid;
		else
			from = mid + 1;
	}
	return -ENOENT;
}

void objects_sizes_forget(struct objects *o)
{
	struct blob *old;

	mutex_lock(&o->lock);
	old = steal(&o->sizes);
	mutex_unlock(&o->lock);
	blob_unref(old);
}
