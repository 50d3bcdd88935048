/*
 * fs/ops: kernel requests in, exactly one reply each.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 312

#include "fs/ahead.h"
#include "fs/era.h"
#include "fs/inval.h"
#include "model/model.h"

#include <fuse_lowlevel.h>

/* The user data of each request. */
struct ops {
	struct era_all *eras;
	struct inval *inval;
	struct ahead_stores ahead;
	void (*ready)(void *arg);
	void *ready_arg;
	unsigned max_read;    /* as the option says; 0: not given */
	bool may_splice;      /* replies from a descriptor */
	bool parallel_dirops; /* the kernel can; set by INIT */
	atomic_bool answered; /* INIT was answered; for fs/device alone */
};
extern const struct fuse_lowlevel_ops ops_table;

#endif
