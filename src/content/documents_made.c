/*
 * content/documents, files that are made of several answers: of a document, of
 * lists below it that happen to be at hand, and of what git knows of its
 * commits. They ask for nothing. What is
 * made is stored under the versions that it was made of (as its etag), so that
 * what one reads stays as large as it was said to be; when a list comes or
 * changes, it is made anew, as another version.
 */
#include "content/documents_private.h"

#include <inttypes.h>

/* The kept items of a row below; NULL. */
static struct cache_entry *list_at_hand(struct documents *d,
					const struct scope *scope,
					const char *row, bool body)
{
	cleanup(free) char *key =
		mem_asprintf("%s/%s#index.json", scope->key, row);

	return answer_at_hand(d->config.cache, key, body);
}

static char *mark_of(struct documents *d, const struct scope *scope,
		     const struct resource_file *file, uint64_t version,
		     const struct documents_with *with)
{
	cleanup(free) char *by =
		file->is_named ? documents_mark(d, with->row, with->collection)
			       : mem_strdup(documents_derivation);
	struct buf mark = BUF_INIT(0);

	buf_printf(&mark, "%s %" PRIu64, by, version);
	for (size_t i = 0; i < RESOURCE_COMMITS_MOST; i++)
		buf_printf(&mark, " %s", with->commits[i]);
	for (size_t i = 0; file->with && file->with[i]; i++) {
		cleanup(cache_entry_free) struct cache_entry *e =
			list_at_hand(d, scope, file->with[i], false);

		buf_printf(&mark, " %" PRIu64, e ? e->version : 0);
	}
	return buf_steal(&mark, NULL);
}

static void add_name(struct documents *d, const struct documents_with *with,
		     struct json *item)
{
	cleanup(json_free) struct json *list =
		documents_beside(d, with->row, with->collection);
	cleanup(json_free) struct json *named =
		documents_named_beside(with->row->beside, list, item);

	if (named)
		json_add_copy(item, RESOURCE_NAME_BESIDE,
			      json_at(named, RESOURCE_NAME_BESIDE));
}

/* The document, with the whole ids of its commits, and with the name. */
static int item_of(struct documents *d, const struct answer_document *document,
		   const struct resource_file *file,
		   const struct documents_with *with, struct json **ret_item)
{
	cleanup(json_free) struct json *json = json_of(document->body);
	const struct resource_column *columns = file->commits;
	struct json *item;

	if (!json_is_object(json))
		return -EBADMSG;
	item = columns || file->is_named ? json_copy(json) : steal(&json);
	for (size_t i = 0; columns && columns[i].name; i++)
		if (*with->commits[i])
			json_add_str(item, columns[i].name, with->commits[i]);
	if (file->is_named)
		add_name(d, with, item);
	*ret_item = item;
	return 0;
}

static int render(struct documents *d, const struct scope *scope,
		  const struct resource_file *file,
		  const struct answer_document *document,
		  const struct documents_with *with, struct buf *out)
{
	cleanup(json_free) struct json *all = json_new_object();
	cleanup(json_free) struct json *item = NULL;
	int r = item_of(d, document, file, with, &item);

	if (r < 0)
		return r;
	if (!file->with)
		return file->render(file, item, out);
	json_add_copy(all, "item", item);
	for (size_t i = 0; file->with[i]; i++) {
		cleanup(cache_entry_free) struct cache_entry *e =
			list_at_hand(d, scope, file->with[i], true);
		cleanup(json_free) struct json *list = answer_json(e);

		if (list)
			json_add_copy(all, file->with[i], list);
	}
	return file->render(file, all, out);
}

int documents_made(struct ctx *ctx, struct documents *d,
		   const struct scope *scope, const struct resource_file *file,
		   const struct answer_document *document,
		   const struct documents_with *with,
		   struct document_file *ret_file)
{
	cleanup(free) char *key = mem_asprintf("%s#%s", scope->key, file->name);
	cleanup(free) char *mark =
		mark_of(d, scope, file, document->version, with);
	cleanup(buf_done) struct buf out = BUF_INIT(CACHE_MAX_BODY);
	struct cache_put put = {
		.key = key,
		.etag = mark,
		.ttl_ms = FINAL_MS,
		.time_ms = document->updated_ms,
	};
	uint64_t version;
	int r = 0;

	if (documents_stored(d, key, mark, ret_file)) {
		ret_file->age = document->age;
		return 0;
	}
	r = render(d, scope, file, document, with, &out);
	put.body = out.data ? out.data : "";
	put.n_body = out.len;
	if (r == 0)
		r = cache_put(d->config.cache, &put, 1, &version);
	if (r < 0)
		return ctx_fail(ctx, r, "%s of %s cannot be made: %s.",
				file->name, scope->key, strerror(-r));
	*ret_file = (struct document_file){version, out.len, document->age};
	return 0;
}
