/*
 * cmd/cache: the table. A name is the last of its line and may be of any
 * length; on a narrow terminal there is the sum alone before it.
 */
#include "cmd/cache.h"
#include "cmd/command.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "content/usage.h"
#include "setup/config.h"
#include "store/evict.h"

#define WIDE_LEAST 80
#define N_DATE 10
#define N_ALL (CACHE_NAME_AT - 2)

uint64_t cache_bound(uint64_t cache_size, const char *dir)
{
	if (cache_size == CONFIG_UNBOUNDED)
		return 0;
	return cache_size ? cache_size : evict_default_bytes(dir);
}

static const char *name_of(const struct usage_repository *r)
{
	return r->name ? r->name : r->uuid;
}

static void add_bytes(struct buf *out, uint64_t n, int width)
{
	char text[16];

	buf_printf(out, "%*s", width, n ? text_bytes(n, text) : "-");
}

static void add_date(struct buf *out, int64_t ms)
{
	char text[24] = "-";

	if (ms)
		clock_format_iso8601(ms, text);
	buf_printf(out, "  %-*.*s", N_DATE, N_DATE, text);
}

static void add_row(struct buf *out, const struct usage_repository *r,
		    bool wide)
{
	const uint64_t parts[] = {r->n_git, r->n_big, r->n_files, r->n_answers};

	add_bytes(out, usage_bytes(r), N_ALL);
	for (size_t i = 0; wide && i < ARRAY_SIZE(parts); i++)
		add_bytes(out, parts[i], 10);
	if (wide)
		add_date(out, r->used_ms);
	buf_printf(out, "  %s%s\n", name_of(r), r->kept ? " (kept)" : "");
}

void cache_show(const struct usage *usage, uint64_t bound, unsigned columns,
		struct buf *out)
{
	bool wide = !columns || columns >= WIDE_LEAST;
	char text[16];

	if (usage->n_items && wide)
		buf_printf(out, "%*s%10s%10s%10s%10s  %-*s  %s\n", N_ALL, "ALL",
			   "GIT", "BIG FILES", "DOWNLOADS", "ANSWERS", N_DATE,
			   "USED", "REPOSITORY");
	for (size_t i = 0; i < usage->n_items; i++)
		add_row(out, usage->items[i], wide);
	add_bytes(out, usage->n_rest, N_ALL);
	buf_puts(out, "  lists, and what is free\n");
	add_bytes(out, usage->n_bytes, N_ALL);
	if (bound)
		buf_printf(out, "  of %s (cache_size)\n",
			   text_bytes(bound, text));
	else
		buf_puts(out, "  in all; cache_size is off\n");
	if (usage->n_kept) {
		add_bytes(out, usage->n_kept, N_ALL);
		buf_puts(out, "  of it kept\n");
	}
}

static void tell_one(const struct usage_repository *r, struct json *into)
{
	char used[24];

	if (r->name)
		json_add_str(into, "name", r->name);
	else
		json_add_null(into, "name");
	json_add_str(into, "uuid", r->uuid);
	json_add_int(into, "bytes", (int64_t)usage_bytes(r));
	json_add_int(into, "git", (int64_t)r->n_git);
	json_add_int(into, "big_files", (int64_t)r->n_big);
	json_add_int(into, "downloads", (int64_t)r->n_files);
	json_add_int(into, "answers", (int64_t)r->n_answers);
	if (r->used_ms)
		json_add_str(into, "used",
			     clock_format_iso8601(r->used_ms, used));
	else
		json_add_null(into, "used");
	json_add_bool(into, "kept", r->kept);
}

void cache_tell(const struct usage *usage, const char *dir, uint64_t bound,
		struct json *into)
{
	struct json *all;

	json_add_str(into, "directory", dir);
	json_add_int(into, "bytes", (int64_t)usage->n_bytes);
	if (bound)
		json_add_int(into, "bound", (int64_t)bound);
	else
		json_add_null(into, "bound");
	json_add_int(into, "kept", (int64_t)usage->n_kept);
	json_add_int(into, "rest", (int64_t)usage->n_rest);
	all = json_add_array(into, "repositories");
	for (size_t i = 0; i < usage->n_items; i++)
		tell_one(usage->items[i], json_append_object(all));
}
