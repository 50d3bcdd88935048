/*
 * fs/device: the bytes of the device pass through here, for two things: the
 * answer to INIT gets a flag, and ENODEV cancels what waits.
 *
 * Before 3.17 libfuse offers FUSE_CAP_PARALLEL_DIROPS and then forgets to tell
 * the kernel (libfuse c9905341, #861). The kernel then holds a mutex of a
 * directory around each lookup and listing, in which no signal is heard: one
 * lookup that waits for the network would stop all others in the same
 * directory, known names included, and Ctrl-C would end none of them.
 *
 * The answer to INIT is the first thing that is ever written to the device, and
 * the kernel sends nothing else before it has that answer. All other bytes pass
 * as they are.
 *
 * ENODEV says that the kernel has ended the mount. Requests that still wait for
 * the network are cancelled: libfuse's loop ends by waiting for each of its
 * threads, and the process would stay for a minute, although nobody is left to
 * hear the answers.
 */
#include "fs/device.h"

#include "fs/ops.h"

#include <linux/fuse.h>
#include <sys/uio.h>
#include <unistd.h>

#define FIXED_IN 317

/* An answer of another length is for a protocol before 7.23, which does not
 * know the flag. */
static bool is_init(const struct iovec *iov, int n)
{
	const struct fuse_out_header *head = iov[0].iov_base;

	return n == 2 && iov[0].iov_len == sizeof(*head) && !head->error &&
	       iov[1].iov_len == sizeof(struct fuse_init_out);
}

static ssize_t device_writev(int fd, struct iovec *iov, int n, void *userdata)
{
	struct ops *ops = userdata;

	if (!atomic_exchange(&ops->answered, true) && is_init(iov, n)) {
		struct fuse_init_out *init = iov[1].iov_base;

		if (ops->parallel_dirops && fuse_version() < FIXED_IN)
			init->flags |= FUSE_PARALLEL_DIROPS;
	}
	return writev(fd, iov, n);
}

/* What the kernel said: n bytes, or why there are none. */
static ssize_t heard(struct ops *ops, ssize_t n)
{
	if (n < 0 && errno == ENODEV) {
		era_all_end(ops->eras);
		errno = ENODEV;
	}
	return n;
}

static ssize_t device_read(int fd, void *bytes, size_t n, void *userdata)
{
	return heard(userdata, read(fd, bytes, n));
}

static ssize_t device_receive(int in, off_t *in_offset, int out,
			      off_t *out_offset, size_t n, unsigned flags,
			      void *userdata)
{
	return heard(userdata,
		     splice(in, in_offset, out, out_offset, n, flags));
}

static ssize_t device_send(int in, off_t *in_offset, int out, off_t *out_offset,
			   size_t n, unsigned flags, void *)
{
	return splice(in, in_offset, out, out_offset, n, flags);
}

int device_mend(struct fuse_session *session)
{
	static const struct fuse_custom_io io = {
		.writev = device_writev,
		.read = device_read,
		.splice_receive = device_receive,
		.splice_send = device_send,
	};

	return fuse_session_custom_io(session, &io, fuse_session_fd(session));
}
