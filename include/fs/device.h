/*
 * fs/device: the bytes that go over /dev/fuse, for the one thing that libfuse
 * before 3.17 does not say for us.
 */
#ifndef FS_DEVICE_H
#define FS_DEVICE_H

struct fuse_session;

/* To be called between mounting and the loop: lets the kernel ask several
 * things of one directory at once. 0 or -errno. */
int device_mend(struct fuse_session *);

#endif
