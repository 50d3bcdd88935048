/*
 * store/objects_evict: what goes and what stays, a process that is killed
 * anywhere in between, and who reads meanwhile.
 */
#include "../../src/store/objects_private.h"
#include "killed.h"

#include "base/clock.h"
#include "base/sync.h"

#include <git2.h>

/* Two commits: `file` differs, the rest is in both. */
#define MAKE_REPO                                                         \
	"git init -q -b main repo && cd repo && mkdir -p dir && "         \
	"seq 20000 >dir/same && seq 1000 30000 >file && ln -s file link " \
	"&& git add . && git commit -q -m first && "                      \
	"seq 2000 40000 >file && git add file && git commit -q -m second"

/* A fetch as the program makes it: what that commit has and others lack. */
static void fetch(const struct scratch *s, struct objects *o,
		  const struct oid *commit, const char *but)
{
	char hex[41];
	cleanup(free) char *line = mem_asprintf(
		"cd repo && printf '%%s\\n' %s %s >../wants && "
		"git pack-objects --shallow --revs -q --stdout <../wants",
		oid_hex(commit, hex), but);
	cleanup(buf_done) struct buf pack = BUF_INIT(0);
	const char *shallow[] = {hex};

	scratch_do(s, "rm -f wants");
	pack = scratch_run(s, line);
	assert_int_equal(scratch_take(o, &pack, 4096, shallow, 1), 0);
	assert_int_equal(objects_mark(o, commit, OBJECTS_COMPLETE), 0);
}

struct commits {
	struct oid first, second, same, old, new, link;
};

static struct commits make(const struct scratch *s)
{
	scratch_do(s, MAKE_REPO);
	return (struct commits){
		.first = scratch_oid(s, "git -C repo rev-parse HEAD^"),
		.second = scratch_oid(s, "git -C repo rev-parse HEAD"),
		.same = scratch_oid(s, "git -C repo rev-parse HEAD:dir/same"),
		.old = scratch_oid(s, "git -C repo rev-parse HEAD^:file"),
		.new = scratch_oid(s, "git -C repo rev-parse HEAD:file"),
		.link = scratch_oid(s, "git -C repo rev-parse HEAD:link"),
	};
}

/* It was read an hour ago. */
static void be_cold(const struct scratch *s, const struct oid *commit)
{
	char hex[41];
	cleanup(free) char *path =
		mem_asprintf("%s/refs/bitbucketfs/commits/%s", s->store,
			     oid_hex(commit, hex));
	const struct timespec times[2] = {
		{.tv_nsec = UTIME_OMIT},
		{.tv_sec = clock_wall_ms() / 1000 - 3600},
	};

	assert_int_equal(utimensat(AT_FDCWD, path, times, 0), 0);
}

static int evict(const struct scratch *s, uint64_t *ret_freed)
{
	return objects_evict(NULL, s->store, clock_wall_ms() - 60000,
			     ret_freed);
}

static void expect_blob(struct objects *o, const struct oid *oid, uint64_t size,
			bool is_here)
{
	cleanup(blob_unref) struct blob *blob = NULL;
	uint64_t is = 0;

	assert_int_equal(objects_blob_size(NULL, o, oid, &is), 0);
	assert_int_equal(is, size);
	assert_int_equal(objects_read_blob(NULL, o, oid, MIB, &blob),
			 is_here ? 0 : -ENOENT);
	if (is_here)
		assert_int_equal(blob_len(blob), size);
}

#define SAME 108894
#define OLD 171106
#define NEW 220006

static void expect_tree(struct objects *o, const struct oid *commit)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL, *dir = NULL;
	struct commit_info info;

	assert_true(objects_is_present(o, commit, OBJECTS_TREES));
	assert_int_equal(objects_read_commit(NULL, o, commit, &info), 0);
	assert_int_equal(objects_read_tree(NULL, o, &info.tree, &list), 0);
	assert_int_equal(list->n_entries, 3);
	assert_int_equal(objects_read_tree(NULL, o,
					   &tree_list_find(list, "dir")->oid,
					   &dir),
			 0);
}

static void test_nothing_to_evict(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 1;

	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	fetch(s, s->o, &c.second, "");
	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	expect_blob(s->o, &c.same, SAME, true);
	assert_true(objects_is_present(s->o, &c.second, OBJECTS_COMPLETE));
}

static void test_all_blobs_go(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 0, before;
	struct oid *marked;
	size_t n;

	fetch(s, s->o, &c.second, "");
	assert_int_equal(objects_set_branch(s->o, "main", &c.second), 0);
	expect_blob(s->o, &c.same, SAME, true);
	before = objects_disk_bytes(s->o);
	be_cold(s, &c.second);
	assert_int_equal(evict(s, &freed), 0);
	assert_true(freed > 50000);
	assert_true(objects_disk_bytes(s->o) < before / 20);
	scratch_fsck(s);
	/* The store that was open all the time, and one that is opened now. */
	for (int i = 0; i < 2; i++) {
		expect_tree(s->o, &c.second);
		expect_blob(s->o, &c.same, SAME, false);
		expect_blob(s->o, &c.new, NEW, false);
		expect_blob(s->o, &c.link, 4, true);
		assert_false(
			objects_is_present(s->o, &c.second, OBJECTS_COMPLETE));
		scratch_reopen(s);
	}
	scratch_expect(s, "git --git-dir=store.git log --format=%s",
		       "second\n");
	/* A second time there is nothing to gain. */
	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	/* It is fetched again, and evicted again. */
	fetch(s, s->o, &c.second, "");
	expect_blob(s->o, &c.same, SAME, true);
	assert_true(objects_is_present(s->o, &c.second, OBJECTS_COMPLETE));
	assert_int_equal(objects_check(NULL, s->o), 0);
	assert_int_equal(objects_marked(s->o, OBJECTS_COMPLETE, 9, &marked, &n),
			 0);
	assert_int_equal(n, 1);
	free(marked);
	scratch_fsck(s);
	be_cold(s, &c.second);
	assert_int_equal(evict(s, &freed), 0);
	assert_true(freed > 50000);
	scratch_fsck(s);
	expect_blob(s->o, &c.same, SAME, false);
	assert_int_equal(objects_check(NULL, s->o), 0);
	expect_tree(s->o, &c.second);
	scratch_expect_clean(s);
}

/* What a commit needs that was read lately stays, in whichever pack it is. */
static void test_a_cold_commit(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 0;
	char hex[41];
	cleanup(free) char *but = mem_asprintf("^%s", oid_hex(&c.second, hex));

	fetch(s, s->o, &c.second, "");
	/* The older one comes as what it has more. */
	scratch_do(s, "cd repo && git checkout -q -b other && git commit -q "
		      "--amend -m amended && seq 5000 70000 >file && git "
		      "commit -q -a -m third");
	c.first = scratch_oid(s, "git -C repo rev-parse HEAD");
	c.old = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	fetch(s, s->o, &c.first, but);
	be_cold(s, &c.first);
	assert_int_equal(evict(s, &freed), 0);
	assert_true(freed > 50000);
	scratch_fsck(s);
	expect_blob(s->o, &c.same, SAME, true);
	expect_blob(s->o, &c.new, NEW, true);
	assert_true(objects_is_present(s->o, &c.second, OBJECTS_COMPLETE));
	expect_tree(s->o, &c.first);
	expect_blob(s->o, &c.old, 385006, false);
	/* And the other way round: nothing can go but the mark. */
	fetch(s, s->o, &c.first, but);
	be_cold(s, &c.second);
	assert_int_equal(evict(s, &freed), 0);
	scratch_fsck(s);
	expect_blob(s->o, &c.same, SAME, true);
	expect_blob(s->o, &c.old, 385006, true);
	expect_tree(s->o, &c.second);
}

/* A commit that came without its blobs, and one of them: while it is read the
 * blob stays. */
static void test_a_filtered_commit(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	char hex[41];
	cleanup(free) char *mark =
		mem_asprintf("touch -d '1 hour ago' "
			     "store.git/refs/bitbucketfs/trees/%s",
			     oid_hex(&c.second, hex));
	uint64_t freed = 1;

	fetch(s, s->o, &c.second, "");
	assert_int_equal(objects_mark(s->o, &c.second, OBJECTS_TREES), 0);
	assert_int_equal(
		objects_unmark(s->o, &c.second, OBJECTS_COMPLETE, false), 0);
	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	expect_blob(s->o, &c.same, SAME, true);
	scratch_do(s, mark);
	objects_note_read(s->o, &c.second);
	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	scratch_do(s, mark);
	assert_int_equal(evict(s, &freed), 0);
	assert_true(freed > 50000);
	expect_blob(s->o, &c.same, SAME, false);
	expect_tree(s->o, &c.second);
	scratch_fsck(s);
}

/* Of second an hour ago the trees came, a file with one of the trees, and a
 * link; another file just now. */
static struct commits make_parts(const struct scratch *s)
{
	struct commits c = make(s);

	scratch_take_part(s, "HEAD HEAD^{tree} HEAD:dir", false);
	scratch_take_part(s, "HEAD:dir HEAD:dir/same HEAD:link", true);
	scratch_do(s, "touch -d '1 hour ago' store.git/objects/pack/*");
	scratch_take_part(s, "HEAD:file", true);
	assert_int_equal(objects_mark(s->o, &c.second, OBJECTS_TREES), 0);
	objects_note_read(s->o, &c.second);
	return c;
}

static int evict_parts(const struct scratch *s, uint64_t n_bytes,
		       uint64_t *ret_freed)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = objects_evict_parts(&ctx, s->store, clock_wall_ms() - 60000,
				n_bytes, ret_freed);
	ctx_done(&ctx);
	return r;
}

/* While the commit is read what came of it long ago goes, if that is asked for.
 */
static void test_parts(void **state)
{
	struct scratch *s = *state;
	struct commits c = make_parts(s);
	cleanup(blob_unref) struct blob *link = NULL;
	uint64_t freed = 1;

	assert_int_equal(evict(s, &freed), 0);
	assert_int_equal(freed, 0);
	assert_int_equal(evict_parts(s, 0, &freed), 0);
	assert_int_equal(freed, 0);
	assert_int_equal(evict_parts(s, 1, &freed), 0);
	assert_true(freed > 10000);
	expect_blob(s->o, &c.same, SAME, false);
	expect_blob(s->o, &c.new, NEW, true);
	expect_tree(s->o, &c.second);
	assert_int_equal(objects_read_blob(NULL, s->o, &c.link, 64, &link), 0);
	assert_true(objects_was_evicted(s->o));
	scratch_fsck(s);
	assert_int_equal(evict_parts(s, MIB, &freed), 0);
	assert_int_equal(freed, 0);
	expect_blob(s->o, &c.new, NEW, true);
}

/* As they are when the packs were folded. */
static void test_parts_together_with_trees(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 0;

	scratch_take_part(s, "HEAD HEAD^{tree} HEAD:dir HEAD:dir/same", true);
	scratch_do(s, "touch -d '1 hour ago' store.git/objects/pack/*");
	assert_int_equal(objects_mark(s->o, &c.second, OBJECTS_TREES), 0);
	objects_note_read(s->o, &c.second);
	assert_int_equal(evict_parts(s, 1, &freed), 0);
	assert_true(freed > 10000);
	expect_blob(s->o, &c.same, SAME, false);
	expect_tree(s->o, &c.second);
	scratch_fsck(s);
}

static void test_parts_of_what_is_complete(void **state)
{
	struct scratch *s = *state;
	struct commits c = make_parts(s);
	uint64_t freed = 1;

	assert_int_equal(objects_mark(s->o, &c.second, OBJECTS_COMPLETE), 0);
	assert_int_equal(evict_parts(s, MIB, &freed), 0);
	assert_int_equal(freed, 0);
	expect_blob(s->o, &c.same, SAME, true);
	scratch_fsck(s);
}

static void test_a_fetch_holds_it(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	struct objects *other = NULL;
	uint64_t freed = 0;
	struct ctx ctx;
	int fd = -1;

	fetch(s, s->o, &c.second, "");
	be_cold(s, &c.second);
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(objects_hold(&ctx, s->o, &fd), 0);
	assert_int_equal(evict(s, &freed), -EBUSY);
	/* Also when somebody else has opened the store since. */
	assert_int_equal(objects_open(s->store, &other), 0);
	assert_int_equal(evict(s, &freed), -EBUSY);
	other = objects_close(other);
	expect_blob(s->o, &c.same, SAME, true);
	file_close(fd);
	ctx_cancel(&ctx);
	assert_int_equal(objects_evict(&ctx, s->store, clock_wall_ms(), &freed),
			 -EINTR);
	expect_blob(s->o, &c.same, SAME, true);
	ctx_done(&ctx);
	assert_int_equal(evict(s, &freed), 0);
	expect_blob(s->o, &c.same, SAME, false);
}

struct walk {
	struct objects *o;
	atomic_uint n_fetches;
	atomic_bool stop;
};

/* A walk fetches one thing after the other. */
static void fetch_always(void *arg)
{
	struct walk *w = arg;
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	while (!atomic_load(&w->stop)) {
		cleanup(fd) int fd = -1;

		assert_int_equal(objects_hold(&ctx, w->o, &fd), 0);
		atomic_fetch_add(&w->n_fetches, 1);
		assert_int_equal(ctx_sleep(&ctx, 20), 0);
	}
	ctx_done(&ctx);
}

/* Together they always hold it; still there is a time to evict. */
static void test_parts_under_walks(void **state)
{
	struct scratch *s = *state;
	struct commits c = make_parts(s);
	struct walk walk = {.o = s->o};
	struct thread *threads[4];
	uint64_t freed = 0;
	int r;

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("walk", fetch_always, &walk, &threads[i]),
			0);
	while (atomic_load(&walk.n_fetches) < 10)
		sched_yield();
	r = evict_parts(s, 1, &freed);
	atomic_store(&walk.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	assert_int_equal(r, 0);
	expect_blob(s->o, &c.same, SAME, false);
}

static struct ctx *cancel_when_packing; /* NULL: none */

int __real_git_packbuilder_foreach(git_packbuilder *,
				   git_packbuilder_foreach_cb, void *);
int __wrap_git_packbuilder_foreach(git_packbuilder *,
				   git_packbuilder_foreach_cb, void *);
int __wrap_git_packbuilder_foreach(git_packbuilder *builder,
				   git_packbuilder_foreach_cb each, void *arg)
{
	if (cancel_when_packing)
		ctx_cancel(cancel_when_packing);
	return __real_git_packbuilder_foreach(builder, each, arg);
}

/* Packing a hundred thousand trees takes seconds: who unmounts does not wait
 * for it. */
static void test_packing_is_cancelled(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 0;
	struct ctx ctx;

	fetch(s, s->o, &c.second, "");
	be_cold(s, &c.second);
	ctx_init(&ctx, NULL, -1);
	cancel_when_packing = &ctx;
	assert_int_equal(objects_evict(&ctx, s->store, clock_wall_ms(), &freed),
			 -EINTR);
	cancel_when_packing = NULL;
	ctx_done(&ctx);
	assert_int_equal(freed, 0);
	expect_blob(s->o, &c.same, SAME, true);
	scratch_fsck(s);
	scratch_expect_clean(s);
	assert_int_equal(evict(s, &freed), 0);
	expect_blob(s->o, &c.same, SAME, false);
}

static void test_damaged_sizes(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	uint64_t freed = 0, size;

	fetch(s, s->o, &c.second, "");
	be_cold(s, &c.second);
	assert_int_equal(evict(s, &freed), 0);
	scratch_do(s, "printf x | dd of=store.git/sizes bs=1 seek=27 "
		      "conv=notrunc status=none");
	assert_int_equal(objects_blob_size(NULL, s->o, &c.same, &size),
			 -ENOENT);
	scratch_do(s, "test ! -e store.git/sizes");
}

static void test_the_whole_store(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	atomic_bool stop = false;

	fetch(s, s->o, &c.second, "");
	assert_int_equal(objects_remove(s->store), -EBUSY);
	expect_blob(s->o, &c.same, SAME, true);
	s->o = objects_close(s->o);
	assert_int_equal(objects_remove(s->store), 0);
	assert_int_equal(objects_remove(s->store), -ENOENT);
	/* Killed half way: swept at the next start. */
	scratch_do(s, "mkdir store.git.gone && echo x >store.git.gone/x && "
		      "mkdir store.git.new-a1B2c3");
	objects_sweep_all(s->dir, &stop);
	scratch_expect(s, "ls -d store.git* 2>/dev/null || true", "");
	assert_int_equal(objects_open(s->store, &s->o), 0);
}

/* ---- killed anywhere ---- */

static bool does_evict(const struct scratch *s)
{
	uint64_t freed;

	return evict(s, &freed) == 0 && freed > 0;
}

static bool evict_killed_at(const struct scratch *s, unsigned n)
{
	return killed_at(s, n, does_evict);
}

/* What a process that was killed left, before and after it is opened. */
static void expect_usable(struct scratch *s, const struct commits *c)
{
	cleanup(blob_unref) struct blob *blob = NULL;
	uint64_t size;
	int r;

	scratch_fsck(s);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	expect_tree(s->o, &c->second);
	assert_int_equal(objects_blob_size(NULL, s->o, &c->same, &size), 0);
	assert_int_equal(size, SAME);
	r = objects_read_blob(NULL, s->o, &c->same, MIB, &blob);
	assert_true(r == 0 || r == -ENOENT);
	/* What is marked so is so. */
	if (r < 0)
		assert_false(
			objects_is_present(s->o, &c->second, OBJECTS_COMPLETE));
	assert_int_equal(objects_check(NULL, s->o), 0);
	expect_tree(s->o, &c->second);
	scratch_fsck(s);
	scratch_expect(s,
		       "cd store.git/objects/pack && for p in *.pack; "
		       "do test -e ${p%.pack}.idx || echo $p; done",
		       "");
	s->o = objects_close(s->o);
}

static void test_killed_anywhere(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	bool ended = false;
	unsigned n;

	fetch(s, s->o, &c.second, "");
	be_cold(s, &c.second);
	s->o = objects_close(s->o);
	scratch_do(s, "cp -a store.git before.git");
	for (n = 1; !ended; n++) {
		scratch_do(s, "rm -rf store.git; cp -a before.git store.git");
		ended = evict_killed_at(s, n);
		expect_usable(s, &c);
	}
	assert_true(n > 10);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect_clean(s);
}

static bool does_evict_parts(const struct scratch *s)
{
	uint64_t freed;

	return evict_parts(s, 1, &freed) == 0 && freed > 0;
}

static void test_parts_killed_anywhere(void **state)
{
	struct scratch *s = *state;
	struct commits c = make_parts(s);
	bool ended = false;
	unsigned n;

	s->o = objects_close(s->o);
	scratch_do(s, "cp -a store.git before.git");
	for (n = 1; !ended; n++) {
		scratch_do(s, "rm -rf store.git; cp -a before.git store.git");
		ended = killed_at(s, n, does_evict_parts);
		expect_usable(s, &c);
	}
	assert_true(n > 5);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect_clean(s);
}

static bool does_make(const struct scratch *s)
{
	struct objects *o;

	if (objects_open(s->store, &o) < 0)
		return false;
	objects_close(o);
	return true;
}

/* There is none, or one that git takes for a repository. */
static void test_killed_while_it_is_made(void **state)
{
	static const atomic_bool stop;
	struct scratch *s = *state;
	bool ended = false;
	unsigned n;

	s->o = objects_close(s->o);
	for (n = 1; !ended; n++) {
		scratch_do(s, "rm -rf store.git*");
		ended = killed_at(s, n, does_make);
		scratch_do(s, "test ! -e store.git || git -C store.git fsck");
		objects_sweep_all(s->dir, &stop);
		scratch_expect(s, "ls -d store.git.new-* 2>/dev/null || true",
			       "");
	}
	assert_true(n > 4);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect_clean(s);
}

/* Between two system calls of libgit2's, too, which writes refs and packs: by
 * the clock, at an odd time of the eviction. */
static void test_killed_at_any_time(void **state)
{
	struct scratch *s = *state;
	struct commits c = make(s);
	int64_t took_us;

	fetch(s, s->o, &c.second, "");
	be_cold(s, &c.second);
	s->o = objects_close(s->o);
	scratch_do(s, "cp -a store.git before.git");
	took_us = clock_mono_ms();
	assert_true(evict_killed_at(s, 0));
	took_us = (clock_mono_ms() - took_us) * 1000;
	for (unsigned n = 0; n < 16; n++) {
		pid_t pid;

		scratch_do(s, "rm -rf store.git; cp -a before.git store.git");
		pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			uint64_t freed;

			kill_at = 0;
			_exit(evict(s, &freed) < 0);
		}
		usleep((useconds_t)(took_us * n / 16));
		kill(pid, SIGKILL);
		assert_int_equal(waitpid(pid, NULL, 0), pid);
		expect_usable(s, &c);
	}
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect_clean(s);
}

/* ---- who reads meanwhile ---- */

struct reading {
	struct scratch *s;
	struct commits c;
	atomic_bool stop;
	atomic_uint n_read, n_missing;
};

/* A tree is always there, a blob is right or missing. */
static void read_on(void *arg)
{
	struct reading *reading = arg;
	struct objects *o = reading->s->o;

	while (!atomic_load(&reading->stop)) {
		cleanup(blob_unref) struct blob *blob = NULL;
		struct commit_info info;
		uint64_t size = 0;
		int r = objects_read_blob(NULL, o, &reading->c.same, MIB,
					  &blob);

		check(r == 0 || r == -ENOENT);
		if (r == 0)
			check(blob_len(blob) == SAME &&
			      memcmp(blob_data(blob), "1\n2\n3\n", 6) == 0);
		atomic_fetch_add(
			r == 0 ? &reading->n_read : &reading->n_missing, 1);
		check(objects_read_commit(NULL, o, &reading->c.second, &info) ==
		      0);
		check(objects_blob_size(NULL, o, &reading->c.new, &size) == 0 &&
		      size == NEW);
	}
}

static void test_readers(void **state)
{
	struct scratch *s = *state;
	struct reading reading = {.s = s, .c = make(s)};
	struct thread *threads[4];

	fetch(s, s->o, &reading.c.second, "");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("reader", read_on, &reading, &threads[i]),
			0);
	for (unsigned i = 1; i <= 12; i++) {
		uint64_t freed = 0;

		while (atomic_load(&reading.n_read) < 20 * i)
			sched_yield();
		be_cold(s, &reading.c.second);
		assert_int_equal(evict(s, &freed), 0);
		assert_true(freed > 0);
		while (atomic_load(&reading.n_missing) < 20 * i)
			sched_yield();
		fetch(s, s->o, &reading.c.second, "");
	}
	atomic_store(&reading.stop, true);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	scratch_fsck(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_nothing_to_evict),
		SCRATCH_TEST(test_all_blobs_go),
		SCRATCH_TEST(test_a_cold_commit),
		SCRATCH_TEST(test_a_filtered_commit),
		SCRATCH_TEST(test_parts),
		SCRATCH_TEST(test_parts_together_with_trees),
		SCRATCH_TEST(test_parts_of_what_is_complete),
		SCRATCH_TEST(test_a_fetch_holds_it),
		SCRATCH_TEST(test_parts_under_walks),
		SCRATCH_TEST(test_packing_is_cancelled),
		SCRATCH_TEST(test_damaged_sizes),
		SCRATCH_TEST(test_the_whole_store),
		SCRATCH_TEST(test_killed_anywhere),
		SCRATCH_TEST(test_parts_killed_anywhere),
		SCRATCH_TEST(test_killed_while_it_is_made),
		SCRATCH_TEST(test_killed_at_any_time),
		SCRATCH_TEST(test_readers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
