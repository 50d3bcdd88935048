/*
 * content/documents, what a list that came says that the one before did not: it
 * is told once, here, whoever asked for the list. The first one tells nothing.
 */
#include "content/documents_private.h"

/* More, and it is no news any more: a list that was last seen long ago. */
#define TOLD_MAX 50

static void tell(const struct documents *d, const char *path, const char *what)
{
	d->config.changed(d->config.say_arg, path, what);
}

/* Most have the same name in both, by which they are sorted. */
static const struct collection_item *same_in(const struct collection *c,
					     const struct collection_item *item)
{
	const struct collection_item *same = collection_find(c, item->name);

	return same && !strcmp(same->id, item->id)
		       ? same
		       : collection_find_id(c, item->id);
}

/* ---- items ---- */

static void tell_item(const struct documents_fetch *f, const char *place,
		      const struct collection_item *item,
		      enum resource_event how)
{
	struct documents *d = f->documents;
	const struct resource_items *items = f->row->items;
	cleanup(free) char *key = scope_item_key(f->row, f->scope, item->id);
	cleanup(cache_entry_free) struct cache_entry *e =
		answer_peek(d->config.cache, key);
	cleanup(json_free) struct json *json = answer_json(e);
	cleanup(buf_done) struct buf what = BUF_INIT(4 * KIB);
	cleanup(free) char *path = NULL;
	const char *where = "";

	if (!json)
		return;
	items->event(json, how, &what);
	if (how == RESOURCE_ITEM_GONE && items->where)
		where = items->where(json);
	path = mem_asprintf("%s%s%s/%s", place, *where ? "/" : "", where,
			    item->name);
	if (what.len)
		tell(d, path, what.data);
}

static void compare(const struct documents_fetch *f,
		    const struct collection *before,
		    const struct collection *after)
{
	cleanup(free) char *place = documents_place(f->documents, f->scope);
	/* What is bounded, or was cut, lacks what is still there. */
	bool is_whole = !after->more && !after->is_cut;
	size_t n_told = 0;

	for (size_t i = 0; i < after->n_items && n_told < TOLD_MAX; i++) {
		const struct collection_item *is = &after->items[i];
		const struct collection_item *was = same_in(before, is);

		if (was && (!strcmp(was->hash, is->hash) ||
			    (f->row->items->is_event_later &&
			     was->time_ms == is->time_ms)))
			continue;
		n_told++;
		tell_item(f, place, is,
			  was ? RESOURCE_ITEM_UPDATED : RESOURCE_ITEM_NEW);
	}
	for (size_t i = 0; is_whole && i < before->n_items && n_told < TOLD_MAX;
	     i++) {
		if (same_in(after, &before->items[i]))
			continue;
		n_told++;
		tell_item(f, place, &before->items[i], RESOURCE_ITEM_GONE);
	}
}

void documents_changed_items(const struct documents_fetch *f,
			     const struct cache_entry *old)
{
	struct documents *d = f->documents;
	cleanup(collection_unref) struct collection *before = NULL,
						    *after = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;

	if (!d->config.changed || !f->row->items || !f->row->items->event ||
	    !old || !old->body ||
	    collection_decode(f->row, blob_data(old->body), old->n_body,
			      &before))
		return;
	e = answer_peek(d->config.cache, f->scope->key);
	if (e && e->body &&
	    !collection_decode(f->row, blob_data(e->body), e->n_body, &after))
		compare(f, before, after);
}

/* ---- repositories ---- */

static void tell_repository(const struct documents_fetch *f,
			    const struct collection_item *item,
			    const char *what)
{
	cleanup(free) char *path =
		mem_asprintf("%s/%s", f->scope->workspace, item->name);

	tell(f->documents, path, what);
}

void documents_changed_repositories(const struct documents_fetch *f,
				    const struct collection *before,
				    const struct buf *text)
{
	cleanup(collection_unref) struct collection *after = NULL;

	if (!f->documents->config.changed || !before ||
	    collection_decode(f->row, text->data ? text->data : "", text->len,
			      &after))
		return;
	for (size_t i = 0; i < after->n_items; i++) {
		const struct collection_item *is = &after->items[i];
		const struct collection_item *was = same_in(before, is);
		cleanup(free) char *what = NULL;

		if (was && !strcmp(was->name, is->name))
			continue;
		what = was ? mem_asprintf("repository renamed, it was %s",
					  was->name)
			   : mem_strdup("repository appeared");
		tell_repository(f, is, what);
	}
	for (size_t i = 0; i < before->n_items; i++)
		if (!same_in(after, &before->items[i]))
			tell_repository(f, &before->items[i],
					"repository gone");
}
