/*
 * Real git over the tiny server: every request goes through `git http-backend`
 * on the bare repositories below a directory. A fetch can be held in the middle
 * of its pack. What came is counted by what it asked for.
 */
#ifndef TESTS_GIT_SERVER_H
#define TESTS_GIT_SERVER_H

#include "tiny-server.h"
#include "base/mem.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

extern char **environ;

struct git_server {
	struct tiny *tiny;
	char root[256]; /* ROOT/<workspace>/<slug>.git */
	struct mutex lock;
	struct cond changed;
	/* Under lock. */
	bool v0;
	unsigned hold; /* so many fetches: half the answer, then wait */
	unsigned n_held, n_halves; /* chosen; half sent and waiting */
	int status;                /* answered to everything, if not 0 */
	/* Of what begins with the one a GET is redirected to the other, and a
	 * POST is told that there is nothing; NULL: of none. */
	const char *from, *to;
	unsigned n_adverts, n_refs, n_fetches;
	uint64_t n_fetched; /* bytes of the answers to fetches */
};

static char *git_server_env(const char *name, const char *value)
{
	return mem_asprintf("%s=%s", name, value ? value : "");
}

/* What http-backend writes for this request. */
static void git_server_run(struct git_server *s,
			   const struct tiny_request *request, struct buf *out)
{
	char path[512], *query, *env[32], *argv[3];
	char name[] = "git", command[] = "http-backend", bytes[16384];
	posix_spawn_file_actions_t actions;
	FILE *body = tmpfile();
	int pipe_fds[2], status;
	size_t n = 0;
	ssize_t got;
	pid_t pid;
	bool v0;

	mutex_lock(&s->lock);
	v0 = s->v0;
	mutex_unlock(&s->lock);
	snprintf(path, sizeof(path), "%s", request->path);
	query = strchr(path, '?');
	if (query)
		*query++ = '\0';
	env[n++] = git_server_env("GIT_PROJECT_ROOT", s->root);
	env[n++] = git_server_env("GIT_HTTP_EXPORT_ALL", "1");
	env[n++] = git_server_env("PATH_INFO", path);
	env[n++] = git_server_env("QUERY_STRING", query);
	env[n++] = git_server_env("REQUEST_METHOD", request->method);
	env[n++] = git_server_env("PATH", getenv("PATH"));
	env[n++] = git_server_env("HOME", getenv("HOME"));
	env[n++] = git_server_env("GIT_CONFIG_NOSYSTEM", "1");
	env[n++] = git_server_env("CONTENT_TYPE",
				  tiny_header(request, "Content-Type"));
	if (!v0)
		env[n++] = git_server_env("GIT_PROTOCOL",
					  tiny_header(request, "Git-Protocol"));
	snprintf(bytes, sizeof(bytes), "%zu", request->n_body);
	env[n++] = git_server_env("CONTENT_LENGTH", bytes);
	env[n] = NULL;
	argv[0] = name;
	argv[1] = command;
	argv[2] = NULL;

	check(body && fwrite(request->body, 1, request->n_body, body) ==
			      request->n_body);
	check(!fflush(body) && !fseek(body, 0, SEEK_SET));
	check(!pipe2(pipe_fds, O_CLOEXEC));
	check(!posix_spawn_file_actions_init(&actions));
	posix_spawn_file_actions_adddup2(&actions, fileno(body), 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	check(!posix_spawnp(&pid, "git", &actions, NULL, argv, env));
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	while ((got = read(pipe_fds[0], bytes, sizeof(bytes))) > 0)
		buf_add(out, bytes, (size_t)got);
	close(pipe_fds[0]);
	check(waitpid(pid, &status, 0) == pid);
	fclose(body);
	while (n)
		free(env[--n]);
}

/* Whether the repository has moved, and that was said. */
static bool git_server_moved(struct tiny_connection *c, struct git_server *s,
			     const struct tiny_request *request)
{
	const char *from, *to;
	char head[512];

	mutex_lock(&s->lock);
	from = s->from;
	to = s->to;
	mutex_unlock(&s->lock);
	if (!from || strncmp(request->path, from, strlen(from)) != 0)
		return false;
	if (!strcmp(request->method, "GET"))
		snprintf(head, sizeof(head),
			 "HTTP/1.1 301 Moved\r\nLocation: %s%s%s\r\n"
			 "Content-Length: 0\r\n\r\n",
			 s->tiny->url, to, request->path + strlen(from));
	else
		snprintf(head, sizeof(head),
			 "HTTP/1.1 404 Nothing\r\nContent-Length: 0\r\n\r\n");
	tiny_say(c, head);
	return true;
}

static bool git_server_answer(struct tiny_connection *c,
			      const struct tiny_request *request, void *arg)
{
	struct git_server *s = arg;
	cleanup(buf_done) struct buf out = BUF_INIT(256 * MIB);
	bool fetch = strstr(request->body, "command=fetch") ||
		     (!strcmp(request->method, "POST") &&
		      strstr(request->body, "want "));
	const char *status = "200 OK", *body;
	char head[512];
	size_t n_head, n_body, n_now;
	bool hold;
	int force;

	mutex_lock(&s->lock);
	if (fetch)
		s->n_fetches++;
	else if (strstr(request->body, "command=ls-refs"))
		s->n_refs++;
	else
		s->n_adverts++;
	force = s->status;
	mutex_unlock(&s->lock);
	if (force) {
		snprintf(head, sizeof(head),
			 "HTTP/1.1 %d Forced\r\nContent-Length: 0\r\n\r\n",
			 force);
		tiny_say(c, head);
		return true;
	}
	if (git_server_moved(c, s, request))
		return true;
	git_server_run(s, request, &out);
	buf_putc(&out, '\0');
	body = strstr(out.data, "\r\n\r\n");
	check(body);
	n_head = (size_t)(body - out.data) + 2;
	body += 4;
	n_body = out.len - 1 - (size_t)(body - out.data);
	if (!strncmp(out.data, "Status: ", 8))
		status = out.data + 8;
	snprintf(head, sizeof(head), "HTTP/1.1 %.*s\r\n",
		 (int)strcspn(status, "\r\n"), status);
	tiny_say(c, head);
	tiny_send(c, out.data, n_head);
	snprintf(head, sizeof(head), "Content-Length: %zu\r\n\r\n", n_body);
	tiny_say(c, head);
	mutex_lock(&s->lock);
	if (fetch)
		s->n_fetched += n_body;
	hold = fetch && s->n_held < s->hold;
	if (hold)
		s->n_held++;
	mutex_unlock(&s->lock);
	n_now = hold ? n_body / 2 : n_body;
	tiny_send(c, body, n_now);
	if (hold) {
		mutex_lock(&s->lock);
		s->n_halves++;
		cond_broadcast(&s->changed);
		while (s->hold)
			cond_wait(&s->changed, &s->lock);
		s->n_held--;
		s->n_halves--;
		mutex_unlock(&s->lock);
	}
	tiny_send(c, body + n_now, n_body - n_now);
	return true;
}

static void git_server_start(struct git_server *s, const char *root)
{
	*s = (struct git_server){0};
	snprintf(s->root, sizeof(s->root), "%s", root);
	mutex_init(&s->lock);
	cond_init(&s->changed);
	s->tiny = tiny_new(git_server_answer, s);
}

static void git_server_hold(struct git_server *s, unsigned hold)
{
	mutex_lock(&s->lock);
	s->hold = hold;
	cond_broadcast(&s->changed);
	mutex_unlock(&s->lock);
}

/* Waits until so many fetches are held. */
static void git_server_await_held(struct git_server *s, unsigned n)
{
	mutex_lock(&s->lock);
	while (s->n_halves < n)
		cond_wait(&s->changed, &s->lock);
	mutex_unlock(&s->lock);
}

static void git_server_stop(struct git_server *s)
{
	if (!s->tiny)
		return;
	git_server_hold(s, 0);
	tiny_free(s->tiny);
	s->tiny = NULL;
	cond_done(&s->changed);
	mutex_done(&s->lock);
}

struct git_server_count {
	unsigned adverts, refs, fetches;
	uint64_t fetched;
};
static struct git_server_count git_server_counts(struct git_server *s)
{
	struct git_server_count n;

	mutex_lock(&s->lock);
	n.adverts = s->n_adverts;
	n.refs = s->n_refs;
	n.fetches = s->n_fetches;
	n.fetched = s->n_fetched;
	mutex_unlock(&s->lock);
	return n;
}

#endif
