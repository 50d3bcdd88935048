/*
 * api/oauth: a form is sent, JSON comes back.
 *
 * Bitbucket says invalid_request, invalid_grant or unauthorized_client of one
 * and the same thing (src/api/README.md, 22), so what is refused is decided by
 * what was asked for, and the service's own words are quoted.
 */
#include "api/oauth.h"

#include "base/digest.h"
#include "base/json.h"
#include "base/log.h"
#include "base/text.h"

#define ANSWER_MAX (16 * KIB)
#define WORDS_MAX 200
/* Where the service does not say how long a token is good. */
#define LIFETIME_S 3600
#define LIFETIME_MAX_S (30 * 24 * 3600)

void oauth_tokens_done(struct oauth_tokens *tokens)
{
	text_wipe(tokens->access);
	text_wipe(tokens->refresh);
	*tokens = (struct oauth_tokens){0};
}

char *oauth_page(const struct oauth_consumer *consumer, const char *callback,
		 const char *state)
{
	struct buf url = BUF_INIT(0);

	buf_printf(&url,
		   "%s/authorize?response_type=code&client_id=", consumer->url);
	text_percent_encode(&url, consumer->id, "");
	buf_puts(&url, "&redirect_uri=");
	text_percent_encode(&url, callback, "");
	buf_puts(&url, "&state=");
	text_percent_encode(&url, state, "");
	return buf_steal(&url, NULL);
}

/* ---- asking ---- */

static char *basic(const struct oauth_consumer *consumer)
{
	char *pair = mem_asprintf("%s:%s", consumer->id, consumer->secret);
	char *coded, *value;

	digest_base64(pair, strlen(pair), &coded);
	text_wipe(pair);
	log_redact(coded);
	log_redact(consumer->secret);
	value = mem_asprintf("Basic %s", coded);
	text_wipe(coded);
	return value;
}

/* Of its full size from the start: growing would leave copies behind. */
static void reserve(struct buf *buf)
{
	buf->size = ANSWER_MAX + 1;
	buf->data = mem_calloc(1, buf->size);
}

static void add_form(struct buf *out, enum oauth_grant grant, const char *given,
		     const char *callback)
{
	static const char *const words[] = {
		[OAUTH_CODE] = "grant_type=authorization_code&code=",
		[OAUTH_REFRESH] = "grant_type=refresh_token&refresh_token=",
		[OAUTH_CLIENT] = "grant_type=client_credentials",
	};

	buf_puts(out, words[grant]);
	if (given) {
		log_redact(given);
		text_percent_encode(out, given, "");
	}
	if (callback) {
		buf_puts(out, "&redirect_uri=");
		text_percent_encode(out, callback, "");
	}
}

static int take(void *arg, const void *data, size_t n)
{
	return buf_add(arg, data, n) ? -EBADMSG : 0;
}

static void wipe(struct buf *buf)
{
	explicit_bzero(buf->data, buf->size);
}

static int post(struct ctx *ctx, struct http *http,
		const struct oauth_consumer *consumer, const struct buf *form,
		struct buf *body, struct http_response *answer)
{
	static const char *const headers[] = {
		"Content-Type: application/x-www-form-urlencoded",
		"Accept: application/json", NULL};
	cleanup(free) char *url =
		mem_asprintf("%s/access_token", consumer->url);
	const struct http_sink sink = {.write = take, .arg = body};
	char *authorization = basic(consumer);
	const struct http_request request = {
		.url = url,
		.authorization = authorization,
		.headers = headers,
		.body = form->data,
		.n_body = form->len,
		.no_redirects = true,
	};
	int r = http_perform(ctx, http, &request, &sink, answer);

	text_wipe(authorization);
	return r;
}

/* ---- what came ---- */

/* No blank in it, nothing that a header or a form could not have. */
static bool is_token(const char *s)
{
	if (!s || !*s)
		return false;
	for (; *s; s++)
		if ((unsigned char)*s <= ' ' || (unsigned char)*s >= 0x7f)
			return false;
	return true;
}

static int no_answer(struct ctx *ctx, const struct oauth_consumer *consumer)
{
	return ctx_fail(ctx, -EBADMSG,
			"%s/access_token answered with something that is no "
			"token: is that Bitbucket, or a page of the network in "
			"between?",
			consumer->url);
}

static int read_tokens(struct ctx *ctx, const struct oauth_consumer *consumer,
		       const struct buf *body, struct oauth_tokens *ret)
{
	cleanup(json_free) struct json *json = NULL;
	const char *access, *refresh;
	int64_t lifetime_s;

	if (!body->len || json_parse(body->data, body->len, &json))
		return no_answer(ctx, consumer);
	access = json_str(json, "access_token");
	refresh = json_str(json, "refresh_token");
	if (!is_token(access) || (refresh && !is_token(refresh)))
		return no_answer(ctx, consumer);
	lifetime_s = json_int(json, "expires_in", LIFETIME_S);
	if (lifetime_s < 1 || lifetime_s > LIFETIME_MAX_S)
		lifetime_s = LIFETIME_S;
	log_redact(access);
	log_redact(refresh);
	*ret = (struct oauth_tokens){
		.access = mem_strdup(access),
		.refresh = refresh ? mem_strdup(refresh) : NULL,
		.lifetime_s = lifetime_s,
	};
	return 0;
}

/* The service's words, "" where there are none. */
static void quote(const struct http_response *answer, struct buf *words,
		  char error[static 40])
{
	cleanup(json_free) struct json *json = NULL;
	const char *text = NULL;

	error[0] = 0;
	buf_puts(words, "");
	if (!answer->n_error_body ||
	    json_parse(answer->error_body, answer->n_error_body, &json))
		return;
	if (json_str(json, "error"))
		snprintf(error, 40, "%s", json_str(json, "error"));
	text = json_str(json, "error_description");
	if (!text)
		text = error;
	if (*text) {
		cleanup(free) char *some =
			mem_dup0(text, strnlen(text, WORDS_MAX));

		buf_puts(words, ", ");
		text_clean(words, some, strlen(some), "");
	}
}

static int refused(struct ctx *ctx, const struct oauth_consumer *consumer,
		   enum oauth_grant grant, const char *words, const char *error,
		   long status)
{
	if (grant == OAUTH_CLIENT)
		return ctx_fail(ctx, -EKEYREJECTED,
				"Bitbucket refuses to let the OAuth consumer "
				"%s act by itself (%ld%s): in its settings "
				"\"This is a private consumer\" has to be "
				"ticked, and its secret has to be the one "
				"there.",
				consumer->id, status, words);
	if (status == 401 || !strcmp(error, "unauthorized_client") ||
	    !strcmp(error, "invalid_client"))
		return ctx_fail(ctx, -EACCES,
				"Bitbucket does not know the OAuth consumer %s "
				"with this secret (%ld%s): both are in the "
				"workspace's settings, OAuth consumers.",
				consumer->id, status, words);
	return ctx_fail(ctx, -EKEYREJECTED,
			"Bitbucket does not take the %s of the OAuth consumer "
			"%s (%ld%s): sign in with bitbucketfs login --oauth.",
			grant == OAUTH_CODE ? "code" : "refresh token",
			consumer->id, status, words);
}

static int explain(struct ctx *ctx, const struct oauth_consumer *consumer,
		   enum oauth_grant grant, const struct http_response *answer)
{
	cleanup(buf_done) struct buf words = BUF_INIT(4 * KIB);
	char error[40];

	quote(answer, &words, error);
	switch (answer->status) {
	case 400:
	case 401:
	case 403:
		/* A page in between says so, too, and knows no token. */
		if (*error)
			return refused(ctx, consumer, grant, words.data, error,
				       answer->status);
		break;
	case 429:
		return ctx_fail(ctx, -EDQUOT,
				"%s/access_token is asked too often (429).",
				consumer->url);
	default:
		break;
	}
	return ctx_fail(ctx, -EIO, "%s/access_token answered %ld%s.",
			consumer->url, answer->status, words.data);
}

int oauth_ask(struct ctx *ctx, struct http *http,
	      const struct oauth_consumer *consumer, enum oauth_grant grant,
	      const char *given, const char *callback,
	      struct oauth_tokens *ret_tokens)
{
	cleanup(http_response_done) struct http_response answer = {0};
	cleanup(buf_done) struct buf form = BUF_INIT(ANSWER_MAX);
	cleanup(buf_done) struct buf body = BUF_INIT(ANSWER_MAX);
	int r;

	reserve(&form);
	reserve(&body);
	add_form(&form, grant, given, callback);
	r = post(ctx, http, consumer, &form, &body, &answer);
	if (r == -EBADMSG)
		r = no_answer(ctx, consumer);
	else if (!r && answer.status == 200)
		r = read_tokens(ctx, consumer, &body, ret_tokens);
	else if (!r)
		r = explain(ctx, consumer, grant, &answer);
	ret_tokens->pause_s = answer.retry_after_s > 0 ? answer.retry_after_s
						       : 0;
	wipe(&form);
	wipe(&body);
	if (answer.error_body)
		explicit_bzero(answer.error_body, answer.n_error_body);
	return r;
}
