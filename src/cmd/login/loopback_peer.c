/*
 * cmd/login/loopback_peer: the other end is a line of /proc/net/tcp or tcp6, in
 * which addresses are words in hexadecimal, as this machine has them in memory.
 * A socket of tcp6 may speak IPv4, and then is in tcp6.
 */
#include "cmd/login/loopback_peer.h"

#include "base/file.h"
#include "base/mem.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/socket.h>

/* "0100007F:1F90", and of IPv6 four words. */
#define END_MAX 48

union address {
	struct sockaddr any;
	struct sockaddr_in v4;
	struct sockaddr_in6 v6;
};

static void write_v4(const union address *a, char out[static END_MAX])
{
	snprintf(out, END_MAX, "%08X:%04X", a->v4.sin_addr.s_addr,
		 ntohs(a->v4.sin_port));
}

static void write_v6(const union address *a, char out[static END_MAX])
{
	uint32_t words[4] = {0, 0, htonl(0xffff), 0};
	in_port_t port = a->v6.sin6_port;

	if (a->any.sa_family == AF_INET) {
		words[3] = a->v4.sin_addr.s_addr;
		port = a->v4.sin_port;
	} else {
		memcpy(words, &a->v6.sin6_addr, sizeof(words));
	}
	snprintf(out, END_MAX, "%08X%08X%08X%08X:%04X", words[0], words[1],
		 words[2], words[3], ntohs(port));
}

/* The line's user, where its ends are these. A socket that no process has any
 * more has no inode, and is shown as root's whoever had it. */
static bool is_line(const char *line, const char *local, const char *remote,
		    uid_t *ret_uid)
{
	char is_local[END_MAX], is_remote[END_MAX];
	unsigned long inode;

	return sscanf(line,
		      " %*[^:]: %47[0-9A-F:] %47[0-9A-F:] %*s %*s %*s %*s %u "
		      "%*s %lu",
		      is_local, is_remote, ret_uid, &inode) == 4 &&
	       inode && !strcmp(is_local, local) && !strcmp(is_remote, remote);
}

static int look(const char *path, const char *local, const char *remote,
		uid_t *ret_uid)
{
	FILE *table = fopen(path, "re");
	char *line = NULL;
	size_t size = 0;
	int r = -ENOENT;

	if (!table)
		return -errno;
	while (r && getline(&line, &size, table) >= 0)
		if (is_line(line, local, remote, ret_uid))
			r = 0;
	free(line);
	(void)fclose(table);
	return r;
}

int loopback_peer_uid(int fd, uid_t *ret_uid)
{
	union address ours = {0}, theirs = {0};
	socklen_t n_ours = sizeof(ours), n_theirs = sizeof(theirs);
	char local[END_MAX], remote[END_MAX];
	int r = -ENOENT;

	if (getsockname(fd, &ours.any, &n_ours) ||
	    getpeername(fd, &theirs.any, &n_theirs))
		return -errno;
	if (ours.any.sa_family == AF_INET) {
		write_v4(&theirs, local);
		write_v4(&ours, remote);
		r = look("/proc/net/tcp", local, remote, ret_uid);
	}
	if (r) {
		write_v6(&theirs, local);
		write_v6(&ours, remote);
		r = look("/proc/net/tcp6", local, remote, ret_uid);
	}
	return r;
}
