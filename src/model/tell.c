/*
 * model/tell: the loop over the names of two lists.
 */
#include "model/tell.h"

#include "model/provider.h"

static enum tell_change change_of(const struct tell *tell,
				  const struct compare_pair *pair)
{
	switch (pair->how) {
	case COMPARE_GONE:
		return TELL_GONE;
	case COMPARE_NEW:
		return TELL_NEW;
	case COMPARE_BOTH:
		break;
	}
	return tell->how->differs ? tell->how->differs(pair->was, pair->is)
				  : TELL_SAME;
}

static const char *word_of(const struct tell *tell, enum tell_change change)
{
	switch (change) {
	case TELL_GONE:
		return "gone";
	case TELL_NEW:
		return "new";
	case TELL_REPLACED:
		return tell->how->replaced;
	case TELL_SAME:
	case TELL_UPDATED:
		break;
	}
	return "updated";
}

size_t tell_changes(const struct tell *tell)
{
	struct compare compare = {.before = tell->before, .after = tell->after};
	struct compare_pair pair;
	size_t n_changes = 0;
	bool relisted = tell->renewed;

	while (compare_next(&compare, &pair)) {
		enum tell_change change = change_of(tell, &pair);

		if (change == TELL_SAME)
			continue;
		n_changes++;
		relisted |= change != TELL_UPDATED;
		provider_say(tell->said, "%s: %s\n", pair.name,
			     word_of(tell, change));
		if (tell->dir)
			tell->how->name(tell, &pair, change);
	}
	if (tell->dir && (relisted || n_changes > 0))
		model_changed_inode(tell->model, tell->dir, relisted);
	return n_changes;
}
