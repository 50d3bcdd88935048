/*
 * store/objects_fold: which packs become one, what is in it, a process that is
 * killed anywhere in between, and who reads meanwhile.
 */
#include "../../src/store/objects_private.h"
#include "killed.h"

#include "base/clock.h"
#include "base/sync.h"

#define N_BLOBS 12

/* Files that are much like one another, so that packs of several have deltas.
 */
#define MAKE_REPO                                                            \
	"git init -q -b main repo && cd repo && mkdir dir && "               \
	"for i in $(seq 0 11); do { seq $i 4000; seq 9000 $((9000 + i)); } " \
	">dir/$i; done && git add . && git commit -q -m first && git "       \
	"rev-parse $(for i in $(seq 0 11); do echo HEAD:dir/$i; done) "      \
	">../blobs"

struct world {
	struct oid commit, blobs[N_BLOBS];
};

/* Those objects as one pack, as a fetch of a part of a commit leaves it. */
static void take_part(const struct scratch *s, const char *ids,
		      const char *options)
{
	cleanup(free) char *line = mem_asprintf(
		"cd repo && { %s; } | git pack-objects %s -q --stdout", ids,
		options);
	cleanup(buf_done) struct buf bytes = scratch_run(s, line);
	struct objects_pack *pack;

	assert_int_equal(objects_pack_begin(s->o, false, &pack), 0);
	objects_pack_promise(pack, true);
	assert_int_equal(objects_pack_write(pack, bytes.data, bytes.len), 0);
	assert_int_equal(objects_pack_commit(NULL, pack, NULL, 0), 0);
}

static void take_blobs(const struct scratch *s, int from, int to,
		       const char *options)
{
	cleanup(free) char *ids =
		mem_asprintf("sed -n %d,%dp ../blobs", from + 1, to + 1);

	take_part(s, ids, options);
}

/* The commit with its trees, and each blob in a pack of its own. */
static struct world make(const struct scratch *s)
{
	struct world w;

	scratch_do(s, MAKE_REPO);
	w.commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	for (int i = 0; i < N_BLOBS; i++) {
		cleanup(free) char *line =
			mem_asprintf("sed -n %dp blobs", i + 1);

		w.blobs[i] = scratch_oid(s, line);
	}
	take_part(s, "git rev-parse HEAD HEAD^{tree} HEAD:dir", "");
	assert_int_equal(objects_mark(s->o, &w.commit, OBJECTS_TREES), 0);
	for (int i = 0; i < N_BLOBS; i++)
		take_blobs(s, i, i, "");
	return w;
}

static unsigned fold(const struct scratch *s)
{
	unsigned n = 0;
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	assert_int_equal(objects_fold(&ctx, s->o, &n), 0);
	ctx_done(&ctx);
	return n;
}

static void expect_packs(const struct scratch *s, const char *n)
{
	scratch_expect(s, "ls store.git/objects/pack/*.pack | wc -l", n);
	scratch_expect(s, "ls store.git/objects/pack/*.idx | wc -l", n);
	scratch_expect(s, "ls store.git/objects/pack/*.promisor | wc -l", n);
}

static void expect_all(const struct scratch *s, const struct world *w)
{
	struct commit_info info;

	assert_int_equal(objects_read_commit(NULL, s->o, &w->commit, &info), 0);
	for (int i = 0; i < N_BLOBS; i++) {
		cleanup(blob_unref) struct blob *blob = NULL;
		cleanup(free) char *first = mem_asprintf("%d\n%d\n", i, i + 1);

		assert_int_equal(
			objects_read_blob(NULL, s->o, &w->blobs[i], MIB, &blob),
			0);
		assert_memory_equal(blob_data(blob), first, strlen(first));
	}
}

static void test_many_become_one(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);

	expect_packs(s, "13\n");
	expect_all(s, &w);
	assert_int_equal(fold(s), 13);
	assert_int_equal(objects_n_packs(s->o), 1);
	for (int i = 0; i < 2; i++) {
		expect_packs(s, "1\n");
		expect_all(s, &w);
		scratch_fsck(s);
		assert_true(objects_is_present(s->o, &w.commit, OBJECTS_TREES));
		assert_int_equal(fold(s), 0);
		scratch_reopen(s);
	}
	scratch_expect_clean(s);
}

/* A large pack is not written again for a few small ones; nor is what was
 * fetched whole. */
static void test_large_ones_stay(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);

	scratch_do(s, "cd repo && head -c 300000 /dev/urandom >large && git "
		      "add large && git rev-parse :large >../large");
	take_part(s, "cat ../large", "");
	/* Two that are tiny do not stand in the way of the others. */
	take_part(s, "git rev-parse HEAD", "");
	scratch_take_all(s, "repo");
	assert_int_equal(fold(s), 14);
	scratch_expect(s, "ls store.git/objects/pack/*.pack | wc -l", "3\n");
	expect_all(s, &w);
	scratch_fsck(s);
}

/* Deltas, and the same object in several packs: here a delta's base, there a
 * delta itself. */
static void test_deltas(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);

	for (int i = 0; i < 4; i++) {
		take_blobs(s, i, i + 5, "--delta-base-offset");
		take_blobs(s, 2 * i, 2 * i + 4, "");
	}
	assert_int_equal(fold(s), 21);
	expect_packs(s, "1\n");
	expect_all(s, &w);
	scratch_fsck(s);
	/* Each object once, and some of them as deltas. */
	scratch_expect(s,
		       "git verify-pack -v store.git/objects/pack/*.idx >v; "
		       "grep -c '^[0-9a-f]\\{40\\} ' v; grep -q ^chain v || "
		       "echo no delta",
		       "15\n");
}

static void test_a_damaged_pack(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);
	unsigned n;

	/* An entry that claims to be a delta of nothing. */
	scratch_do(s, "p=$(ls store.git/objects/pack/*.pack | head -1); chmod "
		      "u+w $p; printf '\\345\\002\\001' | dd of=$p bs=1 "
		      "seek=12 conv=notrunc status=none");
	n = fold(s);
	assert_int_equal(n, 12);
	expect_packs(s, "2\n");
	assert_int_equal(objects_check(NULL, s->o), 0);
	scratch_fsck(s);
	(void)w;
}

static void test_nobody_is_disturbed(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);
	struct ctx ctx;
	unsigned n = 0;
	int fd = -1;

	ctx_init(&ctx, NULL, 300);
	/* A fetch: what it may need stays. */
	assert_int_equal(objects_hold(&ctx, s->o, &fd), 0);
	assert_int_equal(objects_fold(&ctx, s->o, &n), -ETIMEDOUT);
	assert_int_equal(n, 0);
	scratch_expect(s, "ls store.git/objects/pack/*.pack | wc -l", "14\n");
	file_close(fd);
	ctx_done(&ctx);
	ctx_init(&ctx, NULL, -1);
	ctx_cancel(&ctx);
	assert_int_equal(objects_fold(&ctx, s->o, &n), -EINTR);
	ctx_done(&ctx);
	scratch_fsck(s);
	expect_all(s, &w);
	assert_true(fold(s) >= 13);
	expect_packs(s, "1\n");
	scratch_expect_clean(s);
}

/* The first look into a repository: its store is made, a pack of the commit and
 * its tree comes, a branch for git. */
static void test_a_first_look_waits_for_no_disk(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);
	cleanup(objects_close) struct objects *o = NULL;
	cleanup(buf_done) struct buf bytes = scratch_run(
		s, "cd repo && git rev-parse HEAD HEAD^{tree} | git "
		   "pack-objects -q --stdout");
	cleanup(free) char *path = mem_asprintf("%s/first.git", s->dir);
	char hex[41];
	const char *shallow[] = {oid_hex(&w.commit, hex)};
	struct objects_pack *pack;

	n_fsyncs = 0;
	assert_int_equal(objects_open(path, &o), 0);
	assert_int_equal(objects_pack_begin(o, false, &pack), 0);
	objects_pack_promise(pack, false);
	objects_pack_relax(pack);
	assert_int_equal(objects_pack_write(pack, bytes.data, bytes.len), 0);
	assert_int_equal(objects_pack_commit(NULL, pack, shallow, 1), 0);
	assert_int_equal(objects_set_branch(o, "main", &w.commit), 0);
	assert_true(objects_is_shallow(o, &w.commit));
	assert_int_equal(n_fsyncs, 0);
	assert_int_equal(objects_sync(o), 0);
	assert_true(n_fsyncs >= 5);
	/* The machine went down before it was synced. */
	o = objects_close(o);
	scratch_do(s, ": >first.git/refs/heads/main && : >first.git/HEAD && : "
		      ">first.git/config && : >first.git/shallow");
	assert_int_equal(objects_open(path, &o), 0);
	scratch_expect(s, "git -C first.git for-each-ref", "");
	scratch_expect(s, "git -C first.git symbolic-ref HEAD",
		       "refs/heads/main\n");
	assert_true(objects_has(o, &w.commit));
}

/* Whoever waits for a file does not wait for the disk; a mark does. */
static void test_synced_later(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);
	struct objects_pack *pack;
	cleanup(buf_done) struct buf bytes = scratch_run(
		s, "cd repo && echo more | git hash-object -w --stdin | git "
		   "pack-objects -q --stdout");
	struct oid more = scratch_oid(s, "echo more | git hash-object --stdin");

	assert_int_equal(objects_sync(s->o), 0);
	n_fsyncs = 0;
	assert_int_equal(objects_pack_begin(s->o, false, &pack), 0);
	objects_pack_promise(pack, true);
	objects_pack_relax(pack);
	assert_int_equal(objects_pack_write(pack, bytes.data, bytes.len), 0);
	assert_int_equal(objects_pack_commit(NULL, pack, NULL, 0), 0);
	assert_true(objects_has(s->o, &more));
	assert_int_equal(n_fsyncs, 0);
	assert_int_equal(objects_n_unsynced(s->o), 1);
	assert_int_equal(objects_mark(s->o, &w.commit, OBJECTS_COMPLETE), 0);
	/* The pack, not the mark itself. */
	assert_int_equal(objects_n_unsynced(s->o), 1);
	assert_int_equal(n_fsyncs, 3);
	assert_int_equal(objects_sync(s->o), 0);
	assert_int_equal(objects_n_unsynced(s->o), 0);
	assert_int_equal(n_fsyncs, 5);
	scratch_fsck(s);
	/* The machine went down before it was synced. */
	scratch_do(s, "cd store.git/objects/pack && p=$(ls -t *.pack | head "
		      "-1) && chmod u+w $p && : >$p");
	scratch_reopen(s);
	expect_all(s, &w);
	assert_false(objects_has(s->o, &more));
	scratch_fsck(s);
}

/* ---- killed anywhere ---- */

static bool does_fold(const struct scratch *s)
{
	cleanup(objects_close) struct objects *o = NULL;
	unsigned n = 0;
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = objects_open(s->store, &o);
	return r == 0 && objects_fold(&ctx, o, &n) == 0 && n == 13;
}

/* What a process that was killed left, before and after it is opened. */
static void expect_usable(struct scratch *s, const struct world *w)
{
	scratch_fsck(s);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	expect_all(s, w);
	assert_true(objects_is_present(s->o, &w->commit, OBJECTS_TREES));
	(void)fold(s);
	expect_all(s, w);
	scratch_fsck(s);
	s->o = objects_close(s->o);
}

static void test_killed_anywhere(void **state)
{
	struct scratch *s = *state;
	struct world w = make(s);
	bool ended = false;
	unsigned n;

	s->o = objects_close(s->o);
	scratch_do(s, "cp -a store.git before.git");
	/* Most calls remove an old pack, one like the other. */
	for (n = 1; !ended; n += n < 12 ? 1 : 9) {
		scratch_do(s, "rm -rf store.git; cp -a before.git store.git");
		ended = killed_at(s, n, does_fold);
		expect_usable(s, &w);
	}
	assert_true(n > 40);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect_clean(s);
}

/* ---- who reads meanwhile ---- */

struct reading {
	struct objects *o;
	struct world w;
	atomic_bool stop;
	atomic_uint n_read;
};

/* Everything is always there. */
static void read_on(void *arg)
{
	struct reading *reading = arg;

	for (unsigned i = 0; !atomic_load(&reading->stop); i++) {
		cleanup(blob_unref) struct blob *blob = NULL;
		const struct oid *oid = &reading->w.blobs[i % N_BLOBS];
		struct commit_info info;

		check(objects_read_blob(NULL, reading->o, oid, MIB, &blob) ==
		      0);
		check(strtoul(blob_data(blob), NULL, 10) == i % N_BLOBS);
		check(objects_read_commit(NULL, reading->o, &reading->w.commit,
					  &info) == 0);
		atomic_fetch_add(&reading->n_read, 1);
	}
}

static void test_readers(void **state)
{
	struct scratch *s = *state;
	struct reading reading = {.o = s->o, .w = make(s)};
	struct thread *threads[4];

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("reader", read_on, &reading, &threads[i]),
			0);
	for (unsigned i = 1; i <= 6; i++) {
		while (atomic_load(&reading.n_read) < 100 * i)
			sched_yield();
		assert_true(fold(s) > 0);
		for (int k = 0; k < N_BLOBS; k++)
			take_blobs(s, k, k, "");
	}
	atomic_store(&reading.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	scratch_fsck(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_many_become_one),
		SCRATCH_TEST(test_large_ones_stay),
		SCRATCH_TEST(test_deltas),
		SCRATCH_TEST(test_a_damaged_pack),
		SCRATCH_TEST(test_nobody_is_disturbed),
		SCRATCH_TEST(test_a_first_look_waits_for_no_disk),
		SCRATCH_TEST(test_synced_later),
		SCRATCH_TEST(test_killed_anywhere),
		SCRATCH_TEST(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
