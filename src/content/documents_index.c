/*
 * content/documents, an index: index.tsv and index.json of the same items.
 * Items come in the order in which pages can be walked, by when they were made;
 * a row may want the newest change first. Lines and objects are written as they
 * come, and put in order at the end, so that no tree of all items is in memory.
 */
#include "content/documents_private.h"

struct documents_place {
	int64_t time_ms;
	size_t at; /* in the order in which they came */
	size_t tsv, n_tsv, json, n_json;
};

void documents_index_begin(struct documents_index *x,
			   const struct resource_column *columns,
			   const char *newest, size_t max)
{
	*x = (struct documents_index){
		.columns = columns,
		.newest = newest,
		.tsv = BUF_INIT(max),
		.json = BUF_INIT(max),
	};
	resource_tsv_header(columns, &x->tsv);
	buf_puts(&x->json, "[");
}

void documents_index_done(struct documents_index *x)
{
	buf_done(&x->tsv);
	buf_done(&x->json);
	free(x->places);
}

static void begin_object(struct buf *json, bool first)
{
	buf_puts(json, first ? "\n  " : ",\n  ");
}

int documents_index_add(struct documents_index *x, const struct json *item,
			const struct json *line)
{
	static const size_t n_end = sizeof("\n]\n") - 1;
	size_t tsv = x->tsv.len, json = x->json.len, object;

	resource_tsv_line(x->columns, line, &x->tsv);
	begin_object(&x->json, json == 1);
	object = x->json.len;
	json_pretty_inside(item, 1, &x->json);
	if (x->tsv.failed || x->json.failed ||
	    x->json.len + n_end > x->json.max) {
		buf_cut(&x->tsv, tsv);
		buf_cut(&x->json, json);
		return -EFBIG;
	}
	if (!x->newest)
		return 0;
	mem_grow(x->places, x->n_places, x->n_room);
	x->places[x->n_places] = (struct documents_place){
		.time_ms = resource_time(item, x->newest),
		.at = x->n_places,
		.tsv = tsv,
		.n_tsv = x->tsv.len - tsv,
		.json = object,
		.n_json = x->json.len - object,
	};
	x->n_places++;
	return 0;
}

static int newest_first(const void *a, const void *b)
{
	const struct documents_place *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? 1 : -1;
	return x->at < y->at ? -1 : 1;
}

static void put_in_order(struct documents_index *x)
{
	struct buf tsv = BUF_INIT(x->tsv.max), json = BUF_INIT(x->json.max);

	buf_add(&tsv, x->tsv.data, x->places[0].tsv);
	qsort(x->places, x->n_places, sizeof(*x->places), newest_first);
	buf_putc(&json, '[');
	for (size_t i = 0; i < x->n_places; i++) {
		const struct documents_place *p = &x->places[i];

		buf_add(&tsv, x->tsv.data + p->tsv, p->n_tsv);
		begin_object(&json, i == 0);
		buf_add(&json, x->json.data + p->json, p->n_json);
	}
	buf_done(&x->tsv);
	buf_done(&x->json);
	x->tsv = tsv;
	x->json = json;
}

void documents_index_end(struct documents_index *x)
{
	if (x->n_places > 1)
		put_in_order(x);
	buf_puts(&x->json, x->json.len > 1 ? "\n]\n" : "]\n");
	check(!x->json.failed && !x->tsv.failed);
}
