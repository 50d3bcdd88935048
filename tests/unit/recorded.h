/*
 * Bodies in the shapes that the service sends, and mutations of JSON: cut off,
 * and with every value replaced by one of another type.
 *
 * The project's own (corpora/answers) are written anew, with invented values,
 * under the names of those that were recorded; where this machine has these,
 * too (SHARED, or beside the project), they are read besides.
 */
#ifndef TESTS_RECORDED_H
#define TESTS_RECORDED_H

#include "base/file.h"
#include "base/json.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

/* Calls each with the directory of our own bodies, then with that of recorded
 * ones, if there is one. */
__attribute__((unused)) static void
recorded_each(void (*each)(const char *dir, void *arg), void *arg)
{
	const char *shared = getenv("SHARED"), *corpora = getenv("CORPORA");
	cleanup(free) char *own = NULL, *recorded = NULL;

	if (!corpora)
		corpora = "tests/corpora";
	own = mem_asprintf("%s/answers", corpora);
	recorded =
		shared ? mem_asprintf("%s/bitbucket/recorded", shared)
		       : mem_asprintf("%s/../../../shared/bitbucket/recorded",
				      corpora);
	each(own, arg);
	if (!access(recorded, R_OK | X_OK))
		each(recorded, arg);
}

__attribute__((unused)) static void
recorded_read(const char *dir, const char *name, struct buf *ret_text)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", dir, name);

	if (file_read(path, 16 * MIB, ret_text))
		fail_msg("cannot read %s", path);
}

struct mutation {
	size_t n_values; /* seen so far */
	size_t target;   /* this one, counted from 0, becomes … */
	const char *replacement;
};

__attribute__((unused)) static void
mutation_print(struct mutation *m, const struct json *json, struct buf *out)
{
	bool object = json_is_object(json);

	if (m->n_values++ == m->target) {
		buf_puts(out, m->replacement);
		return;
	}
	if (!object && !json_is_array(json)) {
		json_compact(json, out);
		return;
	}
	buf_putc(out, object ? '{' : '[');
	for (const struct json *i = json_first(json); i; i = json_next(i)) {
		/* No key of what is mutated here needs an escape. */
		if (object)
			buf_printf(out, "\"%s\":", json_key(i));
		mutation_print(m, i, out);
		if (json_next(i))
			buf_putc(out, ',');
	}
	buf_putc(out, object ? '}' : ']');
}

static const char *const mutation_values[] = {
	"null",        "0",  "-1.5e300",  "true", "\"\"",
	"\"\\u0000\"", "[]", "[null, 1]", "{}",   "{\"href\": 3}",
};

/* Calls each with every mutation of text: cut after every 37th byte, and every
 * value (the root, too) replaced by every one of mutation_values. */
__attribute__((unused)) static size_t
mutate(const char *text, size_t n, void (*each)(const char *, size_t, void *),
       void *arg)
{
	cleanup(json_free) struct json *json = NULL;
	cleanup(buf_done) struct buf whole = BUF_INIT(0);
	struct mutation count = {.target = SIZE_MAX};
	size_t n_mutations = 0;

	for (size_t cut = 0; cut < n; cut += 37, n_mutations++) {
		/* Exactly so much memory: a read past the end is found. */
		char *piece = mem_alloc(cut ? cut : 1);

		memcpy(piece, text, cut);
		each(piece, cut, arg);
		free(piece);
	}
	assert_int_equal(json_parse(text, n, &json), 0);
	mutation_print(&count, json, &whole);
	for (size_t target = 0; target < count.n_values; target++) {
		for (size_t v = 0; v < ARRAY_SIZE(mutation_values); v++) {
			cleanup(buf_done) struct buf out = BUF_INIT(0);
			struct mutation m = {
				.target = target,
				.replacement = mutation_values[v],
			};

			mutation_print(&m, json, &out);
			each(out.data, out.len, arg);
			n_mutations++;
		}
	}
	return n_mutations;
}

#endif
