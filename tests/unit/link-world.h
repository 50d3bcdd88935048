/*
 * A tiny server that runs git-upload-pack(1) as a CGI would, over repositories
 * that git made.
 */
#ifndef TESTS_LINK_WORLD_H
#define TESTS_LINK_WORLD_H

#include "wire/link.h"
#include "wire/upload_pack.h"

#include "base/file.h"
#include "tiny-server.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define AUTH "Basic dGVzdDpzZWNyZXQ="

extern char **environ;

/* ---- The repositories ---------------------------------------------------- */

static char scratch[] = "/tmp/bitbucketfs-test-link-XXXXXX";
static bool has_git;

static const char make_repositories[] =
	"set -e; cd \"$SCRATCH\"\n"
	"git init -q -b main work; cd work\n"
	"for i in 1 2 3; do\n"
	"  mkdir -p dir$i/deep; echo $i > dir$i/deep/file; echo all $i > top\n"
	"  seq 1 20000 > dir$i/large; printf $i >> dir$i/large\n"
	"  git add -A; git commit -q -m \"commit $i\"\n"
	"done\n"
	"git branch feature/x HEAD~1; git tag -a v1 -m one HEAD~2\n"
	"cd ..; git clone -q --bare work full.git\n"
	"cp -r full.git filter.git\n"
	"git -C filter.git config uploadpack.allowFilter true\n"
	"cp -r full.git any.git\n"
	"git -C any.git config uploadpack.allowAnySHA1InWant true\n"
	"git init -q --bare -b main empty.git\n"
	"git init -q --bare -b main --object-format=sha256 sha256.git\n"
	"git init -q -b main --object-format=sha256 work256; cd work256\n"
	"echo x > x; git add x; git commit -q -m x\n"
	"git push -q ../sha256.git main\n";

/* A script of sh; what it says goes to *ret_said, or where ours goes. Its exit
 * status. */
static int run_shell(const char *script, struct buf *ret_said)
{
	cleanup(free) char *text =
		mem_asprintf("SCRATCH=%s; export SCRATCH; cd \"$SCRATCH\"\n%s",
			     scratch, script);
	const char *argv[] = {"sh", "-c", text, NULL};
	posix_spawn_file_actions_t actions;
	int pipe_fds[2], status = 0;
	char bytes[256];
	ssize_t n;
	pid_t pid;

	check(!pipe2(pipe_fds, O_CLOEXEC));
	posix_spawn_file_actions_init(&actions);
	if (ret_said)
		posix_spawn_file_actions_adddup2(&actions, pipe_fds[1], 1);
	check(!posix_spawn(&pid, "/bin/sh", &actions, NULL,
			   (char *const *)(uintptr_t)argv, environ));
	posix_spawn_file_actions_destroy(&actions);
	close(pipe_fds[1]);
	while ((n = read(pipe_fds[0], bytes, sizeof(bytes))) > 0)
		buf_add(ret_said, bytes, (size_t)n);
	close(pipe_fds[0]);
	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int shell(const char *script)
{
	return run_shell(script, NULL);
}

/* The first line that a command prints. */
static void ask(const char *command, char *out, size_t size)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);

	assert_int_equal(run_shell(command, &said), 0);
	assert_non_null(said.data);
	snprintf(out, size, "%.*s", (int)strcspn(said.data, "\n"), said.data);
}

static int make_scratch(void **state)
{
	(void)state;
	check(mkdtemp(scratch) != NULL);
	setenv("GIT_CONFIG_GLOBAL", "/dev/null", 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "A", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "A", 1);
	setenv("GIT_COMMITTER_EMAIL", "a@example.org", 1);
	has_git = shell("git --version > /dev/null 2>&1") == 0;
	if (!has_git)
		print_message("SKIPPED: no git here, nothing real is spoken "
			      "to\n");
	return has_git ? shell(make_repositories) : 0;
}

static int drop_scratch(void **state)
{
	(void)state;
	return file_remove_tree(scratch);
}

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
