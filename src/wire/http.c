/*
 * wire/http: the door to curl.
 *
 * A client is n_connections slots. A slot is a curl multi handle with one easy
 * handle in it and belongs, while an exchange lasts, to the thread that
 * performs it: curl runs on the caller's thread, its callbacks too, so no lock
 * is needed round it. The one thing that another thread does to a slot is
 * curl_multi_wakeup, which may be called from anywhere.
 *
 * Redirects are followed here and not by curl, because here it is decided, hop
 * by hop, whether a credential goes along.
 */
#include "asked.h"
#include "http_private.h"

#include "base/clock.h"
#include "base/text.h"

#include <signal.h>
#include <strings.h>
#include <sys/socket.h>

#include <curl/curl.h>

#define DEFAULT_CONNECTIONS 4
#define DEFAULT_CONNECT_MS 5000
#define DEFAULT_STALL_MS 30000
#define REDIRECTS_MAX 5
#define HEAD_MAX (256 * KIB)
#define KEPT_PER_SLOT 2L
/* curl says how long to wait; should it be wrong, this is the longest. */
#define POLL_MAX_MS 60000

struct http {
	char *user_agent, *ca_file, *proxy;
	int64_t connect_timeout_ms, stall_timeout_ms;
	atomic_uint_fast64_t n_requests;
	struct http_slots pool;
};

/* ---- Slots --------------------------------------------------------------- */

static int64_t or_default(int64_t value, int64_t otherwise)
{
	return value > 0 ? value : otherwise;
}

static char *copied(const char *text)
{
	return text ? mem_strdup(text) : NULL;
}

int http_new(const struct http_config *config, struct http **ret_http)
{
	cleanup(http_free) struct http *http = NULL;
	struct sigaction pipe_action;

	if (curl_global_init(CURL_GLOBAL_DEFAULT))
		return -ENOMEM;
	/* With CURLOPT_NOSIGNAL curl does not ignore SIGPIPE, and OpenSSL may
	 * write to a connection that the server has closed: that would end the
	 * daemon. */
	if (!sigaction(SIGPIPE, NULL, &pipe_action) &&
	    pipe_action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);

	http = mem_calloc(1, sizeof(*http));
	http_slots_init(&http->pool, config->n_connections
					     ? config->n_connections
					     : DEFAULT_CONNECTIONS);
	http->user_agent = copied(config->user_agent);
	http->ca_file = copied(config->ca_file);
	http->proxy = copied(config->proxy);
	http->connect_timeout_ms =
		or_default(config->connect_timeout_ms, DEFAULT_CONNECT_MS);
	http->stall_timeout_ms =
		or_default(config->stall_timeout_ms, DEFAULT_STALL_MS);
	atomic_init(&http->n_requests, 0);
	*ret_http = steal(&http);
	return 0;
}

const char *http_library(void)
{
	return curl_version_info(CURLVERSION_NOW)->version;
}

const char *http_library_built(void)
{
	return LIBCURL_VERSION;
}

struct http *http_free(struct http *http)
{
	if (!http)
		return NULL;
	for (unsigned i = 0; i < http->pool.n_slots; i++) {
		curl_easy_cleanup(http->pool.slots[i].easy);
		curl_multi_cleanup(http->pool.slots[i].multi);
	}
	http_slots_done(&http->pool);
	free(http->user_agent);
	free(http->ca_file);
	text_wipe(http->proxy);
	free(http);
	curl_global_cleanup();
	return NULL;
}

uint64_t http_n_requests(struct http *http)
{
	return atomic_load_explicit(&http->n_requests, memory_order_relaxed);
}

static int slot_handles(struct http_slot *slot)
{
	if (!slot->multi)
		slot->multi = curl_multi_init();
	/* curl_multi_init succeeds also when no descriptor was free for the
	 * pair that wakes it. Without the pair a cancelled request would go on
	 * waiting for the network. */
	if (slot->multi && curl_multi_wakeup(slot->multi)) {
		curl_multi_cleanup(slot->multi);
		slot->multi = NULL;
		return http_no_descriptor() ? -http_no_descriptor() : -ENOMEM;
	}
	if (!slot->easy)
		slot->easy = curl_easy_init();
	if (!slot->multi || !slot->easy)
		return http_no_descriptor() ? -http_no_descriptor() : -ENOMEM;
	curl_multi_setopt(slot->multi, CURLMOPT_MAXCONNECTS, KEPT_PER_SLOT);
	return 0;
}

/* ---- One hop: a request and its answer ----------------------------------- */

struct hop {
	struct ctx *ctx;
	const struct http_request *request;
	const struct http_sink *sink;
	struct http_response *response;
	CURL *easy;
	const struct http_url *url;
	/* What became of it: */
	int64_t began_ms;
	int64_t moved_ms;  /* when the last byte was sent or received */
	bool is_moving;    /* the sink has had a byte */
	uint64_t progress; /* what the sink counted so far */
	curl_off_t down, up;
	size_t n_head;
	long n_sent;    /* bytes of the request */
	bool head_done; /* of the final answer */
	/* the answer is compressed: Content-Length is not what the sink gets */
	bool encoded;
	bool enough;      /* all that is kept of an error has come */
	int failed;       /* the errno of the sink, or of a limit of ours */
	int socket_errno; /* why the last socket could not be made; 0 */
	char error[CURL_ERROR_SIZE];
};

/* A byte was sent or received. For a sink with a count of its own only a larger
 * count is progress: otherwise a server that sends keep-alives and nothing else
 * would never time out. */
static void note_move(struct hop *hop)
{
	const uint64_t *progress = hop->sink ? hop->sink->progress : NULL;
	uint64_t before = hop->progress;

	if (progress)
		hop->progress = *progress;
	if (!hop->progress || hop->progress != before)
		hop->moved_ms = clock_mono_ms();
}

static bool is_success(long status)
{
	return status >= 200 && status < 300;
}

static int head_ended(struct hop *hop)
{
	struct http_response *response = hop->response;
	curl_off_t length = -1;

	curl_easy_getinfo(hop->easy, CURLINFO_RESPONSE_CODE, &response->status);
	if (response->status < 200) {
		http_response_forget(response);
		return 0;
	}
	hop->head_done = true;
	if (!hop->encoded &&
	    !curl_easy_getinfo(hop->easy, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T,
			       &length))
		response->content_length = length;
	if (is_success(response->status) && hop->sink && hop->sink->begin)
		return hop->sink->begin(hop->sink->arg, response);
	return 0;
}

static size_t on_header(char *line, size_t size, size_t n, void *arg)
{
	static const char encoding[] = "content-encoding:";
	struct hop *hop = arg;
	int r = 0;

	n *= size;
	note_move(hop);
	hop->n_head += n;
	if (hop->n_head > HEAD_MAX) {
		hop->failed = ctx_fail(hop->ctx, -EPROTO,
				       "%s sent endless headers",
				       hop->url->host);
		return 0;
	}
	/* Trailers follow the body. They may not change the head, which the
	 * sink has seen already. */
	if (hop->head_done)
		return n;
	if (n <= 2 && (line[0] == '\r' || line[0] == '\n'))
		r = head_ended(hop);
	else if (hop->request->compressed && n > sizeof(encoding) &&
		 !strncasecmp(line, encoding, sizeof(encoding) - 1))
		hop->encoded = true;
	else
		http_response_header(hop->response, line, n);
	if (r < 0) {
		hop->failed = r;
		return 0;
	}
	return n;
}

static size_t on_body(char *data, size_t size, size_t n, void *arg)
{
	struct hop *hop = arg;
	int r = 0;

	n *= size;
	if (is_success(hop->response->status)) {
		hop->is_moving = true;
		if (hop->sink && hop->sink->write)
			r = hop->sink->write(hop->sink->arg, data, n);
		if (r < 0)
			hop->failed = r;
	} else if (!http_response_error_body(hop->response, data, n)) {
		hop->enough = true;
		r = -EMSGSIZE;
	}
	/* Once more, because the sink may have taken long: the time it took
	 * would be counted as the server's silence. */
	note_move(hop);
	return r < 0 ? 0 : n;
}

static int on_progress(void *arg, curl_off_t, curl_off_t down, curl_off_t,
		       curl_off_t up)
{
	struct hop *hop = arg;

	if (down != hop->down || up != hop->up)
		note_move(hop);
	hop->down = down;
	hop->up = up;
	return 0;
}

static curl_socket_t open_socket(void *arg, curlsocktype,
				 struct curl_sockaddr *address)
{
	struct hop *hop = arg;
	int fd = socket(address->family, address->socktype | SOCK_CLOEXEC,
			address->protocol);

	/* curl only tells that it could not connect, not why. */
	hop->socket_errno = fd < 0 ? errno : 0;
	return fd;
}

static void set_options(struct http *http, struct hop *hop, bool fresh)
{
	CURL *easy = hop->easy;

	curl_easy_reset(easy); /* keeps its connections */
	curl_easy_setopt(easy, CURLOPT_URL, hop->url->text);
	curl_easy_setopt(easy, CURLOPT_PATH_AS_IS, 1L);
	curl_easy_setopt(easy, CURLOPT_ERRORBUFFER, hop->error);
	curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https");
	curl_easy_setopt(easy, CURLOPT_SSLVERSION,
			 (long)CURL_SSLVERSION_TLSv1_2);
	/* HTTP/2 shares a connection between exchanges, of which there is one
	 * at a time here, and its windows slow down a long pack. */
	curl_easy_setopt(easy, CURLOPT_HTTP_VERSION,
			 (long)CURL_HTTP_VERSION_1_1);
	curl_easy_setopt(easy, CURLOPT_CONNECTTIMEOUT_MS,
			 (long)http->connect_timeout_ms);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPALIVE, 1L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPIDLE, 30L);
	curl_easy_setopt(easy, CURLOPT_TCP_KEEPINTVL, 15L);
	curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L);
	curl_easy_setopt(easy, CURLOPT_BUFFERSIZE, 64L * KIB);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETFUNCTION, open_socket);
	curl_easy_setopt(easy, CURLOPT_OPENSOCKETDATA, hop);
#if LIBCURL_VERSION_NUM >= 0x075700
	/* Without this a cancelled request waits until the resolver's thread
	 * has its answer. */
	curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L);
#endif
	if (http->user_agent)
		curl_easy_setopt(easy, CURLOPT_USERAGENT, http->user_agent);
	/* Debian's curl looks into the system's directory of certificates
	 * beside this file. */
	if (http->ca_file) {
		curl_easy_setopt(easy, CURLOPT_CAINFO, http->ca_file);
		curl_easy_setopt(easy, CURLOPT_PROXY_CAINFO, http->ca_file);
	}
	/* Through a proxy, 127.0.0.1 would be the proxy's own machine. */
	if (hop->url->loopback)
		curl_easy_setopt(easy, CURLOPT_PROXY, "");
	else if (http->proxy)
		curl_easy_setopt(easy, CURLOPT_PROXY, http->proxy);
	if (hop->request->compressed)
		curl_easy_setopt(easy, CURLOPT_ACCEPT_ENCODING, "gzip");
	if (fresh)
		curl_easy_setopt(easy, CURLOPT_FRESH_CONNECT, 1L);

	curl_easy_setopt(easy, CURLOPT_HEADERFUNCTION, on_header);
	curl_easy_setopt(easy, CURLOPT_HEADERDATA, hop);
	curl_easy_setopt(easy, CURLOPT_WRITEFUNCTION, on_body);
	curl_easy_setopt(easy, CURLOPT_WRITEDATA, hop);
	curl_easy_setopt(easy, CURLOPT_XFERINFOFUNCTION, on_progress);
	curl_easy_setopt(easy, CURLOPT_XFERINFODATA, hop);
	curl_easy_setopt(easy, CURLOPT_NOPROGRESS, 0L);
}

static void set_method(struct hop *hop, const char *method, bool body)
{
	CURL *easy = hop->easy;

	if (body) {
		curl_easy_setopt(easy, CURLOPT_POST, 1L);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDSIZE_LARGE,
				 (curl_off_t)hop->request->n_body);
		curl_easy_setopt(easy, CURLOPT_POSTFIELDS, hop->request->body);
	} else if (!strcmp(method, "HEAD")) {
		curl_easy_setopt(easy, CURLOPT_NOBODY, 1L);
		return;
	} else {
		curl_easy_setopt(easy, CURLOPT_HTTPGET, 1L);
	}
	curl_easy_setopt(easy, CURLOPT_CUSTOMREQUEST, method);
}

static struct curl_slist *header_list(const struct http_request *request,
				      bool authorized, bool body)
{
	struct curl_slist *list = NULL;

	if (body) /* or a large body waits a second for "100 Continue" */
		list = curl_slist_append(list, "Expect:");
	for (size_t i = 0; request->headers && request->headers[i]; i++)
		list = curl_slist_append(list, request->headers[i]);
	if (authorized) {
		char *line = mem_asprintf("Authorization: %s",
					  request->authorization);

		list = curl_slist_append(list, line);
		text_wipe(line);
	}
	return list;
}

static void header_list_free(struct curl_slist *list)
{
	for (struct curl_slist *i = list; i; i = i->next)
		explicit_bzero(i->data, strlen(i->data));
	curl_slist_free_all(list);
}

static void wake_multi(void *multi)
{
	curl_multi_wakeup(multi);
}

/* How long until the hop has stalled: no byte for the stall timeout. The head
 * and the body of an error have twice that in all, because a server can send
 * them byte by byte for ever. */
static int64_t stalls_in(const struct http *http, const struct hop *hop)
{
	int64_t stall = hop->moved_ms + http->stall_timeout_ms;
	int64_t answer = hop->began_ms + 2 * http->stall_timeout_ms;

	if (!hop->is_moving && answer < stall)
		stall = answer;
	return stall - clock_mono_ms();
}

/* No name yet, the host's or a proxy's. */
static bool is_unresolved(const struct hop *hop)
{
	curl_off_t resolved_us = 0;

	curl_easy_getinfo(hop->easy, CURLINFO_NAMELOOKUP_TIME_T, &resolved_us);
	return !resolved_us;
}

static int explain(const struct http *http, struct hop *hop, CURLcode result)
{
	struct http_failure failure = {
		.result = (int)result,
		.host = hop->url->host,
		.url = hop->url->text,
		.proxy = http->proxy,
		.why = hop->error,
		.socket_errno = hop->socket_errno,
		.is_unresolved = is_unresolved(hop),
	};

	if (hop->failed)
		return hop->failed;
	curl_easy_getinfo(hop->easy, CURLINFO_OS_ERRNO, &failure.os_errno);
	curl_easy_getinfo(hop->easy, CURLINFO_HTTP_CONNECTCODE,
			  &failure.connect_code);
	/* A proxy that refused to connect has not passed the request on: it is
	 * not counted. */
	if (failure.connect_code >= 300)
		hop->n_sent = 0;
	return http_explain(hop->ctx, &failure);
}

/* The time of who asks is over. */
static int fail_late(const struct http *http, struct hop *hop)
{
	return is_unresolved(hop)
		       ? explain(http, hop, CURLE_OPERATION_TIMEDOUT)
		       : ctx_fail(hop->ctx, -ETIMEDOUT,
				  "%s did not answer in time", hop->url->host);
}

static int drive(struct http *http, struct http_slot *slot, struct hop *hop,
		 CURLcode *ret_result)
{
	for (;;) {
		int running = 0, left_over = 0, r;
		int64_t wait, stall;
		CURLMsg *message;

		if (curl_multi_perform(slot->multi, &running))
			return ctx_fail(hop->ctx, -EIO, "curl failed inside");
		if (!running) {
			message = curl_multi_info_read(slot->multi, &left_over);
			if (!message || message->msg != CURLMSG_DONE)
				return ctx_fail(hop->ctx, -EIO,
						"curl failed inside");
			*ret_result = message->data.result;
			return 0;
		}
		r = ctx_check(hop->ctx);
		if (r == -EINTR)
			return ctx_fail(hop->ctx, r, "interrupted");
		if (r < 0)
			return fail_late(http, hop);
		stall = stalls_in(http, hop);
		if (stall <= 0)
			return ctx_fail(hop->ctx, -ETIMEDOUT,
					"%s went silent in the middle of an "
					"exchange, or brings nothing of it",
					hop->url->host);
		wait = ctx_left_ms(hop->ctx);
		if (wait > stall)
			wait = stall;
		if (wait > POLL_MAX_MS)
			wait = POLL_MAX_MS;
		/* One millisecond more: curl drops fractions, and would wait 0
		 * ms again and again until the time is over. */
		curl_multi_poll(slot->multi, NULL, 0, (int)wait + 1, NULL);
	}
}

/* Whether the server had closed the kept connection before the request was
 * sent. That says nothing of the network, so the request is sent once more.
 * curl notices most of these itself. */
static bool was_stale(const struct hop *hop, CURLcode result)
{
	long n_connects = 1;

	curl_easy_getinfo(hop->easy, CURLINFO_NUM_CONNECTS, &n_connects);
	return n_connects == 0 && hop->n_head == 0 && !hop->failed &&
	       (result == CURLE_SEND_ERROR || result == CURLE_RECV_ERROR ||
		result == CURLE_GOT_NOTHING);
}

static int perform_once(struct http *http, struct http_slot *slot,
			struct hop *hop, const char *method, bool authorized,
			bool body, bool fresh, CURLcode *ret_result)
{
	struct ctx_waker waker = {.wake = wake_multi, .arg = slot->multi};
	struct curl_slist *headers =
		header_list(hop->request, authorized, body);
	curl_off_t n_received = 0;
	int r;

	hop->began_ms = hop->moved_ms = clock_mono_ms();
	hop->is_moving = false;
	hop->progress = 0;
	hop->down = hop->up = 0;
	hop->n_head = 0;
	hop->n_sent = 0;
	hop->socket_errno = 0;
	hop->head_done = hop->encoded = hop->enough = false;
	hop->error[0] = '\0';
	http_response_done(hop->response);
	http_response_init(hop->response);

	set_options(http, hop, fresh);
	set_method(hop, method, body);
	curl_easy_setopt(hop->easy, CURLOPT_HTTPHEADER, headers);
	atomic_fetch_add_explicit(&http->n_requests, 1, memory_order_relaxed);

	if (curl_multi_add_handle(slot->multi, hop->easy)) {
		header_list_free(headers);
		return ctx_fail(hop->ctx, -EIO, "curl failed inside");
	}
	ctx_watch(hop->ctx, &waker);
	r = drive(http, slot, hop, ret_result);
	ctx_unwatch(hop->ctx, &waker);
	curl_easy_getinfo(hop->easy, CURLINFO_REQUEST_SIZE, &hop->n_sent);
	curl_easy_getinfo(hop->easy, CURLINFO_SIZE_DOWNLOAD_T, &n_received);
	hop->response->n_received = (uint64_t)n_received;
	/* Removing an unfinished exchange closes its connection. */
	curl_multi_remove_handle(slot->multi, hop->easy);
	curl_easy_setopt(hop->easy, CURLOPT_HTTPHEADER, NULL);
	header_list_free(headers);
	asked_say(hop->ctx, &(struct asked){
				    .method = method,
				    .url = hop->url->text,
				    .status = hop->response->status,
				    .n_received = hop->response->n_received,
				    .began_ms = hop->began_ms,
				    .left = hop->response->rate_remaining,
				    .failed = r,
			    });
	return r;
}

static int perform_hop(struct http *http, struct http_slot *slot,
		       struct hop *hop, const char *method, bool authorized,
		       bool body)
{
	CURLcode result = CURLE_OK;
	int r;

	http_slots_lead(&http->pool, slot, hop->url->origin);
	r = perform_once(http, slot, hop, method, authorized, body, false,
			 &result);
	if (r >= 0 && !body && was_stale(hop, result))
		r = perform_once(http, slot, hop, method, authorized, body,
				 true, &result);
	if (r < 0)
		return r;
	if (result && !hop->enough)
		return explain(http, hop, result);
	/* A 407 is the proxy's, not the host's answer. */
	if (hop->response->status == 407)
		return http_explain(hop->ctx, &(struct http_failure){
						      .result = CURLE_PROXY,
						      .host = hop->url->host,
						      .url = hop->url->text,
						      .proxy = http->proxy,
						      .why = "",
						      .connect_code = 407,
					      });
	if (!hop->head_done)
		return ctx_fail(hop->ctx, -EPROTO,
				"%s does not answer as an HTTP server does",
				hop->url->host);
	return 0;
}

/* ---- An exchange: hops until an answer ----------------------------------- */

static bool is_redirect(long status)
{
	return status == 301 || status == 302 || status == 303 ||
	       status == 307 || status == 308;
}

static int may_go(struct ctx *ctx, const struct http_request *request,
		  const struct http_url *url)
{
	if (request->authorization && !url->https && !url->loopback)
		return ctx_fail(ctx, -EPERM,
				"credentials are not sent to %s over plain "
				"http",
				url->host);
	return 0;
}

static bool has_line_end(const char *text)
{
	return text && text[strcspn(text, "\r\n")];
}

static int check_request(struct ctx *ctx, const struct http_request *request)
{
	bool bad = has_line_end(request->authorization) ||
		   has_line_end(request->method);

	for (size_t i = 0; request->headers && request->headers[i]; i++)
		bad |= has_line_end(request->headers[i]);
	return bad ? ctx_fail(ctx, -EINVAL, "a header with a line end in it")
		   : 0;
}

/* Where a 3xx leads, made absolute by curl; false: it leads nowhere, and is the
 * answer itself. */
static bool redirect_target(struct hop *hop, struct http_url *ret)
{
	const struct http_request *request = hop->request;
	cleanup(free) char *known = NULL;
	char *text = NULL;

	curl_easy_getinfo(hop->easy, CURLINFO_REDIRECT_URL, &text);
	if (text && request->relocate)
		known = request->relocate(request->relocate_arg, text);
	return text && http_url_parse(known ? known : text, ret) == 0;
}

static void say_location(struct hop *hop)
{
	cleanup(http_url_done) struct http_url target = {0};

	if (is_redirect(hop->response->status) &&
	    redirect_target(hop, &target) &&
	    strlen(target.text) < sizeof(hop->response->location))
		memcpy(hop->response->location, target.text,
		       strlen(target.text) + 1);
}

/* What to do about a 3xx: 1: go on to *url; 0: it is the answer. A body is sent
 * only to the origin it was written for: it may hold a secret. */
static int redirect(struct hop *hop, struct http_url *url, const char **method,
		    bool *body, unsigned n_hops)
{
	cleanup(http_url_done) struct http_url target = {0};
	long status = hop->response->status;

	if (hop->request->no_redirects || !is_redirect(status) ||
	    !redirect_target(hop, &target))
		return 0;
	if (*body && status != 303 &&
	    (status < 307 || strcmp(target.origin, url->origin)))
		return 0;
	if (n_hops >= REDIRECTS_MAX)
		return ctx_fail(hop->ctx, -EPROTO, "%s redirects in circles",
				url->host);
	if (url->https && !target.https)
		return ctx_fail(hop->ctx, -EPERM,
				"%s redirects to plain http, which is not "
				"followed",
				url->host);
	if (status == 303 && strcmp(*method, "HEAD")) {
		*method = "GET";
		*body = false;
	}
	http_url_done(url);
	*url = target;
	memset(&target, 0, sizeof(target));
	return 1;
}

static int perform_in_slot(struct http *http, struct http_slot *slot,
			   struct hop *hop, struct http_url *url)
{
	cleanup(free) char *first_origin = mem_strdup(url->origin);
	bool body = hop->request->body != NULL;
	const char *method = hop->request->method ? hop->request->method
			     : body               ? "POST"
						  : "GET";
	unsigned n_asked = 0;
	int r;

	r = slot_handles(slot);
	if (r < 0)
		return http_fail_machine(hop->ctx, -r);
	hop->easy = slot->easy;
	hop->url = url;
	for (unsigned n_hops = 0;; n_hops++) {
		bool same = !strcmp(url->origin, first_origin);

		r = perform_hop(http, slot, hop, method,
				same && hop->request->authorization, body);
		if (same && hop->n_sent > 0)
			n_asked++;
		hop->response->n_asked = n_asked;
		hop->response->other_host = !same;
		hop->response->authorized = same && hop->request->authorization;
		if (r < 0)
			return r;
		r = redirect(hop, url, &method, &body, n_hops);
		if (r <= 0)
			break;
	}
	if (!r)
		say_location(hop);
	return r;
}

int http_perform(struct ctx *ctx, struct http *http,
		 const struct http_request *request,
		 const struct http_sink *sink,
		 struct http_response *ret_response)
{
	cleanup(http_url_done) struct http_url url = {0};
	struct hop hop = {.ctx = ctx,
			  .request = request,
			  .sink = sink,
			  .response = ret_response};
	struct http_slot *slot;
	int r;

	http_response_init(ret_response);
	r = http_url_parse(request->url, &url);
	if (r < 0)
		return ctx_fail(ctx, r == -ERANGE ? -EINVAL : r,
				"not an http or https URL");
	r = check_request(ctx, request);
	if (r < 0)
		return r;
	r = may_go(ctx, request, &url);
	if (r < 0)
		return r;
	r = ctx_check(ctx);
	if (r < 0)
		return ctx_fail(ctx, r,
				r == -EINTR ? "interrupted" : "out of time");
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return ctx_fail(ctx, r,
				"too many readers wait for the network");
	slot = http_slots_take(ctx, &http->pool, url.origin);
	if (slot) {
		r = perform_in_slot(http, slot, &hop, &url);
		http_slots_leave(&http->pool, slot);
	} else {
		r = ctx_check(ctx);
		ctx_fail(ctx, r,
			 r == -EINTR ? "interrupted"
				     : "no connection became free in time");
	}
	ctx_wait_end(ctx);
	return r;
}
