/* model/events: lines, under one generation until there are too many. */
#include "model/events.h"

#include "base/clock.h"
#include "base/log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static char *text(struct events *events, uint64_t generation)
{
	struct blob *blob = NULL;
	char *copy;

	assert_int_equal(events_read(events, generation, 0, 4 * MIB, &blob), 0);
	copy = mem_dup0(blob_data(blob), blob_len(blob));
	blob_unref(blob);
	return copy;
}

static void a_line_moves_no_terminal(void **)
{
	struct events *events = events_new();
	char *said;

	clock_fake(1000000, 0);
	log_redact("hunter22");
	events_add(events, "acme/a\tb", "x\033[2J\ny hunter22");
	said = text(events, 1);
	assert_string_equal(said, "1970-01-01T00:00:00Z\tacme/a\\tb\t"
				  "x\\x1b[2J\\ny \xe2\x80\xa6\n");
	free(said);
	log_forget();
	events_free(events);
	clock_real();
}

static void past_a_mebibyte_it_begins_anew(void **)
{
	struct events *events = events_new();
	struct growing_stat before, after;
	char *said, *old;
	unsigned n_lines = 0, i = 0;

	clock_fake(1000000, 1000000);
	do {
		char what[32];

		snprintf(what, sizeof(what), "change %u", i++);
		assert_int_equal(events_stat(events, 0, &before), 0);
		events_add(events, "acme/widgets/tree", what);
		assert_int_equal(events_stat(events, 0, &after), 0);
	} while (after.generation == before.generation);
	assert_true(before.size <= MIB && before.size > MIB - 100);
	assert_true(after.mtime_ms >= before.mtime_ms + 1000);
	said = text(events, after.generation);
	for (const char *c = said; *c; c++)
		n_lines += *c == '\n';
	assert_int_equal(n_lines, 101);
	old = mem_asprintf("change %u\n", i - 1);
	assert_string_equal(said + strlen(said) - strlen(old), old);
	free(old);
	free(said);
	/* Who is in the middle of the one before finishes it. */
	said = text(events, before.generation);
	assert_int_equal(strlen(said), before.size);
	free(said);
	events_free(events);
	clock_real();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_moves_no_terminal),
		cmocka_unit_test(past_a_mebibyte_it_begins_anew),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
