/*
 * store/objects: what is damaged on the disk under an open store, or before it
 * is opened, is found out, set aside and brought again; and how many files the
 * stores hold open.
 */
#include "git-scratch.h"

#include "../../src/store/objects_private.h"

#include "base/log.h"
#include "store/say.h"

#include <dirent.h>
#include <sched.h>
#include <stdatomic.h>
#include <sys/mount.h>
#include <sys/resource.h>

#define N_BLOBS 60

struct content {
	struct buf pack;
	struct oid commit, tree;
};

/* cmocka takes SIGBUS for itself while a test runs. */
void page_guard_init(void);

/* A commit with blobs that do not compress, so that any damage hits one. */
static void make(const struct scratch *s, struct content *c)
{
	page_guard_init();
	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in $(seq 1 60); do "
		      "openssl rand -hex 3000 2>/dev/null >$i || "
		      "head -c 3000 /dev/urandom >$i; done && mkdir d && "
		      "echo x >d/x && git add . && git commit -q -m x");
	c->pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
				 "--stdout </dev/null");
	c->commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	c->tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
}

static void take(struct scratch *s, const struct content *c)
{
	assert_int_equal(scratch_take(s->o, &c->pack, 3000, NULL, 0), 0);
	assert_int_equal(objects_mark(s->o, &c->commit, OBJECTS_COMPLETE), 0);
}

/* How many blobs could not be had; those that could be are right. */
static unsigned read_all(struct scratch *s, const struct content *c)
{
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	struct commit_info info;
	unsigned n = 0;
	int r = objects_read_commit(NULL, s->o, &c->commit, &info);

	if (r == 0)
		r = objects_read_tree(NULL, s->o, &c->tree, &l);
	if (r < 0) {
		assert_int_equal(r, -ENOENT);
		return N_BLOBS;
	}
	for (size_t i = 0; i < l->n_entries; i++) {
		cleanup(blob_unref) struct blob *b = NULL;

		if (tree_list_entry(l, i)->kind != TREE_FILE)
			continue;
		r = objects_read_blob(NULL, s->o, &tree_list_entry(l, i)->oid,
				      MIB, &b);
		if (r == 0) {
			cleanup(free) char *file =
				mem_asprintf("%s/repo/%s", s->dir,
					     tree_list_entry(l, i)->name);
			cleanup(buf_done) struct buf want = BUF_INIT(MIB);

			assert_int_equal(file_read(file, MIB, &want), 0);
			assert_int_equal(blob_len(b), want.len);
			assert_memory_equal(blob_data(b), want.data, want.len);
		} else {
			assert_int_equal(r, -ENOENT);
			n++;
		}
	}
	return n;
}

/* Done to the store's files: P is the pack, I its index. */
static const char *const damages[] = {
	/* Half of it, in the middle; its end as it was. */
	"s=$(stat -c %s $P); dd if=/dev/urandom of=$P bs=100 "
	"seek=$((s/400)) count=$((s/200)) conv=notrunc 2>/dev/null",
	"truncate -s -20000 $P",
	"truncate -s 4096 $P",
	"truncate -s 0 $P",
	"dd if=/dev/urandom of=$I bs=1 seek=1100 count=900 conv=notrunc "
	"2>/dev/null",
	/* Where its offsets are. */
	"s=$(stat -c %s $I); dd if=/dev/urandom of=$I bs=1 seek=$((s-290)) "
	"count=250 conv=notrunc 2>/dev/null",
	"truncate -s 2000 $I",
	"rm -f $P",
	"rm -f $I",
	/* Who opens one waits for a writer. */
	"rm -f $P; mkfifo $P",
	"rm -f $I; mkfifo $I",
	/* Its counts, which libgit2 believes once it has read them. */
	"dd if=/dev/urandom of=$I bs=1 seek=8 count=1024 conv=notrunc "
	"2>/dev/null",
};

/* Indexes are looked at every 20 ms. What is written into one in between may
 * lead libgit2 out of its map, whatever is done: that is not what is tested. */
static void do_damage(const struct scratch *s, const char *what)
{
	cleanup(free) char *line =
		mem_asprintf("P=$(echo store.git/objects/pack/*.pack); "
			     "I=$(echo store.git/objects/pack/*.idx); "
			     "chmod +w $P $I; %s; sleep 0.03",
			     what);

	scratch_do(s, line);
}

/* What an open handle has mapped is read until the damage is noticed: that may
 * be in the middle of the first look, or after it. */
static void bring_again(struct scratch *s, const struct content *c,
			const char *what)
{
	unsigned n_looks = 0;

	while (read_all(s, c) > 0) {
		if (++n_looks > 2)
			fail_msg("not healed: %s", what);
		assert_int_equal(objects_check(NULL, s->o), 0);
		if (!objects_is_present(s->o, &c->commit, OBJECTS_COMPLETE))
			take(s, c);
	}
	if (!objects_is_present(s->o, &c->commit, OBJECTS_COMPLETE))
		take(s, c);
	assert_true(objects_is_present(s->o, &c->commit, OBJECTS_COMPLETE));
}

static void heal(struct scratch *s, const struct content *c, const char *what)
{
	bring_again(s, c, what);
	/* What was removed is gone when its last handle is closed. */
	objects_trim(s->o);
	bring_again(s, c, what);
	scratch_fsck(s);
}

static void test_damage_under_an_open_store(void **state)
{
	struct scratch *s = *state;
	struct content c;

	make(s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		s->o = objects_close(s->o);
		scratch_do(s, "rm -rf store.git");
		assert_int_equal(objects_open(s->store, &s->o), 0);
		take(s, &c);
		assert_int_equal(read_all(s, &c), 0);
		objects_trim(s->o);
		/* Some handle has it open, as under a mount. */
		assert_true(objects_has(s->o, &c.commit));
		do_damage(s, damages[i]);
		heal(s, &c, damages[i]);
	}
	buf_done(&c.pack);
}

static void test_damage_before_opening(void **state)
{
	struct scratch *s = *state;
	struct content c;

	make(s, &c);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		s->o = objects_close(s->o);
		scratch_do(s, "rm -rf store.git");
		assert_int_equal(objects_open(s->store, &s->o), 0);
		take(s, &c);
		s->o = objects_close(s->o);
		do_damage(s, damages[i]);
		assert_int_equal(objects_open(s->store, &s->o), 0);
		heal(s, &c, damages[i]);
		scratch_expect(s, "ls -d store.git.broken* 2>/dev/null | wc -l",
			       "0\n");
	}
	buf_done(&c.pack);
}

/* One that came under the same name is not thrown away for it. */
static void test_the_same_pack_comes_over_a_damaged_one(void **state)
{
	struct scratch *s = *state;
	struct content c;

	make(s, &c);
	take(s, &c);
	do_damage(s, damages[0]);
	take(s, &c);
	assert_int_equal(read_all(s, &c), 0);
	scratch_expect(s, "ls store.git/objects/pack/*.pack | wc -l", "1\n");
	scratch_fsck(s);
	buf_done(&c.pack);
}

/* A file of no bytes is never read, so its size is all that anybody looks at.
 */
static void test_a_blob_is_not_taken_for_empty(void **state)
{
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	struct scratch *s = *state;
	struct content c;
	uint64_t size = 0;
	unsigned n_lost = 0;

	make(s, &c);
	take(s, &c);
	assert_int_equal(objects_read_tree(NULL, s->o, &c.tree, &l), 0);
	/* A blob of 0 bytes, says the head of its entry. */
	do_damage(s, "at=$(git verify-pack -v $I | awk '$2 == \"blob\" "
		     "{print $5; exit}'); printf 0 | dd of=$P bs=1 seek=$at "
		     "conv=notrunc 2>/dev/null");
	for (size_t i = 0; i < l->n_entries; i++) {
		if (tree_list_entry(l, i)->kind != TREE_FILE)
			continue;
		if (objects_blob_size(NULL, s->o, &tree_list_entry(l, i)->oid,
				      &size) == -ENOENT)
			n_lost++;
		else
			assert_in_range(size, 1, MIB);
	}
	assert_true(n_lost > 0);
	buf_done(&c.pack);
}

/* What the damage did not hit stays, and stays whole. */
static void test_another_pack_stays(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf other = {0};
	struct content c;
	struct oid first;

	scratch_do(s, "git init -q -b main other && cd other && "
		      "seq 1000 >a && git add . && git commit -q -m x");
	other = scratch_run(s, "cd other && git pack-objects --all --revs -q "
			       "--stdout </dev/null");
	first = scratch_oid(s, "git -C other rev-parse HEAD");
	make(s, &c);
	take(s, &c);
	do_damage(s, damages[0]);
	assert_int_equal(scratch_take(s->o, &other, 3000, NULL, 0), 0);
	assert_int_equal(objects_mark(s->o, &first, OBJECTS_COMPLETE), 0);
	assert_true(read_all(s, &c) > 0);
	assert_int_equal(objects_check(NULL, s->o), 0);
	assert_true(objects_is_present(s->o, &first, OBJECTS_COMPLETE));
	assert_false(objects_is_present(s->o, &c.commit, OBJECTS_COMPLETE));
	scratch_expect(s, "ls store.git/broken/*.pack | wc -l", "1\n");
	buf_done(&c.pack);
}

struct heard {
	unsigned n;
	char path[512], sentence[512];
	int errnum;
};

static void hear(void *arg, const char *path, int errnum, const char *sentence)
{
	struct heard *h = arg;

	h->n++;
	h->errnum = errnum;
	snprintf(h->path, sizeof(h->path), "%s", path);
	snprintf(h->sentence, sizeof(h->sentence), "%s", sentence);
}

static void test_it_is_said_once(void **state)
{
	struct scratch *s = *state;
	struct heard heard = {0};
	struct content c;

	make(s, &c);
	take(s, &c);
	store_listen(hear, &heard);
	do_damage(s, damages[0]);
	assert_true(read_all(s, &c) > 0);
	assert_true(read_all(s, &c) > 0);
	store_listen(NULL, NULL);
	assert_int_equal(heard.n, 1);
	assert_int_equal(heard.errnum, EIO);
	assert_non_null(strstr(heard.path, "store.git/objects/pack/pack-"));
	assert_non_null(strstr(heard.sentence, "damaged"));
	assert_null(strstr(heard.sentence, "server"));
	buf_done(&c.pack);
}

/* ---- big files ---- */

static int piece_of(struct scratch *s, const struct oid *oid, uint64_t offset,
		    uint64_t n)
{
	uint64_t size;
	int fd = -1;

	assert_int_equal(
		objects_blob_file(NULL, s->o, oid, offset, n, &fd, &size), 0);
	return fd;
}

static void test_a_damaged_big_file(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct oid big;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "seq 2000000 >big && git add . && git commit -q -m x");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	big = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	assert_int_equal(scratch_take(s->o, &pack, 30000, NULL, 0), 0);
	for (int i = 0; i < 4; i++) {
		cleanup(fd) int fd = -1;
		char line[9] = "";

		if (i == 3)
			scratch_reopen(s);
		fd = piece_of(s, &big, 6888896 + 8 * 500000, 8);
		assert_int_equal(pread(fd, line, 8, 6888896 + 8 * 500000), 8);
		assert_string_equal(line, "1500001\n");
		scratch_expect(s,
			       "sha1sum <repo/big >a; "
			       "head -c $(stat -c %s repo/big) store.git/big/* "
			       "| sha1sum >b; cmp a b",
			       "");
		/* Its size is right. */
		scratch_do(s, "chmod +w store.git/big/*; dd if=/dev/urandom "
			      "of=$(echo store.git/big/*) bs=1k seek=9000 "
			      "count=2000 conv=notrunc 2>/dev/null");
	}
}

#define CHUNK ((uint64_t)MIB)
#define N_BIG (CHUNK * 5 + 1000)

/* Two files of N_BIG bytes each. */
static void make_two(struct scratch *s, struct oid ret_oids[static 2])
{
	cleanup(buf_done) struct buf pack = {0};

	scratch_do(s, "git init -q -b main repo && cd repo && for i in 0 1; do "
		      "seq ${i}2000000 ${i}3000000 | head -c 5243880 >$i; "
		      "done; git add . && git commit -q -m x");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	ret_oids[0] = scratch_oid(s, "git -C repo rev-parse HEAD:0");
	ret_oids[1] = scratch_oid(s, "git -C repo rev-parse HEAD:1");
	assert_int_equal(scratch_take(s->o, &pack, 30000, NULL, 0), 0);
}

/* How many bytes were compared for that piece, which is right; ret_inode: of
 * the file that has it. */
static uint64_t compared(struct scratch *s, const struct oid *oid,
			 uint64_t offset, uint64_t n, ino_t *ret_inode)
{
	cleanup(free) char *line = mem_asprintf(
		"tail -c +%llu repo/0 | head -c %llu",
		(unsigned long long)offset + 1, (unsigned long long)n);
	cleanup(buf_done) struct buf want = scratch_run(s, line);
	cleanup(free) char *is = mem_alloc(n + 1);
	uint64_t before = objects_big_compared();
	cleanup(fd) int fd = piece_of(s, oid, offset, n);
	uint64_t did = objects_big_compared() - before;
	struct stat st;

	assert_int_equal(pread(fd, is, want.len, (off_t)offset), want.len);
	assert_memory_equal(is, want.data ? want.data : "", want.len);
	assert_int_equal(fstat(fd, &st), 0);
	*ret_inode = st.st_ino;
	return did;
}

/* Somebody else made the file: a process looks at what it reads of it, once,
 * and at nothing else. */
static void test_what_is_read_of_a_big_file_is_compared(void **state)
{
	struct scratch *s = *state;
	struct oid oids[2];
	ino_t made, is;

	make_two(s, oids);
	assert_int_equal(compared(s, &oids[0], 0, 10, &made), 0);
	scratch_do(s, "touch store.git/big/*");
	assert_int_equal(compared(s, &oids[0], 0, 10, &is), CHUNK);
	assert_int_equal(compared(s, &oids[0], 100, CHUNK - 100, &is), 0);
	assert_int_equal(compared(s, &oids[0], CHUNK - 1, 2, &is), CHUNK);
	assert_int_equal(compared(s, &oids[0], 5 * CHUNK, 1000, &is), 1000);
	assert_int_equal(compared(s, &oids[0], N_BIG, 10, &is), 0);
	assert_int_equal(compared(s, &oids[0], 0, N_BIG, &is), 3 * CHUNK);
	assert_int_equal(compared(s, &oids[0], 0, N_BIG, &is), 0);
	assert_int_equal(is, made);
}

#define BIG "f=store.git/big/$(git -C repo rev-parse HEAD:0); chmod +w $f; "

/* Whatever is wrong with the kept file, what is read is right: it is made anew,
 * when the bytes that are damaged are read. */
static void test_a_big_file_with_one_wrong_chunk(void **state)
{
	static const struct {
		const char *damage;
		uint64_t offset; /* of what shows it */
		bool quiet;
	} cases[] = {
		{BIG "printf x | dd of=$f bs=1 seek=3000000 conv=notrunc "
		     "2>/dev/null",
		 2999999},
		{BIG "printf x | dd of=$f bs=1 seek=5243879 conv=notrunc "
		     "2>/dev/null",
		 5 * CHUNK + 10},
		/* A hole where the disk had not written yet. */
		{BIG "fallocate -p -o 3145728 -l 1048576 $f", 3 * CHUNK},
		/* The sum of chunk 4, and the last half of that of chunk 5. */
		{BIG "printf x | dd of=$f bs=1 seek=5246992 conv=notrunc "
		     "2>/dev/null",
		 4 * CHUNK},
		{BIG "printf xx | dd of=$f bs=1 seek=5246998 conv=notrunc "
		     "2>/dev/null",
		 5 * CHUNK},
		/* Cut, in its sums and in its bytes, or grown; as older
		 * versions wrote it. */
		{BIG "truncate -s -2 $f", 0, true},
		{BIG "truncate -s 1048576 $f", 0, true},
		{BIG "echo >>$f", 0, true},
		{BIG "cp repo/0 $f", 0, true},
		/* Another file, as long as this one. */
		{BIG "cp store.git/big/$(git -C repo rev-parse HEAD:1) $f", 0},
	};
	struct scratch *s = *state;
	struct heard heard = {0};
	struct oid oids[2];
	ino_t made, is;

	make_two(s, oids);
	close(piece_of(s, &oids[1], 0, 1));
	store_listen(hear, &heard);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		compared(s, &oids[0], 0, 10, &made);
		scratch_do(s, cases[i].damage);
		if (cases[i].offset) {
			assert_int_equal(compared(s, &oids[0], 0, 10, &is),
					 CHUNK);
			assert_int_equal(is, made);
		}
		heard.n = 0;
		compared(s, &oids[0], cases[i].offset, 10, &is);
		assert_int_not_equal(is, made);
		assert_int_equal(heard.n, !cases[i].quiet);
		assert_int_equal(compared(s, &oids[0], 0, N_BIG, &made), 0);
		assert_int_equal(is, made);
	}
	store_listen(NULL, NULL);
	scratch_expect_clean(s);
}

/* The bound is less than both of them: read in turn, each is written once. What
 * nobody read for long goes. */
static void test_big_files_read_in_turn(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct stat first[3] = {0};
	struct oid oids[3];

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in 0 1 2; do seq ${i}2000000 ${i}2200000 >$i; "
		      "done; git add . && git commit -q -m x");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	oids[0] = scratch_oid(s, "git -C repo rev-parse HEAD:0");
	oids[1] = scratch_oid(s, "git -C repo rev-parse HEAD:1");
	oids[2] = scratch_oid(s, "git -C repo rev-parse HEAD:2");
	assert_int_equal(scratch_take(s->o, &pack, 30000, NULL, 0), 0);
	objects_limit_big(2 * MIB);
	objects_keep_big(MIB);
	for (unsigned i = 0; i < 8; i++) {
		cleanup(fd) int fd = -1;
		struct stat st;

		fd = piece_of(s, &oids[i % 2], 0, 1);
		assert_int_equal(fstat(fd, &st), 0);
		if (i < 2)
			first[i] = st;
		assert_int_equal(st.st_ino, first[i % 2].st_ino);
		assert_int_equal(st.st_mtim.tv_nsec,
				 first[i % 2].st_mtim.tv_nsec);
	}
	scratch_do(s, "touch -a -d '11 minutes ago' store.git/big/*");
	for (unsigned i = 0; i < 2; i++) {
		cleanup(fd) int fd = -1;

		fd = piece_of(s, &oids[2 * i], 0, 1);
	}
	/* The one that was not used again. */
	scratch_expect(s,
		       "cd repo; ls ../store.git/big | sort | tr '\\n' ' ' >a; "
		       "git rev-parse HEAD:0 HEAD:2 | sort | tr '\\n' ' ' >b; "
		       "cmp a b",
		       "");
	objects_limit_big(OBJECTS_BIG_FILE);
	objects_keep_big(OBJECTS_BIG_BYTES);
}

/* Used within ten minutes, all of them: over twice the bound the one used
 * longest ago goes, but none that is being read. */
static void test_big_files_in_use_are_bounded(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	struct oid oids[3];

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in 0 1 2; do seq ${i}2000000 ${i}2200000 >$i; "
		      "done; git add . && git commit -q -m x");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	oids[0] = scratch_oid(s, "git -C repo rev-parse HEAD:0");
	oids[1] = scratch_oid(s, "git -C repo rev-parse HEAD:1");
	oids[2] = scratch_oid(s, "git -C repo rev-parse HEAD:2");
	assert_int_equal(scratch_take(s->o, &pack, 30000, NULL, 0), 0);
	objects_limit_big(2 * MIB);
	objects_keep_big(MIB);
	for (unsigned i = 0; i < 3; i++) {
		close(piece_of(s, &oids[i], 0, 1));
	}
	scratch_expect(s, "ls store.git/big | wc -l", "3\n");
	scratch_do(s, "cd store.git/big && "
		      "touch -a -d '2 minutes ago' "
		      "$(git -C ../../repo rev-parse HEAD:1) && "
		      "touch -a -d '1 minute ago' "
		      "$(git -C ../../repo rev-parse HEAD:0) && "
		      "rm -f $(git -C ../../repo rev-parse HEAD:2)");
	close(piece_of(s, &oids[2], 0, 1));
	scratch_expect(s,
		       "cd repo; ls ../store.git/big | sort >a; "
		       "git rev-parse HEAD:0 HEAD:2 | sort >b; cmp a b",
		       "");
	objects_limit_big(OBJECTS_BIG_FILE);
	objects_keep_big(OBJECTS_BIG_BYTES);
}

/* ---- descriptors ---- */

static unsigned count_fds(void)
{
	DIR *d = opendir("/proc/self/fd");
	unsigned n = 0;

	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

#define N_STORES 100

static void test_descriptors_are_bounded(void **state)
{
	struct scratch *s = *state;
	struct objects *stores[N_STORES];
	struct rlimit old, few = {.rlim_cur = 128};
	struct content c;
	unsigned before;

	make(s, &c);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	few.rlim_max = old.rlim_max;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	before = count_fds();
	for (unsigned i = 0; i < N_STORES; i++) {
		cleanup(free) char *path = mem_asprintf("%s/%u.git", s->dir, i);

		assert_int_equal(objects_open(path, &stores[i]), 0);
		assert_int_equal(
			scratch_take(stores[i], &c.pack, 30000, NULL, 0), 0);
		assert_int_equal(
			objects_mark(stores[i], &c.commit, OBJECTS_COMPLETE),
			0);
		assert_true(count_fds() < before + 40);
	}
	for (unsigned round = 0; round < 3; round++)
		for (unsigned i = 0; i < N_STORES; i++) {
			struct objects *own = s->o;

			s->o = stores[i];
			assert_int_equal(read_all(s, &c), 0);
			assert_true(objects_is_present(s->o, &c.commit,
						       OBJECTS_COMPLETE));
			s->o = own;
			assert_true(count_fds() < before + 40);
		}
	/* What cooled down takes in packs as before. */
	assert_int_equal(scratch_take(stores[0], &c.pack, 30000, NULL, 0), 0);
	for (unsigned i = 0; i < N_STORES; i++)
		objects_close(stores[i]);
	scratch_expect(s,
		       "ls -d *.git/tmp-* 2>/dev/null | grep -v ^store || true",
		       "");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	buf_done(&c.pack);
}

/* ---- whose fault it is ---- */

/* The first failure of taking it in. */
static int try_to_take(struct objects *o, const struct buf *pack)
{
	struct objects_pack *p;
	int r = objects_pack_begin(o, false, &p);

	if (r < 0)
		return r;
	for (size_t at = 0; r == 0 && at < pack->len; at += 3000)
		r = objects_pack_write(p, pack->data + at,
				       pack->len - at < 3000 ? pack->len - at
							     : 3000);
	if (r < 0) {
		objects_pack_drop(p);
		return r;
	}
	return objects_pack_commit(NULL, p, NULL, 0);
}

static void test_no_descriptors(void **state)
{
	struct scratch *s = *state;
	struct rlimit old, none;
	struct content c;

	make(s, &c);
	take(s, &c);
	assert_int_equal(read_all(s, &c), 0);
	objects_trim(s->o);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	for (unsigned room = 0; room < 12; room++) {
		struct commit_info info;
		int r;

		objects_trim(s->o);
		none = (struct rlimit){.rlim_cur = count_fds() - 3 + room,
				       .rlim_max = old.rlim_max};
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
		r = try_to_take(s->o, &c.pack);
		if (r != -EMFILE && r != 0)
			fail_msg("%u: %d", room, r);
		assert_true(room > 0 || r == -EMFILE);
		r = objects_read_commit(NULL, s->o, &c.commit, &info);
		if (r != -EMFILE && r != 0)
			fail_msg("%u: %d", room, r);
		assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	}
	assert_int_equal(read_all(s, &c), 0);
	assert_true(objects_is_present(s->o, &c.commit, OBJECTS_COMPLETE));
	scratch_expect(s, "ls store.git/broken 2>/dev/null | wc -l", "0\n");
	scratch_expect_clean(s);
	buf_done(&c.pack);
}

/* 77: no such disk can be made here. */
static int on_a_small_disk(struct scratch *s, const struct content *c)
{
	cleanup(free) char *dir = mem_asprintf("%s/small", s->dir);
	cleanup(free) char *store = mem_asprintf("%s/small.git", dir);
	cleanup(free) char *fill = mem_asprintf("%s/fill", dir);
	struct objects *o = NULL;
	char page[4096] = {1};
	int fd, r;

	if (mkdir(dir, 0700) < 0 ||
	    (unshare(CLONE_NEWNS) < 0 &&
	     unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount("none", dir, "tmpfs", 0, "size=1m") < 0)
		return 77;
	check(objects_open(store, &o) == 0);
	/* At every place where it may become full. */
	for (unsigned pages = 0; pages < 130; pages += 7) {
		fd = open(fill, O_WRONLY | O_CREAT | O_TRUNC, 0600);
		while (write(fd, page, sizeof(page)) == sizeof(page))
			continue;
		check(ftruncate(fd, lseek(fd, 0, SEEK_CUR) -
					    (off_t)pages * 4096) == 0);
		r = try_to_take(o, &c->pack);
		close(fd);
		if (r != -ENOSPC && r != 0) {
			fprintf(stderr, "%u pages: %d\n", pages, r);
			return 1;
		}
		if (pages == 0 && r != -ENOSPC)
			return 2;
		if (r == 0)
			break;
	}
	unlink(fill);
	r = try_to_take(o, &c->pack);
	objects_close(o);
	return r == 0 ? 0 : 3;
}

static void test_a_full_disk(void **state)
{
	struct scratch *s = *state;
	struct content c;
	int status;
	pid_t pid;

	make(s, &c);
	pid = fork();
	if (pid == 0)
		_exit(on_a_small_disk(s, &c));
	assert_int_equal(waitpid(pid, &status, 0), pid);
	buf_done(&c.pack);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77) {
		print_message("SKIPPED: a small disk needs root, or user "
			      "namespaces\n");
		skip();
	}
	assert_int_equal(WEXITSTATUS(status), 0);
}

static void test_the_servers_garbage_is_the_servers(void **state)
{
	struct scratch *s = *state;
	struct content c;

	make(s, &c);
	c.pack.data[c.pack.len / 2] ^= 1;
	assert_int_equal(try_to_take(s->o, &c.pack), -EBADMSG);
	scratch_expect_clean(s);
	buf_done(&c.pack);
}

static void test_the_deads_files_of_all_stores_are_swept(void **state)
{
	struct scratch *s = *state;
	atomic_bool stop = false;

	scratch_do(s,
		   "for i in 1 2 3; do mkdir -p $i.git/tmp-1-1/pack-1; "
		   "echo x >$i.git/tmp-1-1/pack-1/x; : >$i.git/tmp-1-1/lock; "
		   "done");
	objects_sweep_all(s->dir, &stop);
	scratch_expect(s, "ls -d ?.git/tmp-* 2>/dev/null | wc -l", "0\n");
	/* Its owner lives. */
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		SCRATCH_TEST(test_damage_under_an_open_store),
		SCRATCH_TEST(test_damage_before_opening),
		SCRATCH_TEST(test_the_same_pack_comes_over_a_damaged_one),
		SCRATCH_TEST(test_a_blob_is_not_taken_for_empty),
		SCRATCH_TEST(test_another_pack_stays),
		SCRATCH_TEST(test_it_is_said_once),
		SCRATCH_TEST(test_a_damaged_big_file),
		SCRATCH_TEST(test_what_is_read_of_a_big_file_is_compared),
		SCRATCH_TEST(test_a_big_file_with_one_wrong_chunk),
		SCRATCH_TEST(test_big_files_read_in_turn),
		SCRATCH_TEST(test_big_files_in_use_are_bounded),
		SCRATCH_TEST(test_descriptors_are_bounded),
		SCRATCH_TEST(test_no_descriptors),
		SCRATCH_TEST(test_a_full_disk),
		SCRATCH_TEST(test_the_servers_garbage_is_the_servers),
		SCRATCH_TEST(test_the_deads_files_of_all_stores_are_swept),
	};

	log_to_stderr(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
