/*
 * base/notify: the service manager that started this process is told how it is,
 * as sd_notify(3) does it: a datagram to the socket named by NOTIFY_SOCKET.
 *
 * Must never know what there is to tell.
 */
#ifndef BASE_NOTIFY_H
#define BASE_NOTIFY_H

#include "base/defs.h"

/* Connects to the manager and takes its name out of the environment, so that no
 * program that is started speaks for this process. A descriptor; -ENOENT:
 * nobody wants to be told; another -errno: who wants to cannot be. Before
 * threads. */
int notify_open(void);
/* "READY=1\nSTATUS=…", an assignment a line, cleaned of secrets; what is over
 * 4 KiB is cut. fd -1: nobody is told. Waits 5 s at most for a manager that
 * reads nothing. 0 or -errno. */
int notify_send(int fd, const char *fmt, ...) printf_like(2, 3);

#endif
