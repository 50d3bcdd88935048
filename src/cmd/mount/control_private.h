/*
 * cmd/mount/control: places and names of sockets, and the words of a line.
 */
#ifndef CMD_CONTROL_PRIVATE_H
#define CMD_CONTROL_PRIVATE_H

#include "cmd/mount/control.h"

#include <sys/un.h>

/* A place, opened: it is this user's, and nobody else may enter it. A
 * descriptor or -errno. */
int control_place_open(size_t i, bool make);
/* Held by who removes a socket, or makes one: */
#define CONTROL_LOCK_MS 1000
/* 0, or -EAGAIN when it is not to be had within timeout_ms. It goes with the
 * descriptor. */
int control_place_lock(int place, int timeout_ms);
void control_place_unlock(int place);

#define CONTROL_NAME_MAX 32
void control_name(dev_t device, char name[static CONTROL_NAME_MAX]);
bool control_is_name(const char *name);
dev_t control_device(const char *name);
/* The address of a name in an open directory, however long the way there is. */
void control_address(int place, const char *name, struct sockaddr_un *ret);
/* Connects without a wait: a descriptor; -ECONNREFUSED: nobody listens there
 * (any more); -EAGAIN: its queue is full; another -errno. */
int control_connect(int place, const char *name);
/* The process at the other end is this user's. */
bool control_is_own(int fd);
/* Its number; 0: not known. */
pid_t control_peer(int fd);

/* Waits until events or until_ms: 0, -ETIMEDOUT or another -errno. */
int control_wait(int fd, short events, int64_t until_ms);
/* All of it, until then. 0 or -errno. */
int control_write(int fd, const void *data, size_t n, int64_t until_ms);

/* A word as it is in a line: without blanks and line ends. */
void control_add_word(struct buf *line, const char *word);
/* In its place; false: that is no word of a line. */
bool control_read_word(char *word);

#endif
