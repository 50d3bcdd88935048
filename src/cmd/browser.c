/*
 * cmd/browser: it is not waited for, for it may be the browser itself. It
 * has /dev/null for all three, and no pipe of ours (base/program): a browser
 * that is started by it writes there as long as it lives.
 */
#include "cmd/browser.h"

#include "base/mem.h"

#include <fcntl.h>
#include <spawn.h>
#include <unistd.h>

extern char **environ;

static bool is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value && *value;
}

bool browser_open(const char *url)
{
	cleanup(free) char *program = mem_strdup("xdg-open");
	cleanup(free) char *where = mem_strdup(url);
	char *argv[] = {program, where, NULL};
	posix_spawn_file_actions_t actions;
	posix_spawnattr_t attributes;
	pid_t pid;
	int r;

	if (!is_set("DISPLAY") && !is_set("WAYLAND_DISPLAY"))
		return false;
	posix_spawn_file_actions_init(&actions);
	for (int fd = 0; fd <= STDERR_FILENO; fd++)
		posix_spawn_file_actions_addopen(&actions, fd, "/dev/null",
						 O_RDWR, 0);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSID);
	r = posix_spawnp(&pid, program, &actions, &attributes, argv, environ);
	posix_spawnattr_destroy(&attributes);
	posix_spawn_file_actions_destroy(&actions);
	return !r;
}
