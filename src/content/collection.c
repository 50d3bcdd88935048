/*
 * content/collection: collections as they are stored, JSON that people can
 * read.
 *
 * A collection is {"more","most","cut","items":[{"name","id","hash","time"}]}.
 * Of workspaces and repositories, whose names follow from their slugs, it is an
 * array: [{"slug","uuid","project","updated"}], of workspaces the first two.
 */
#include "content/collection_private.h"

#include "base/json.h"
#include "base/text.h"

#include <inttypes.h>

/* ---- in memory ---- */

static int by_name(const void *a, const void *b)
{
	const struct collection_item *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->id, y->id);
}

static int name_against_item(const void *name, const void *item)
{
	return strcmp(name, ((const struct collection_item *)item)->name);
}

const struct collection_item *collection_find(const struct collection *c,
					      const char *name)
{
	return bsearch(name, c->items, c->n_items, sizeof(*c->items),
		       name_against_item);
}

const struct collection_item *collection_find_id(const struct collection *c,
						 const char *id)
{
	for (size_t i = 0; i < c->n_items; i++)
		if (!strcmp(c->items[i].id, id))
			return &c->items[i];
	return NULL;
}

int64_t collection_newest(const struct collection *c)
{
	int64_t newest = 0;

	for (size_t i = 0; i < c->n_items; i++)
		if (c->items[i].time_ms > newest)
			newest = c->items[i].time_ms;
	return newest;
}

struct collection *collection_unref(struct collection *c)
{
	if (!c || !refcount_drop(&c->refcount_private))
		return NULL;
	free(c->items);
	free(c->bytes_private);
	free(c);
	return NULL;
}

/* ---- names made of slugs ---- */

/* A directory's own names are those of its rows. */
static void name_of(const struct resource *row, const char *slug,
		    struct buf *name)
{
	const char *own[8] = {NULL};

	for (size_t i = 0; row->rows && row->rows[i].name; i++) {
		check(i + 1 < ARRAY_SIZE(own));
		own[i] = row->rows[i].name;
	}
	buf_clear(name);
	text_file_name(name, slug, own);
}

char *collection_name_of(const struct resource *row, const char *slug)
{
	struct buf name = BUF_INIT(0);

	name_of(row, slug, &name);
	return buf_steal(&name, NULL);
}

/* ---- decoding ---- */

/* What the item borrows beside the JSON. */
struct made {
	struct buf name;
	char hash[24];
};

static bool read_line(const struct resource *row, const struct json *from,
		      struct made *made, struct collection_item *ret)
{
	const char *uuid = json_str(from, "uuid");
	const char *project = json_str(from, "project");

	ret->slug = json_str(from, "slug");
	/* Those who compare projects compare texts, also of a foreign line. */
	if (row->special == RESOURCE_REPOSITORIES)
		ret->project = project ? project : "";
	ret->time_ms = json_int(from, "updated", 0);
	ret->id = uuid ? uuid : "";
	if (!ret->slug || !*ret->slug ||
	    (row->special == RESOURCE_REPOSITORIES && !*ret->id))
		return false;
	name_of(row, ret->slug, &made->name);
	snprintf(made->hash, sizeof(made->hash), "%" PRId64, ret->time_ms);
	ret->name = made->name.data;
	ret->hash = made->hash;
	return true;
}

static bool read_item(const struct json *from, struct collection_item *ret)
{
	ret->name = json_str(from, "name");
	ret->id = json_str(from, "id");
	ret->hash = json_str(from, "hash");
	ret->time_ms = json_int(from, "time", 0);
	return ret->name && ret->id && ret->hash;
}

static size_t length(const char *text)
{
	return text ? strlen(text) + 1 : 0;
}

static const char *copy(char **at, const char *text)
{
	char *copied = *at;

	if (!text)
		return NULL;
	*at = stpcpy(copied, text) + 1;
	return copied;
}

/* Of two with the same name the later by its id is left out. */
static void leave_out_twins(struct collection *c)
{
	size_t n = 0;

	for (size_t i = 0; i < c->n_items; i++)
		if (!n || strcmp(c->items[n - 1].name, c->items[i].name) != 0)
			c->items[n++] = c->items[i];
	c->n_items = n;
}

/* Twice: c NULL, for the length of all texts; then c is filled. False: an item
 * lacks what every item has. */
static bool read_items(const struct resource *row, const struct json *items,
		       bool lines, struct collection *c, size_t *ret_n_bytes)
{
	cleanup(buf_done) struct buf done = BUF_INIT(0);
	char *at = c ? c->bytes_private : NULL;
	struct made made = {.name = BUF_INIT(0)};
	bool good = true;

	JSON_EACH (i, items) {
		struct collection_item item = {0};

		if (lines ? !read_line(row, i, &made, &item)
			  : !read_item(i, &item)) {
			good = good && lines;
			continue;
		}
		*ret_n_bytes += length(item.name) + length(item.id) +
				length(item.hash) + length(item.slug) +
				length(item.project);
		if (!c)
			continue;
		item.name = copy(&at, item.name);
		item.id = copy(&at, item.id);
		item.hash = copy(&at, item.hash);
		item.slug = copy(&at, item.slug);
		item.project = copy(&at, item.project);
		c->items[c->n_items++] = item;
	}
	done = made.name;
	return good;
}

int collection_decode(const struct resource *row, const char *text, size_t n,
		      struct collection **ret)
{
	cleanup(json_free) struct json *top = NULL;
	const struct json *items;
	struct collection *c;
	size_t n_bytes = 0;
	bool lines;

	if (json_parse(text, n, &top))
		return -EBADMSG;
	lines = collection_is_listing(row);
	items = lines ? top : json_at(top, "items");
	if (!json_is_array(items) ||
	    !read_items(row, items, lines, NULL, &n_bytes))
		return -EBADMSG;
	c = mem_calloc(1, sizeof(*c));
	refcount_init(&c->refcount_private);
	c->more = !lines && json_bool(top, "more", false);
	c->is_cut = !lines && json_bool(top, "cut", false);
	c->most = lines ? 0 : json_int(top, "most", 0);
	c->items = mem_calloc(json_n_items(items) + 1, sizeof(*c->items));
	c->bytes_private = mem_alloc(n_bytes + 1);
	read_items(row, items, lines, c, &n_bytes);
	qsort(c->items, c->n_items, sizeof(*c->items), by_name);
	leave_out_twins(c);
	*ret = c;
	return 0;
}

/* ---- encoding lines ---- */

void collection_lines_done(struct collection_lines *l)
{
	for (size_t i = 0; i < l->n; i++) {
		free(l->lines[i].name);
		free(l->lines[i].slug);
		free(l->lines[i].uuid);
		free(l->lines[i].project);
	}
	free(l->lines);
}

void collection_lines_add(struct collection_lines *l, const char *slug,
			  const char *uuid, const char *project,
			  int64_t updated_ms)
{
	mem_grow(l->lines, l->n, l->size);
	l->lines[l->n++] = (struct collection_line){
		.name = collection_name_of(l->row, slug),
		.slug = mem_strdup(slug),
		.uuid = mem_strdup(uuid),
		.project = project ? mem_strdup(project) : NULL,
		.updated_ms = updated_ms,
	};
}

static int by_name_and_uuid(const void *a, const void *b)
{
	const struct collection_line *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	return order ? order : strcmp(x->uuid, y->uuid);
}

int collection_lines_encode(struct collection_lines *l,
			    void (*left_out)(void *arg,
					     const struct collection_line *),
			    void *arg, struct buf *out)
{
	cleanup(json_free) struct json *array = json_new_array();
	const char *before = NULL;

	if (l->n)
		qsort(l->lines, l->n, sizeof(*l->lines), by_name_and_uuid);
	for (size_t i = 0; i < l->n; i++) {
		const struct collection_line *line = &l->lines[i];
		struct json *item;

		if (before && !strcmp(before, line->name)) {
			if (left_out)
				left_out(arg, line);
			continue;
		}
		before = line->name;
		item = json_append_object(array);
		json_add_str(item, "slug", line->slug);
		json_add_str(item, "uuid", line->uuid);
		if (!line->project)
			continue;
		json_add_str(item, "project", line->project);
		json_add_int(item, "updated", line->updated_ms);
	}
	return json_compact(array, out);
}
