/*
 * wire/ssh: where an agent listens.
 *
 * A mount lives longer than the session it was started from, and an agent may
 * come later than the mount: so it is looked for at each connection, and one
 * that nobody listens at is passed over. (IdentityAgent of the user's
 * configuration is ssh's own matter, and goes before all of it.)
 */
#include "ssh_private.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/file.h"

#define MANAGER_MS 1000
#define MANAGER_SAID_MAX (64 * KIB)

static bool listens(const char *path)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	cleanup(fd) int fd = -1;
	size_t n = path ? strlen(path) : 0;

	if (!n || *path != '/' || n >= sizeof(address.sun_path))
		return false;
	memcpy(address.sun_path, path, n + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* EAGAIN: somebody does, and has many who wait. */
	return fd >= 0 && (!connect(fd, (const struct sockaddr *)&address,
				    sizeof(address)) ||
			   errno == EAGAIN);
}

/* What the user's services are given; a desktop puts its agent there. */
static char *managers(struct ctx *ctx)
{
	static const char *const argv[] = {"systemctl", "--user",
					   "show-environment", NULL};
	static const char *const nothing[] = {NULL};
	static const char name[] = "SSH_AUTH_SOCK=";
	cleanup(program_environment_free) char **envp = program_environment(
		(const char *const[]){"BITBUCKETFS_*", NULL}, nothing);
	cleanup(buf_done) struct buf out = BUF_INIT(MANAGER_SAID_MAX);
	cleanup(buf_done) struct buf err = BUF_INIT(MANAGER_SAID_MAX);
	const char *line;
	int status;

	if (program_run(ctx, argv, envp, NULL, MANAGER_MS, &out, &err,
			&status) ||
	    status || !out.len)
		return NULL;
	for (line = out.data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!strncmp(line, name, sizeof(name) - 1))
			return mem_dup0(line + sizeof(name) - 1,
					strcspn(line, "\n") -
						(sizeof(name) - 1));
	}
	return NULL;
}

char *ssh_agent_find(struct ctx *ctx, struct ssh *ssh)
{
	cleanup(free) char *last = NULL;
	cleanup(free) char *of_manager = NULL;
	const char *own = getenv("SSH_AUTH_SOCK");

	if (listens(ssh->agent))
		return mem_strdup(ssh->agent);
	mutex_lock(&ssh->lock);
	last = ssh->last_agent ? mem_strdup(ssh->last_agent) : NULL;
	mutex_unlock(&ssh->lock);
	if (listens(last))
		return steal(&last);
	if (listens(own))
		return mem_strdup(own);
	of_manager = managers(ctx);
	return listens(of_manager) ? steal(&of_manager) : NULL;
}
