/*
 * clone/lfs, what servers say (git-lfs, docs/api/batch.md and
 * authentication.md). All of it is a stranger's: what would be a header of
 * another request, or another one's, is none.
 */
#include "clone/lfs_private.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"

#include <strings.h>

#define HEADERS_MOST 15
#define HEADER_MOST (8 * KIB)
#define URL_MOST (16 * KIB)
/* A place of which nothing is said; the longest; and so long before its end it
 * is not begun with any more. */
#define PLACE_MS (INT64_C(10) * 60 * 1000)
#define PLACE_MOST_MS (INT64_C(24) * 3600 * 1000)
#define MARGIN_MS 10000

void lfs_said_done(struct lfs_said *said, size_t n)
{
	for (size_t i = 0; i < n; i++)
		http_place_done(&said[i].place);
}

void lfs_server_done(struct lfs_server *server)
{
	http_place_done(&server->place);
}

void lfs_answer_message(const char *body, size_t n, char *out, size_t size)
{
	cleanup(json_free) struct json *json = NULL;
	const char *text = NULL;

	if (body && json_parse(body, n, &json) == 0)
		text = json_str(json, "message");
	snprintf(out, size, "%s", text ? text : "");
}

/* ---- a place ---- */

static bool is_token(const char *name)
{
	for (const char *c = name; *c; c++)
		if ((unsigned char)*c <= ' ' || *c == ':' ||
		    (unsigned char)*c >= 127)
			return false;
	return *name;
}

static bool is_value(const char *value)
{
	for (const char *c = value; *c; c++)
		if (((unsigned char)*c < ' ' && *c != '\t') || *c == 127)
			return false;
	return strlen(value) <= HEADER_MOST;
}

/* What a request says of itself, or of its connection, is this program's. */
static bool is_ours(const char *name)
{
	static const char *const ours[] = {
		"Range",
		"Host",
		"Content-Length",
		"Transfer-Encoding",
		"Connection",
		"If-Range",
		"Expect",
		"Accept-Encoding",
		"TE",
		"Proxy-Authorization",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ours); i++)
		if (!strcasecmp(name, ours[i]))
			return true;
	return false;
}

/* False: one is no header. */
static bool read_headers(const struct json *header, struct http_place *place)
{
	size_t n = 0;

	place->headers = mem_calloc(HEADERS_MOST + 1, sizeof(char *));
	JSON_EACH (item, header) {
		const char *name = json_key(item), *value = json_str(item, "");

		if (!name || !value || !is_token(name) || !is_value(value) ||
		    n == HEADERS_MOST)
			return false;
		if (!strcasecmp(name, "Authorization")) {
			text_wipe(place->authorization);
			place->authorization = mem_strdup(value);
		} else if (!is_ours(name)) {
			place->headers[n++] =
				mem_asprintf("%s: %s", name, value);
		}
	}
	return true;
}

/* Until when an action or an authorization is good (clock_mono_ms), and is
 * begun with. As git-lfs has them, the seconds count before the time, and of
 * both a zero says nothing: the year 1 is what a server in Go writes for no
 * time. */
static int64_t until_ms(const struct json *of)
{
	const char *at = json_str(of, "expires_at");
	int64_t left = json_int(of, "expires_in", 0), wall;

	if (left > PLACE_MOST_MS / 1000)
		left = PLACE_MOST_MS;
	else if (left)
		left = left > 0 ? left * 1000 : 0;
	else if (at && clock_parse_iso8601(at, &wall) == 0 && wall > 0)
		left = wall - clock_wall_ms();
	else
		left = PLACE_MS;
	left -= MARGIN_MS;
	if (left > PLACE_MOST_MS)
		left = PLACE_MOST_MS;
	return clock_mono_ms() + (left > 0 ? left : 0);
}

static bool read_place(const struct json *of, struct http_place *ret)
{
	const char *href = json_str(of, "href");

	if (!href || strlen(href) > URL_MOST ||
	    !read_headers(json_at(of, "header"), ret))
		return false;
	ret->url = mem_strdup(href);
	return true;
}

/* ---- a batch ---- */

static void refuse(struct lfs_said *said, int r, const char *why, int64_t code,
		   const char *message)
{
	char hex[65];

	said->r = r;
	snprintf(said->sentence, sizeof(said->sentence),
		 "The LFS server %s the object %.12s…%s%.150s (%lld).", why,
		 lfs_oid_hex(said->pointer, hex), *message ? ": " : "", message,
		 (long long)code);
}

static void read_error(const struct json *object, struct lfs_said *said)
{
	int64_t code = json_int(object, "error.code", 0);
	const char *text = json_str(object, "error.message");
	bool lacks = code == 404 || code == 410;
	refuse(said,
	       lacks         ? -ENOENT
	       : code == 403 ? -EACCES
			     : -EIO,
	       lacks ? "has not got" : "refuses", code, text ? text : "");
}

static void read_object(const struct json *object, bool may_be_here,
			struct lfs_said *said)
{
	const struct json *action = json_at(object, "actions.download");

	http_place_done(&said->place);
	said->r = 0;
	if (json_is_object(json_at(object, "error"))) {
		read_error(object, said);
	} else if (!read_place(action, &said->place)) {
		refuse(said, -EIO, "does not say where to find", 200, "");
		http_place_done(&said->place);
	}
	said->place.may_be_here = may_be_here;
	said->until_ms = said->r ? 0 : until_ms(action);
}

static struct lfs_said *find(struct lfs_said *said, size_t n, const char *oid)
{
	char hex[65];

	for (size_t i = 0; i < n; i++)
		if (!strcasecmp(lfs_oid_hex(said[i].pointer, hex), oid))
			return &said[i];
	return NULL;
}

int lfs_answer_read(struct ctx *ctx, const char *body, size_t n_body,
		    bool may_be_here, struct lfs_said *said, size_t n)
{
	cleanup(json_free) struct json *json = NULL;
	const char *transfer, *hash;
	const struct json *objects;

	if (json_parse(body, n_body, &json) < 0)
		return ctx_fail(ctx, -EIO,
				"The answer of the LFS server is no JSON.");
	objects = json_at(json, "objects");
	transfer = json_str(json, "transfer");
	hash = json_str(json, "hash_algo");
	if (!json_is_array(objects) ||
	    (transfer && strcmp(transfer, "basic")) ||
	    (hash && strcmp(hash, "sha256")))
		return ctx_fail(ctx, -EIO,
				"The answer of the LFS server is none to what "
				"it was asked.");
	for (size_t i = 0; i < n; i++)
		refuse(&said[i], -EIO, "does not mention", 200, "");
	JSON_EACH (object, objects) {
		const char *oid = json_str(object, "oid");
		struct lfs_said *one = oid ? find(said, n, oid) : NULL;

		if (one)
			read_object(object, may_be_here, one);
	}
	return 0;
}

int lfs_answer_read_ssh(struct ctx *ctx, const char *text, size_t n,
			struct lfs_server *ret)
{
	cleanup(json_free) struct json *json = NULL;

	if (json_parse(text, n, &json) < 0 || !read_place(json, &ret->place))
		return ctx_fail(ctx, -EIO,
				"What git-lfs-authenticate says by SSH names "
				"no LFS server.");
	ret->until_ms = until_ms(json);
	return 0;
}
