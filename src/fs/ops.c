/*
 * fs/ops: every operation is the same: a ctx that the kernel's INTERRUPT
 * cancels, the model's answer, one reply.
 *
 * OPEN answers ENOSYS, once per mount: the kernel then opens by itself and
 * keeps pages. That needs what the model promises: true sizes at lookup, and an
 * inode whose content never changes (model/node.c: "Version = inode"). OPENDIR
 * is answered: a directory that cannot be listed fails there, where every
 * program hears of it.
 */
#include "fs/ops.h"

#include <unistd.h>

#define MOST_DELAYED_MS 1000

static struct ops *ops_of(fuse_req_t req)
{
	return fuse_req_userdata(req);
}

static void interrupted(fuse_req_t, void *ctx)
{
	ctx_cancel(ctx);
}

/* A request on its way: in an era until leave(). */
struct call {
	struct era_all *eras;
	struct era *era;
	struct ctx ctx;
};

static void begin_in(fuse_req_t req, struct call *call, struct era *era)
{
	call->eras = ops_of(req)->eras;
	call->era = era;
	ctx_init(&call->ctx, era->group, -1);
	call->ctx.caller = fuse_req_ctx(req)->pid;
	fuse_req_interrupt_func(req, interrupted, &call->ctx);
	if (fuse_req_interrupted(req))
		ctx_cancel(&call->ctx);
}

static void begin(fuse_req_t req, struct call *call)
{
	begin_in(req, call, era_enter(ops_of(req)->eras));
}

/*
 * To be called before the reply:
 * 1. A thread of libfuse's reads an INTERRUPT, and finds A's request.
 * 2. A replies, and returns: its ctx is gone.
 * 3. That thread calls `interrupted` with A's ctx.
 */
static void end(fuse_req_t req, struct call *call)
{
	fuse_req_interrupt_func(req, NULL, NULL);
	ctx_done(&call->ctx);
}

/* After the reply: what it says is the old model's, which is told of to the
 * kernel as gone when nobody is in it. */
static void leave(struct call *call)
{
	era_leave(call->eras, call->era);
}

static void op_init(void *userdata, struct fuse_conn_info *conn)
{
	struct ops *ops = userdata;

	/* ASYNC_READ: the kernel sends no INTERRUPT for asynchronous readahead,
	 * so Ctrl-C would not end a read that waits. */
	conn->want &= ~(unsigned)(FUSE_CAP_ASYNC_READ |
				  FUSE_CAP_READDIRPLUS_AUTO |
				  FUSE_CAP_NO_OPENDIR_SUPPORT);
	conn->want |= conn->capable &
		      (FUSE_CAP_READDIRPLUS | FUSE_CAP_PARALLEL_DIROPS |
		       FUSE_CAP_CACHE_SYMLINKS | FUSE_CAP_AUTO_INVAL_DATA |
		       FUSE_CAP_NO_OPEN_SUPPORT |
		       (ops->may_splice ? FUSE_CAP_SPLICE_WRITE : 0));
	ops->parallel_dirops = conn->capable & FUSE_CAP_PARALLEL_DIROPS;
	/* libfuse ends the mount if this differs from the option. */
	conn->max_read = ops->max_read;
	conn->time_gran = 1000000; /* milliseconds */
	if (ops->ready)
		ops->ready(ops->ready_arg);
}

static void entry_param(const struct model_entry *entry,
			struct fuse_entry_param *param)
{
	*param = (struct fuse_entry_param){
		.ino = entry->ino,
		.attr = entry->attr.st,
		.attr_timeout = entry->attr.attr_timeout,
		.entry_timeout = entry->entry_timeout,
	};
}

static void op_lookup(fuse_req_t req, fuse_ino_t parent, const char *name)
{
	struct fuse_entry_param param;
	struct model_entry entry;
	struct call call;
	int r;

	begin(req, &call);
	r = model_lookup(&call.ctx, call.era->model, parent, name, &entry);
	end(req, &call);
	if (r == 0)
		entry_param(&entry, &param);
	/* Inode 0 with a lifetime says that the name is known not to be there.
	 * A reply that the kernel did not get gave it no reference. */
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (fuse_reply_entry(req, &param) < 0 && entry.ino)
		model_forget(call.era->model, entry.ino, 1);
	leave(&call);
}

/* Numbers of an era that is over are unknown in that of now, which gives none
 * of them again. */
static void op_forget(fuse_req_t req, fuse_ino_t ino, uint64_t n)
{
	struct era_all *eras = ops_of(req)->eras;
	struct era *era = era_enter(eras);

	model_forget(era->model, ino, n);
	era_leave(eras, era);
	fuse_reply_none(req);
}

static void op_forget_multi(fuse_req_t req, size_t n,
			    struct fuse_forget_data *forgets)
{
	struct era_all *eras = ops_of(req)->eras;
	struct era *era = era_enter(eras);

	for (size_t i = 0; i < n; i++)
		model_forget(era->model, forgets[i].ino, forgets[i].nlookup);
	era_leave(eras, era);
	fuse_reply_none(req);
}

static void op_getattr(fuse_req_t req, fuse_ino_t ino, struct fuse_file_info *)
{
	struct model_attr attr;
	struct call call;
	int r;

	begin(req, &call);
	r = model_getattr(&call.ctx, call.era->model, ino, &attr);
	end(req, &call);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_attr(req, &attr.st, attr.attr_timeout);
	leave(&call);
}

static void op_readlink(fuse_req_t req, fuse_ino_t ino)
{
	cleanup(blob_unref) struct blob *target = NULL;
	struct call call;
	int r;

	begin(req, &call);
	r = model_readlink(&call.ctx, call.era->model, ino, &target);
	end(req, &call);
	if (r < 0)
		fuse_reply_err(req, -r);
	else
		fuse_reply_readlink(req, blob_data(target));
	leave(&call);
}

static void reply_data(fuse_req_t req, const struct model_data *data)
{
	struct fuse_bufvec piece = FUSE_BUFVEC_INIT(data->n);

	if (data->fd >= 0) {
		piece.buf[0].flags = FUSE_BUF_IS_FD | FUSE_BUF_FD_SEEK;
		piece.buf[0].fd = data->fd;
		piece.buf[0].pos = data->fd_offset;
		fuse_reply_data(req, &piece, 0);
		close(data->fd);
	} else {
		fuse_reply_buf(req, blob_data(data->blob) + data->offset,
			       data->n);
		blob_unref(data->blob);
	}
}

struct delayed {
	fuse_req_t req;
	struct model_data data;
};

static void reply_delayed(void *arg)
{
	struct delayed *delayed = arg;

	reply_data(delayed->req, &delayed->data);
	free(delayed);
}

static void reply_after_told(fuse_req_t req, const struct model_data *data)
{
	struct delayed *delayed = mem_calloc(1, sizeof(*delayed));

	delayed->req = req;
	delayed->data = *data;
	inval_after(ops_of(req)->inval, MOST_DELAYED_MS, reply_delayed,
		    delayed);
}

static bool give_ahead(void *stores, uint64_t ino, const struct blob *blob)
{
	return ahead_give(stores, ino, blob);
}

/* Before the reply: whoever reads a directory's files one after the other asks
 * for the next one as soon as he has this one. */
static void read_ahead(struct call *call, struct ahead_stores *stores,
		       uint64_t ino)
{
	if (!ahead_may_give(stores))
		return;
	model_ahead(&call->ctx, call->era->model, ino, give_ahead, stores);
	ahead_given(stores);
}

static void op_read(fuse_req_t req, fuse_ino_t ino, size_t size, off_t offset,
		    struct fuse_file_info *)
{
	struct ahead_stores *stores = &ops_of(req)->ahead;
	struct model_data data;
	struct call call;
	int r;

	ahead_begin(stores, ino);
	begin(req, &call);
	r = model_read(&call.ctx, call.era->model, ino, offset, size, &data);
	if (r == 0 && offset == 0)
		read_ahead(&call, stores, ino);
	end(req, &call);
	if (r < 0)
		fuse_reply_err(req, -r);
	else if (data.after_told)
		reply_after_told(req, &data);
	else
		reply_data(req, &data);
	leave(&call);
	ahead_end(stores, ino);
}

/* What an era that is over had open went with its model. */
static void close_directory(struct era_all *eras, uint64_t handle)
{
	struct opened *opened;
	struct era *era = era_enter_closed(eras, handle, &opened);

	if (!era)
		return;
	model_closedir(era->model, opened);
	era_leave(eras, era);
}

static void op_opendir(fuse_req_t req, fuse_ino_t ino,
		       struct fuse_file_info *file)
{
	struct model_opened opened;
	struct call call;
	int r;

	begin(req, &call);
	r = model_opendir(&call.ctx, call.era->model, ino, &opened);
	end(req, &call);
	/* ENOSYS would switch OPENDIR off for the whole mount, ESTALE make the
	 * kernel repeat it, ENOENT rsync --delete empty its copy. */
	check(model_opens_with(r));
	if (r < 0) {
		fuse_reply_err(req, -r);
		leave(&call);
		return;
	}
	file->fh = era_open(call.eras, call.era, opened.opened);
	file->cache_readdir = opened.fill_copy;
	file->keep_cache = opened.keep_copy;
	/* The kernel did not get the reply, so it will not send RELEASEDIR. */
	if (fuse_reply_open(req, file) < 0)
		close_directory(call.eras, file->fh);
	leave(&call);
}

static void op_releasedir(fuse_req_t req, fuse_ino_t,
			  struct fuse_file_info *file)
{
	close_directory(ops_of(req)->eras, file->fh);
	fuse_reply_err(req, 0);
}

struct names {
	fuse_req_t req;
	bool plus;
	char *bytes;
	size_t n, size;
};

static bool add_name(void *arg, const char *name, uint64_t cookie, mode_t type,
		     const struct model_entry *entry)
{
	struct names *names = arg;
	struct fuse_entry_param param;
	struct stat plain = {.st_mode = type, .st_ino = 0xffffffff};
	char *at = names->bytes + names->n;
	size_t left = names->size - names->n, n;

	entry_param(entry, &param);
	if (entry->ino)
		plain.st_ino = entry->ino;
	else
		param.attr = plain;
	if (names->plus)
		n = fuse_add_direntry_plus(names->req, at, left, name, &param,
					   (off_t)cookie);
	else
		n = fuse_add_direntry(names->req, at, left, name, &plain,
				      (off_t)cookie);
	if (n > left)
		return false;
	names->n += n;
	return true;
}

/* The kernel asks once more at the end, and knows by then all inodes. */
static void list_ahead(struct call *call, struct ahead_stores *stores,
		       struct opened *opened)
{
	if (!ahead_may_give(stores))
		return;
	model_ahead_listed(&call->ctx, call->era->model, opened, give_ahead,
			   stores);
	ahead_given(stores);
}

static void read_dir(fuse_req_t req, size_t size, off_t offset, bool plus,
		     const struct fuse_file_info *file)
{
	struct names names = {.req = req, .plus = plus, .size = size};
	struct opened *opened;
	struct era *era =
		era_enter_opened(ops_of(req)->eras, file->fh, &opened);
	struct call call;

	if (!era) {
		fuse_reply_err(req, ESTALE);
		return;
	}
	names.bytes = mem_alloc(size);
	begin_in(req, &call, era);
	model_readdir(&call.ctx, era->model, opened, (uint64_t)offset, plus,
		      add_name, &names);
	if (plus && names.n == 0)
		list_ahead(&call, &ops_of(req)->ahead, opened);
	end(req, &call);
	fuse_reply_buf(req, names.bytes, names.n);
	free(names.bytes);
	leave(&call);
}

static void op_readdir(fuse_req_t req, fuse_ino_t, size_t size, off_t offset,
		       struct fuse_file_info *file)
{
	read_dir(req, size, offset, false, file);
}

static void op_readdirplus(fuse_req_t req, fuse_ino_t, size_t size,
			   off_t offset, struct fuse_file_info *file)
{
	read_dir(req, size, offset, true, file);
}

static void op_open(fuse_req_t req, fuse_ino_t, struct fuse_file_info *)
{
	fuse_reply_err(req, ENOSYS);
}

/* ENOSYS switches extended attributes off (src/model/README.md, 12): otherwise
 * `ls -l` would send two requests a file. */
static void op_getxattr(fuse_req_t req, fuse_ino_t, const char *, size_t)
{
	fuse_reply_err(req, ENOSYS);
}

static void op_listxattr(fuse_req_t req, fuse_ino_t, size_t)
{
	fuse_reply_err(req, ENOSYS);
}

static void op_statfs(fuse_req_t req, fuse_ino_t)
{
	struct era_all *eras = ops_of(req)->eras;
	struct era *era = era_enter(eras);
	struct model_statfs info;
	struct statvfs st = {
		.f_bsize = 4096, .f_frsize = 4096, .f_namemax = 255};

	model_statfs(era->model, &info);
	era_leave(eras, era);
	st.f_blocks = info.n_bytes / st.f_frsize;
	st.f_files = info.n_files;
	fuse_reply_statfs(req, &st);
}

const struct fuse_lowlevel_ops ops_table = {
	.init = op_init,
	.lookup = op_lookup,
	.forget = op_forget,
	.forget_multi = op_forget_multi,
	.getattr = op_getattr,
	.readlink = op_readlink,
	.open = op_open,
	.read = op_read,
	.opendir = op_opendir,
	.releasedir = op_releasedir,
	.readdir = op_readdir,
	.readdirplus = op_readdirplus,
	.statfs = op_statfs,
	.getxattr = op_getxattr,
	.listxattr = op_listxattr,
};
