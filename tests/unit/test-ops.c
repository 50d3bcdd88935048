/*
 * fs/ops: each request is answered once, with what the model said; and what the
 * kernel did not get is taken back. The model and libfuse are doubles.
 */
#include "fs/ops.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

/* As long as nothing of the request is touched after the reply. */
static struct scene {
	struct ops ops;
	struct era_all eras;
	struct ctx_group *group;
	struct model *model; /* of the last request */
	struct fuse_ctx caller;
	/* What the doubles do: */
	int fails;
	bool is_interrupted, kernel_is_gone;
	struct model_entry entry;
	struct model_data data;
	struct model_opened opened;
	/* What they saw: */
	struct buf log; /* in order */
	bool watched;   /* an INTERRUPT would cancel the ctx */
	struct fuse_entry_param param;
	void (*later)(void *arg);
	void *later_arg;
	bool reads_more; /* during model_ahead the file 8 is read */
} scene;

static void note(const char *text)
{
	buf_printf(&scene.log, "%s ", text);
}

static struct fuse_req *const req = (struct fuse_req *)&scene;

static int replied(const char *text)
{
	/* A reply frees the request: an INTERRUPT after it must not find the
	 * ctx. */
	assert_false(scene.watched);
	note(text);
	return scene.kernel_is_gone ? -ENOENT : 0;
}

/* ---- libfuse ---- */

void *fuse_req_userdata(fuse_req_t r)
{
	assert_ptr_equal(r, req);
	return &scene.ops;
}

const struct fuse_ctx *fuse_req_ctx(fuse_req_t r)
{
	(void)r;
	return &scene.caller;
}

void fuse_req_interrupt_func(fuse_req_t r, fuse_interrupt_func_t func,
			     void *data)
{
	(void)r;
	scene.watched = func != NULL;
	if (func && scene.is_interrupted)
		func(r, data);
}

int fuse_req_interrupted(fuse_req_t r)
{
	(void)r;
	return scene.is_interrupted;
}

int fuse_reply_err(fuse_req_t r, int err)
{
	char text[32];

	(void)r;
	snprintf(text, sizeof(text), "err%d", err);
	return replied(text);
}

void fuse_reply_none(fuse_req_t r)
{
	(void)r;
	replied("none");
}

int fuse_reply_entry(fuse_req_t r, const struct fuse_entry_param *e)
{
	(void)r;
	scene.param = *e;
	return replied("entry");
}

int fuse_reply_attr(fuse_req_t r, const struct stat *attr, double timeout)
{
	(void)r;
	(void)attr;
	assert_true(timeout == 4);
	return replied("attr");
}

int fuse_reply_readlink(fuse_req_t r, const char *target)
{
	(void)r;
	return replied(target);
}

int fuse_reply_open(fuse_req_t r, const struct fuse_file_info *file)
{
	(void)r;
	return replied(file->keep_cache      ? "open-keep"
		       : file->cache_readdir ? "open-fill"
					     : "open");
}

int fuse_reply_buf(fuse_req_t r, const char *bytes, size_t n)
{
	char text[32] = "buf:";

	(void)r;
	if (n)
		memcpy(text + 4, bytes, n);
	return replied(text);
}

int fuse_reply_data(fuse_req_t r, struct fuse_bufvec *piece,
		    enum fuse_buf_copy_flags flags)
{
	(void)r;
	(void)flags;
	assert_true(piece->buf[0].flags & FUSE_BUF_IS_FD);
	assert_int_equal(piece->buf[0].pos, scene.data.fd_offset);
	assert_int_equal(piece->buf[0].size, scene.data.n);
	assert_true(fcntl(piece->buf[0].fd, F_GETFD) >= 0);
	return replied("data");
}

int fuse_reply_statfs(fuse_req_t r, const struct statvfs *st)
{
	(void)r;
	assert_int_equal(st->f_files, 7);
	return replied("statfs");
}

/* Four bytes a name: its length, as if. */
size_t fuse_add_direntry(fuse_req_t r, char *buf, size_t size, const char *name,
			 const struct stat *st, off_t off)
{
	(void)r;
	(void)off;
	(void)st;
	if (size >= 4)
		snprintf(buf, 4, "%3.3s", name);
	if (size >= 4)
		buf[3] = ';';
	return 4;
}

size_t fuse_add_direntry_plus(fuse_req_t r, char *buf, size_t size,
			      const char *name,
			      const struct fuse_entry_param *e, off_t off)
{
	/* One without attributes still has a type, and a number for d_ino. */
	if (!e->ino)
		assert_true(e->attr.st_ino && S_ISDIR(e->attr.st_mode));
	return fuse_add_direntry(r, buf, size, name, &e->attr, off);
}

int fuse_lowlevel_notify_store(struct fuse_session *session, fuse_ino_t ino,
			       off_t offset, struct fuse_bufvec *bytes,
			       enum fuse_buf_copy_flags flags)
{
	char text[32];

	assert_non_null(session);
	assert_int_equal(offset, 0);
	assert_int_equal(flags, FUSE_BUF_NO_SPLICE);
	snprintf(text, sizeof(text), "store%d:%.*s", (int)ino,
		 (int)bytes->buf[0].size, (const char *)bytes->buf[0].mem);
	note(text);
	return ino == 9 ? -ENOENT : ino == 10 ? -ENODEV : 0;
}

void inval_after(struct inval *inval, int64_t timeout_ms,
		 void (*then)(void *arg), void *arg)
{
	(void)inval;
	assert_true(timeout_ms > 0);
	assert_false(scene.watched);
	note("after-told");
	scene.later = then;
	scene.later_arg = arg;
}

/* ---- the model ---- */

static int answered(struct ctx *ctx, const char *text)
{
	assert_true(scene.watched);
	assert_int_equal(ctx->caller, 42);
	note(text);
	if (scene.is_interrupted)
		assert_int_equal(ctx_check(ctx), -EINTR);
	return scene.fails;
}

int model_lookup(struct ctx *ctx, struct model *model, uint64_t parent,
		 const char *name, struct model_entry *ret_entry)
{
	scene.model = model;
	assert_int_equal(parent, 1);
	*ret_entry = scene.entry;
	return answered(ctx, name);
}

void model_forget(struct model *model, uint64_t ino, uint64_t n)
{
	char text[32];

	(void)model;
	snprintf(text, sizeof(text), "forget%d-%d", (int)ino, (int)n);
	note(text);
}

int model_getattr(struct ctx *ctx, struct model *model, uint64_t ino,
		  struct model_attr *ret_attr)
{
	(void)model;
	(void)ino;
	*ret_attr = (struct model_attr){.attr_timeout = 4};
	return answered(ctx, "getattr");
}

int model_readlink(struct ctx *ctx, struct model *model, uint64_t ino,
		   struct blob **ret_target)
{
	int r = answered(ctx, "readlink");

	(void)model;
	(void)ino;
	if (r == 0)
		*ret_target = blob_new("there", 5);
	return r;
}

int model_read(struct ctx *ctx, struct model *model, uint64_t ino, off_t offset,
	       size_t n, struct model_data *ret_data)
{
	(void)model;
	(void)ino;
	(void)offset;
	(void)n;
	*ret_data = scene.data;
	return answered(ctx, "read");
}

void model_ahead(struct ctx *ctx, struct model *model, uint64_t ino,
		 model_give *give, void *arg)
{
	cleanup(blob_unref) struct blob *blob = blob_new("xy", 2);

	(void)model;
	answered(ctx, "ahead");
	for (uint64_t i = 7; i < 12; i++) {
		if (i == 8 && scene.reads_more)
			ahead_begin(&scene.ops.ahead, 8);
		if (!give(arg, i == 11 ? ino : i, blob))
			break;
	}
}

void model_ahead_listed(struct ctx *ctx, struct model *model,
			struct opened *opened, model_give *give, void *arg)
{
	(void)opened;
	model_ahead(ctx, model, 0, give, arg);
}

int model_opendir(struct ctx *ctx, struct model *model, uint64_t ino,
		  struct model_opened *ret_opened)
{
	(void)model;
	(void)ino;
	*ret_opened = scene.opened;
	return answered(ctx, "opendir");
}

bool model_opens_with(int r)
{
	return r == 0 || r == -EACCES;
}

void model_closedir(struct model *model, struct opened *opened)
{
	(void)model;
	assert_ptr_equal(opened, scene.opened.opened);
	note("closedir");
}

void model_readdir(struct ctx *ctx, struct model *model, struct opened *opened,
		   uint64_t cookie, bool plus, model_emit *emit, void *arg)
{
	const struct model_entry none = {0}, some = {.ino = 9};

	(void)model;
	(void)plus;
	assert_ptr_equal(opened, scene.opened.opened);
	answered(ctx, "readdir");
	if (cookie == 100)
		return;
	if (emit(arg, "one", cookie + 1, S_IFDIR, &none) &&
	    emit(arg, "two", cookie + 2, S_IFREG, &some) &&
	    emit(arg, "six", cookie + 3, S_IFREG, &some))
		note("all");
}

void model_statfs(struct model *model, struct model_statfs *ret_statfs)
{
	(void)model;
	*ret_statfs = (struct model_statfs){.n_files = 7};
}

/* ---- requests ---- */

static struct model *const first = (struct model *)1;
static struct model *const second = (struct model *)2;

static int set_up(void **state)
{
	(void)state;
	scene = (struct scene){
		.ops.eras = &scene.eras,
		.group = ctx_group_new(8),
		.log = BUF_INIT(0),
		.caller.pid = 42,
		.data.fd = -1,
		.opened.opened = (struct opened *)&scene.opened,
	};
	era_all_init(&scene.eras, first, scene.group);
	ahead_init(&scene.ops.ahead);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ahead_done(&scene.ops.ahead);
	era_all_done(&scene.eras);
	ctx_group_free(scene.group);
	buf_done(&scene.log);
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static void expect(const char *want)
{
	assert_string_equal(scene.log.len ? scene.log.data : "", want);
	buf_clear(&scene.log);
}

static void looking_up(void **state)
{
	(void)state;
	scene.entry.ino = 5;
	ops_table.lookup(req, 1, "name");
	expect("name entry ");
	assert_int_equal(scene.param.ino, 5);
	scene.fails = -EACCES;
	ops_table.lookup(req, 1, "name");
	expect("name err13 ");
}

/* The count that the model gave is taken back. */
static void a_reply_that_is_not_heard(void **state)
{
	(void)state;
	scene.kernel_is_gone = true;
	scene.entry.ino = 5;
	ops_table.lookup(req, 1, "name");
	expect("name entry forget5-1 ");
	/* No such name was not counted. */
	scene.entry.ino = 0;
	ops_table.lookup(req, 1, "name");
	expect("name entry ");
	ops_table.opendir(req, 1, &(struct fuse_file_info){0});
	expect("opendir open closedir ");
}

static void an_interrupt_cancels(void **state)
{
	(void)state;
	scene.is_interrupted = true;
	scene.fails = -EINTR;
	ops_table.lookup(req, 1, "name");
	ops_table.getattr(req, 1, NULL);
	ops_table.read(req, 1, 10, 0, NULL);
	expect("name err4 getattr err4 read err4 ");
}

static void forgetting(void **state)
{
	struct fuse_forget_data forgets[] = {{3, 1}, {4, 2}};

	(void)state;
	ops_table.forget(req, 5, 6);
	ops_table.forget_multi(req, 2, forgets);
	expect("forget5-6 none forget3-1 forget4-2 none ");
}

static void attributes_and_links(void **state)
{
	(void)state;
	ops_table.getattr(req, 1, NULL);
	ops_table.readlink(req, 1);
	ops_table.statfs(req, 1);
	expect("getattr attr readlink there statfs ");
	scene.fails = -ESTALE;
	ops_table.readlink(req, 1);
	expect("readlink err116 ");
}

static void reading(void **state)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	(void)state;
	scene.data = (struct model_data){
		.fd = -1, .blob = blob_new("abcdef", 6), .offset = 2, .n = 3};
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read buf:cde ");
	scene.data = (struct model_data){.fd = fd, .fd_offset = 4096, .n = 100};
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read data ");
	assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* Before the reply, and to a mount: files that the kernel knows no more are
 * passed over; it ends with the mount. */
static void files_are_given_ahead(void **state)
{
	(void)state;
	ahead_start(&scene.ops.ahead, (struct fuse_session *)&scene);
	scene.data = (struct model_data){
		.fd = -1, .blob = blob_new("abcdef", 6), .n = 3};
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read ahead store7:xy store8:xy store9:xy store10:xy buf:abc ");
	/* Not in the middle of a file. */
	scene.data.blob = blob_new("abcdef", 6);
	ops_table.read(req, 1, 10, 3, NULL);
	expect("read buf:abc ");
	scene.fails = -EIO;
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read err5 ");
	scene.fails = 0;
	ahead_finish(&scene.ops.ahead);
	scene.data.blob = blob_new("abcdef", 6);
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read buf:abc ");
}

/* Otherwise two READs would wait for each other: fs/ahead.h. */
static void a_file_that_is_read_is_not_given(void **state)
{
	struct ahead_stores *stores = &scene.ops.ahead;

	(void)state;
	ahead_start(stores, (struct fuse_session *)&scene);
	scene.reads_more = true;
	scene.data = (struct model_data){
		.fd = -1, .blob = blob_new("abcdef", 6), .n = 3};
	ops_table.read(req, 7, 10, 0, NULL);
	expect("read ahead store9:xy store10:xy buf:abc ");
	/* Its READ was answered. */
	ahead_end(stores, 8);
	scene.reads_more = false;
	scene.data.blob = blob_new("abcdef", 6);
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read ahead store7:xy store8:xy store9:xy store10:xy buf:abc ");
}

/* The threads that give may all wait for a READ that none has taken yet. */
static void few_give_at_a_time(void **state)
{
	struct ahead_stores *stores = &scene.ops.ahead;
	unsigned n = 0;

	(void)state;
	ahead_start(stores, (struct fuse_session *)&scene);
	while (ahead_may_give(stores))
		assert_true(++n < 8);
	assert_true(n > 1);
	ahead_given(stores);
	assert_true(ahead_may_give(stores));
	for (; n > 0; n--)
		ahead_given(stores);
}

static void a_reply_may_come_after_what_is_told(void **state)
{
	(void)state;
	scene.data = (struct model_data){.fd = -1,
					 .blob = blob_new("now", 3),
					 .n = 3,
					 .after_told = true};
	ops_table.read(req, 1, 10, 0, NULL);
	expect("read after-told ");
	scene.later(scene.later_arg);
	expect("buf:now ");
}

static void directories(void **state)
{
	struct fuse_file_info file = {0};

	(void)state;
	ops_table.opendir(req, 1, &file);
	expect("opendir open ");
	/* A name that has no room ends the piece. */
	ops_table.readdir(req, 1, 9, 0, &file);
	expect("readdir buf:one;two; ");
	ops_table.readdirplus(req, 1, 100, 0, &file);
	expect("readdir all buf:one;two;six; ");
	/* The kernel knows the files by now. */
	ahead_start(&scene.ops.ahead, (struct fuse_session *)&scene);
	ops_table.readdirplus(req, 1, 100, 100, &file);
	expect("readdir ahead store7:xy store8:xy store9:xy store10:xy buf: ");
	ops_table.readdir(req, 1, 100, 100, &file);
	expect("readdir buf: ");
	ops_table.readdirplus(req, 1, 100, 0, &file);
	expect("readdir all buf:one;two;six; ");
	ahead_finish(&scene.ops.ahead);
	ops_table.releasedir(req, 1, &file);
	expect("closedir err0 ");
	scene.opened.fill_copy = true;
	ops_table.opendir(req, 1, &file);
	scene.opened.keep_copy = true;
	ops_table.opendir(req, 1, &file);
	expect("opendir open-fill opendir open-keep ");
	scene.fails = -EACCES;
	ops_table.opendir(req, 1, &file);
	expect("opendir err13 ");
}

/* What was open before can be closed, and no more. */
static void another_model_takes_its_place(void **state)
{
	struct fuse_file_info file = {0}, fresh = {0};
	struct ctx_group *group = ctx_group_new(8);
	struct era *before = NULL;

	(void)state;
	ops_table.opendir(req, 1, &file);
	ops_table.lookup(req, 1, "name");
	assert_ptr_equal(scene.model, first);
	assert_int_equal(era_begin(&scene.eras, second, group, &before), 0);
	era_await(&scene.eras, before);
	assert_ptr_equal(before->model, first);
	ops_table.lookup(req, 1, "name");
	assert_ptr_equal(scene.model, second);
	expect("opendir open name entry name entry ");
	ops_table.readdir(req, 1, 9, 0, &file);
	ops_table.opendir(req, 1, &fresh);
	ops_table.releasedir(req, 1, &file);
	expect("err116 opendir open err0 ");
	ops_table.releasedir(req, 1, &fresh);
	expect("closedir err0 ");
	/* After the end of the mount nothing begins. */
	era_all_end(&scene.eras);
	scene.is_interrupted = true;
	scene.fails = -EINTR;
	assert_int_equal(era_begin(&scene.eras, first, scene.group, &before),
			 -ESHUTDOWN);
	era_all_done(&scene.eras);
	ctx_group_free(group);
	era_all_init(&scene.eras, first, scene.group);
}

struct busy {
	struct era_all *eras;
	struct era *before;
	atomic_bool left;
};

static void await_it(void *arg)
{
	struct busy *busy = arg;

	era_await(busy->eras, busy->before);
	assert_true(atomic_load(&busy->left));
}

static void an_era_is_over_when_nobody_is_in_it(void **state)
{
	struct busy busy = {.eras = &scene.eras};
	struct ctx_group *group = ctx_group_new(8);
	struct era *era = era_enter(&scene.eras);
	struct thread *thread;

	(void)state;
	assert_int_equal(era_begin(&scene.eras, second, group, &busy.before),
			 0);
	assert_ptr_equal(era, busy.before);
	assert_int_equal(thread_start("await", await_it, &busy, &thread), 0);
	atomic_store(&busy.left, true);
	era_leave(&scene.eras, era);
	thread_join(thread);
	era_all_done(&scene.eras);
	ctx_group_free(group);
	era_all_init(&scene.eras, first, scene.group);
}

/* The kernel opens by itself, and asks for no extended attributes. */
static void what_is_switched_off(void **state)
{
	(void)state;
	ops_table.open(req, 1, NULL);
	ops_table.getxattr(req, 1, "user.x", 10);
	ops_table.listxattr(req, 1, 10);
	expect("err38 err38 err38 ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(looking_up),
		T(a_reply_that_is_not_heard),
		T(an_interrupt_cancels),
		T(forgetting),
		T(attributes_and_links),
		T(reading),
		T(files_are_given_ahead),
		T(a_file_that_is_read_is_not_given),
		T(few_give_at_a_time),
		T(a_reply_may_come_after_what_is_told),
		T(directories),
		T(another_model_takes_its_place),
		T(an_era_is_over_when_nobody_is_in_it),
		T(what_is_switched_off),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
