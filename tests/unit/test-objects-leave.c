/*
 * store/objects: whoever reads what takes long (a check of all packs, a big
 * file that is made or hashed) can leave; who waits for it goes on with it, and
 * it is done once however many want it.
 */
#include "git-scratch.h"

#include "base/clock.h"
#include "base/map.h"
#include "store/say.h"

#include "../../src/store/objects_private.h"

/* What a damaged pack says is said by the thread that found it, in the middle
 * of its work: there it is held until it is let go. */
struct gate {
	struct mutex lock;
	struct cond changed;
	bool shut;       /* under lock */
	unsigned n_said; /* under lock */
};
static struct gate gate = {.lock = MUTEX_INITIALIZER};

static void stop_at_gate(void *arg, const char *path, int errnum,
			 const char *sentence)
{
	(void)arg;
	(void)path;
	(void)errnum;
	(void)sentence;
	mutex_lock(&gate.lock);
	gate.n_said++;
	cond_broadcast(&gate.changed);
	while (gate.shut)
		cond_wait(&gate.changed, &gate.lock);
	mutex_unlock(&gate.lock);
}

static void shut_gate(void)
{
	cond_init(&gate.changed);
	gate.shut = true;
	gate.n_said = 0;
	store_listen(stop_at_gate, NULL);
}

static void await_said(unsigned n)
{
	mutex_lock(&gate.lock);
	while (gate.n_said < n)
		cond_wait(&gate.changed, &gate.lock);
	mutex_unlock(&gate.lock);
}

static unsigned open_gate(void)
{
	unsigned n;

	mutex_lock(&gate.lock);
	gate.shut = false;
	n = gate.n_said;
	cond_broadcast(&gate.changed);
	mutex_unlock(&gate.lock);
	return n;
}

struct caller {
	struct objects *o;
	const struct oid *oid; /* NULL: a check */
	struct ctx ctx;
	struct thread *thread;
	atomic_int tid;
	atomic_bool ended;
	int result;
};

static void call(void *arg)
{
	struct caller *c = arg;
	cleanup(fd) int fd = -1;
	uint64_t size;

	atomic_store(&c->tid, gettid());
	c->result = c->oid ? objects_blob_file(&c->ctx, c->o, c->oid, 0,
					       UINT64_MAX, &fd, &size)
			   : objects_check(&c->ctx, c->o);
	atomic_store(&c->ended, true);
}

static void start(struct caller *c, struct objects *o, const struct oid *oid)
{
	*c = (struct caller){.o = o, .oid = oid};
	ctx_init(&c->ctx, NULL, -1);
	assert_int_equal(thread_start("caller", call, c, &c->thread), 0);
}

static int end(struct caller *c)
{
	thread_join(c->thread);
	ctx_done(&c->ctx);
	return c->result;
}

static bool sleeps(struct caller *c)
{
	cleanup(free) char *path =
		mem_asprintf("/proc/self/task/%d/stat", atomic_load(&c->tid));
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);
	char line[256] = "";

	if (fd >= 0 && read(fd, line, sizeof(line) - 1) < 0)
		return false;
	return strstr(line, ") S ");
}

/* It has nothing to do any more but to wait for somebody: not just for a lock
 * on its way there. */
static void await_sleep(struct caller *c)
{
	for (unsigned n = 0; n < 100; n = sleeps(c) ? n + 1 : 0) {
		assert_false(atomic_load(&c->ended));
		sched_yield();
	}
}

/* A repository with one file each that does not compress, in a pack each. */
static struct oid make(const struct scratch *s, struct objects *o,
		       const char *name)
{
	cleanup(free) char *make = mem_asprintf(
		"git init -q -b main %s && cd %s && head -c 3000000 "
		"/dev/urandom >big && git add . && git commit -q -m x",
		name, name);
	cleanup(free) char *list = mem_asprintf(
		"cd %s && git pack-objects --all --revs -q --stdout "
		"</dev/null",
		name);
	cleanup(free) char *id =
		mem_asprintf("git -C %s rev-parse HEAD:big", name);
	cleanup(buf_done) struct buf pack = {0};

	scratch_do(s, make);
	pack = scratch_run(s, list);
	assert_int_equal(scratch_take(o, &pack, 30000, NULL, 0), 0);
	return scratch_oid(s, id);
}

/* In the middle of each: where content is. */
static void damage(const struct scratch *s)
{
	scratch_do(s, "for p in store.git/objects/pack/*.pack; do chmod +w $p; "
		      "dd if=/dev/urandom of=$p bs=1k seek=1000 count=900 "
		      "conv=notrunc 2>/dev/null; done");
}

static void test_waiting_for_the_writer(void **state)
{
	struct scratch *s = *state;
	cleanup(free) char *path = mem_asprintf("%s/other.git", s->dir);
	cleanup(objects_close) struct objects *other = NULL;
	struct oid a = make(s, s->o, "a"), b;
	struct caller writer, waiter, patient;

	assert_int_equal(objects_open(path, &other), 0);
	b = make(s, other, "b");
	damage(s);
	shut_gate();
	start(&writer, s->o, &a);
	await_said(1);
	start(&waiter, other, &b);
	start(&patient, other, &b);
	await_sleep(&waiter);
	await_sleep(&patient);
	ctx_cancel(&waiter.ctx);
	assert_int_equal(end(&waiter), -EINTR);
	open_gate();
	/* Its pack was set aside. */
	assert_int_equal(end(&writer), -ENOENT);
	assert_int_equal(end(&patient), 0);
	store_listen(NULL, NULL);
	scratch_expect(s, "head -c 3000000 other.git/big/* | cmp b/big", "");
	scratch_expect(s, "ls store.git/big", "");
}

/* Who waits for the same one goes on with it when he who made it leaves. */
static void test_the_writer_leaves(void **state)
{
	struct scratch *s = *state;
	struct oid a = make(s, s->o, "a");
	struct caller writer, waiter, next;

	/* Later handles would see that the pack was set aside. */
	clock_fake(clock_mono_ms(), clock_wall_ms());
	damage(s);
	shut_gate();
	start(&writer, s->o, &a);
	await_said(1);
	/* One after the other: a second handle of the store, which it has for
	 * who comes at once, does not see the pack any more. */
	start(&waiter, s->o, &a);
	await_sleep(&waiter);
	start(&next, s->o, &a);
	await_sleep(&next);
	ctx_cancel(&waiter.ctx);
	assert_int_equal(end(&waiter), -EINTR);
	ctx_cancel(&writer.ctx);
	open_gate();
	assert_int_equal(end(&writer), -EINTR);
	assert_int_equal(end(&next), -ENOENT);
	clock_real();
	store_listen(NULL, NULL);
	/* Nobody is stopped by what they left. */
	scratch_take_all(s, "a");
	start(&next, s->o, &a);
	assert_int_equal(end(&next), 0);
	scratch_expect(s, "head -c 3000000 store.git/big/* | cmp a/big", "");
	scratch_expect_clean(s);
}

static void test_a_check_is_shared(void **state)
{
	struct scratch *s = *state;
	struct caller callers[4];

	make(s, s->o, "a");
	make(s, s->o, "b");
	damage(s);
	shut_gate();
	start(&callers[0], s->o, NULL);
	await_said(1);
	for (size_t i = 1; i < ARRAY_SIZE(callers); i++) {
		start(&callers[i], s->o, NULL);
		await_sleep(&callers[i]);
	}
	open_gate();
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		assert_int_equal(end(&callers[i]), 0);
	store_listen(NULL, NULL);
	assert_int_equal(gate.n_said, 2);
	assert_int_equal(s->o->n_checks, 1);
}

/* The first one's is broken off after one of the two packs. */
static void test_the_checker_leaves(void **state)
{
	struct scratch *s = *state;
	struct caller checker, waiter, next;

	make(s, s->o, "a");
	make(s, s->o, "b");
	damage(s);
	shut_gate();
	start(&checker, s->o, NULL);
	await_said(1);
	start(&waiter, s->o, NULL);
	start(&next, s->o, NULL);
	await_sleep(&waiter);
	await_sleep(&next);
	ctx_cancel(&waiter.ctx);
	assert_int_equal(end(&waiter), -EINTR);
	ctx_cancel(&checker.ctx);
	assert_int_equal(open_gate(), 1);
	assert_int_equal(end(&checker), -EINTR);
	assert_int_equal(end(&next), 0);
	store_listen(NULL, NULL);
	assert_int_equal(gate.n_said, 2);
	assert_int_equal(s->o->n_checks, 2);
	scratch_expect(s, "ls store.git/objects/pack", "");
}

/* A commit keeps its mark when the walk that looks for its files is broken off:
 * what was not looked at is not missing. */
static void test_marks_stay_when_a_check_is_left(void **state)
{
	struct scratch *s = *state;
	struct ctx ctx;
	struct oid commit;

	make(s, s->o, "a");
	commit = scratch_oid(s, "git -C a rev-parse HEAD");
	assert_int_equal(objects_mark(s->o, &commit, OBJECTS_COMPLETE), 0);
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	assert_int_equal(objects_check(&ctx, s->o), -EINTR);
	ctx_done(&ctx);
	assert_true(objects_is_present(s->o, &commit, OBJECTS_COMPLETE));
	assert_int_equal(objects_check(NULL, s->o), 0);
	assert_true(objects_is_present(s->o, &commit, OBJECTS_COMPLETE));
}

/* Somebody wrote into it since it was known: its bytes are compared. */
static void test_a_file_is_compared_once(void **state)
{
	struct scratch *s = *state;
	struct oid a = make(s, s->o, "a");
	struct caller readers[6];
	struct ctx ctx;
	uint64_t before, size;
	int fd = -1;

	start(&readers[0], s->o, &a);
	assert_int_equal(end(&readers[0]), 0);
	scratch_do(s, "touch store.git/big/*");
	before = objects_big_compared();
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		start(&readers[i], s->o, &a);
	for (size_t i = 0; i < ARRAY_SIZE(readers); i++)
		assert_int_equal(end(&readers[i]), 0);
	assert_int_equal(objects_big_compared() - before, 3000000);

	/* One that is left is no word about the file. */
	scratch_do(s, "touch -d '1 hour ago' store.git/big/*; "
		      "stat -c %i store.git/big/* >inode");
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	assert_int_equal(objects_blob_file(&ctx, s->o, &a, 0, 1, &fd, &size),
			 -EINTR);
	ctx_done(&ctx);
	scratch_expect(s, "stat -c %i store.git/big/* | cmp - inode", "");
	assert_int_equal(objects_blob_file(NULL, s->o, &a, 0, 1, &fd, &size),
			 0);
	close(fd);
	scratch_expect(s, "stat -c %i store.git/big/* | cmp - inode", "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_waiting_for_the_writer),
		SCRATCH_TEST(test_the_writer_leaves),
		SCRATCH_TEST(test_a_check_is_shared),
		SCRATCH_TEST(test_the_checker_leaves),
		SCRATCH_TEST(test_marks_stay_when_a_check_is_left),
		SCRATCH_TEST(test_a_file_is_compared_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
