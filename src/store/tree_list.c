/*
 * A tree object is a row of "<octal mode> <name>\0<20 bytes>" (git's
 * Documentation/gitformat-pack and tree-walk.c). A list is a row of struct
 * tree_entry, each as long as its name, which is less than git's own bytes, and
 * four bytes for the place of each: a directory of 100,000 names stays in
 * memory as long as somebody reads in it.
 *
 * git's order compares a directory as if its name ended in '/'. Mostly that is
 * the plain order too, and then the entries themselves are searched; otherwise,
 * and in trees that somebody crafted, `by_name` is an index in plain order.
 * Either way equal names are neighbours, so duplicates are found, the first of
 * which in the tree's own order is shown.
 */
#include "store/tree_list.h"

#include "base/search.h"

#include <limits.h>
#include <sys/stat.h>

/* "1 a\0" and an oid: the shortest entry that has a name. */
#define ENTRY_BYTES_LEAST (4 + OID_BYTES)

struct cursor {
	const char *at, *end;
};

struct raw_entry {
	unsigned mode;
	const char *name;
	size_t n_name;
	const char *oid;
};

/* 1: an entry; 0: the end; -EBADMSG. */
static int next_entry(struct cursor *c, struct raw_entry *ret_entry)
{
	const char *p = c->at, *nul;
	unsigned mode = 0;

	if (p == c->end)
		return 0;
	if (*p < '0' || *p > '7')
		return -EBADMSG;
	for (; p < c->end && *p != ' '; p++) {
		if (*p < '0' || *p > '7' || mode > UINT_MAX >> 3)
			return -EBADMSG;
		mode = (mode << 3) | (unsigned)(*p - '0');
	}
	if (p == c->end)
		return -EBADMSG;
	p++;
	nul = memchr(p, '\0', (size_t)(c->end - p));
	if (!nul || (size_t)(c->end - nul - 1) < OID_BYTES)
		return -EBADMSG;
	*ret_entry = (struct raw_entry){
		.mode = mode,
		.name = p,
		.n_name = (size_t)(nul - p),
		.oid = nul + 1,
	};
	c->at = nul + 1 + OID_BYTES;
	return 1;
}

/* As git's canon_mode() decides it; old trees have modes like 100664. */
static enum tree_kind kind_of(unsigned mode)
{
	switch (mode & S_IFMT) {
	case S_IFREG:
		return mode & S_IXUSR ? TREE_EXECUTABLE : TREE_FILE;
	case S_IFLNK:
		return TREE_SYMLINK;
	case S_IFDIR:
		return TREE_DIRECTORY;
	default:
		return TREE_SUBMODULE;
	}
}

/* NULL when it can be shown. */
static const char *why_hidden(const struct raw_entry *e)
{
	if (e->n_name == 0)
		return "has an empty name";
	if (strcmp(e->name, ".") == 0 || strcmp(e->name, "..") == 0)
		return "is no name";
	if (memchr(e->name, '/', e->n_name))
		return "holds a slash";
	if (strcasecmp(e->name, ".git") == 0)
		return "is forbidden by git";
	if (e->n_name > NAME_MAX)
		return "is longer than 255 bytes";
	return NULL;
}

/* The sentence, in a buffer of its own size; names from strangers are cut and
 * made printable. The first few, as long as they fit. */
static void leave_out(struct tree_list *l, const char *name, const char *why)
{
	char line[160];
	size_t n = 0, have = strlen(l->left_out);

	l->n_left_out++;
	line[n++] = '\'';
	for (const char *p = name; *p; p++) {
		unsigned char c = (unsigned char)*p;

		if (n > 80) {
			n += (size_t)snprintf(line + n, sizeof(line) - n,
					      "...");
			break;
		}
		if (c < 0x20 || c >= 0x7f || c == '\\' || c == '\'')
			n += (size_t)snprintf(line + n, sizeof(line) - n,
					      "\\x%02x", c);
		else
			line[n++] = (char)c;
	}
	snprintf(line + n, sizeof(line) - n, "' %s", why);
	if (have + strlen(line) + 2 < sizeof(l->left_out))
		snprintf(l->left_out + have, sizeof(l->left_out) - have, "%s%s",
			 have ? "; " : "", line);
}

static int compare_by_name(const void *a, const void *b, void *arg)
{
	const struct tree_list *l = arg;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	int order = strcmp(tree_list_entry(l, x)->name,
			   tree_list_entry(l, y)->name);

	if (order)
		return order;
	return x < y ? -1 : x > y;
}

static void index_names(struct tree_list *l)
{
	unsigned *by_name = mem_alloc(l->n_entries * sizeof(*by_name));

	for (size_t i = 0; i < l->n_entries; i++)
		by_name[i] = (unsigned)i;
	qsort_r(by_name, l->n_entries, sizeof(*by_name), compare_by_name, l);
	l->by_name_private = by_name;
}

/* No entry begins there: the list has fewer than 64 MB. */
#define GONE UINT_MAX

/* Takes all but the first of equal names out and makes the index anew, if it is
 * still needed. True when there was one. */
static bool drop_duplicates(struct tree_list *l)
{
	size_t n = 0, n_duplicates = 0;

	for (size_t i = 1; i < l->n_entries; i++) {
		const char *name = tree_list_by_name(l, i)->name;

		if (strcmp(tree_list_by_name(l, i - 1)->name, name) != 0)
			continue;
		leave_out(l, name, "comes twice");
		n_duplicates++;
	}
	if (n_duplicates == 0)
		return false;
	/* by_name is sorted by (name, position), so of a run of equal names
	 * every one but the first goes. Marked from the back, for a run's
	 * comparison needs the name before it. */
	for (size_t i = l->n_entries; i-- > 1;)
		if (strcmp(tree_list_by_name(l, i - 1)->name,
			   tree_list_by_name(l, i)->name) == 0)
			l->at_private[l->by_name_private[i]] = GONE;
	for (size_t i = 0; i < l->n_entries; i++)
		if (l->at_private[i] != GONE)
			l->at_private[n++] = l->at_private[i];
	l->n_entries = n;
	return true;
}

static size_t bytes_of(size_t n_name)
{
	return offsetof(struct tree_entry, name) + n_name + 1;
}

/* How many entries there are at most, and what they take; -EBADMSG. */
static int measure(struct cursor c, size_t *ret_n, size_t *ret_bytes)
{
	struct raw_entry raw;
	int r;

	*ret_n = *ret_bytes = 0;
	while ((r = next_entry(&c, &raw)) > 0) {
		++*ret_n;
		*ret_bytes += bytes_of(raw.n_name);
	}
	return r;
}

static void append(struct tree_list *l, const struct raw_entry *raw)
{
	struct tree_entry *e =
		(struct tree_entry *)(l->bytes_private + l->n_bytes_private);

	memcpy(e->oid.bytes, raw->oid, OID_BYTES);
	e->kind = (unsigned char)kind_of(raw->mode);
	memcpy(e->name, raw->name, raw->n_name + 1);
	l->at_private[l->n_entries++] = (unsigned)l->n_bytes_private;
	l->n_bytes_private += bytes_of(raw->n_name);
}

/* False: the entries are not in the order of names. */
static bool append_all(struct tree_list *l, struct cursor c)
{
	const char *before = NULL;
	struct raw_entry raw;
	bool ordered = true;

	while (next_entry(&c, &raw) > 0) {
		const char *why = why_hidden(&raw);

		if (why) {
			leave_out(l, raw.name, why);
			continue;
		}
		if (before && strcmp(before, raw.name) >= 0)
			ordered = false;
		before = raw.name;
		append(l, &raw);
	}
	return ordered;
}

int tree_list_parse(const void *data, size_t n, struct tree_list **ret_list)
{
	const char *bytes = n ? data : "";
	const struct cursor c = {bytes, bytes + n};
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	size_t n_entries, n_bytes;
	int r;

	if (n > TREE_MAX_BYTES)
		return -EFBIG;
	r = measure(c, &n_entries, &n_bytes);
	if (r < 0)
		return r;
	check(n_entries <= n / (ENTRY_BYTES_LEAST - 1) && n_bytes <= n);
	l = mem_calloc(1, sizeof(*l));
	l->refcount_private = 1;
	l->bytes_private = mem_alloc(n_bytes);
	l->at_private = mem_alloc(n_entries * sizeof(*l->at_private));
	if (!append_all(l, c)) {
		index_names(l);
		if (drop_duplicates(l)) {
			free(l->by_name_private);
			index_names(l);
		}
	}
	*ret_list = steal(&l);
	return 0;
}

size_t tree_list_size(const struct tree_list *l)
{
	size_t each = l->by_name_private ? 2 * sizeof(unsigned)
					 : sizeof(unsigned);

	return sizeof(*l) + l->n_bytes_private + l->n_entries * each;
}

struct tree_list *tree_list_ref(struct tree_list *l)
{
	check(__atomic_fetch_add(&l->refcount_private, 1, __ATOMIC_RELAXED) >
	      0);
	return l;
}

struct tree_list *tree_list_unref(struct tree_list *l)
{
	unsigned old;

	if (!l)
		return NULL;
	old = __atomic_fetch_sub(&l->refcount_private, 1, __ATOMIC_ACQ_REL);
	check(old > 0);
	if (old == 1) {
		free(l->by_name_private);
		free(l->at_private);
		free(l->bytes_private);
		free(l);
	}
	return NULL;
}

static bool is_before(const void *l, size_t i, const void *name)
{
	return strcmp(tree_list_by_name(l, i)->name, name) < 0;
}

/* Its place in the order of names, or n_entries. */
static size_t find(const struct tree_list *l, const char *name)
{
	size_t i = search_first(l, l->n_entries, name, is_before);

	return i < l->n_entries && !strcmp(tree_list_by_name(l, i)->name, name)
		       ? i
		       : l->n_entries;
}

const struct tree_entry *tree_list_find(const struct tree_list *l,
					const char *name)
{
	size_t i = find(l, name);

	return i < l->n_entries ? tree_list_by_name(l, i) : NULL;
}

size_t tree_list_place(const struct tree_list *l, const char *name)
{
	size_t i = find(l, name);

	return l->by_name_private && i < l->n_entries ? l->by_name_private[i]
						      : i;
}
