/*
 * A tiny HTTP server inside a test program: a thread a connection, each
 * request kept, each answer written by the test's own handler as raw bytes,
 * so that it can be as wrong as needed.
 */
#ifndef TESTS_TINY_SERVER_H
#define TESTS_TINY_SERVER_H

#include "base/mem.h"
#include "base/sync.h"

#include <arpa/inet.h>
#include <poll.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#define TINY_MAX 256

struct tiny_request {
	char *head; /* with its final empty line */
	char *body;
	size_t n_body;
	unsigned connection; /* which one it came over */
	char method[16], path[512];
};

struct tiny_connection {
	struct tiny *tiny;
	struct thread *thread;
	int fd;
	unsigned number;
};

/* False: the connection is closed now. Runs on the connection's thread. */
typedef bool tiny_handler(struct tiny_connection *, const struct tiny_request *,
			  void *arg);

struct tiny {
	int fd;
	unsigned port;
	char url[64]; /* "http://127.0.0.1:PORT" */
	tiny_handler *handler;
	void *arg;
	struct thread *acceptor;
	struct mutex lock;
	struct cond changed;
	bool stopping;
	struct tiny_connection *connections[TINY_MAX];
	unsigned n_connections;
	struct tiny_request *requests[TINY_MAX];
	unsigned n_requests;
	unsigned n_busy, most_busy; /* handlers at work */
	unsigned n_no_room; /* accepts for which no descriptor was left */
};

/* Errors of writing are the client's doing, who went away. Of a copy: when the
 * client has all of it, the test may free data before send is done with it. */
__attribute__((unused)) static void tiny_send(struct tiny_connection *c,
					      const void *data, size_t n)
{
	cleanup(free) char *copy = mem_dup0(data, n);
	const char *bytes = copy;

	while (n) {
		ssize_t sent = send(c->fd, bytes, n, MSG_NOSIGNAL);

		if (sent <= 0)
			return;
		bytes += sent;
		n -= (size_t)sent;
	}
}

__attribute__((unused)) static void tiny_say(struct tiny_connection *c,
					     const char *text)
{
	tiny_send(c, text, strlen(text));
}

/* Blocks until the client is gone or the server is stopped. */
__attribute__((unused)) static void tiny_await_gone(struct tiny_connection *c)
{
	char byte;

	while (recv(c->fd, &byte, 1, 0) > 0)
		;
}

/* The value of a header of the request, in one static place a thread. */
__attribute__((unused)) static const char *
tiny_header(const struct tiny_request *request, const char *name)
{
	static _Thread_local char value[2048];
	size_t n = strlen(name);

	for (const char *line = strchr(request->head, '\n'); line && line[1];
	     line = strchr(line + 1, '\n')) {
		const char *s = line + 1;

		if (strncasecmp(s, name, n) || s[n] != ':')
			continue;
		s += n + 1;
		s += strspn(s, " ");
		snprintf(value, sizeof(value), "%.*s", (int)strcspn(s, "\r\n"),
			 s);
		return value;
	}
	return NULL;
}

static bool tiny_read_request(struct tiny_connection *c,
			      struct tiny_request *request)
{
	char *head = mem_calloc(1, 64 * KIB);
	size_t n = 0;
	const char *length;

	/* A byte at a time: slow, and never a byte too many. */
	while (n < 64 * KIB - 1 &&
	       (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4)))
		if (recv(c->fd, head + n, 1, 0) == 1) {
			n++;
		} else {
			free(head);
			return false;
		}
	request->head = head;
	request->connection = c->number;
	sscanf(head, "%15s %511s", request->method, request->path);
	length = tiny_header(request, "Content-Length");
	request->n_body = length ? strtoul(length, NULL, 10) : 0;
	request->body = mem_calloc(1, request->n_body + 1);
	for (size_t at = 0; at < request->n_body;) {
		ssize_t got = recv(c->fd, request->body + at,
				   request->n_body - at, 0);

		if (got <= 0)
			break;
		at += (size_t)got;
	}
	return true;
}

static void tiny_request_free(struct tiny_request *request)
{
	free(request->head);
	free(request->body);
	free(request);
}

static void tiny_serve(void *arg)
{
	struct tiny_connection *c = arg;
	struct tiny *tiny = c->tiny;
	bool going_on = true;

	while (going_on) {
		struct tiny_request *request = mem_calloc(1, sizeof(*request));

		if (!tiny_read_request(c, request)) {
			free(request);
			break;
		}
		mutex_lock(&tiny->lock);
		check(tiny->n_requests < TINY_MAX);
		tiny->requests[tiny->n_requests++] = request;
		if (++tiny->n_busy > tiny->most_busy)
			tiny->most_busy = tiny->n_busy;
		cond_broadcast(&tiny->changed);
		mutex_unlock(&tiny->lock);
		going_on = tiny->handler(c, request, tiny->arg);
		mutex_lock(&tiny->lock);
		tiny->n_busy--;
		cond_broadcast(&tiny->changed);
		mutex_unlock(&tiny->lock);
	}
	shutdown(c->fd, SHUT_RDWR);
}

/*
 * The next connection; -1: the server is stopped.
 *
 * accept4() takes its descriptor before it waits, so a thread that comes to it
 * while a test has lowered RLIMIT_NOFILE gets EMFILE though nobody connects:
 * 1. a test makes a server, whose acceptor has not run yet;
 * 2. the test leaves no descriptor free, and the acceptor calls accept4();
 * 3. the test gives the descriptors back and connects.
 * A server that took EMFILE for its end would leave 3 waiting for ever. So it
 * waits in poll(), which needs no descriptor, and accepts what is there.
 */
static int tiny_accept_one(struct tiny *tiny)
{
	for (;;) {
		struct pollfd coming = {.fd = tiny->fd, .events = POLLIN};
		bool stopping;
		int fd, why;

		poll(&coming, 1, -1);
		fd = accept4(tiny->fd, NULL, NULL, SOCK_CLOEXEC);
		why = errno;
		if (fd >= 0)
			return fd;
		mutex_lock(&tiny->lock);
		stopping = tiny->stopping;
		if (why == EMFILE)
			tiny->n_no_room++;
		cond_broadcast(&tiny->changed);
		mutex_unlock(&tiny->lock);
		if (stopping)
			return -1;
		check(why == EMFILE || why == EINTR || why == ECONNABORTED);
		/* Nothing tells that a limit was raised. */
		if (why == EMFILE)
			poll(NULL, 0, 1);
	}
}

static void tiny_accept(void *arg)
{
	struct tiny *tiny = arg;
	int fd;

	while ((fd = tiny_accept_one(tiny)) >= 0) {
		struct tiny_connection *c = mem_calloc(1, sizeof(*c));

		c->tiny = tiny;
		c->fd = fd;
		mutex_lock(&tiny->lock);
		if (tiny->stopping) {
			mutex_unlock(&tiny->lock);
			close(fd);
			free(c);
			return;
		}
		check(tiny->n_connections < TINY_MAX);
		c->number = tiny->n_connections;
		tiny->connections[tiny->n_connections++] = c;
		check(!thread_start("tiny", tiny_serve, c, &c->thread));
		mutex_unlock(&tiny->lock);
	}
}

static struct tiny *tiny_new(tiny_handler *handler, void *arg)
{
	struct tiny *tiny = mem_calloc(1, sizeof(*tiny));
	struct sockaddr_in address = {.sin_family = AF_INET};
	socklen_t n = sizeof(address);

	address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	tiny->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	check(tiny->fd >= 0);
	check(!bind(tiny->fd, (struct sockaddr *)&address, n));
	check(!listen(tiny->fd, 128));
	check(!getsockname(tiny->fd, (struct sockaddr *)&address, &n));
	tiny->port = ntohs(address.sin_port);
	snprintf(tiny->url, sizeof(tiny->url), "http://127.0.0.1:%u",
		 tiny->port);
	tiny->handler = handler;
	tiny->arg = arg;
	mutex_init(&tiny->lock);
	cond_init(&tiny->changed);
	check(!thread_start("tiny-accept", tiny_accept, tiny, &tiny->acceptor));
	return tiny;
}

/* Waits until n requests have come in all. */
__attribute__((unused)) static void tiny_await(struct tiny *tiny, unsigned n)
{
	mutex_lock(&tiny->lock);
	while (tiny->n_requests < n)
		cond_wait(&tiny->changed, &tiny->lock);
	mutex_unlock(&tiny->lock);
}

/* Waits until no handler is at work. */
__attribute__((unused)) static void tiny_await_idle(struct tiny *tiny)
{
	mutex_lock(&tiny->lock);
	while (tiny->n_busy)
		cond_wait(&tiny->changed, &tiny->lock);
	mutex_unlock(&tiny->lock);
}

/* Request number i, which must have come. It lives as long as the server. */
__attribute__((unused)) static const struct tiny_request *
tiny_got(struct tiny *tiny, unsigned i)
{
	const struct tiny_request *request;

	mutex_lock(&tiny->lock);
	check(i < tiny->n_requests);
	request = tiny->requests[i];
	mutex_unlock(&tiny->lock);
	return request;
}

__attribute__((unused)) static unsigned tiny_n_requests(struct tiny *tiny)
{
	unsigned n;

	mutex_lock(&tiny->lock);
	n = tiny->n_requests;
	mutex_unlock(&tiny->lock);
	return n;
}

static void tiny_free(struct tiny *tiny)
{
	mutex_lock(&tiny->lock);
	tiny->stopping = true;
	for (unsigned i = 0; i < tiny->n_connections; i++)
		shutdown(tiny->connections[i]->fd, SHUT_RDWR);
	mutex_unlock(&tiny->lock);
	shutdown(tiny->fd, SHUT_RDWR);
	thread_join(tiny->acceptor);
	for (unsigned i = 0; i < tiny->n_connections; i++) {
		thread_join(tiny->connections[i]->thread);
		close(tiny->connections[i]->fd);
		free(tiny->connections[i]);
	}
	for (unsigned i = 0; i < tiny->n_requests; i++)
		tiny_request_free(tiny->requests[i]);
	close(tiny->fd);
	cond_done(&tiny->changed);
	mutex_done(&tiny->lock);
	free(tiny);
}

#endif
