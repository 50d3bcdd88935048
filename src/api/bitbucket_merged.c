/*
 * api/bitbucket, one GET as people would want to see it, its pages merged.
 */
#include "api/bitbucket_private.h"

#define MOST_MERGED 200

/* The values of a page, after those that are there. */
static void merge_values(const struct json *page, size_t *n, struct buf *values)
{
	const struct json *array = json_at(page, "values");

	JSON_EACH (i, array) {
		buf_puts(values, (*n)++ ? ",\n    " : "\n    ");
		json_pretty_inside(i, 2, values);
	}
}

struct merging {
	struct ctx *ctx;
	const char *path;
	struct json *first; /* page; or the answer, which is none */
	struct buf values;
	char *next; /* of the last page */
	size_t n, n_pages;
};

/* The first page's other members, and the values of all; of a list that goes on
 * where it cannot be followed also where. */
static void write_merged(const struct merging *m, bool cut, struct buf *out)
{
	static const char *const paging[] = {"next",    "previous", "page",
					     "pagelen", "size",     "values"};

	buf_printf(out, "{\n  \"size\": %zu", m->n);
	JSON_EACH (i, m->first) {
		bool ours = false;

		for (size_t k = 0; k < ARRAY_SIZE(paging); k++)
			ours = ours || strcmp(json_key(i), paging[k]) == 0;
		if (ours)
			continue;
		buf_puts(out, ",\n  ");
		json_pretty_key(json_key(i), out);
		json_pretty_inside(i, 1, out);
	}
	if (cut && m->next) {
		cleanup(json_free) struct json *object = json_new_object();

		json_add_str(object, "next", m->next);
		buf_puts(out, ",\n  \"next\": ");
		json_pretty_inside(json_first(object), 1, out);
	}
	buf_puts(out, ",\n  \"values\": [");
	buf_add(out, m->values.data ? m->values.data : "", m->values.len);
	buf_puts(out, m->n ? "\n  ]\n}\n" : "]\n}\n");
}

static int merge_page(void *arg, struct json **page)
{
	struct merging *m = arg;
	const char *next = json_str(*page, "next");

	if (m->n_pages++ == MOST_MERGED || m->values.failed)
		return ctx_fail(m->ctx, -EFBIG,
				"%s has more than 64 MiB or %d pages: ask for "
				"less of it with q=, or for more on a page "
				"with pagelen=100.",
				m->path, MOST_MERGED);
	free(m->next);
	m->next = next ? mem_strdup(next) : NULL;
	merge_values(*page, &m->n, &m->values);
	if (!m->first)
		m->first = steal(page);
	return 0;
}

int bitbucket_get_merged(struct ctx *ctx, struct bitbucket *b, const char *path,
			 const struct bitbucket_kept *kept, struct buf *out,
			 long *ret_status)
{
	struct merging m = {.ctx = ctx, .path = path, .values = BUF_INIT(0)};
	struct bitbucket_list list = {
		.path = path,
		.each_page = merge_page,
		.arg = &m,
		.kept = kept,
	};
	bool more;
	int r = bitbucket_list(ctx, b, &list, &more);

	*ret_status = list.status;
	if (r == 0 && !json_is_array(json_at(m.first, "values")))
		r = json_pretty(m.first, out);
	else if (r == 0)
		write_merged(&m, list.came == BITBUCKET_CAME_CUT, out);
	if (r == 0 && (m.values.failed || out->failed))
		r = ctx_fail(ctx, -EFBIG, "%s has more than 64 MiB.", path);
	json_free(m.first);
	buf_done(&m.values);
	free(m.next);
	return r;
}
