/*
 * cmd/login/loopback_peer: which user of this machine is at the other end of a
 * TCP connection of its loopback.
 *
 * Must never know what is said there.
 */
#ifndef CMD_LOOPBACK_PEER_H
#define CMD_LOOPBACK_PEER_H

#include "base/defs.h"

#include <sys/types.h>

/* 0; -ENOENT: no process has the other end any more, or it is none of this
 * machine's; -errno. Waits for nothing. */
int loopback_peer_uid(int fd, uid_t *ret_uid);

#endif
