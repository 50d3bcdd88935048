/*
 * content/catalog: lists as they are stored: JSON arrays of small objects, so
 * that the cache can be read by people; and how names are made of slugs.
 */
#include "content/catalog_private.h"

static const char *const root_names[] = {".bitbucketfs", NULL};
static const char *const workspace_names[] = {".workspace", NULL};

static char *file_name(const char *slug, const char *const *own_names)
{
	struct buf name = BUF_INIT(0);

	text_file_name(&name, slug, own_names);
	return buf_steal(&name, NULL);
}

/* ---- workspaces ---- */

static void workspace_done(struct catalog_ws *w)
{
	free(w->name);
	free(w->slug);
	free(w->uuid);
	*w = (struct catalog_ws){0};
}

void catalog_ws_list_done(struct catalog_ws_list *list)
{
	for (size_t i = 0; i < list->n_items; i++)
		workspace_done(&list->items[i]);
	free(list->items);
	*list = (struct catalog_ws_list){0};
}

void catalog_ws_add(struct catalog_ws_list *list, const char *slug,
		    const char *uuid)
{
	list->items = xrealloc(list->items,
			       (list->n_items + 1) * sizeof(*list->items));
	list->items[list->n_items++] = (struct catalog_ws){
		.name = file_name(slug, root_names),
		.slug = xstrdup(slug),
		.uuid = xstrdup(uuid ? uuid : ""),
	};
}

int catalog_encode_workspaces(const struct catalog_ws_list *list,
			      struct buf *out)
{
	cleanup(json_free) struct json *array = json_new_array();

	for (size_t i = 0; i < list->n_items; i++) {
		struct json *item = json_append_object(array);

		json_add_str(item, "slug", list->items[i].slug);
		json_add_str(item, "uuid", list->items[i].uuid);
	}
	return json_compact(array, out);
}

int catalog_decode_workspaces(const char *text, size_t n,
			      struct catalog_ws_list *ret)
{
	cleanup(json_free) struct json *array = NULL;
	struct catalog_ws_list list = {0};

	if (json_parse(text, n, &array) || !json_is_array(array))
		return -EBADMSG;
	for (const struct json *i = json_first(array); i; i = json_next(i)) {
		const char *slug = json_str(i, "slug");

		if (slug && *slug)
			catalog_ws_add(&list, slug, json_str(i, "uuid"));
	}
	*ret = list;
	return 0;
}

/* ---- repositories ---- */

void catalog_repository_done(struct catalog_repository *r)
{
	free(r->name);
	free(r->slug);
	free(r->uuid);
	free(r->project);
	free(r->key);
	free(r->workspace);
	*r = (struct catalog_repository){0};
}

void catalog_repository_copy(const struct catalog_repository *from,
			     struct catalog_repository *ret)
{
	*ret = (struct catalog_repository){
		.name = xstrdup(from->name),
		.slug = xstrdup(from->slug),
		.uuid = xstrdup(from->uuid),
		.project = xstrdup(from->project),
		.key = xstrdup(from->key),
		.workspace = from->workspace ? xstrdup(from->workspace) : NULL,
		.updated_ms = from->updated_ms,
	};
}

void catalog_repository_make(const char *slug, const char *uuid,
			     const char *project, int64_t updated_ms,
			     struct catalog_repository *ret)
{
	*ret = (struct catalog_repository){
		.name = file_name(slug, workspace_names),
		.slug = xstrdup(slug),
		.uuid = xstrdup(uuid),
		.project = xstrdup(project),
		.key = xasprintf("repo/%s", uuid),
		.updated_ms = updated_ms,
	};
}

struct listing *catalog_listing_new(size_t n_most)
{
	struct listing *l = xcalloc(1, sizeof(*l));

	refcount_init(&l->refcount);
	l->items = xcalloc(n_most + 1, sizeof(*l->items));
	return l;
}

struct listing *catalog_listing_unref(struct listing *l)
{
	if (!l || !refcount_drop(&l->refcount))
		return NULL;
	for (size_t i = 0; i < l->n_items; i++)
		catalog_repository_done(&l->items[i]);
	free(l->items);
	free(l);
	return NULL;
}

void catalog_listing_add(struct listing *l, const char *slug, const char *uuid,
			 const char *project, int64_t updated_ms)
{
	catalog_repository_make(slug, uuid, project, updated_ms,
				&l->items[l->n_items]);
	l->n_items++;
}

static int by_name_and_uuid(const void *a, const void *b)
{
	const struct catalog_repository *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->uuid, y->uuid);
}

void catalog_listing_sort(struct listing *l,
			  void (*drop)(void *arg,
				       const struct catalog_repository *),
			  void *arg)
{
	size_t n = 0;

	qsort(l->items, l->n_items, sizeof(*l->items), by_name_and_uuid);
	for (size_t i = 0; i < l->n_items; i++) {
		if (n && !strcmp(l->items[n - 1].name, l->items[i].name)) {
			if (drop)
				drop(arg, &l->items[i]);
			catalog_repository_done(&l->items[i]);
			continue;
		}
		l->items[n++] = l->items[i];
	}
	l->n_items = n;
}

static int name_against_item(const void *name, const void *item)
{
	return strcmp(name, ((const struct catalog_repository *)item)->name);
}

const struct catalog_repository *catalog_listing_find(const struct listing *l,
						      const char *name)
{
	return bsearch(name, l->items, l->n_items, sizeof(*l->items),
		       name_against_item);
}

int catalog_encode_listing(const struct listing *l, struct buf *out)
{
	cleanup(json_free) struct json *array = json_new_array();

	for (size_t i = 0; i < l->n_items; i++) {
		struct json *item = json_append_object(array);

		json_add_str(item, "slug", l->items[i].slug);
		json_add_str(item, "uuid", l->items[i].uuid);
		json_add_str(item, "project", l->items[i].project);
		json_add_int(item, "updated", l->items[i].updated_ms);
	}
	return json_compact(array, out);
}

int catalog_decode_listing(const char *text, size_t n,
			   struct listing **ret_listing)
{
	cleanup(json_free) struct json *array = NULL;
	struct listing *l;

	if (json_parse(text, n, &array) || !json_is_array(array))
		return -EBADMSG;
	l = catalog_listing_new(json_n_items(array));
	for (const struct json *i = json_first(array); i; i = json_next(i)) {
		const char *slug = json_str(i, "slug");
		const char *uuid = json_str(i, "uuid");
		const char *project = json_str(i, "project");

		if (slug && *slug && uuid && *uuid)
			catalog_listing_add(l, slug, uuid,
					    project ? project : "",
					    json_int(i, "updated", 0));
	}
	catalog_listing_sort(l, NULL, NULL);
	*ret_listing = l;
	return 0;
}
