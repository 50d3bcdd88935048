/*
 * cmd/login/oauth_callback: a few connections at once, since a browser opens
 * some of which it says nothing, and asks for an icon.
 *
 * The code comes in an address. The browser is led on from it at once (303), so
 * that it does not stay in the address bar or in its history, and asks for
 * /done, which is answered when it is known how the sign-in ended.
 */
#include "cmd/login/oauth_callback.h"
#include "cmd/login/loopback_peer.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/mem.h"
#include "base/text.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#define HEAD_MAX (16 * KIB)
#define N_LISTENERS 2
#define N_CONNECTIONS 16
#define LOOK_MS 200 /* at most so long until a cancelled ctx is seen */
#define DONE "/done"
/* Of "server_error"; what else comes may be codes for the terminal. */
#define ERROR_LETTERS "abcdefghijklmnopqrstuvwxyz_"

struct connection {
	int fd; /* -1: none */
	uint64_t number;
	struct buf head;
};

struct oauth_callback {
	unsigned port;
	char *state;
	int listeners[N_LISTENERS];
	uint64_t n_accepted;
	struct connection connections[N_CONNECTIONS];
};

/* ---- the port ---- */

static int listen_at(const struct sockaddr *address, socklen_t n)
{
	int one = 1, r = 0;
	int fd = socket(address->sa_family,
			SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return -errno;
	/* What waits of a sign-in before keeps nobody from this one; a socket
	 * that listens does. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    (address->sa_family == AF_INET6 &&
	     setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one))) ||
	    bind(fd, address, n) || listen(fd, N_CONNECTIONS))
		r = -errno;
	if (!r)
		return fd;
	file_close(fd);
	return r;
}

static int listen_4(unsigned port)
{
	struct sockaddr_in address = {.sin_family = AF_INET,
				      .sin_port = htons((uint16_t)port)};

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	return listen_at((const struct sockaddr *)&address, sizeof(address));
}

static int listen_6(unsigned port)
{
	const struct sockaddr_in6 address = {
		.sin6_family = AF_INET6,
		.sin6_port = htons((uint16_t)port),
		.sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};

	return listen_at((const struct sockaddr *)&address, sizeof(address));
}

/* This machine has no such protocol. */
static bool is_absent(int r)
{
	return r == -EAFNOSUPPORT || r == -EADDRNOTAVAIL ||
	       r == -EPROTONOSUPPORT;
}

static int no_port(struct ctx *ctx, unsigned port, int r)
{
	if (r == -EADDRINUSE)
		return ctx_fail(ctx, r,
				"Port %u of this machine, where the browser "
				"comes back to, is in use: end the program "
				"that has it, or take another one with -o "
				"oauth_port=N and enter http://localhost:N/ as "
				"the consumer's callback.",
				port);
	return ctx_fail(ctx, r, "Port %u of this machine cannot be had: %s.",
			port, strerror(-r));
}

int oauth_callback_new(struct ctx *ctx, unsigned port, const char *state,
		       struct oauth_callback **ret_callback)
{
	cleanup(oauth_callback_free) struct oauth_callback *cb =
		mem_calloc(1, sizeof(*cb));
	int r;

	cb->port = port;
	cb->state = mem_strdup(state);
	for (size_t i = 0; i < N_CONNECTIONS; i++)
		cb->connections[i] = (struct connection){
			.fd = -1, .head = BUF_INIT(HEAD_MAX)};
	cb->listeners[0] = listen_4(port);
	/* Both, or whoever has the other one gets the code: localhost is
	 * either. */
	cb->listeners[1] = listen_6(port);
	for (size_t i = 0; i < N_LISTENERS; i++) {
		r = cb->listeners[i];
		if (r < 0 && !(is_absent(r) && cb->listeners[!i] >= 0))
			return no_port(ctx, port, r);
	}
	*ret_callback = steal(&cb);
	return 0;
}

static void hang_up(struct connection *c)
{
	/* The request has the code in it. */
	if (c->head.data)
		explicit_bzero(c->head.data, c->head.size);
	buf_clear(&c->head);
	c->fd = file_close(c->fd);
}

struct oauth_callback *oauth_callback_free(struct oauth_callback *cb)
{
	if (!cb)
		return NULL;
	for (size_t i = 0; i < N_LISTENERS; i++)
		if (cb->listeners[i] >= 0)
			file_close(cb->listeners[i]);
	for (size_t i = 0; i < N_CONNECTIONS; i++) {
		hang_up(&cb->connections[i]);
		buf_done(&cb->connections[i].head);
	}
	free(cb->state);
	free(cb);
	return NULL;
}

/* ---- answers ---- */

static void answer(struct connection *c, const char *status, const char *more,
		   const char *text)
{
	cleanup(buf_done) struct buf page = BUF_INIT(0);
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	buf_puts(&page, "<!DOCTYPE html><html lang=\"en\"><meta "
			"charset=\"utf-8\"><title>bitbucketfs</title><p>");
	for (; *text; text++)
		switch (*text) {
		case '<':
		case '>':
		case '&':
			buf_printf(&page, "&#%d;", *text);
			break;
		default:
			buf_putc(&page, *text);
		}
	buf_puts(&page, "</p></html>\n");
	buf_printf(&out,
		   "HTTP/1.1 %s\r\nContent-Type: text/html; charset=utf-8\r\n"
		   "Content-Length: %zu\r\nConnection: close\r\n"
		   "Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\n"
		   "Content-Security-Policy: default-src 'none'\r\n%s\r\n%s",
		   status, page.len, more, page.data);
	/* It fits into the socket's buffer; a browser that is gone is none of
	 * ours. */
	if (send(c->fd, out.data, out.len, MSG_NOSIGNAL) >= 0)
		shutdown(c->fd, SHUT_WR);
	hang_up(c);
}

/* ---- requests ---- */

/* %XX in place. */
static char *decode(char *text)
{
	char *to = text;

	for (const char *from = text; *from; from++, to++) {
		unsigned byte;

		*to = *from;
		if (*from == '%' && isxdigit((unsigned char)from[1]) &&
		    isxdigit((unsigned char)from[2]) &&
		    sscanf(from + 1, "%2x", &byte) == 1 && byte) {
			*to = (char)byte;
			from += 2;
		}
	}
	*to = 0;
	return text;
}

/* The value of a parameter, decoded; NULL: it is not there. Free (text_wipe)
 * it. */
static char *parameter(const char *query, const char *name)
{
	size_t n_name = strlen(name);

	while (*query) {
		size_t n = strcspn(query, "&");

		if (n > n_name && !strncmp(query, name, n_name) &&
		    query[n_name] == '=')
			return decode(
				mem_dup0(query + n_name + 1, n - n_name - 1));
		query += n + (query[n] == '&');
	}
	return NULL;
}

/* In a time that does not tell where they differ. */
static bool same(const char *a, const char *b)
{
	size_t n = strlen(a);
	unsigned char differ = strlen(b) != n;

	for (size_t i = 0; i < n && !differ; i++)
		differ |= (unsigned char)(a[i] ^ b[i]);
	return !differ;
}

/* A name of another host that leads to this machine is a page's trick. */
static bool is_for_us(const struct oauth_callback *cb, const char *head)
{
	static const char *const names[] = {"localhost", "127.0.0.1", "[::1]"};
	const char *host = strcasestr(head, "\r\nHost:");

	if (!host)
		return false;
	host += strlen("\r\nHost:");
	host += strspn(host, " \t");
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		cleanup(free) char *name =
			mem_asprintf("%s:%u\r\n", names[i], cb->port);

		if (!strncasecmp(host, name, strlen(name)))
			return true;
	}
	return false;
}

/* What was asked for (text_wipe it); NULL: no GET of a browser's. */
static char *target_of(const struct oauth_callback *cb, const char *head)
{
	const char *target = head + strlen("GET ");
	size_t n;

	if (strncmp(head, "GET ", strlen("GET ")) != 0 || !is_for_us(cb, head))
		return NULL;
	n = strcspn(target, " \r\n");
	return target[n] == ' ' ? mem_dup0(target, n) : NULL;
}

struct wait {
	void (*refused)(const char *sentence);
	char *code;
	bool denied;
	char error[40];    /* why, in the service's word */
	const char *shown; /* what /done is answered with; NULL: not yet */
	bool is_shown;
};

static void refuse(struct wait *wait, struct connection *c,
		   const char *sentence)
{
	answer(c, "400 Bad Request", "",
	       "This answer is not one of the sign-in that waits in the "
	       "terminal, and was refused. Begin anew from there.");
	if (wait->refused)
		wait->refused(sentence);
}

/*
 * The state is in the arguments of the browser, which all users of this machine
 * see: one of them could answer first, with a code of his own, and the files
 * that somebody takes for theirs would be his. Root may do as it likes, and is
 * who passes connections on (of a container, of another system's browser).
 */
static const char *why_not_from(const struct connection *c)
{
	uid_t uid;

	if (loopback_peer_uid(c->fd, &uid))
		return "an answer came to the callback of which nobody knows "
		       "which user sent it, and was refused: the sign-in still "
		       "waits";
	if (uid != geteuid() && uid)
		return "an answer of another user of this machine came to the "
		       "callback and was refused: the sign-in still waits for "
		       "a browser of yours";
	return NULL;
}

/* An empty one is none. */
static char *given(char *value)
{
	if (value && *value)
		return value;
	free(value);
	return NULL;
}

static void take_answer(struct oauth_callback *cb, struct wait *wait,
			struct connection *c, const char *query)
{
	char *state = parameter(query, "state");
	char *code = given(parameter(query, "code"));
	char *error = parameter(query, "error");
	const char *why_not =
		!state || !same(state, cb->state) || (!code && !error)
			? "an answer with a wrong state came to the callback "
			  "and was refused: the sign-in still waits"
			: why_not_from(c);

	if (why_not) {
		refuse(wait, c, why_not);
	} else {
		wait->denied = !code;
		if (error)
			snprintf(wait->error, sizeof(wait->error), "%s", error);
		wait->code = code ? steal(&code) : NULL;
		answer(c, "303 See Other", "Location: " DONE "\r\n", "");
	}
	free(state);
	text_wipe(code);
	free(error);
}

/* A whole head has come. */
static void handle(struct oauth_callback *cb, struct wait *wait,
		   struct connection *c)
{
	char *target = target_of(cb, c->head.data);

	if (target && !strcmp(target, DONE)) {
		/* Else it waits until there is something to say. */
		wait->is_shown = wait->shown != NULL;
		if (wait->shown)
			answer(c, "200 OK", "", wait->shown);
	} else if (target && !strncmp(target, "/?", 2) && !wait->code &&
		   !wait->denied) {
		take_answer(cb, wait, c, target + 2);
	} else {
		answer(c, "404 Not Found", "", "There is nothing here.");
	}
	text_wipe(target);
}

static bool is_whole(const struct connection *c)
{
	return c->head.len && strstr(c->head.data, "\r\n\r\n");
}

static void hear(struct oauth_callback *cb, struct wait *wait,
		 struct connection *c)
{
	char some[4096];
	ssize_t n = recv(c->fd, some, sizeof(some), 0);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0 && !memchr(some, 0, (size_t)n))
		buf_add(&c->head, some, (size_t)n);
	explicit_bzero(some, sizeof(some));
	if (n <= 0 || c->head.failed)
		hang_up(c);
	else if (is_whole(c))
		handle(cb, wait, c);
}

/* The oldest that says nothing makes room. */
static void accept_one(struct oauth_callback *cb, int listener)
{
	int fd = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct connection *c = &cb->connections[0];

	if (fd < 0)
		return;
	for (size_t i = 1; i < N_CONNECTIONS && c->fd >= 0; i++)
		if (cb->connections[i].fd < 0 ||
		    cb->connections[i].number < c->number)
			c = &cb->connections[i];
	hang_up(c);
	c->fd = fd;
	c->number = cb->n_accepted++;
}

/* What comes within that time, once. */
static void serve(struct oauth_callback *cb, struct wait *wait, int timeout_ms)
{
	struct pollfd fds[N_LISTENERS + N_CONNECTIONS];

	for (size_t i = 0; i < N_LISTENERS; i++)
		fds[i] = (struct pollfd){.fd = cb->listeners[i],
					 .events = POLLIN};
	for (size_t i = 0; i < N_CONNECTIONS; i++)
		fds[N_LISTENERS + i] = (struct pollfd){
			.fd = cb->connections[i].fd, .events = POLLIN};
	if (poll(fds, ARRAY_SIZE(fds), timeout_ms) <= 0)
		return;
	for (size_t i = 0; i < N_CONNECTIONS; i++)
		if (fds[N_LISTENERS + i].revents)
			hear(cb, wait, &cb->connections[i]);
	for (size_t i = 0; i < N_LISTENERS; i++)
		if (fds[i].revents)
			accept_one(cb, cb->listeners[i]);
}

int oauth_callback_await(struct ctx *ctx, struct oauth_callback *cb,
			 void (*refused)(const char *sentence), char **ret_code)
{
	struct wait wait = {.refused = refused};
	int r = 0;

	while (!r && !wait.code && !wait.denied) {
		int64_t left_ms = ctx_left_ms(ctx);

		serve(cb, &wait, left_ms < LOOK_MS ? (int)left_ms : LOOK_MS);
		r = ctx_check(ctx);
	}
	if (wait.code) {
		*ret_code = wait.code;
		return 0;
	}
	if (wait.denied && strcmp(wait.error, "access_denied") != 0)
		return ctx_fail(ctx, -ECANCELED,
				"Bitbucket sent the browser back with an error "
				"(%.*s): nobody has signed in.",
				(int)strspn(wait.error, ERROR_LETTERS),
				wait.error);
	if (wait.denied)
		return ctx_fail(ctx, -ECANCELED,
				"Access was refused in the browser: nobody has "
				"signed in.");
	return ctx_fail(ctx, r,
			r == -ETIMEDOUT ? "No browser has come back in time: "
					  "nobody has signed in."
					: "The sign-in was broken off.");
}

void oauth_callback_show(struct oauth_callback *cb, const char *text,
			 int timeout_ms)
{
	int64_t end = clock_mono_ms() + timeout_ms, left = timeout_ms;
	struct wait wait = {.shown = text};

	for (size_t i = 0; i < N_CONNECTIONS; i++)
		if (cb->connections[i].fd >= 0 && is_whole(&cb->connections[i]))
			handle(cb, &wait, &cb->connections[i]);
	for (; left > 0 && !wait.is_shown; left = end - clock_mono_ms())
		serve(cb, &wait, (int)left);
}
