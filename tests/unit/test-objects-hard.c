/*
 * store/objects: bad packs, hostile trees, damage, crashes, many at once.
 */
#include "git-scratch.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"

#include <sys/prctl.h>

/* Runs Python that makes a pack by hand, of objects as no git would write them:
 * w(kind, data) adds one and returns its name's bytes, e(mode, name, oid) is an
 * entry of a tree. Takes it in; the last one's oid. */
static struct oid craft(const struct scratch *s, const char *python)
{
	static const char before[] =
		"cat >w.py <<'END'\n"
		"import hashlib, zlib\n"
		"kinds = {'commit': 1, 'tree': 2, 'blob': 3}\n"
		"objects = {}\n"
		"def w(kind, data):\n"
		"    global last\n"
		"    n = len(data)\n"
		"    raw = kind.encode() + b' %d\\0' % n + data\n"
		"    last = hashlib.sha1(raw)\n"
		"    head = [kinds[kind] << 4 | n & 15]\n"
		"    n >>= 4\n"
		"    while n:\n"
		"        head[-1] |= 128\n"
		"        head.append(n & 127)\n"
		"        n >>= 7\n"
		"    packed = bytes(head) + zlib.compress(data, 1)\n"
		"    objects[last.digest()] = packed\n"
		"    return last.digest()\n"
		"def e(mode, name, oid):\n"
		"    return mode.encode() + b' ' + name + b'\\0' + oid\n";
	static const char after[] =
		"\npack = b'PACK\\0\\0\\0\\2' + len(objects).to_bytes(4, 'big')"
		" + b''.join(objects.values())\n"
		"with open('pack', 'wb') as f:\n"
		"    f.write(pack + hashlib.sha1(pack).digest())\n"
		"print(last.hexdigest())\n"
		"END\n"
		"python3 w.py";
	cleanup(free) char *line =
		mem_asprintf("%s%s%s", before, python, after);
	struct oid oid = scratch_oid(s, line);
	cleanup(buf_done) struct buf pack = scratch_run(s, "cat pack");

	assert_int_equal(scratch_take(s->o, &pack, 4096, NULL, 0), 0);
	return oid;
}

static void test_hostile_tree(void **state)
{
	struct scratch *s = *state;
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	struct oid tree;

	tree = craft(s, "b = w('blob', b'x')\n"
			"w('tree', e('100644', b'..', b) + "
			"e('100644', b'a/b', b) + e('40000', b'.GIT', b) + "
			"e('100644', b'same', b) + e('100664', b'same', b) + "
			"e('100664', b'old', b))");
	assert_int_equal(objects_read_tree(NULL, s->o, &tree, &l), 0);
	assert_int_equal(l->n_entries, 2);
	assert_int_equal(l->n_left_out, 4);
	assert_int_equal(tree_list_find(l, "old")->kind, TREE_FILE);
	assert_non_null(tree_list_find(l, "same"));
}

static void test_garbage_as_tree_and_commit(void **state)
{
	static const char *const commits[] = {
		"b''",
		"b'tree '",
		"b'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904'",
		"b'tree 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\n'",
		"b'parent 4b825dc642cb6eb9a060e54bf8d69288fbee4904\\n'",
		"b'tree \\0b825dc642cb6eb9a060e54bf8d69288fbee4904\\n\\nm'",
	};
	static const struct {
		const char *line;
		int64_t time_s;
	} times[] = {
		{"committer A <b> 5 +0000", 5},
		{"committer A > <b> 1600000000 +0200", 1600000000},
		{"committer A <b> -5 +0000", 0},
		{"committer A <b> 99999999999999999999999 +0000", 0},
		{"committer A <b>", 0},
		{"committer A <b> ", 0},
		{"committer A <b> x", 0},
		/* What git checks out, too. */
		{"committer A <b>5 +0000", 5},
		{"committer A <b>   \\t0005 +0000", 5},
		{"committer A\\0 <b> 5 +0000", 5},
		{"author y <z> 3 +0000\\ncommitter A <b> 5 +0000", 5},
		{"gpgsig x\\n committer A <b> 5 +0000", 0},
		{"", 0},
		{"\\ncommitter a <b> 5 +0000", 0},
		{"parent x", 0},
		{"committer", 0},
	};
	struct scratch *s = *state;
	struct commit_info info;
	struct tree_list *l;
	struct oid oid;

	oid = craft(s, "w('tree', b'100644 cut')");
	assert_int_equal(objects_read_tree(NULL, s->o, &oid, &l), -EBADMSG);
	for (size_t i = 0; i < ARRAY_SIZE(commits); i++) {
		cleanup(free) char *line =
			mem_asprintf("w('commit', %s)", commits[i]);

		oid = craft(s, line);
		if (objects_read_commit(NULL, s->o, &oid, &info) != -EBADMSG)
			fail_msg("%s", commits[i]);
	}
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		cleanup(free) char *line = mem_asprintf(
			"w('commit', b'tree 4b825dc642cb6eb9a060e54bf8d69288f"
			"bee4904\\nauthor x\\n%s\\n\\nmessage')",
			times[i].line);

		oid = craft(s, line);
		assert_int_equal(objects_read_commit(NULL, s->o, &oid, &info),
				 0);
		if (info.time_s != times[i].time_s)
			fail_msg("%s", times[i].line);
	}
	oid = craft(s, "w('commit', b'tree 4B825DC642CB6EB9A060E54BF8D69288F"
		       "BEE4904\\ncommitter A <b> 5 +0')");
	assert_int_equal(objects_read_commit(NULL, s->o, &oid, &info), 0);
	assert_int_equal(info.time_s, 5);
	assert_int_equal(info.tree.bytes[0], 0x4b);
	assert_int_equal(info.tree.bytes[19], 0x04);
}

static int count(void *arg, const char *path, const struct tree_entry *before,
		 const struct tree_entry *after)
{
	(void)path;
	(void)before;
	(void)after;
	++*(size_t *)arg;
	return 0;
}

static void test_a_bottomless_tree(void **state)
{
	struct scratch *s = *state;
	struct oid tree;
	size_t n = 0;

	tree = craft(s, "t = w('tree', b'')\n"
			"for i in range(510): "
			"t = w('tree', e('40000', b'd', t))");
	assert_int_equal(objects_diff_trees(NULL, s->o, NULL, &tree, count, &n),
			 0);
	assert_int_equal(n, 510);
	tree = craft(s, "t = w('tree', b'')\n"
			"for i in range(5000): "
			"t = w('tree', e('40000', b'd', t))");
	assert_int_equal(objects_diff_trees(NULL, s->o, NULL, &tree, count, &n),
			 -ELOOP);
}

/* Ten levels of the same ten subtrees: ten thousand million entries. */
static void test_a_tree_bomb(void **state)
{
	struct scratch *s = *state;
	struct oid tree;
	size_t n = 0;

	tree = craft(s, "t = w('tree', b'')\n"
			"for i in range(10): t = w('tree', b''.join("
			"e('40000', b'%d' % j, t) for j in range(10)))");
	assert_int_equal(objects_diff_trees(NULL, s->o, &tree, NULL, count, &n),
			 -EFBIG);
}

/* ---- bad packs ---- */

static void make_pack(struct scratch *s, struct buf *ret_pack)
{
	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in 1 2 3; do seq $i 999 >a; seq $i 5 >b; "
		      "git add .; git commit -q -m $i; done");
	*ret_pack = scratch_run(s, "cd repo && git pack-objects --all --revs "
				   "-q --stdout </dev/null");
}

static void expect_refused(struct scratch *s, const char *data, size_t n)
{
	struct buf bad = {.data = mem_dup0(data, n), .len = n};
	int r = scratch_take(s->o, &bad, 1000, NULL, 0);

	assert_int_equal(r, -EBADMSG);
	buf_done(&bad);
}

static void test_bad_packs(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0}, thin = {0};
	unsigned seed = 1;

	make_pack(s, &pack);
	expect_refused(s, "", 0);
	expect_refused(s, "PACK", 4);
	expect_refused(s, "PACK\0\0\0\2\0\0\0", 11);
	expect_refused(s, "PACK\0\0\0\2\0\0\0\1", 12);
	expect_refused(s, "PACK\0\0\0\1\0\0\0\0", 12);
	expect_refused(s, "PACK\0\0\0\4\0\0\0\0", 12);
	expect_refused(s, "KCAP\0\0\0\2\0\0\0\0", 12);
	expect_refused(s, "<html>Sign in first</html>", 26);
	/* Room for four thousand million objects is not made. */
	expect_refused(s, "PACK\0\0\0\2\xff\xff\xff\xff\0\0\0\0", 16);
	for (int i = 0; i < 40; i++)
		expect_refused(s, pack.data, (size_t)rand_r(&seed) % pack.len);
	for (int i = 0; i < 40; i++) {
		size_t at = 12 + (size_t)rand_r(&seed) % (pack.len - 12);
		char bit = (char)(1 << rand_r(&seed) % 8);

		pack.data[at] ^= bit;
		expect_refused(s, pack.data, pack.len);
		pack.data[at] ^= bit;
	}
	/* One object more, one less than there are. */
	pack.data[11]++;
	expect_refused(s, pack.data, pack.len);
	pack.data[11] -= 2;
	expect_refused(s, pack.data, pack.len);
	pack.data[11]++;
	/* Deltas whose bases are elsewhere. */
	thin = scratch_run(s, "cd repo && { echo HEAD; echo ^HEAD~1; } | "
			      "git pack-objects --revs --thin -q --stdout "
			      "--delta-base-offset");
	expect_refused(s, thin.data, thin.len);
	scratch_expect_clean(s);
	scratch_expect(s, "ls store.git/objects/pack", "");
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	scratch_fsck(s);
}

static void test_writing_after_a_failure(void **state)
{
	struct scratch *s = *state;
	struct objects_pack *p;

	assert_int_equal(objects_pack_begin(s->o, false, &p), 0);
	assert_int_equal(objects_pack_write(p, "garbage garbage", 15),
			 -EBADMSG);
	assert_int_equal(objects_pack_write(p, "PACK", 4), -EBADMSG);
	assert_int_equal(objects_pack_commit(NULL, p, NULL, 0), -EBADMSG);
	scratch_expect_clean(s);
}

/* ---- damage ---- */

/* n_broken: stores that were set aside; NULL: a pack was. */
static void expect_works(struct scratch *s, const struct buf *pack,
			 const char *n_broken)
{
	struct oid commit = scratch_oid(s, "git -C repo rev-parse HEAD");

	assert_int_equal(objects_open(s->store, &s->o), 0);
	if (!n_broken)
		scratch_expect(s, "ls store.git/broken | wc -l", "2\n");
	else if (strcmp(n_broken, "0\n") == 0)
		assert_true(objects_has(s->o, &commit));
	assert_int_equal(scratch_take(s->o, pack, 1000, NULL, 0), 0);
	assert_int_equal(objects_mark(s->o, &commit, OBJECTS_COMPLETE), 0);
	assert_true(objects_is_present(s->o, &commit, OBJECTS_COMPLETE));
	scratch_fsck(s);
	scratch_expect(s, "ls -d store.git.broken-* 2>/dev/null | wc -l",
		       n_broken ? n_broken : "0\n");
}

static void damage(struct scratch *s, const char *how, const char *n_broken)
{
	cleanup(buf_done) struct buf pack = {0};

	make_pack(s, &pack);
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	s->o = objects_close(s->o);
	scratch_do(s, how);
	expect_works(s, &pack, n_broken);
}

static void test_no_head(void **state)
{
	damage(*state, "rm store.git/HEAD", "0\n");
}

static void test_garbage_in_head(void **state)
{
	damage(*state, "echo garbage >store.git/HEAD", "0\n");
}

static void test_empty_head(void **state)
{
	damage(*state, ": >store.git/HEAD", "0\n");
}

static void test_garbage_in_config(void **state)
{
	damage(*state, "echo '[core' >store.git/config", "0\n");
}

static void test_no_refs(void **state)
{
	damage(*state, "rm -r store.git/refs store.git/config", "0\n");
}

static void test_an_unknown_extension(void **state)
{
	damage(*state,
	       "git --git-dir=store.git config extensions.objectformat "
	       "sha256",
	       "0\n");
}

static void test_a_file_in_its_place(void **state)
{
	damage(*state, "rm -r store.git; echo x >store.git", "1\n");
}

static void test_a_file_within(void **state)
{
	damage(*state, "rm -rf store.git/objects; echo x >store.git/objects",
	       "1\n");
}

static void test_a_cut_pack(void **state)
{
	damage(*state,
	       "chmod +w store.git/objects/pack/*; "
	       "truncate -s 100 store.git/objects/pack/*.pack",
	       NULL);
}

static void test_a_cut_index(void **state)
{
	damage(*state,
	       "chmod +w store.git/objects/pack/*; "
	       "truncate -s -100 store.git/objects/pack/*.idx",
	       NULL);
}

static void test_an_index_alone(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};

	make_pack(s, &pack);
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	s->o = objects_close(s->o);
	scratch_do(s, "rm -f store.git/objects/pack/*.pack");
	assert_int_equal(objects_open(s->store, &s->o), 0);
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	assert_true(objects_has(s->o,
				&(struct oid[]){scratch_oid(
					s, "git -C repo rev-parse HEAD")}[0]));
	scratch_fsck(s);
}

static void test_no_parent(void **state)
{
	struct objects *o = NULL;

	(void)state;
	assert_int_equal(objects_open("/nowhere/at/all/store.git", &o),
			 -ENOENT);
	assert_null(o);
}

static void test_removed_while_open(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct oid commit;

	make_pack(s, &pack);
	commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	scratch_do(s, "rm -rf store.git");
	assert_int_equal(scratch_take(s->o, &pack, 1000, NULL, 0), 0);
	assert_true(objects_has(s->o, &commit));
	scratch_reopen(s);
	assert_true(objects_has(s->o, &commit));
	scratch_fsck(s);
}

/* ---- processes ---- */

static void wait_for(pid_t pid, int expected)
{
	int status;

	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, expected);
}

static void take_half_and_stay(struct scratch *s, const struct buf *pack,
			       int fd)
{
	struct objects *o;
	struct objects_pack *p;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	check(objects_open(s->store, &o) == 0);
	check(objects_pack_begin(o, false, &p) == 0);
	check(objects_pack_write(p, pack->data, pack->len / 2) == 0);
	check(write(fd, "x", 1) == 1);
	pause();
}

static void test_only_the_deads_files_are_swept(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	int fds[2];
	char byte;
	pid_t pid;

	make_pack(s, &pack);
	s->o = objects_close(s->o);
	assert_int_equal(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		take_half_and_stay(s, &pack, fds[1]);
		_exit(1);
	}
	assert_int_equal(read(fds[0], &byte, 1), 1);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect(s, "ls -d store.git/tmp-*/pack-* | wc -l", "1\n");
	kill(pid, SIGKILL);
	wait_for(pid, SIGKILL);
	scratch_reopen(s);
	scratch_expect_clean(s);
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
	/* One without a lock, from whoever it is. */
	scratch_do(s, "mkdir -p store.git/tmp-1-1/pack-1");
	scratch_reopen(s);
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
	close(fds[0]);
	close(fds[1]);
}

static void test_six_processes_take_in_the_same(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	pid_t pids[6];

	make_pack(s, &pack);
	s->o = objects_close(s->o);
	scratch_do(s, "rm -rf store.git");
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++) {
		pids[i] = fork();
		if (pids[i] == 0) {
			char oid[41];
			const char *shallow[] = {oid};
			struct objects *o;

			memset(oid, '0' + (int)i, 40);
			oid[40] = '\0';
			check(objects_open(s->store, &o) == 0);
			for (int j = 0; j < 3; j++)
				check(scratch_take(o, &pack, 500 + i, shallow,
						   1) == 0);
			objects_close(o);
			_exit(0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(pids); i++)
		wait_for(pids[i], 0);
	scratch_expect(s, "wc -l <store.git/shallow", "6\n");
	scratch_expect(s, "ls store.git/objects/pack | wc -l", "2\n");
	assert_int_equal(objects_open(s->store, &s->o), 0);
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
	scratch_do(s, "rm store.git/shallow");
	scratch_fsck(s);
}

static void take_until_killed(struct scratch *s, const struct buf *packs,
			      const struct oid *commits, size_t n)
{
	struct objects *o;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (;;) {
		check(objects_open(s->store, &o) == 0);
		for (size_t i = 0; i < n; i++) {
			check(scratch_take(o, &packs[i], 700, NULL, 0) == 0);
			check(objects_mark(o, &commits[i], OBJECTS_COMPLETE) ==
			      0);
			check(objects_set_branch(o, "main", &commits[i]) == 0);
		}
		objects_close(o);
	}
}

static void test_kill(void **state)
{
	struct scratch *s = *state;
	struct buf packs[4] = {0};
	struct oid commits[4];
	unsigned seed = (unsigned)getpid();

	for (size_t i = 0; i < ARRAY_SIZE(packs); i++) {
		cleanup(free) char *line = mem_asprintf(
			"test -d repo || git init -q -b main repo; cd repo; "
			"seq %zu 5000 >a; git add .; git commit -q -m x; "
			"git pack-objects --revs --all -q --stdout </dev/null",
			i);

		packs[i] = scratch_run(s, line);
		commits[i] = scratch_oid(s, "git -C repo rev-parse HEAD");
	}
	s->o = objects_close(s->o);
	for (int i = 0; i < 30; i++) {
		struct timespec t = {.tv_nsec = rand_r(&seed) % 60000000};
		pid_t pid;

		if (i % 5 == 0)
			scratch_do(s, "rm -rf store.git");
		pid = fork();
		if (pid == 0) {
			take_until_killed(s, packs, commits, 4);
			_exit(1);
		}
		nanosleep(&t, NULL);
		kill(pid, SIGKILL);
		wait_for(pid, SIGKILL);
		assert_int_equal(objects_open(s->store, &s->o), 0);
		scratch_expect(s, "ls -d store.git.broken* 2>/dev/null | wc -l",
			       "0\n");
		scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
		for (size_t j = 0; j < 4; j++)
			if (objects_is_present(s->o, &commits[j],
					       OBJECTS_COMPLETE))
				assert_true(objects_has(s->o, &commits[j]));
		if (i % 5 == 4) /* it takes a while */
			scratch_fsck(s);
		s->o = objects_close(s->o);
	}
	for (size_t i = 0; i < ARRAY_SIZE(packs); i++)
		buf_done(&packs[i]);
}

/* ---- threads ---- */

#define N_FILES 40

struct crowd {
	struct objects *o;
	struct oid tree;
	struct oid big;
	const struct buf *pack; /* taken in over and over meanwhile */
	atomic_uint next, n_missing;
};

static void read_a_lot(void *arg)
{
	struct crowd *c = arg;
	unsigned me = atomic_fetch_add(&c->next, 1);

	for (unsigned round = 0; round < 12; round++) {
		cleanup(tree_list_unref) struct tree_list *l = NULL;
		cleanup(fd) int fd = -1;

		if (me == 0) {
			check(scratch_take(c->o, c->pack, 3000, NULL, 0) == 0);
			objects_trim(c->o);
			continue;
		}
		if (objects_read_tree(NULL, c->o, &c->tree, &l) < 0) {
			/* Not taken in yet. */
			atomic_fetch_add(&c->n_missing, 1);
			sched_yield();
			continue;
		}
		for (size_t i = 0; i < l->n_entries; i++) {
			const struct tree_entry *e = tree_list_entry(l, i);
			cleanup(blob_unref) struct blob *b = NULL;
			uint64_t size;

			check(objects_blob_size(NULL, c->o, &e->oid, &size) ==
			      0);
			if (size > MIB)
				continue;
			check(objects_read_blob(NULL, c->o, &e->oid, MIB, &b) ==
			      0);
			check(blob_len(b) == size);
			check(strtol(blob_data(b), NULL, 10) ==
			      strtol(e->name, NULL, 10));
		}
		if (round % 4 == 0) {
			uint64_t size;
			char first;

			check(objects_blob_file(NULL, c->o, &c->big, 8999999, 1,
						&fd, &size) == 0);
			check(pread(fd, &first, 1, 8999999) == 1);
		}
	}
}

static void test_threads(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct crowd c = {.o = s->o, .pack = &pack};
	struct thread *threads[8];

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in $(seq 1 40); do seq $i $((i + 40000)) >$i; "
		      "done && head -c 9000000 /dev/zero >big && git add . && "
		      "git commit -q -m x");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	c.tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	c.big = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		assert_int_equal(
			thread_start("reader", read_a_lot, &c, &threads[i]), 0);
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		thread_join(threads[i]);
	read_a_lot(&c);
	scratch_expect(s, "ls store.git/objects/pack | wc -l", "2\n");
	scratch_expect_clean(s);
	scratch_fsck(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_hostile_tree),
		SCRATCH_TEST(test_garbage_as_tree_and_commit),
		SCRATCH_TEST(test_a_bottomless_tree),
		SCRATCH_TEST(test_a_tree_bomb),
		SCRATCH_TEST(test_bad_packs),
		SCRATCH_TEST(test_writing_after_a_failure),
		SCRATCH_TEST(test_no_head),
		SCRATCH_TEST(test_garbage_in_head),
		SCRATCH_TEST(test_empty_head),
		SCRATCH_TEST(test_garbage_in_config),
		SCRATCH_TEST(test_no_refs),
		SCRATCH_TEST(test_an_unknown_extension),
		SCRATCH_TEST(test_a_file_in_its_place),
		SCRATCH_TEST(test_a_file_within),
		SCRATCH_TEST(test_a_cut_pack),
		SCRATCH_TEST(test_a_cut_index),
		SCRATCH_TEST(test_an_index_alone),
		SCRATCH_TEST(test_no_parent),
		SCRATCH_TEST(test_removed_while_open),
		SCRATCH_TEST(test_only_the_deads_files_are_swept),
		SCRATCH_TEST(test_six_processes_take_in_the_same),
		SCRATCH_TEST(test_kill),
		SCRATCH_TEST(test_threads),
	};

	log_to_stderr(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
