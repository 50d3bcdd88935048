/*
 * Repositories that git made, for who speaks to a real git-upload-pack(1).
 */
#ifndef TESTS_LINK_SCRATCH_H
#define TESTS_LINK_SCRATCH_H

#include "wire/link.h"
#include "wire/upload_pack.h"

#include "base/file.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

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

#endif
