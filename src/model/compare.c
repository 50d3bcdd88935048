/*
 * model/compare: the merge of two sorted lists.
 */
#include "model/compare.h"

static const void *item_at(const struct compare_side *side, size_t i)
{
	return i < side->n ? (const char *)side->items + i * side->size : NULL;
}

static const char *name_of(const void *item)
{
	return *(const char *const *)item;
}

bool compare_next(struct compare *c, struct compare_pair *ret_pair)
{
	const void *was = item_at(&c->before, c->b);
	const void *is = item_at(&c->after, c->a);
	int order;

	if (!was && !is)
		return false;
	order = !was ? 1 : !is ? -1 : strcmp(name_of(was), name_of(is));
	c->b += order <= 0;
	c->a += order >= 0;
	*ret_pair = (struct compare_pair){
		.how = order < 0   ? COMPARE_GONE
		       : order > 0 ? COMPARE_NEW
				   : COMPARE_BOTH,
		.name = name_of(order <= 0 ? was : is),
		.was = order <= 0 ? was : NULL,
		.is = order >= 0 ? is : NULL,
	};
	return true;
}
