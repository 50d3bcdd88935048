/*
 * A tree object is a row of "<octal mode> <name>\0<20 bytes>" (git's
 * Documentation/gitformat-pack and tree-walk.c). The names stay where they are
 * in the copied bytes, so a list is two allocations and no string is touched.
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
	const struct tree_entry *entries = arg;
	unsigned x = *(const unsigned *)a, y = *(const unsigned *)b;
	int order = strcmp(entries[x].name, entries[y].name);

	if (order)
		return order;
	return x < y ? -1 : x > y;
}

static void index_names(struct tree_list *l)
{
	l->by_name = mem_alloc(l->n_entries * sizeof(*l->by_name));
	for (size_t i = 0; i < l->n_entries; i++)
		l->by_name[i] = (unsigned)i;
	qsort_r(l->by_name, l->n_entries, sizeof(*l->by_name), compare_by_name,
		l->entries);
}

/* Takes all but the first of equal names out of entries and makes the index
 * anew, if it is still needed. True when there was one. */
static bool drop_duplicates(struct tree_list *l)
{
	size_t n = 0, n_duplicates = 0;

	for (size_t i = 1; i < l->n_entries; i++) {
		struct tree_entry *first = &l->entries[l->by_name[i - 1]];
		struct tree_entry *e = &l->entries[l->by_name[i]];

		if (strcmp(first->name, e->name) != 0)
			continue;
		leave_out(l, e->name, "comes twice");
		n_duplicates++;
	}
	if (n_duplicates == 0)
		return false;
	/* by_name is sorted by (name, position), so of a run of equal names
	 * every one but the first goes. Marked from the back, for a run's
	 * comparison needs the name before it. */
	for (size_t i = l->n_entries; i-- > 1;) {
		struct tree_entry *e = &l->entries[l->by_name[i]];

		if (strcmp(l->entries[l->by_name[i - 1]].name, e->name) == 0)
			e->name = NULL;
	}
	for (size_t i = 0; i < l->n_entries; i++)
		if (l->entries[i].name)
			l->entries[n++] = l->entries[i];
	l->n_entries = n;
	return true;
}

int tree_list_parse(const void *data, size_t n, struct tree_list **ret_list)
{
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	struct raw_entry raw;
	struct cursor c;
	size_t n_entries = 0;
	bool ordered = true;
	int r;

	if (n > TREE_MAX_BYTES)
		return -EFBIG;
	l = mem_calloc(1, sizeof(*l));
	l->refcount_private = 1;
	l->n_bytes = n;
	l->bytes = mem_dup0(n ? data : "", n);
	c = (struct cursor){l->bytes, l->bytes + n};
	while ((r = next_entry(&c, &raw)) > 0)
		n_entries++;
	if (r < 0)
		return r;
	check(n_entries <= n / (ENTRY_BYTES_LEAST - 1));
	l->entries = mem_alloc((n_entries + 1) * sizeof(*l->entries));
	c = (struct cursor){l->bytes, l->bytes + n};
	while (next_entry(&c, &raw) > 0) {
		struct tree_entry *e = &l->entries[l->n_entries];
		const char *why = why_hidden(&raw);

		if (why) {
			leave_out(l, raw.name, why);
			continue;
		}
		memcpy(e->oid.bytes, raw.oid, OID_BYTES);
		e->kind = kind_of(raw.mode);
		e->name = raw.name;
		if (l->n_entries && strcmp(e[-1].name, e->name) >= 0)
			ordered = false;
		l->n_entries++;
	}
	if (!ordered) {
		index_names(l);
		if (drop_duplicates(l)) {
			free(l->by_name);
			index_names(l);
		}
	}
	*ret_list = steal(&l);
	return 0;
}

size_t tree_list_size(const struct tree_list *l)
{
	size_t each = sizeof(*l->entries) + (l->by_name ? sizeof(unsigned) : 0);

	return sizeof(*l) + l->n_bytes + l->n_entries * each;
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
		free(l->by_name);
		free(l->entries);
		free(l->bytes);
		free(l);
	}
	return NULL;
}

static const struct tree_entry *at_name(const struct tree_list *l, size_t i)
{
	return &l->entries[l->by_name ? l->by_name[i] : i];
}

static bool is_before(const void *l, size_t i, const void *name)
{
	return strcmp(at_name(l, i)->name, name) < 0;
}

const struct tree_entry *tree_list_find(const struct tree_list *l,
					const char *name)
{
	size_t i = search_first(l, l->n_entries, name, is_before);
	const struct tree_entry *e = i < l->n_entries ? at_name(l, i) : NULL;

	return e && strcmp(e->name, name) == 0 ? e : NULL;
}
