/*
 * Microseconds of a processor that base/json takes for a document, parsed and
 * freed:
 *
 *     build/tests/bench-json [BYTES]     (4,100,000 of repositories, else)
 *
 * Prints the bytes, the median of eleven, and how much more is resident while
 * it is there.
 */
#include "base/file.h"
#include "base/json.h"

#include <malloc.h>
#include <time.h>

#define RUNS 11

static void add_repository(struct buf *out, int i)
{
	buf_printf(out,
		   "%s{\"type\": \"repository\", \"full_name\": \"acme/r%d\", "
		   "\"uuid\": \"{%032d}\", \"size\": %d, \"has_wiki\": false, "
		   "\"is_private\": true, \"parent\": null, \"language\": "
		   "\"c\", \"description\": \"Caf\\u00e9 number %d\", "
		   "\"links\": {",
		   i ? ", " : "", i, i, i * 1000, i);
	for (int k = 0; k < 12; k++)
		buf_printf(out,
			   "%s\"link%d\": {\"href\": \"https://api.example.org/"
			   "2.0/repositories/acme/r%d/link%d\"}",
			   k ? ", " : "", k, i, k);
	buf_puts(out, "}, \"owner\": {\"display_name\": \"Ada\", \"nickname\": "
		      "\"ada\", \"type\": \"user\"}}");
}

static size_t resident(void)
{
	cleanup(buf_done) struct buf text = BUF_INIT(KIB);

	check(file_read("/proc/self/statm", KIB, &text) == 0);
	return 4096 * strtoul(strchr(text.data, ' '), NULL, 10);
}

static int by_value(const void *a, const void *b)
{
	return *(const int64_t *)a < *(const int64_t *)b ? -1 : 1;
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 4100000;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	int64_t took[RUNS];
	size_t held = 0;

	mallopt(M_ARENA_MAX, 2);
	mallopt(M_TRIM_THRESHOLD, 256 * KIB);
	mallopt(M_MMAP_THRESHOLD, 256 * KIB);
	buf_putc(&text, '[');
	for (int i = 0; text.len < n; i++)
		add_repository(&text, i);
	buf_putc(&text, ']');
	for (int i = 0; i < RUNS; i++) {
		size_t before = resident();
		struct json *json = NULL;
		struct timespec a, b;

		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &a);
		check(json_parse(text.data, text.len, &json) == 0);
		held = resident() - before;
		json_free(json);
		clock_gettime(CLOCK_THREAD_CPUTIME_ID, &b);
		took[i] = (b.tv_sec - a.tv_sec) * 1000000 +
			  (b.tv_nsec - a.tv_nsec) / 1000;
	}
	qsort(took, RUNS, sizeof(*took), by_value);
	printf("%zu %lld %zu\n", text.len, (long long)took[RUNS / 2], held);
	return 0;
}
