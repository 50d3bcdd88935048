/*
 * cmd/target: from what is written to a path.
 */
#include "cmd/target.h"

#include "api/bitbucket.h"
#include "base/text.h"

#define PATH_MAX_BYTES (16 * KIB)

/* What follows a prefix that ends there; NULL: text does not begin so. */
static const char *after(const char *text, const char *prefix)
{
	size_t n = strlen(prefix);

	return !strncmp(text, prefix, n) && (!text[n] || strchr("/?", text[n]))
		       ? text + n
		       : NULL;
}

/* "/2.0" of "https://api.bitbucket.org/2.0". */
static const char *path_of_url(const char *url)
{
	const char *host = strstr(url, "://");

	host = host ? host + 3 : url;
	return host + strcspn(host, "/");
}

static bool is_url(const char *text)
{
	return !strncmp(text + strcspn(text, ":/?"), "://", 3);
}

/* What is below api_url; NULL: it is elsewhere. */
static const char *below(const char *api_url, const char *given)
{
	const char *path, *own = path_of_url(api_url);

	if (is_url(given))
		return after(given, api_url);
	given += strspn(given, "/");
	path = *own ? after(given, own + 1) : NULL;
	return path ? path : given;
}

/* False: a segment leads out. */
static bool add_segments(struct buf *out, const char *path, size_t n)
{
	for (const char *end = path + n; path < end;) {
		const char *slash = memchr(path, '/', (size_t)(end - path));
		size_t n_segment = (size_t)((slash ? slash : end) - path);

		if (bitbucket_has_dots(path, n_segment))
			return false;
		bitbucket_add_segment(out, path, n_segment);
		path += n_segment + (slash ? 1 : 0);
	}
	return true;
}

static void add_query(struct buf *out, const char *query, const char *q,
		      bool is_list)
{
	cleanup(buf_done) struct buf all = BUF_INIT(PATH_MAX_BYTES);

	buf_puts(&all, query);
	if (q) {
		buf_puts(&all, *query ? "&q=" : "q=");
		text_percent_encode(&all, q, "");
	}
	if (all.failed)
		out->failed = all.failed;
	bitbucket_add_query(out, all.data ? all.data : "", is_list);
}

enum command_exit target_path(const char *api_url, const char *given,
			      const char *q, bool is_list, char **ret_path)
{
	cleanup(buf_done) struct buf out = BUF_INIT(PATH_MAX_BYTES);
	const char *path = below(api_url, given);
	size_t n;

	/* Not quoted: a URL may have a password in it. */
	if (!path)
		return command_usage("this URL is not below %s, and nothing "
				     "else is asked",
				     api_url);
	path += strspn(path, "/");
	n = strcspn(path, "?");
	if (!n)
		return command_usage("there is no PATH in '%s': write one "
				     "below %s, like /user",
				     is_url(given) ? api_url : given, api_url);
	if (!add_segments(&out, path, n))
		return command_usage("'%s' leads out of %s", given, api_url);
	add_query(&out, path[n] ? path + n + 1 : "", q, is_list);
	if (out.failed)
		return command_usage("the PATH and its query are longer than "
				     "%zu bytes",
				     (size_t)PATH_MAX_BYTES);
	*ret_path = buf_steal(&out, NULL);
	return COMMAND_OK;
}
