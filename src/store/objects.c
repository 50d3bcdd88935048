/*
 * Reading objects. What a tree, a commit or a blob claims to be is looked at
 * before anything is allocated for it.
 */
#include "objects_private.h"

#include "store/flight.h"
#include "store/tree_list.h"

#include <git2.h>

#define COMMIT_BYTES_MOST (16 * MIB)
/* Blobs of these sizes are kept, because they are read in several pieces. */
#define KEEP_LEAST (128 * KIB)
#define KEEP_MOST (8 * MIB)

static atomic_uint_fast64_t n_trees_parsed;

uint64_t objects_trees_parsed(void)
{
	return atomic_load(&n_trees_parsed);
}

static git_oid git_oid_of(const struct oid *oid)
{
	git_oid id;

	git_oid_fromraw(&id, oid->bytes);
	return id;
}

/* Of no bytes. */
static const struct oid empty_blob = {{0xe6, 0x9d, 0xe2, 0x9b, 0xb2, 0xd1, 0xd6,
				       0x43, 0x4b, 0x8b, 0x29, 0xae, 0x77, 0x5a,
				       0xd8, 0xc2, 0xe4, 0x8c, 0x53, 0x91}};

bool objects_has(struct objects *o, const struct oid *oid)
{
	struct objects_handle *h;
	int r = objects_take(o, &h);

	if (r < 0)
		return false;
	r = objects_find(o, h, oid);
	objects_give(o, h);
	return r == 0;
}

static int read_header(struct objects *o, struct objects_handle *h,
		       const struct oid *oid, int type, uint64_t *ret_size)
{
	git_oid id = git_oid_of(oid);
	git_object_t is;
	size_t size;
	int r = objects_find(o, h, oid);

	if (r < 0)
		return r;
	r = git_odb_read_header(&size, &is, h->odb, &id);
	if (r < 0)
		return objects_errno(r);
	if ((int)is != type)
		return -EBADMSG;
	/* Nobody reads a file of no bytes, so nobody else would find out that
	 * the head of the entry is damaged. */
	if (type == GIT_OBJECT_BLOB && size == 0 &&
	    !oid_equal(oid, &empty_blob))
		return -EBADMSG;
	*ret_size = size;
	return 0;
}

struct reading {
	const struct oid *oid;
	int type;
	uint64_t max;
	uint64_t size;          /* out */
	git_odb_object *object; /* out; NULL: of the header alone */
	bool header;
	unsigned epoch; /* out: of the handle that it was read by */
};

static int read_once(struct objects *o, struct reading *reading)
{
	git_oid id = git_oid_of(reading->oid);
	git_odb_object *object = NULL;
	unsigned n_lost = page_guard_n_lost();
	struct objects_handle *h;
	int r = objects_take(o, &h);

	if (r < 0)
		return r;
	reading->epoch = h->epoch;
	if (reading->header && reading->type == GIT_OBJECT_BLOB &&
	    objects_peek_size(o, h, reading->oid, &reading->size)) {
		objects_give(o, h);
		return page_guard_n_lost() == n_lost ? 0 : -EIO;
	}
	/* Before anything is allocated for what it claims to be. */
	r = read_header(o, h, reading->oid, reading->type, &reading->size);
	if (r == 0 && reading->size > reading->max)
		r = -EFBIG;
	if (r == 0 && !reading->header)
		r = objects_errno(git_odb_read(&object, h->odb, &id));
	objects_give(o, h);
	/* Some of what was read were zeros in the place of lost pages. */
	if (page_guard_n_lost() != n_lost) {
		git_odb_object_free(object);
		return -EIO;
	}
	reading->object = object;
	return r;
}

/* After a failure that damage may explain the packs are checked, and the object
 * is read once more: from another pack, or -ENOENT if the only pack that had it
 * was set aside. */
static int read_surely(struct ctx *ctx, struct objects *o,
		       struct reading *reading)
{
	int r = read_once(o, reading), doubt;

	doubt = objects_doubt(ctx, o, r, reading->epoch);
	if (doubt < 0)
		return doubt;
	return doubt ? read_once(o, reading) : r;
}

/* The whole object; -EBADMSG when it is of another type, -EFBIG over max. To
 * be freed with git_odb_object_free. */
static int read_raw(struct ctx *ctx, struct objects *o, const struct oid *oid,
		    int type, uint64_t max, git_odb_object **ret_object)
{
	struct reading reading = {.oid = oid, .type = type, .max = max};
	int r = read_surely(ctx, o, &reading);

	if (r < 0)
		return r;
	/* A watched ref has its commit read once a minute: that is no use. */
	if (type != GIT_OBJECT_COMMIT)
		objects_was_read(o, reading.size);
	*ret_object = reading.object;
	return 0;
}

static struct tree_list *kept_tree(struct objects *o, const struct oid *oid)
{
	struct tree_list *l = objects_keep_get(KEPT_TREES, o, oid);

	return l ? l : objects_keep_get(KEPT_LARGE_TREES, o, oid);
}

static int parse_tree(struct ctx *ctx, struct objects *o, const struct oid *oid,
		      struct tree_list **ret_list)
{
	git_odb_object *raw;
	struct tree_list *l;
	unsigned n_lost;
	size_t size;
	int r = read_raw(ctx, o, oid, GIT_OBJECT_TREE, TREE_MAX_BYTES, &raw);

	if (r < 0)
		return r;
	/* A large one is a mapped file. */
	n_lost = page_guard_n_lost();
	page_guard_begin();
	r = tree_list_parse(git_odb_object_data(raw), git_odb_object_size(raw),
			    &l);
	page_guard_end();
	git_odb_object_free(raw);
	if (r == 0 && page_guard_n_lost() != n_lost) {
		tree_list_unref(l);
		r = -EIO;
	}
	if (r < 0)
		return r;
	atomic_fetch_add(&n_trees_parsed, 1);
	size = tree_list_size(l);
	objects_keep_put(size > OBJECTS_LARGE_TREE ? KEPT_LARGE_TREES
						   : KEPT_TREES,
			 o, oid, l, size);
	*ret_list = l;
	return 0;
}

int objects_read_tree(struct ctx *ctx, struct objects *o, const struct oid *oid,
		      struct tree_list **ret_list)
{
	struct tree_list *l = kept_tree(o, oid);
	void *value = NULL;
	int r = 0;

	if (!l) {
		r = objects_keep_join(ctx, KEPT_TREES, o, oid, &value);
		l = value;
	}
	if (r == FLIGHT_LEAD && !l) {
		/* Perhaps it was read between the look and the join. */
		l = kept_tree(o, oid);
		r = l ? 0 : parse_tree(ctx, o, oid, &l);
		objects_keep_land(KEPT_TREES, o, oid, r, l);
	}
	if (r < 0)
		return r;
	*ret_list = l;
	return 0;
}

/* git takes an id in capital letters too, in the bytes of a commit. */
static int parse_hex(const char *text, struct oid *ret_oid)
{
	char hex[41];

	for (size_t i = 0; i < 40; i++)
		hex[i] = text[i] >= 'A' && text[i] <= 'F' ? text[i] - 'A' + 'a'
							  : text[i];
	hex[40] = '\0';
	return oid_parse(hex, ret_oid);
}

/* The seconds after the last '>' of a committer's line; a line without a
 * readable time is of 1970, as in git. */
static int64_t committer_time(const char *line, const char *end)
{
	const char *at = memrchr(line, '>', (size_t)(end - line));
	int64_t time_s = 0;

	if (!at)
		return 0;
	for (at++; at < end && (*at == ' ' || *at == '\t'); at++)
		continue;
	for (; at < end && *at >= '0' && *at <= '9'; at++) {
		time_s = time_s * 10 + (*at - '0');
		if (time_s > INT64_MAX / 1000000000)
			return 0;
	}
	return time_s;
}

/*
 * "tree <40 digits>\n" and more: that is all that git itself demands of a
 * commit before it checks its files out (git's commit.c: parse_commit_buffer).
 * Then come parents, an author, "committer … <seconds> <zone>\n", an empty
 * line; a commit that lacks one of these, or has a NUL among them, has files
 * all the same.
 */
static int parse_commit(const char *text, size_t n,
			struct commit_info *ret_info)
{
	static const char committer[] = "committer ";
	const char *end = text + n, *line_end;
	struct commit_info info = {.time_s = 0};

	if (n <= 46 || memcmp(text, "tree ", 5) != 0 || text[45] != '\n' ||
	    parse_hex(text + 5, &info.tree) < 0)
		return -EBADMSG;
	/* The headers end at an empty line. */
	for (const char *line = text + 46; line < end && *line != '\n';
	     line = line_end + 1) {
		line_end = memchr(line, '\n', (size_t)(end - line));
		if (!line_end)
			line_end = end;
		if ((size_t)(line_end - line) < strlen(committer) ||
		    memcmp(line, committer, strlen(committer)) != 0)
			continue;
		info.time_s = committer_time(line, line_end);
		break;
	}
	*ret_info = info;
	return 0;
}

int objects_read_commit(struct ctx *ctx, struct objects *o,
			const struct oid *oid, struct commit_info *ret_info)
{
	git_odb_object *raw;
	unsigned n_lost;
	int r = read_raw(ctx, o, oid, GIT_OBJECT_COMMIT, COMMIT_BYTES_MOST,
			 &raw);

	if (r < 0)
		return r;
	/* A large one is a mapped file. */
	n_lost = page_guard_n_lost();
	page_guard_begin();
	r = parse_commit(git_odb_object_data(raw), git_odb_object_size(raw),
			 ret_info);
	page_guard_end();
	git_odb_object_free(raw);
	return page_guard_n_lost() == n_lost ? r : -EIO;
}

int objects_blob_size(struct ctx *ctx, struct objects *o, const struct oid *oid,
		      uint64_t *ret_size)
{
	struct reading reading = {.oid = oid,
				  .type = GIT_OBJECT_BLOB,
				  .max = UINT64_MAX,
				  .header = true};
	int r = read_surely(ctx, o, &reading);

	if (r == -ENOENT)
		r = objects_sizes_find(o, oid, &reading.size);
	if (r < 0)
		return r;
	*ret_size = reading.size;
	return 0;
}

static int read_blob(struct ctx *ctx, struct objects *o, const struct oid *oid,
		     uint64_t max, struct blob **ret_blob)
{
	git_odb_object *raw;
	int r = read_raw(ctx, o, oid, GIT_OBJECT_BLOB, max, &raw);

	if (r < 0)
		return r;
	*ret_blob =
		blob_new(git_odb_object_data(raw), git_odb_object_size(raw));
	git_odb_object_free(raw);
	return 0;
}

static int read_kept_blob(struct ctx *ctx, struct objects *o,
			  const struct oid *oid, uint64_t max,
			  struct blob **ret_blob)
{
	void *value = NULL;
	struct blob *b = NULL;
	int r = objects_keep_join(ctx, KEPT_BLOBS, o, oid, &value);

	if (r < 0)
		return r;
	if (r == FLIGHT_LANDED) {
		*ret_blob = value;
		return 0;
	}
	b = objects_keep_get(KEPT_BLOBS, o, oid);
	r = b ? 0 : read_blob(ctx, o, oid, max, &b);
	if (r == 0) {
		objects_keep_put(KEPT_BLOBS, o, oid, b, blob_len(b));
		*ret_blob = b;
	}
	objects_keep_land(KEPT_BLOBS, o, oid, r, b);
	return r;
}

int objects_read_blob(struct ctx *ctx, struct objects *o, const struct oid *oid,
		      uint64_t max, struct blob **ret_blob)
{
	cleanup(blob_unref) struct blob *b =
		objects_keep_get(KEPT_BLOBS, o, oid);
	uint64_t size;
	int r;

	if (b) {
		if (blob_len(b) > max)
			return -EFBIG;
		*ret_blob = steal(&b);
		return 0;
	}
	r = objects_blob_size(ctx, o, oid, &size);
	if (r < 0)
		return r;
	if (size > max)
		return -EFBIG;
	if (size > KEEP_LEAST && size <= KEEP_MOST)
		return read_kept_blob(ctx, o, oid, max, ret_blob);
	return read_blob(ctx, o, oid, max, ret_blob);
}
