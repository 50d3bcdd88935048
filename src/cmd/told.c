/*
 * cmd/told: "key: value" a line, folded at a terminal. The question that
 * one comes with (may I go on?) is answered by the first line.
 */
#include "cmd/told.h"

#include "base/clock.h"
#include "base/text.h"

#define INDENT 2
#define BAR_MOST 20

static const char *when(const struct json *o, const char *path,
			char out[static 24])
{
	const char *text = json_str(o, path);
	int64_t ms;

	return text && !clock_parse_iso8601(text, &ms) ? terminal_time(ms, out)
						       : NULL;
}

static void add_number(struct buf *out, int64_t n)
{
	char number[32];

	buf_puts(out, terminal_number(n > 0 ? (uint64_t)n : 0, number));
}

/* A bar as wide as there is room for; none where nobody looks. */
static void add_bar(const struct terminal *t, int64_t done, int64_t all,
		    struct buf *out)
{
	unsigned columns = t->columns / 4;

	if (!t->is_terminal || all <= 0 || done < 0)
		return;
	terminal_bar(t, (uint64_t)done, (uint64_t)all,
		     columns < BAR_MOST ? columns : BAR_MOST, out);
	buf_putc(out, ' ');
}

static void add_quota(const struct json *s, struct buf *out)
{
	static const char *const classes[] = {"people", "walks", "refreshes"};
	const struct json *q = json_at(s, "quotas.api");
	const struct json *by = json_at(q, "by");
	const char *sep = "; used in the last hour:", *at;
	char time[24];

	buf_puts(out, "quota: ");
	add_number(out, json_int(q, "left", 0));
	buf_puts(out, " of ");
	add_number(out, json_int(q, "limit", 0));
	buf_puts(out, " left");
	at = when(q, "full", time);
	if (at)
		buf_printf(out, ", full again at %s", at);
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++) {
		int64_t n = json_int(by, classes[i], 0);

		if (!n)
			continue;
		buf_printf(out, "%s ", sep);
		add_number(out, n);
		buf_printf(out, " by %s", classes[i]);
		sep = ",";
	}
	buf_putc(out, '\n');
}

static void add_waits(const struct json *s, struct buf *out)
{
	char time[24];
	const char *at = when(s, "requests.paused_until", time);

	if (at)
		buf_printf(out, "paused: until %s, as the service asks\n", at);
	JSON_EACH (one, json_at(s, "waits_until")) {
		at = when(one, "", time);
		if (at)
			buf_printf(out, "waiting: %s, until %s\n",
				   json_key(one), at);
	}
	JSON_EACH (one, json_at(s, "walks")) {
		buf_printf(out, "walk: %s (session %lld), ",
			   json_str(one, "command"),
			   (long long)json_int(one, "session", 0));
		add_number(out, json_int(one, "requests", 0));
		buf_puts(out, " requests in ten minutes\n");
	}
}

static void add_mount(const struct json *s, struct buf *out)
{
	const char *profile = json_str(s, "profile");
	char time[24];
	const char *at = when(s, "mounted", time);

	buf_printf(out, "mounted: %s", json_str(s, "mountpoint"));
	if (at)
		buf_printf(out, " since %s", at);
	buf_printf(out, " (process %lld, bitbucketfs %s)\n",
		   (long long)json_int(s, "pid", 0), json_str(s, "version"));
	buf_printf(out, "account: %s%s", json_str(s, "account"),
		   json_bool(s, "signed_out", false) ? " (signed out)" : "");
	if (profile)
		buf_printf(out, ", profile %s", profile);
	buf_putc(out, '\n');
	if (json_bool(s, "network.offline", false))
		buf_puts(out, "network: not reached; what is cached is "
			      "served\n");
}

static void add_cache(const struct json *s, struct buf *out)
{
	const struct json *c = json_at(s, "cache");
	int64_t used = json_int(c, "used", json_int(c, "bytes", 0));
	int64_t bound = json_int(c, "bound", 0);
	char bytes[16];

	buf_printf(out, "cache: %s",
		   text_bytes(used > 0 ? (uint64_t)used : 0, bytes));
	if (bound > 0)
		buf_printf(out, " of %s", text_bytes((uint64_t)bound, bytes));
	buf_puts(out, ", ");
	add_number(out, json_int(c, "documents", 0));
	buf_printf(out, " documents, %s\n", json_str(c, "directory"));
}

/* ---- what runs ---- */

static void add_objects(const struct json *f, const struct terminal *t,
			struct buf *out)
{
	int64_t done = json_int(f, "objects", 0);
	int64_t all = json_int(f, "objects_total", 0);
	int64_t n = json_int(f, "bytes", 0);
	char bytes[16];

	if (json_bool(f, "waiting", false)) {
		buf_puts(out, "waiting for its turn");
		return;
	}
	add_bar(t, done, all, out);
	if (all > 0)
		buf_printf(out, "%lld%%, ", (long long)(done * 100 / all));
	buf_puts(out, text_bytes(n > 0 ? (uint64_t)n : 0, bytes));
}

static void add_pages(const struct json *l, const struct terminal *t,
		      struct buf *out)
{
	int64_t done = json_int(l, "pages", 0);
	int64_t all = json_int(l, "pages_total", 0);

	add_bar(t, done, all, out);
	buf_puts(out, "page ");
	add_number(out, done);
	if (all > 0) {
		buf_puts(out, " of ");
		add_number(out, all);
	}
}

/* The pack that is coming for that path. */
static const struct json *pack_of(const struct json *status, const char *path)
{
	JSON_EACH (f, json_at(status, "fetching")) {
		cleanup(free) char *name =
			mem_asprintf("%s/%s/", json_str(f, "workspace"),
				     json_str(f, "repository"));

		if (!strncmp(path, name, strlen(name)))
			return f;
	}
	return NULL;
}

static const char *bytes_of(const struct json *o, const char *key,
			    char out[static 16])
{
	int64_t n = json_int(o, key, 0);

	return text_bytes(n > 0 ? (uint64_t)n : 0, out);
}

/* "41%, 4.1 MB of 10 MB" */
static void add_bytes(const struct json *o, const struct terminal *t,
		      struct buf *out)
{
	int64_t done = json_int(o, "bytes", 0);
	int64_t all = json_int(o, "bytes_total", 0);
	char bytes[16];

	add_bar(t, done, all, out);
	if (all > 0)
		buf_printf(out, "%d%%, ",
			   (int)((double)done * 100 / (double)all));
	buf_puts(out, bytes_of(o, "bytes", bytes));
	if (all > 0)
		buf_printf(out, " of %s", bytes_of(o, "bytes_total", bytes));
}

static void add_lfs(const struct json *fetch, const struct terminal *t,
		    struct buf *out)
{
	add_bytes(fetch, t, out);
	buf_puts(out, ", ");
	add_number(out, json_int(fetch, "done", 0));
	buf_puts(out, " of ");
	add_number(out, json_int(fetch, "all", 0));
	buf_puts(out, " objects of LFS");
}

static void add_fetch(const struct json *fetch, const struct json *status,
		      const struct terminal *t, struct buf *out)
{
	const char *path = json_str(fetch, "path");
	int64_t done = json_int(fetch, "done", 0);
	int64_t all = json_int(fetch, "all", 0);
	const struct json *pack = pack_of(status, path);
	char time[24];
	const char *at = when(fetch, "waits_until", time);

	buf_printf(out, "%s ", path);
	if (all > 0 && json_bool(fetch, "lfs", false)) {
		add_lfs(fetch, t, out);
	} else if (all > 1) {
		add_bar(t, done, all, out);
		add_number(out, done);
		buf_puts(out, " of ");
		add_number(out, all);
	} else if (pack) {
		add_objects(pack, t, out);
	} else {
		buf_puts(out, "begins");
	}
	if (json_int(fetch, "failed", 0)) {
		buf_puts(out, ", ");
		add_number(out, json_int(fetch, "failed", 0));
		buf_puts(out, " failed");
	}
	if (at)
		buf_printf(out, ", waits for the quota until %s", at);
}

bool told_fetch(const struct json *status, const char *path,
		const struct terminal *t, struct buf *out)
{
	const struct json *fetch =
		json_find(json_at(status, "fetches"), "path", path);
	cleanup(buf_done) struct buf line = BUF_INIT(0);

	if (!fetch)
		return false;
	add_fetch(fetch, status, t, &line);
	text_clean_buf(&line, 0, "");
	buf_add(out, line.data, line.len);
	return true;
}

static void add_running(const struct json *s, const struct terminal *t,
			struct buf *out)
{
	JSON_EACH (f, json_at(s, "fetches")) {
		buf_puts(out, "fetch: ");
		add_fetch(f, s, t, out);
		buf_putc(out, '\n');
	}
	JSON_EACH (f, json_at(s, "fetching")) {
		buf_printf(out, "fetching: %s/%s ", json_str(f, "workspace"),
			   json_str(f, "repository"));
		add_objects(f, t, out);
		buf_putc(out, '\n');
	}
	JSON_EACH (d, json_at(s, "downloading")) {
		buf_printf(out, "downloading: %s ", json_str(d, "what"));
		add_bytes(d, t, out);
		buf_putc(out, '\n');
	}
	JSON_EACH (l, json_at(s, "listing")) {
		buf_printf(out, "listing: %s ", json_str(l, "what"));
		add_pages(l, t, out);
		buf_putc(out, '\n');
	}
}

/* ---- what is at hand, what went wrong ---- */

/* Nothing of a tree that has none, or of which that is not known. */
static void add_large(const struct json *r, struct buf *out)
{
	const struct json *lfs = json_at(r, "lfs");
	const char *known = json_str(r, "lfs_known");
	char all[16], here[16];

	if (known && !strcmp(known, "counting"))
		buf_puts(out, "lfs: being counted\n");
	else if (known && !strcmp(known, "too many"))
		buf_puts(out, "lfs: more than 100,000 objects\n");
	if (json_int(lfs, "objects", 0) <= 0)
		return;
	buf_puts(out, "lfs: ");
	add_number(out, json_int(lfs, "objects", 0));
	buf_printf(out, " objects (%s), ",
		   text_bytes((uint64_t)json_int(lfs, "bytes", 0), all));
	add_number(out, json_int(lfs, "objects_here", 0));
	buf_printf(out, " of them here (%s)\n",
		   text_bytes((uint64_t)json_int(lfs, "bytes_here", 0), here));
}

static void add_repository(const struct json *s, const struct terminal *t,
			   struct buf *out)
{
	const struct json *r = json_at(s, "repository");
	const struct json *at_hand = json_at(r, "at_hand");
	const char *oldest = NULL, *name = json_str(r, "repository");
	int64_t n = (int64_t)json_n_items(at_hand);
	int64_t all = json_int(r, "all", 0), ms;
	char time[24];

	if (!r)
		return;
	buf_printf(out, "repository: %s/%s ", json_str(r, "workspace"), name);
	add_bar(t, n, all, out);
	buf_printf(out, "%lld of %lld lists at hand", (long long)n,
		   (long long)all);
	JSON_EACH (one, at_hand) {
		const char *fetched = json_str(one, "fetched");

		if (fetched && (!oldest || strcmp(fetched, oldest) < 0))
			oldest = fetched;
	}
	if (oldest && !clock_parse_iso8601(oldest, &ms))
		buf_printf(out, ", the oldest of %s", terminal_time(ms, time));
	buf_putc(out, '\n');
	add_large(r, out);
	JSON_EACH (tree, json_at(s, "trees")) {
		const char *at = when(tree, "checked", time);

		if (strcmp(json_str(tree, "repository"), name) != 0 ||
		    strcmp(json_str(tree, "workspace"),
			   json_str(r, "workspace")) != 0)
			continue;
		buf_printf(out, "tree: %s, %.12s%s%s\n", json_str(tree, "path"),
			   json_str(tree, "commit") ? json_str(tree, "commit")
						    : "empty",
			   at ? ", checked " : "", at ? at : "");
	}
}

static void add_problems(const struct json *s, struct buf *out)
{
	const struct json *all = json_at(s, "problems");
	char time[24];

	buf_printf(out, "problems:%s\n", json_n_items(all) ? "" : " none");
	JSON_EACH (p, all) {
		const char *at = when(p, "time", time);

		buf_puts(out, "  ");
		add_number(out, json_int(p, "count", 0));
		buf_printf(out, " x %s, newest%s%s: %s: %s\n",
			   json_str(p, "kind"), at ? " " : "", at ? at : "",
			   json_str(p, "path"), json_str(p, "sentence"));
	}
}

void told_text(const struct json *s, const struct terminal *t, struct buf *out)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	add_quota(s, &text);
	add_waits(s, &text);
	add_mount(s, &text);
	add_cache(s, &text);
	add_running(s, t, &text);
	add_repository(s, t, &text);
	add_problems(s, &text);
	/* It comes from a daemon of this user's; its strings from anybody. */
	text_clean_buf(&text, 0, "\n");
	terminal_fold(t, text.data ? text.data : "", INDENT, out);
}
