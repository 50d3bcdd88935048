/*
 * wire/asked: what is shown of a request.
 */
#include "asked.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

#include <inttypes.h>

#define URL_MAX (4 * KIB)

/* What the service's own documents call these parameters. Any other may be a
 * signature, or a token. */
static bool is_plain(const char *item, size_t n)
{
	static const char *const plain[] = {
		"exclude", "fields",  "format", "include", "max_depth",
		"page",    "pagelen", "path",   "q",       "renames",
		"role",    "service", "sort",   "state",   "topic",
	};

	for (size_t i = 0; i < ARRAY_SIZE(plain); i++)
		if (strlen(plain[i]) == n && !strncmp(plain[i], item, n))
			return true;
	return false;
}

static void add_url(struct buf *out, const char *url)
{
	size_t n = strcspn(url, "?");
	char before = '?';

	buf_add(out, url, n);
	for (url += n; *url; before = '&') {
		const char *item = url + 1;
		size_t n_item = strcspn(item, "&"), n_name;

		n_name = strcspn(item, "=&");
		buf_putc(out, before);
		if (is_plain(item, n_name))
			buf_add(out, item, n_item);
		else if (n_name < n_item)
			buf_printf(out, "%.*s=...", (int)n_name, item);
		else
			buf_puts(out, "...");
		url = item + n_item;
	}
}

/* Who wanted it: what for, and by which program. */
static void add_cause(struct buf *out, const struct ctx *ctx)
{
	cleanup(buf_done) struct buf name = BUF_INIT(64);
	char path[64];

	if (ctx->cause[0])
		buf_printf(out, ", for %s", ctx->cause);
	else if (ctx->who == CTX_REFRESH)
		buf_puts(out, ", in the background");
	if (ctx->caller <= 0)
		return;
	snprintf(path, sizeof(path), "/proc/%d/comm", (int)ctx->caller);
	if (file_read(path, 64, &name) == 0 && name.len)
		buf_printf(out, ", by %.*s (%d)", (int)strcspn(name.data, "\n"),
			   name.data, (int)ctx->caller);
	else
		buf_printf(out, ", by process %d", (int)ctx->caller);
}

void asked_say(const struct ctx *ctx, const struct asked *asked)
{
	cleanup(buf_done) struct buf line = BUF_INIT(URL_MAX + KIB);

	if (!ctx_tells())
		return;
	buf_printf(&line, "%s ", asked->method);
	add_url(&line, asked->url);
	if (asked->status)
		buf_printf(&line, " %ld", asked->status);
	if (asked->failed < 0)
		buf_printf(&line, " %s", strerrorname_np(-asked->failed));
	buf_printf(&line, " %" PRIu64 " bytes %" PRId64 " ms",
		   asked->n_received, clock_mono_ms() - asked->began_ms);
	if (asked->left >= 0)
		buf_printf(&line, ", %" PRId64 " left", asked->left);
	else if (ctx->left >= 0)
		buf_printf(&line, ", about %" PRId64 " left", ctx->left);
	add_cause(&line, ctx);
	log_asked("request: %s",
		  line.failed ? "(its URL is too long)" : line.data);
}
