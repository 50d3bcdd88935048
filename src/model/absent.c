/*
 * model/absent: a ring; a new name takes the place of the oldest.
 */
#include "model/absent.h"

#include "base/sync.h"

#define NAMES_MAX 256

struct absent {
	struct mutex lock; /* a leaf */
	/* Under lock: */
	struct {
		uint64_t parent;
		char *name; /* NULL: none */
	} names[NAMES_MAX];
	size_t next;
};

struct absent *absent_new(void)
{
	struct absent *absent = mem_calloc(1, sizeof(*absent));

	mutex_init(&absent->lock);
	return absent;
}

struct absent *absent_free(struct absent *absent)
{
	if (!absent)
		return NULL;
	for (size_t i = 0; i < NAMES_MAX; i++)
		free(absent->names[i].name);
	mutex_done(&absent->lock);
	free(absent);
	return NULL;
}

static bool has(const struct absent *absent, uint64_t parent, const char *name)
	requires_lock(absent->lock)
{
	for (size_t i = 0; i < NAMES_MAX; i++)
		if (absent->names[i].parent == parent &&
		    absent->names[i].name &&
		    !strcmp(absent->names[i].name, name))
			return true;
	return false;
}

void absent_add(struct absent *absent, uint64_t parent, const char *name)
{
	mutex_lock(&absent->lock);
	if (!has(absent, parent, name)) {
		size_t i = absent->next++ % NAMES_MAX;

		free(absent->names[i].name);
		absent->names[i].parent = parent;
		absent->names[i].name = mem_strdup(name);
	}
	mutex_unlock(&absent->lock);
}

static char *take(struct absent *absent, size_t i, uint64_t *ret_parent)
{
	char *name;

	mutex_lock(&absent->lock);
	name = steal(&absent->names[i].name);
	*ret_parent = absent->names[i].parent;
	mutex_unlock(&absent->lock);
	return name;
}

void absent_take(struct absent *absent,
		 void (*each)(void *arg, uint64_t parent, const char *name),
		 void *arg)
{
	for (size_t i = 0; i < NAMES_MAX; i++) {
		uint64_t parent;
		cleanup(free) char *name = take(absent, i, &parent);

		if (name)
			each(arg, parent, name);
	}
}
