/*
 * fs/ops: kernel requests in, exactly one reply each.
 */
#ifndef FS_OPS_H
#define FS_OPS_H

#define FUSE_USE_VERSION 312

#include "fs/inval.h"
#include "model/model.h"

#include <fuse_lowlevel.h>

/* What a request finds as its user data. */
struct ops {
	struct model *model;
	struct ctx_group *group;
	struct inval *inval;
	void (*ready)(void *arg);
	void *ready_arg;
	unsigned max_read;    /* as the option says; 0: it does not */
	bool parallel_dirops; /* the kernel can; set by INIT */
	atomic_bool answered; /* INIT was; fs/device's own */
};
extern const struct fuse_lowlevel_ops ops_table;

#endif
