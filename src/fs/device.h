/*
 * fs/device: the bytes that go over /dev/fuse, for one thing that libfuse does
 * not tell the kernel, and one that it does not tell this program.
 */
#ifndef FS_DEVICE_H
#define FS_DEVICE_H

struct fuse_session;

/* To be called between mounting and the loop: lets the kernel ask several
 * things of one directory at once, and cancels the group of all requests when
 * the kernel has ended the mount. 0 or -errno. */
int device_mend(struct fuse_session *);

#endif
