/*
 * cmd/mount/lifeline: waiting for the end of a mount's daemon, which comes
 * after the end of the mount: the daemon still writes into its cache.
 *
 * Owns a socket without a place in any file system, called by the device number
 * of the mount, that nobody ever writes to: the kernel closes it when the
 * process ends, however that ends. A daemon that hangs answers no question, but
 * its end is seen all the same.
 */
#ifndef CMD_LIFELINE_H
#define CMD_LIFELINE_H

#include "base/defs.h"

#include <sys/types.h>

/* In the daemon, once it has mounted. A descriptor, or -errno. */
int lifeline_hold(dev_t device);
/* The mount is gone, and its number may be given to another one: who waits
 * goes on waiting for the end of this process. The descriptor is gone. */
void lifeline_let_go(int fd);

/* Before the mount is taken away: a descriptor to wait with. -ECONNREFUSED:
 * there is no such daemon (of this user or root), or it is dead. */
int lifeline_take(dev_t device, uid_t user, pid_t *ret_daemon);
/* 0: it has ended; -ETIMEDOUT. */
int lifeline_wait(int fd, int timeout_ms);

#endif
