/*
 * api/bitbucket, one GET: the budget, retries, and what a failure means, as
 * an errno and as a sentence.
 *
 * Retried is what passes by itself: a broken connection, 429 after its pause,
 * the 5xx of a service under load. A connect that timed out has cost 5 s
 * already and gets one more try. What the service computes only when it is
 * asked (diffs) has twice the time, and longer pauses after its 555.
 */
#include "api/bitbucket_private.h"

#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"

#include <strings.h>

#define RETRIES 3
#define ALL_MS 60000
#define ALL_PATIENT_MS 120000
#define FIRST_BACKOFF_MS 250
/* After a 555 the service may go on computing: the answer may be ready after a
 * longer pause. */
#define FIRST_PATIENT_BACKOFF_MS 1000
#define LONGEST_RETRY_AFTER_S 10
/* A connect has timed out before that; a later timeout was a silence of the
 * server. */
#define CONNECT_MS 10000
#define BODY_MAX ((size_t)64 * MIB)
#define MESSAGE_MAX 300
#define UNKNOWN_COLD_MS 5000
#define UNKNOWN_MS 60000
#define UNKNOWN_ANNOUNCED_MS (INT64_C(24) * 3600 * 1000)

void bitbucket_reply_done(struct bitbucket_reply *reply)
{
	buf_done(&reply->body);
}

static int take_body(void *arg, const void *data, size_t n)
{
	return buf_add(arg, data, n);
}

/* The path of a URL, for sentences: the host is the same in each of them. */
static const char *path_of(const struct bitbucket *b, const char *url)
{
	size_t n = strlen(b->api_url);

	return strncmp(url, b->api_url, n) ? url : url + n;
}

/* ---- sentences ---- */

/* "a, b": the strings of an array. */
static void list_strings(const struct json *array, struct buf *out)
{
	if (!json_is_array(array))
		return;
	JSON_EACH (i, array)
		if (json_is_string(i))
			buf_printf(out, "%s%s", out->len ? ", " : "",
				   json_str(i, ""));
}

/* What an API token calls the scope that OAuth and access tokens know by the
 * older name (src/api/README.md, 2). */
static void name_scope(const struct credential *credential, const char *scope,
		       struct buf *out)
{
	static const struct {
		const char *old, *fresh;
	} names[] = {
		{"account", "read:user:bitbucket or read:workspace:bitbucket"},
		{"project", "read:project:bitbucket"},
		{"repository", "read:repository:bitbucket"},
		{"repository:admin", "admin:repository:bitbucket"},
		{"pullrequest", "read:pullrequest:bitbucket"},
		{"pipeline", "read:pipeline:bitbucket"},
		{"snippet", "read:snippet:bitbucket"},
		{"webhook", "read:webhook:bitbucket"},
	};

	buf_puts(out, scope);
	if (credential_kind(credential) != CREDENTIAL_API_TOKEN)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcmp(scope, names[i].old))
			buf_printf(out, " (of an API token: %s)",
				   names[i].fresh);
}

/* True when the error says which scopes are missing. */
static bool say_scopes(const struct credential *credential,
		       const struct json *detail, struct buf *out)
{
	const struct json *required = json_at(detail, "required");
	cleanup(buf_done) struct buf granted = BUF_INIT(MESSAGE_MAX);
	bool any = false;

	if (json_is_string(required)) {
		name_scope(credential, json_str(required, ""), out);
		any = true;
	} else if (json_is_array(required)) {
		JSON_EACH (i, required) {
			if (!json_is_string(i))
				continue;
			if (any)
				buf_puts(out, ", ");
			name_scope(credential, json_str(i, ""), out);
			any = true;
		}
	}
	if (!any)
		return false;
	list_strings(json_at(detail, "granted"), &granted);
	buf_printf(out, "; it has %s", granted.len ? granted.data : "none");
	return true;
}

/* Text for one line, at most MESSAGE_MAX bytes. */
static void one_line(const char *text, size_t n, struct buf *out)
{
	size_t start = out->len;

	if (n > MESSAGE_MAX) {
		n = MESSAGE_MAX;
		/* Not in the middle of a character. */
		while (n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
			n--;
	}
	buf_add(out, text, n);
	for (size_t i = start; i < out->len; i++)
		if (out->data[i] && strchr("\n\r\t", out->data[i]))
			out->data[i] = ' ';
	while (out->len > start && strchr(" .", out->data[out->len - 1]))
		out->data[--out->len] = '\0';
}

/* The service's own words: the envelope's message and detail, or a short plain
 * text. *ret_scopes when they were about scopes. */
static void quote(const struct credential *credential,
		  const struct http_response *answer, struct buf *words,
		  struct buf *scopes)
{
	cleanup(json_free) struct json *json = NULL;
	const char *message, *detail;

	if (!answer->n_error_body)
		return;
	if (json_parse(answer->error_body, answer->n_error_body, &json)) {
		if (!strncasecmp(answer->content_type, "text/plain", 10) &&
		    text_is_utf8(answer->error_body, answer->n_error_body))
			one_line(answer->error_body, answer->n_error_body,
				 words);
		return;
	}
	message = json_str(json, "error.message");
	detail = json_str(json, "error.detail");
	if (!message)
		message = json_str(json, "error");
	if (message)
		one_line(message, strlen(message), words);
	if (detail && *detail) {
		buf_puts(words, words->len ? ": " : "");
		one_line(detail, strlen(detail), words);
	}
	if (!say_scopes(credential, json_at(json, "error.detail"), scopes))
		buf_clear(scopes);
}

static int explain_refusal(struct ctx *ctx, struct bitbucket *b,
			   const char *path, const struct http_response *answer,
			   const char *words, const struct buf *scopes)
{
	if (scopes->len)
		return ctx_fail(ctx, -EACCES,
				"The credential lacks the scope %s (asked for "
				"%s).",
				scopes->data, path);
	if (answer->status == 401)
		return ctx_fail(ctx, -EACCES,
				"Bitbucket refused the credential (401%s%s): "
				"%s.",
				*words ? ", " : "", words,
				credential_hint(b->credential));
	return ctx_fail(ctx, -EACCES, "Bitbucket refuses %s (403)%s%s.", path,
			*words ? ": " : "", words);
}

static bool is_announced(const struct http_response *answer)
{
	cleanup(json_free) struct json *json = NULL;

	return answer->n_error_body &&
	       !json_parse(answer->error_body, answer->n_error_body, &json) &&
	       (json_str(json, "error.data.announcement_url") ||
		json_str(json, "data.announcement_url"));
}

int64_t bitbucket_unknown_ms(struct bitbucket *b, const struct ctx *ctx)
{
	if (ctx && ctx->announced)
		return UNKNOWN_ANNOUNCED_MS;
	return atomic_load(&b->is_well) ? UNKNOWN_MS : UNKNOWN_COLD_MS;
}

int bitbucket_explain(struct ctx *ctx, struct bitbucket *b, const char *url,
		      const struct http_response *answer)
{
	cleanup(buf_done) struct buf words = BUF_INIT(4 * KIB);
	cleanup(buf_done) struct buf scopes = BUF_INIT(4 * KIB);
	const char *path = path_of(b, url), *said, *colon;

	quote(b->credential, answer, &words, &scopes);
	said = words.len ? words.data : "";
	colon = *said ? ": " : "";
	switch (answer->status) {
	case 401:
	case 403:
		return explain_refusal(ctx, b, path, answer, said, &scopes);
	case 202:
		return ctx_fail(ctx, -EBUSY,
				"Bitbucket is still preparing %s (202): look "
				"again in a while.",
				path);
	case 204:
		return ctx_fail(ctx, -ENODATA,
				"Bitbucket answers %s with nothing (204).",
				path);
	case 404:
		return ctx_fail(ctx, -ENOENT, "Bitbucket has no %s (404)%s%s.",
				path, colon, said);
	case 410:
		ctx->announced = is_announced(answer);
		return ctx_fail(ctx, -ENOENT,
				"%s is gone from Bitbucket (410)%s%s.", path,
				colon, said);
	case 555:
		return ctx_fail(ctx, -EIO,
				"Bitbucket gave up on %s: it took longer than "
				"the service allows itself (555)%s%s.",
				path, colon, said);
	case 429:
		return ctx_fail(ctx, -EDQUOT,
				"Bitbucket's request limit is reached (429%s%s)"
				"; it was asked for %s.",
				*said ? ", " : "", said, path);
	default:
		return ctx_fail(ctx, -EIO, "Bitbucket answered %ld to %s%s%s.",
				answer->status, path, colon, said);
	}
}

/* ---- a request's way ---- */

static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	struct bitbucket *b = arg;
	int r = credential_authorize(ctx, b->credential, CREDENTIAL_REST, ret);

	ctx->announced = false;
	return r < 0 ? r : budget_admit(ctx, b->budget);
}

static void was_heard(void *arg, struct ctx *ctx,
		      const struct http_authorization *sent,
		      const struct http_response *answer)
{
	struct bitbucket *b = arg;

	if (answer->authorized)
		credential_heard(b->credential, CREDENTIAL_REST, sent,
				 answer->status);
	budget_observe(ctx, b->budget, answer);
}

static int renew(void *arg, struct ctx *ctx,
		 const struct http_authorization *refused)
{
	struct bitbucket *b = arg;

	return credential_renew(ctx, b->credential, refused);
}

/* Behind a team's server the service's redirects still name the service, which
 * would be asked there, and without a credential. */
static char *relocate(void *arg, const char *location)
{
	const struct bitbucket *b = arg;

	return bitbucket_under_api(b->api_url, location);
}

int bitbucket_perform(struct ctx *ctx, struct bitbucket *b,
		      const struct http_request *request,
		      const struct http_sink *sink,
		      struct http_response *ret_response)
{
	const struct http_authorizer as = {authorize, was_heard, renew, b};
	struct http_request here = *request;

	here.relocate = relocate;
	here.relocate_arg = b;
	return http_perform_as(ctx, b->http, &here, &as, sink, ret_response);
}

/* ---- one GET ---- */

/* A 202 (the answer is being prepared), or a 204 where more than a text was
 * asked for, is not an answer: it would be cached as one for the answer's
 * lifetime. */
static bool is_good(long status, enum bitbucket_want want)
{
	if (status == 202 || (status == 204 && want != BITBUCKET_TEXT))
		return false;
	return (status >= 200 && status < 300) || status == 304;
}

static bool is_patient(enum bitbucket_want want)
{
	return want == BITBUCKET_SLOW_JSON || want == BITBUCKET_TEXT;
}

bool bitbucket_may_retry(struct ctx *ctx, int r,
			 const struct http_response *answer,
			 enum bitbucket_want want, unsigned attempt,
			 int64_t took_ms, int64_t *ret_wait_ms)
{
	uint32_t random = 0;

	if (attempt >= RETRIES)
		return false;
	*ret_wait_ms = (int64_t)FIRST_BACKOFF_MS << attempt;
	if (r == 0 && answer->status == 555 && is_patient(want))
		*ret_wait_ms = (int64_t)FIRST_PATIENT_BACKOFF_MS << attempt;
	if (!digest_random(&random, sizeof(random)))
		*ret_wait_ms += (int64_t)(random % (uint32_t)*ret_wait_ms) / 2;
	if (r == -ECONNRESET)
		return true;
	if (r == -ETIMEDOUT)
		return attempt == 0 && took_ms < CONNECT_MS && !ctx_check(ctx);
	if (r < 0)
		return false;
	switch (answer->status) {
	case 429:
		*ret_wait_ms = 0; /* the budget's pause is what is waited */
		return true;
	case 500:
	case 502:
	case 503:
	case 504:
	case 555:
		if (answer->retry_after_s > LONGEST_RETRY_AFTER_S)
			return false;
		if (answer->retry_after_s * 1000 > *ret_wait_ms)
			*ret_wait_ms = answer->retry_after_s * 1000;
		return true;
	default:
		return false;
	}
}

static const char *const accepts[] = {
	[BITBUCKET_JSON] = "Accept: application/json",
	[BITBUCKET_SLOW_JSON] = "Accept: application/json",
	[BITBUCKET_TEXT] = "Accept: text/plain, */*;q=0.5",
	[BITBUCKET_PARTS] = "Accept: multipart/related",
};

static int get_once(struct ctx *ctx, struct bitbucket *b, const char *url,
		    enum bitbucket_want want, const char *etag,
		    struct bitbucket_reply *reply, struct http_response *answer)
{
	cleanup(free) char *condition =
		etag && *etag ? mem_asprintf("If-None-Match: %s", etag) : NULL;
	const char *headers[4] = {accepts[want]};
	const struct http_request request = {
		.url = url,
		.headers = headers,
		.compressed = true,
	};
	const struct http_sink sink = {.write = take_body, .arg = &reply->body};
	size_t n = 1;
	int r;

	if (condition)
		headers[n++] = condition;
	/* `.now` is for what is there now, not in a cache on the way. */
	if (ctx->urgent)
		headers[n++] = "Cache-Control: no-cache";
	buf_clear(&reply->body);
	r = bitbucket_perform(ctx, b, &request, &sink, answer);
	if (r == -EMSGSIZE)
		return ctx_fail(ctx, -EIO,
				"Bitbucket's answer to %s is over 64 MiB.",
				path_of(b, url));
	return r;
}

int bitbucket_end_sentence(struct ctx *ctx, int r)
{
	size_t n = strlen(ctx->sentence);

	if (n && n + 1 < sizeof(ctx->sentence) && ctx->sentence[n - 1] != '.')
		memcpy(ctx->sentence + n, ".", 2);
	return r;
}

int bitbucket_pause(struct ctx *ctx, int64_t ms)
{
	int r = ctx_wait_begin(ctx);

	if (r < 0)
		return r;
	r = ms ? ctx_sleep(ctx, ms) : 0;
	ctx_wait_end(ctx);
	return r;
}

static int get_patiently(struct ctx *ctx, struct bitbucket *b, const char *url,
			 enum bitbucket_want want, const char *etag,
			 struct bitbucket_reply *reply)
{
	for (unsigned attempt = 0;; attempt++) {
		cleanup(http_response_done) struct http_response answer = {0};
		int64_t began = clock_mono_ms(), wait_ms = 0;
		int r = get_once(ctx, b, url, want, etag, reply, &answer);

		if (r == 0)
			reply->status = answer.status;
		if (r == 0 && is_good(answer.status, want)) {
			/* A good /user does not count: it is asked for to check
			 * the credential, perhaps before the mount. */
			if (strcmp(path_of(b, url), "/user"))
				atomic_store(&b->is_well, true);
			reply->not_modified = answer.status == 304;
			memcpy(reply->etag, answer.etag, sizeof(reply->etag));
			memcpy(reply->content_type, answer.content_type,
			       sizeof(reply->content_type));
			return 0;
		}
		if (!bitbucket_may_retry(ctx, r, &answer, want, attempt,
					 clock_mono_ms() - began, &wait_ms))
			return r < 0 ? bitbucket_end_sentence(ctx, r)
				     : bitbucket_explain(ctx, b, url, &answer);
		/* The sentence is made before the pause, in case there is no
		 * time for another try. */
		if (r == 0)
			r = bitbucket_explain(ctx, b, url, &answer);
		else
			bitbucket_end_sentence(ctx, r);
		if (wait_ms >= ctx_left_ms(ctx))
			return r;
		r = bitbucket_pause(ctx, wait_ms);
		if (r < 0)
			return r;
	}
}

/* "/repositories/%7B…%7D/%7B…": a repository's uuid is of one workspace, so the
 * answer cannot be about another one, whatever its name. */
static bool names_repository(const char *url)
{
	const char *at = strstr(url, "/repositories/");

	if (!at)
		return false;
	at += strlen("/repositories/");
	at += strcspn(at, "/?");
	return strncmp(at, "/%7B", 4) == 0;
}

/* Whether the answer names the workspace that was meant. A slug may be another
 * workspace's by now; an empty list or a diff, which name nobody, are not
 * believed. */
static bool is_about(const struct bitbucket_reply *reply, const char *url,
		     const char *uuid)
{
	return names_repository(url) ||
	       (reply->body.len &&
		memmem(reply->body.data, reply->body.len, uuid, strlen(uuid)));
}

/* By the workspace's uuid, and where the server does not know it, by its slug:
 * see bitbucket_names.c. */
static int get_by_any_name(struct ctx *ctx, struct bitbucket *b,
			   const char *url, enum bitbucket_want want,
			   const char *etag, struct bitbucket_reply *reply)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply second = {
		.body = BUF_INIT(BODY_MAX)};
	cleanup(free) char *uuid = NULL;
	cleanup(free) char *by_name = bitbucket_url_by_name(b, url, &uuid);
	enum bitbucket_uuids uuids = bitbucket_uuids(b);
	int r;

	if (!by_name)
		return get_patiently(ctx, b, url, want, etag, reply);
	if (uuids == BITBUCKET_UUIDS_REFUSED)
		return get_patiently(ctx, b, by_name, want, etag, reply);
	r = get_patiently(ctx, b, url, want, etag, reply);
	if (r >= 0)
		bitbucket_set_uuids(b, BITBUCKET_UUIDS_TAKEN);
	if (r != -ENOENT || reply->status != 404)
		return r;
	ctx->sentence[0] = '\0';
	r = get_patiently(ctx, b, by_name, want, etag, &second);
	if (r >= 0 && !is_about(&second, url, uuid))
		r = ctx_fail(ctx, -ENOENT,
			     "Bitbucket has no %s: that name is another "
			     "workspace's.",
			     path_of(b, by_name));
	else if (r >= 0)
		bitbucket_set_uuids(b, BITBUCKET_UUIDS_REFUSED);
	reply->status = second.status;
	if (r >= 0) {
		buf_done(&reply->body);
		*reply = second;
		second = (struct bitbucket_reply){0};
	}
	return r;
}

int bitbucket_get_url(struct ctx *ctx, struct bitbucket *b, const char *url,
		      enum bitbucket_want want, const char *etag,
		      struct bitbucket_reply *ret_reply)
{
	int64_t deadline =
		ctx_narrow(ctx, is_patient(want) ? ALL_PATIENT_MS : ALL_MS);
	int r;

	*ret_reply = (struct bitbucket_reply){.body = BUF_INIT(BODY_MAX)};
	r = get_by_any_name(ctx, b, url, want, etag, ret_reply);
	if (r < 0)
		buf_done(&ret_reply->body);
	ctx_widen(ctx, deadline);
	return r;
}

int bitbucket_get_as(struct ctx *ctx, struct bitbucket *b, const char *path,
		     enum bitbucket_want want, const char *etag,
		     struct bitbucket_reply *ret_reply)
{
	cleanup(free) char *url = bitbucket_url(b, path);

	return bitbucket_get_url(ctx, b, url, want, etag, ret_reply);
}

int bitbucket_get(struct ctx *ctx, struct bitbucket *b, const char *path,
		  const char *etag, struct bitbucket_reply *ret_reply)
{
	return bitbucket_get_as(ctx, b, path, BITBUCKET_JSON, etag, ret_reply);
}

int bitbucket_get_once(struct ctx *ctx, struct bitbucket *b, const char *path,
		       struct bitbucket_reply *ret_reply,
		       struct http_response *ret_answer)
{
	cleanup(free) char *url = bitbucket_url(b, path);
	int r;

	ret_reply->body = (struct buf)BUF_INIT(BODY_MAX);
	r = get_once(ctx, b, url, BITBUCKET_JSON, NULL, ret_reply, ret_answer);
	if (r < 0)
		return bitbucket_end_sentence(ctx, r);
	ret_reply->status = ret_answer->status;
	return is_good(ret_answer->status, BITBUCKET_JSON)
		       ? 0
		       : bitbucket_explain(ctx, b, url, ret_answer);
}
