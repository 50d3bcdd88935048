/*
 * model/dirs/row_dir, what is listed: of a collection that grows for ever a
 * directory lists the newest few items, or none (src/model/README.md, 2). All
 * of them are in its indexes, and can be entered by name.
 *
 * Newest is by number where the names are numbers: an old run that ends late
 * is not a new one. Else it is by time.
 */
#include "model/dirs/row_dir_private.h"

static bool is_newer(const struct collection_item *a,
		     const struct collection_item *b)
{
	size_t x = strspn(a->name, "0123456789");
	size_t y = strspn(b->name, "0123456789");
	bool numbers = !a->name[x] && !b->name[y];

	if (!numbers && a->time_ms != b->time_ms)
		return a->time_ms > b->time_ms;
	if (numbers && x != y)
		return x > y;
	return strcmp(a->name, b->name) > 0;
}

/* Inserts an item into the newest ones, the newest first. */
static size_t insert(const struct collection_item **newest, size_t n,
		     size_t most, const struct collection_item *item)
{
	size_t at = n;

	while (at > 0 && is_newer(item, newest[at - 1]))
		at--;
	if (at == most)
		return n;
	if (n < most)
		n++;
	memmove(&newest[at + 1], &newest[at], (n - at - 1) * sizeof(*newest));
	newest[at] = item;
	return n;
}

size_t row_dir_listed(const struct model *model, const struct resource *row,
		      const struct collection *c,
		      const struct collection_item ***ret_items)
{
	size_t most = model->config.listed, n = 0;

	*ret_items = NULL;
	if (row->listing == RESOURCE_LISTS_NONE)
		return 0;
	if (row->listing == RESOURCE_LISTS_ALL || c->n_items < most)
		most = c->n_items;
	*ret_items = mem_calloc(most + 1, sizeof(**ret_items));
	if (row->listing == RESOURCE_LISTS_ALL) {
		while (n < c->n_items) {
			(*ret_items)[n] = &c->items[n];
			n++;
		}
		return n;
	}
	for (size_t i = 0; i < c->n_items; i++)
		n = insert(*ret_items, n, most, &c->items[i]);
	return n;
}

bool row_dir_lists(const struct model *model, const struct resource *row,
		   const struct collection *c, const char *id)
{
	cleanup(free) const struct collection_item **items = NULL;
	size_t n;

	if (row->listing == RESOURCE_LISTS_ALL)
		return collection_find_id(c, id) != NULL;
	n = row_dir_listed(model, row, c, &items);
	for (size_t i = 0; i < n; i++)
		if (!strcmp(items[i]->id, id))
			return true;
	return false;
}
