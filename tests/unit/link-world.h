/*
 * A tiny server that runs git-upload-pack(1) as a CGI would, over the
 * repositories of link-scratch.h.
 */
#ifndef TESTS_LINK_WORLD_H
#define TESTS_LINK_WORLD_H

#include "link-scratch.h"
#include "tiny-server.h"

#include <sys/mman.h>

#define AUTH "Basic dGVzdDpzZWNyZXQ="

/* ---- The server ---------------------------------------------------------- */

struct world {
	struct tiny *tiny, *other;
	bool v2;          /* it hands Git-Protocol through */
	long status;      /* of every answer, 0: real ones */
	const char *type; /* of the answer, NULL: git's */
	const char *body; /* with status */
	bool moved;       /* /old/… is at other's /… now */
	bool at_home;     /* at its own /…, and a POST is a 404 */
	size_t cut_at;    /* so many bytes of an answer, 0: all */
};

static void spawn_git(struct tiny_connection *c, const char *repository,
		      const struct tiny_request *request, bool v2, int *ret_out,
		      pid_t *ret_pid)
{
	bool advertise = !strcmp(request->method, "GET");
	const char *argv[] = {"git", "upload-pack",
			      advertise ? "--http-backend-info-refs"
					: "--stateless-rpc",
			      repository, NULL};
	posix_spawn_file_actions_t actions;
	char *envp[256];
	size_t n_env = 0;
	int pipe_fds[2];
	int in = memfd_create("request", MFD_CLOEXEC);

	(void)c;
	for (char **e = environ; *e && n_env < ARRAY_SIZE(envp) - 2; e++)
		envp[n_env++] = *e;
	if (v2)
		envp[n_env++] = (char *)(uintptr_t) "GIT_PROTOCOL=version=2";
	envp[n_env] = NULL;
	check(in >= 0 && !pipe2(pipe_fds, O_CLOEXEC));
	check(write(in, request->body, request->n_body) ==
	      (ssize_t)request->n_body);
	check(lseek(in, 0, SEEK_SET) == 0);
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, in, 0);
	posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
	posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0);
	check(!posix_spawnp(ret_pid, "git", &actions, NULL,
			    (char *const *)(uintptr_t)argv, envp));
	posix_spawn_file_actions_destroy(&actions);
	close(in);
	close(pipe_fds[1]);
	*ret_out = pipe_fds[0];
}

static bool answer_git(struct tiny_connection *c,
		       const struct tiny_request *request, struct world *world)
{
	static const char service[] = "001e# service=git-upload-pack\n0000";
	bool advertise = !strcmp(request->method, "GET");
	const char *said = tiny_header(request, "Git-Protocol");
	bool v2 = world->v2 && said && !strcmp(said, "version=2");
	size_t n_path = strcspn(request->path + 1, "/");
	cleanup(free) char *repository = mem_asprintf(
		"%s/%.*s", scratch, (int)n_path, request->path + 1);
	char bytes[16384], line[256];
	size_t n_sent = 0;
	ssize_t n;
	pid_t pid;
	int out;

	snprintf(line, sizeof(line),
		 "HTTP/1.1 200 OK\r\n"
		 "Content-Type: application/x-git-upload-pack-%s\r\n"
		 "Transfer-Encoding: chunked\r\n\r\n",
		 advertise ? "advertisement" : "result");
	tiny_say(c, line);
	if (advertise) {
		snprintf(line, sizeof(line), "%zx\r\n%s\r\n",
			 sizeof(service) - 1, service);
		tiny_say(c, line);
	}
	spawn_git(c, repository, request, v2, &out, &pid);
	while ((n = read(out, bytes, sizeof(bytes))) > 0) {
		if (world->cut_at && n_sent + (size_t)n > world->cut_at)
			n = (ssize_t)(world->cut_at - n_sent);
		if (!n)
			continue; /* until git has ended */
		snprintf(line, sizeof(line), "%zx\r\n", (size_t)n);
		tiny_say(c, line);
		tiny_send(c, bytes, (size_t)n);
		tiny_say(c, "\r\n");
		n_sent += (size_t)n;
	}
	tiny_say(c, "0\r\n\r\n");
	close(out);
	check(waitpid(pid, NULL, 0) == pid);
	return true;
}

static bool answer(struct tiny_connection *c,
		   const struct tiny_request *request, void *arg)
{
	struct world *world = arg;
	char text[1024];

	if (world->moved && !strncmp(request->path, "/old/", 5)) {
		if (!strcmp(request->method, "POST") && world->at_home)
			snprintf(text, sizeof(text),
				 "HTTP/1.1 404 N\r\nContent-Length: 0\r\n\r\n");
		else
			snprintf(text, sizeof(text),
				 "HTTP/1.1 301 Moved\r\nLocation: %s/%s\r\n"
				 "Content-Length: 0\r\n\r\n",
				 world->at_home ? world->tiny->url
						: world->other->url,
				 request->path + 5);
		tiny_say(c, text);
		return true;
	}
	if (!world->status)
		return answer_git(c, request, world);
	snprintf(text, sizeof(text),
		 "HTTP/1.1 %ld Status\r\nContent-Type: %s\r\n"
		 "Content-Length: %zu\r\n\r\n%s",
		 world->status, world->type ? world->type : "text/html",
		 world->body ? strlen(world->body) : 0,
		 world->body ? world->body : "");
	tiny_say(c, text);
	return true;
}

#endif
