/*
 * fs/session: the life of a mount.
 *
 * The kernel ends the mount (umount): the loop returns. Or a signal ends it:
 * our thread `signals` takes the signal, cancels everything that waits, tells
 * libfuse to leave its loop, and kicks the looping thread, which sleeps in a
 * semaphore, until it has left. One kick may be lost: base/sync.h.
 */
#include "fs/session.h"

#include "fs/device.h"
#include "fs/inval.h"
#include "fs/ops.h"

#include "base/clock.h"
#include "base/log.h"

#include <signal.h>
#include <sys/resource.h>

#define MAX_THREADS 512
#define IDLE_THREADS 8

struct session {
	struct session_config config;
	struct ops ops;
	struct era_all eras;
	struct fuse_session *fuse;
	struct inval *inval;
	struct thread *signals;
	struct mutex lock;
	struct cond ended_cond;
	bool mounted;
	sigset_t waited;
	/* Under lock: */
	bool ended; /* the loop has returned */
};

static void add_option(struct fuse_args *args, const char *option)
{
	check(fuse_opt_add_arg(args, "-o") == 0);
	check(fuse_opt_add_arg(args, option) == 0);
}

/* libfuse splits options at commas; a backslash keeps one. */
static void add_fsname(struct fuse_args *args, const char *fsname)
{
	cleanup(buf_done) struct buf option = BUF_INIT(4 * KIB);

	buf_puts(&option, "fsname=");
	for (; *fsname; fsname++) {
		if (*fsname == ',' || *fsname == '\\')
			buf_putc(&option, '\\');
		buf_putc(&option, *fsname);
	}
	add_option(args, option.data);
}

/* The last max_read counts, as for libfuse. */
static unsigned max_read(const char *const *options)
{
	static const char name[] = "max_read=";
	unsigned long bytes = 0;

	for (; options && *options; options++)
		if (!strncmp(*options, name, strlen(name)))
			bytes = strtoul(*options + strlen(name), NULL, 10);
	return (unsigned)bytes;
}

/* To splice, libfuse keeps a pipe for each of its threads that did. They are to
 * be a quarter of the descriptors at most. Where one cannot be had, because of
 * them or because of what the user's pipes may take, libfuse copies. */
static bool may_splice(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) == 0 &&
	       limit.rlim_cur >= (rlim_t)MAX_THREADS * 2 * 4;
}

static struct fuse_session *new_fuse(struct session *session)
{
	const struct session_config *config = &session->config;
	struct fuse_args args = FUSE_ARGS_INIT(0, NULL);
	struct fuse_session *fuse;

	check(fuse_opt_add_arg(&args, "bitbucketfs") == 0);
	for (size_t i = 0; config->options && config->options[i]; i++)
		add_option(&args, config->options[i]);
	if (config->debug)
		check(fuse_opt_add_arg(&args, "-d") == 0);
	add_fsname(&args, config->fsname);
	add_option(&args, "subtype=bitbucketfs");
	add_option(&args, "ro,default_permissions,nosuid,nodev");
	fuse = fuse_session_new(&args, &ops_table, sizeof(ops_table),
				&session->ops);
	fuse_opt_free_args(&args);
	return fuse;
}

static void block_signals(struct session *session)
{
	struct sigaction ignore = {.sa_handler = SIG_IGN};

	sigemptyset(&session->waited);
	sigaddset(&session->waited, SIGINT);
	sigaddset(&session->waited, SIGTERM);
	sigaddset(&session->waited, SIGHUP);
	sigaddset(&session->waited, SIGUSR2); /* ours: the loop has returned */
	sigprocmask(SIG_BLOCK, &session->waited, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	thread_self_main();
}

int session_new(const struct session_config *config,
		struct session **ret_session)
{
	cleanup(session_free) struct session *session =
		mem_calloc(1, sizeof(*session));
	int r;

	session->config = *config;
	session->ops = (struct ops){
		.eras = &session->eras,
		.ready = config->ready,
		.ready_arg = config->ready_arg,
		.max_read = max_read(config->options),
		.may_splice = may_splice(),
	};
	ahead_init(&session->ops.ahead);
	era_all_init(&session->eras, config->model, config->group);
	mutex_init(&session->lock);
	cond_init(&session->ended_cond);
	block_signals(session);
	session->fuse = new_fuse(session);
	if (!session->fuse)
		return -EINVAL;
	r = inval_start(session->fuse, &session->inval);
	if (r < 0)
		return r;
	session->ops.inval = session->inval;
	ahead_start(&session->ops.ahead, session->fuse);
	*ret_session = steal(&session);
	return 0;
}

int session_mount(struct session *session)
{
	errno = 0;
	if (fuse_session_mount(session->fuse, session->config.mountpoint) < 0)
		return errno ? -errno : -EIO;
	session->mounted = true;
	return device_mend(session->fuse);
}

void session_kernel(struct session *session, struct model_kernel *ret_kernel)
{
	*ret_kernel = (struct model_kernel){
		.entry = inval_entry,
		.inode = inval_inode,
		.arg = session->inval,
	};
}

/* ---- another model ---- */

/* So many notes at once; each is a piece of memory until it was told. */
#define TOLD_AT_ONCE 1024
/* A notification waits for a lookup in its directory. What is not told by then
 * is told later all the same. */
#define TOLD_MS 10000

struct telling {
	struct inval *inval;
	unsigned n;
	int64_t until_ms;
};

static void tell_gone(void *arg, const struct model_known *known)
{
	struct telling *t = arg;

	/* The name before the inode: nobody finds the one by the other. */
	if (known->name)
		inval_entry(t->inval, known->parent, known->name);
	if (known->ino)
		inval_inode(t->inval, known->ino, true);
	if (++t->n % TOLD_AT_ONCE == 0)
		inval_await(t->inval, t->until_ms);
}

int session_replace(struct session *session, struct model *model,
		    struct ctx_group *group, void (*stop)(void *arg), void *arg)
{
	struct telling telling = {.inval = session->inval};
	struct era *before;
	int r = era_begin(&session->eras, model, group, &before);

	if (r < 0)
		return r;
	stop(arg);
	era_await(&session->eras, before);
	telling.until_ms = clock_mono_ms() + TOLD_MS;
	model_each_known(before->model, tell_gone, &telling);
	inval_await(session->inval, telling.until_ms);
	return 0;
}

static void cancel(void *ctx)
{
	ctx_cancel(ctx);
}

int session_run(struct session *session, struct ctx *outer, session_work *work,
		void *arg)
{
	struct era *era = era_enter(&session->eras);
	struct ctx ctx;
	struct ctx_waker waker = {.wake = cancel, .arg = &ctx};
	int r;

	ctx_init(&ctx, era->group, -1);
	ctx.deadline_ms = outer->deadline_ms;
	ctx_work_for(&ctx, outer);
	ctx_watch(outer, &waker);
	r = work(arg, &ctx, era->model);
	ctx_unwatch(outer, &waker);
	memcpy(outer->sentence, ctx.sentence, sizeof(outer->sentence));
	ctx_done(&ctx);
	era_leave(&session->eras, era);
	return r;
}

void session_await_told(struct session *session)
{
	inval_await(session->inval, clock_mono_ms() + TOLD_MS);
}

/* ---- the loop ---- */

static void wait_for_signals(void *arg)
{
	struct session *session = arg;
	bool ended;
	int signal;

	while (sigwait(&session->waited, &signal) != 0)
		;
	era_all_end(&session->eras);
	mutex_lock(&session->lock);
	ended = session->ended;
	mutex_unlock(&session->lock);
	/* 1. The thread `inval` notifies; the kernel lets it wait for a lookup.
	 * 2. The loop ends: nobody answers the lookup.
	 * 3. The notification waits for ever, and so does thread_join.
	 * So it ends before the loop does, as giving ahead does, which waits
	 * for READs. */
	if (!ended) {
		inval_finish(session->inval);
		ahead_finish(&session->ops.ahead);
	}
	fuse_session_exit(session->fuse);
	mutex_lock(&session->lock);
	while (!session->ended) {
		mutex_unlock(&session->lock);
		thread_kick_main();
		mutex_lock(&session->lock);
		cond_wait_until(&session->ended_cond, &session->lock,
				clock_mono_ms() + 20);
	}
	mutex_unlock(&session->lock);
}

static int run_loop(struct session *session)
{
	struct fuse_loop_config *config = fuse_loop_cfg_create();
	int r;

	fuse_loop_cfg_set_clone_fd(config, 0);
	fuse_loop_cfg_set_max_threads(config, MAX_THREADS);
	fuse_loop_cfg_set_idle_threads(config, IDLE_THREADS);
	r = fuse_session_loop_mt(session->fuse, config);
	fuse_loop_cfg_destroy(config);
	return r < 0 ? r : 0;
}

int session_loop(struct session *session)
{
	int r = thread_start("signals", wait_for_signals, session,
			     &session->signals);

	if (r < 0)
		return r;
	r = run_loop(session);
	era_all_end(&session->eras);
	mutex_lock(&session->lock);
	session->ended = true;
	cond_broadcast(&session->ended_cond);
	mutex_unlock(&session->lock);
	/* If no signal came, the thread `signals` still waits for one. */
	kill(getpid(), SIGUSR2);
	session->signals = thread_join(session->signals);
	inval_end(session->inval);
	fuse_session_unmount(session->fuse);
	session->mounted = false;
	return r;
}

const char *session_library(void)
{
	return fuse_pkgversion();
}

struct session *session_free(struct session *session)
{
	if (!session)
		return NULL;
	if (session->mounted)
		fuse_session_unmount(session->fuse);
	inval_stop(session->inval);
	if (session->fuse)
		fuse_session_destroy(session->fuse);
	era_all_done(&session->eras);
	ahead_done(&session->ops.ahead);
	cond_done(&session->ended_cond);
	mutex_done(&session->lock);
	free(session);
	return NULL;
}
