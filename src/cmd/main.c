/*
 * bitbucketfs: from the command line to the command.
 */
#include "cmd/mount/daemon.h"
#include "cmd/arguments.h"

#include "base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

/* A missing one of the three standard descriptors would be taken by the next
 * open(), and messages would go into the cache. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR); /* inherited on purpose */
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* mount -N: a path, or the number of a process. */
static int enter_namespace(const char *name)
{
	cleanup(free) char *path =
		strchr(name, '/') ? mem_strdup(name)
				  : mem_asprintf("/proc/%s/ns/mnt", name);
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS)) {
		command_say("the mount namespace %s cannot be entered: %s",
			    path, strerror(errno));
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

/* SOURCE DIR, in which a word that is a command's name is none. */
static enum command_exit run_helper(struct arguments *arguments)
{
	int r;

	if (arguments->line.n_operands != 2)
		return command_usage(
			"mount(8) gives its helpers a SOURCE and a "
			"MOUNTPOINT");
	r = arguments->namespace ? enter_namespace(arguments->namespace) : 0;
	if (r || arguments->fake)
		return (enum command_exit)r;
	return mount_command(&arguments->line);
}

int main(int argc, char **argv)
{
	cleanup(arguments_done) struct arguments arguments;
	enum command_exit r;

	daemon_forbid_dumps();
	hold_standard_descriptors();
	r = arguments_read(argc, argv, &arguments);
	if (r != COMMAND_OK)
		return (int)r;
	if (arguments.helper && arguments.command->mounts)
		return (int)run_helper(&arguments);
	return (int)arguments.command->run(&arguments.line);
}
