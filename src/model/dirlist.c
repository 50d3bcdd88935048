/*
 * model/dirlist: making a listing, and finding a name in it by its cookie.
 */
#include "model/dirlist.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/search.h"

struct dirlist *dirlist_new(const struct dirlist_ops *ops, void *data,
			    size_t n_bytes)
{
	struct dirlist *l = mem_calloc(1, sizeof(*l));

	l->ops = ops;
	l->data = data;
	l->n_bytes = sizeof(*l) + n_bytes;
	refcount_init(&l->refcount_private);
	return l;
}

struct dirlist *dirlist_ref(struct dirlist *l)
{
	refcount_take(&l->refcount_private);
	return l;
}

struct dirlist *dirlist_unref(struct dirlist *l)
{
	void *pin;

	if (!l || !refcount_drop(&l->refcount_private))
		return NULL;
	check(l->n_open_private == 0);
	pin = atomic_load(&l->pin);
	if (pin)
		l->ops->unpin(pin);
	if (l->ops->free_data)
		l->ops->free_data(l->data);
	for (size_t i = 0; i < l->n_texts_private; i++)
		free(l->texts_private[i]);
	free(l->texts_private);
	free(l->names);
	free(l);
	return NULL;
}

void dirlist_add(struct dirlist *l, const char *name, uint64_t cookie,
		 mode_t type, unsigned tag)
{
	mem_grow(l->names, l->n_names, l->n_room_private);
	l->names[l->n_names++] = (struct dirlist_name){
		.name = name,
		.cookie = cookie,
		.type = type,
		.tag = tag,
	};
}

void dirlist_add_taken(struct dirlist *l, char *name, uint64_t cookie,
		       mode_t type, unsigned tag)
{
	size_t n = l->n_texts_private;

	/* The array doubles whenever it is full: n is a power of two then. */
	if ((n & (n - 1)) == 0)
		l->texts_private = mem_realloc(
			l->texts_private,
			(n ? 2 * n : 1) * sizeof(*l->texts_private));
	l->texts_private[l->n_texts_private++] = name;
	l->n_bytes += sizeof(*l->texts_private) + strlen(name) + 1;
	dirlist_add(l, name, cookie, type, tag);
}

struct names {
	const struct dirlist_name *first;
};

static const char *name_at(const void *names, size_t i)
{
	return ((const struct names *)names)->first[i].name;
}

void dirlist_number(struct dirlist *l, size_t first, struct dirbook *book,
		    uint64_t base)
{
	cleanup(free) struct dirbook_entry *entries = NULL;
	const struct names names = {l->names + first};
	size_t n;

	dirbook_order(book, l->n_names - first, name_at, &names, 0, &entries,
		      &n);
	for (size_t i = 0; i < n; i++)
		l->names[first + entries[i].index].cookie = base +
							    entries[i].cookie;
}

static int by_cookie(const void *a, const void *b)
{
	uint64_t x = ((const struct dirlist_name *)a)->cookie;
	uint64_t y = ((const struct dirlist_name *)b)->cookie;

	return (x > y) - (x < y);
}

struct dirlist *dirlist_seal(struct dirlist *l, int64_t left_ms)
{
	uint64_t h = HASH_INIT;

	if (l->n_names)
		qsort(l->names, l->n_names, sizeof(*l->names), by_cookie);
	for (size_t i = 0; i < l->n_names; i++) {
		const struct dirlist_name *name = &l->names[i];

		h = hash_bytes(h, name->name, strlen(name->name) + 1);
		h = hash_bytes(h, &name->type, sizeof(name->type));
	}
	l->version = h;
	l->left_ms = left_ms;
	l->made_ms = clock_mono_ms();
	/* No name is added from here on. */
	if (l->n_names)
		l->names =
			mem_realloc(l->names, l->n_names * sizeof(*l->names));
	l->n_room_private = l->n_names;
	l->n_bytes += l->n_names * sizeof(*l->names);
	return l;
}

int64_t dirlist_left_ms(const struct dirlist *l)
{
	int64_t left = l->made_ms + l->left_ms - clock_mono_ms();

	return left > MOMENT_MS ? left : MOMENT_MS;
}

int dirlist_pin(struct dirlist_piece *piece)
{
	struct dirlist *l = piece->listing;
	void *pin = NULL, *none = NULL;
	int r = 0;

	if (!l->n_pin || atomic_load(&l->pin))
		return 0;
	r = l->ops->pin(piece, &pin);
	/* Another reader may have been quicker. */
	if (r == 0 && !atomic_compare_exchange_strong(&l->pin, &none, pin))
		l->ops->unpin(pin);
	return r;
}

void dirlist_at(const struct dirlist *l, size_t i, struct dirlist_name *ret)
{
	if (l->ops->at)
		l->ops->at(l, i, ret);
	else
		*ret = l->names[i];
}

static bool is_up_to(const void *l, size_t i, const void *cookie)
{
	struct dirlist_name name;

	dirlist_at(l, i, &name);
	return name.cookie <= *(const uint64_t *)cookie;
}

size_t dirlist_seek(const struct dirlist *l, uint64_t after)
{
	return search_first(l, l->n_names, &after, is_up_to);
}
