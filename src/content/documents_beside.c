/*
 * content/documents, names from the list beside: a deployment names its
 * environment by uuid, and environments/ says what that is called. The index
 * has the name when that list is at hand, asks for nothing, and is derived anew
 * when the list comes or changes, as it is by another program
 * (documents_derived.c): the version of the list is part of the mark.
 */
#include "content/documents_private.h"

#include <inttypes.h>

/* As it is stored, of any age; NULL. */
static struct cache_entry *list_beside(struct documents *d,
				       const struct resource *row,
				       const struct scope *scope, bool body)
{
	size_t n = strlen(scope->key) - strlen(row->name);
	cleanup(free) char *key = mem_asprintf("%.*s%s#index.json", (int)n,
					       scope->key, row->beside->row);

	return answer_at_hand(d->config.cache, key, body);
}

char *documents_mark(struct documents *d, const struct resource *row,
		     const struct scope *scope)
{
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (!row->beside)
		return mem_strdup(documents_derivation);
	e = list_beside(d, row, scope, false);
	return mem_asprintf("%s %" PRIu64, documents_derivation,
			    e ? e->version : 0);
}

struct json *documents_beside(struct documents *d, const struct resource *row,
			      const struct scope *scope)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		row->beside ? list_beside(d, row, scope, true) : NULL;
	cleanup(json_free) struct json *list = answer_json(e);

	return json_is_array(list) ? steal(&list) : NULL;
}

struct json *documents_named_beside(const struct resource_beside *beside,
				    const struct json *list,
				    const struct json *item)
{
	const char *id, *name;
	struct json *named;

	if (!list || !json_is_object(item))
		return NULL;
	id = json_str(item, beside->at);
	name = id ? json_str(json_find(list, beside->id, id), beside->name)
		  : NULL;
	if (!name || !*name)
		return NULL;
	named = json_copy(item);
	json_add_str(named, RESOURCE_NAME_BESIDE, name);
	return named;
}
