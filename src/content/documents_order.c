/*
 * content/documents, the order of an index: items come in the order in which
 * pages can be walked, by when they were made; a row may want the newest change
 * first. Lines and objects are written as they come, and put in order at the
 * end, so that no tree of all items is in memory.
 */
#include "content/documents_private.h"

struct documents_place {
	int64_t time_ms;
	size_t at; /* in the order in which they came */
	size_t tsv, n_tsv, json, n_json;
};

void documents_order_done(struct documents_order *o)
{
	free(o->places);
}

void documents_order_add(struct documents_order *o, int64_t time_ms,
			 size_t tsv_from, const struct buf *tsv,
			 size_t json_from, const struct buf *json)
{
	if (tsv->failed || json->failed)
		return;
	/* documents_add_indented: ",\n  {", of the first one "\n  {". */
	json_from += json->data[json_from] == ',' ? 4 : 3;
	mem_grow(o->places, o->n, o->size);
	o->places[o->n] = (struct documents_place){
		.time_ms = time_ms,
		.at = o->n,
		.tsv = tsv_from,
		.n_tsv = tsv->len - tsv_from,
		.json = json_from,
		.n_json = json->len - json_from,
	};
	o->n++;
}

static int newest_first(const void *a, const void *b)
{
	const struct documents_place *x = a, *y = b;

	if (x->time_ms != y->time_ms)
		return x->time_ms < y->time_ms ? 1 : -1;
	return x->at < y->at ? -1 : 1;
}

void documents_order_apply(struct documents_order *o, struct buf *tsv,
			   struct buf *json)
{
	struct buf lines = BUF_INIT(tsv->max), objects = BUF_INIT(json->max);

	if (o->n < 2 || tsv->failed || json->failed)
		return;
	buf_add(&lines, tsv->data, o->places[0].tsv);
	qsort(o->places, o->n, sizeof(*o->places), newest_first);
	buf_putc(&objects, '[');
	for (size_t i = 0; i < o->n; i++) {
		const struct documents_place *p = &o->places[i];

		buf_add(&lines, tsv->data + p->tsv, p->n_tsv);
		buf_puts(&objects, i ? ",\n  " : "\n  ");
		buf_add(&objects, json->data + p->json, p->n_json);
	}
	buf_done(tsv);
	buf_done(json);
	*tsv = lines;
	*json = objects;
}
