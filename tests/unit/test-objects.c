/*
 * store/objects: packs that real git made are taken in, read, and found good by
 * real git.
 */
#include "git-scratch.h"

#include "base/clock.h"
#include "base/sync.h"

#include <limits.h>

#define N_BLOBS 6 /* of its last commit; one is a symbolic link */
#define MAKE_REPO                                                          \
	"git init -q -b main repo && cd repo && "                          \
	"mkdir -p dir/deep && echo one >file && echo two >dir/two && "     \
	"printf '#!/bin/sh\n' >run && chmod +x run && ln -s file link && " \
	": >empty && echo deep >dir/deep/three && git add . && "           \
	"git update-index --add --cacheinfo "                              \
	"160000,1234567890123456789012345678901234567890,module && "       \
	"git commit -q -m first && echo changed >file && git add file && " \
	"git commit -q -m second"

static void test_oid(void **state)
{
	struct oid oid, same;
	char hex[41];

	(void)state;
	assert_int_equal(
		oid_parse("0123456789abcdef0123456789abcdef01234567", &oid), 0);
	assert_int_equal(oid.bytes[0], 0x01);
	assert_int_equal(oid.bytes[19], 0x67);
	assert_string_equal(oid_hex(&oid, hex),
			    "0123456789abcdef0123456789abcdef01234567");
	same = oid;
	assert_true(oid_equal(&oid, &same));
	same.bytes[19] ^= 1;
	assert_false(oid_equal(&oid, &same));
	assert_int_equal(oid_parse("", &same), -EINVAL);
	assert_int_equal(
		oid_parse("0123456789abcdef0123456789abcdef0123456", &same),
		-EINVAL);
	assert_int_equal(
		oid_parse("0123456789abcdef0123456789abcdef012345678", &same),
		-EINVAL);
	assert_int_equal(
		oid_parse("0123456789ABCDEF0123456789abcdef01234567", &same),
		-EINVAL);
	assert_int_equal(
		oid_parse("g123456789abcdef0123456789abcdef01234567", &same),
		-EINVAL);
}

static void test_an_empty_store(void **state)
{
	struct scratch *s = *state;
	struct commit_info info;
	struct tree_list *l;
	struct blob *b;
	struct oid oid, *oids;
	uint64_t size;
	size_t n;
	int fd;

	oid_parse("1234567890123456789012345678901234567890", &oid);
	assert_false(objects_has(s->o, &oid));
	assert_int_equal(objects_read_commit(NULL, s->o, &oid, &info), -ENOENT);
	assert_int_equal(objects_read_tree(NULL, s->o, &oid, &l), -ENOENT);
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, 100, &b), -ENOENT);
	assert_int_equal(objects_blob_size(NULL, s->o, &oid, &size), -ENOENT);
	assert_int_equal(objects_blob_file(NULL, s->o, &oid, 0, 1, &fd, &size),
			 -ENOENT);
	assert_int_equal(objects_mark(s->o, &oid, OBJECTS_COMPLETE), -ENOENT);
	assert_int_equal(objects_set_branch(s->o, "main", &oid), -ENOENT);
	assert_false(objects_is_present(s->o, &oid, OBJECTS_COMPLETE));
	assert_false(objects_is_shallow(s->o, &oid));
	assert_int_equal(objects_marked(s->o, OBJECTS_COMPLETE, 10, &oids, &n),
			 0);
	assert_int_equal(n, 0);
	free(oids);
	assert_int_equal(objects_disk_bytes(s->o), 0);
	memset(&oid, 0, sizeof(oid));
	assert_false(objects_has(s->o, &oid));
	scratch_fsck(s);
	scratch_expect(s,
		       "git --git-dir=store.git rev-parse --is-bare-repository",
		       "true\n");
	scratch_reopen(s);
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "1\n");
	scratch_expect(s, "stat -c %a store.git", "700\n");
}

static void expect_blob(struct objects *o, const struct oid *oid,
			const char *content)
{
	cleanup(blob_unref) struct blob *b = NULL;
	uint64_t size;

	assert_int_equal(objects_blob_size(NULL, o, oid, &size), 0);
	assert_int_equal(size, strlen(content));
	assert_int_equal(objects_read_blob(NULL, o, oid, 1000, &b), 0);
	assert_int_equal(blob_len(b), strlen(content));
	assert_string_equal(blob_data(b), content);
}

static void expect_entry(const struct tree_list *l, const char *name,
			 enum tree_kind kind)
{
	const struct tree_entry *e = tree_list_find(l, name);

	assert_non_null(e);
	assert_string_equal(e->name, name);
	assert_int_equal(e->kind, kind);
}

static void test_whole_history(void **state)
{
	struct scratch *s = *state;
	cleanup(tree_list_unref) struct tree_list *l = NULL, *again = NULL;
	struct commit_info info;
	struct oid commit, tree;
	struct tree_list *wrong;
	struct blob *b;
	uint64_t size;

	scratch_do(s, MAKE_REPO);
	commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	assert_false(objects_has(s->o, &commit));
	scratch_take_all(s, "repo");
	assert_true(objects_has(s->o, &commit));
	assert_int_equal(objects_read_commit(NULL, s->o, &commit, &info), 0);
	assert_true(oid_equal(&info.tree, &tree));
	assert_int_equal(info.time_s, 1600000001);
	assert_int_equal(objects_read_tree(NULL, s->o, &tree, &l), 0);
	assert_int_equal(l->n_entries, 6);
	assert_int_equal(l->n_left_out, 0);
	expect_entry(l, "file", TREE_FILE);
	expect_entry(l, "empty", TREE_FILE);
	expect_entry(l, "run", TREE_EXECUTABLE);
	expect_entry(l, "link", TREE_SYMLINK);
	expect_entry(l, "dir", TREE_DIRECTORY);
	expect_entry(l, "module", TREE_SUBMODULE);
	expect_blob(s->o, &tree_list_find(l, "file")->oid, "changed\n");
	expect_blob(s->o, &tree_list_find(l, "empty")->oid, "");
	expect_blob(s->o, &tree_list_find(l, "link")->oid, "file");
	/* The second reader gets the same list. */
	assert_int_equal(objects_read_tree(NULL, s->o, &tree, &again), 0);
	assert_ptr_equal(again, l);
	/* Of another type, or too large. */
	assert_int_equal(objects_read_tree(NULL, s->o, &commit, &wrong),
			 -EBADMSG);
	assert_int_equal(objects_read_commit(NULL, s->o, &tree, &info),
			 -EBADMSG);
	assert_int_equal(objects_blob_size(NULL, s->o, &tree, &size), -EBADMSG);
	assert_int_equal(objects_read_blob(NULL, s->o, &tree, 1000, &b),
			 -EBADMSG);
	assert_int_equal(objects_read_blob(NULL, s->o,
					   &tree_list_find(l, "file")->oid, 7,
					   &b),
			 -EFBIG);
	scratch_fsck(s);
	scratch_expect_clean(s);
	/* What was read stays good when the store is closed. */
	scratch_reopen(s);
	expect_entry(l, "dir", TREE_DIRECTORY);
	assert_true(objects_has(s->o, &commit));
	objects_trim(s->o);
	assert_true(objects_has(s->o, &commit));
	assert_true(objects_disk_bytes(s->o) > 500);
}

/* Every object of a history with deltas, byte for byte. */
static void test_every_object(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf list = {0};
	unsigned n = 0;

	scratch_do(s,
		   "git init -q -b main repo && cd repo && "
		   "for i in 1 2 3 4 5 6 7 8; do "
		   "seq 1 $((i * 200)) >a; seq $i 3 3000 >b; mkdir -p d$i; "
		   "seq $i 900 >d$i/c; git add .; git commit -q -m $i; done");
	scratch_take_all(s, "repo");
	list = scratch_run(s, "cd repo && git rev-list --objects --all | "
			      "cut -c1-40 | git cat-file --batch-check");
	for (char *save, *line = strtok_r(list.data, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save), n++) {
		cleanup(blob_unref) struct blob *b = NULL;
		struct oid oid;

		line[40] = '\0';
		assert_int_equal(oid_parse(line, &oid), 0);
		assert_true(objects_has(s->o, &oid));
		if (strncmp(line + 41, "blob", 4) == 0) {
			cleanup(free) char *cat = mem_asprintf(
				"git -C repo cat-file blob %s", line);
			cleanup(buf_done) struct buf content =
				scratch_run(s, cat);

			assert_int_equal(
				objects_read_blob(NULL, s->o, &oid, MIB, &b),
				0);
			assert_int_equal(blob_len(b), content.len);
			assert_memory_equal(blob_data(b), content.data,
					    content.len);
		}
	}
	assert_true(n > 40);
	scratch_fsck(s);
}

static void test_pieces_and_progress(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	cleanup(objects_pack_drop) struct objects_pack *p = NULL;
	struct objects_progress progress;
	struct oid commit;

	scratch_do(s, MAKE_REPO);
	commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	assert_int_equal(objects_pack_begin(s->o, false, &p), 0);
	objects_pack_progress(p, &progress);
	assert_int_equal(progress.n_bytes, 0);
	assert_int_equal(progress.n_objects_total, 0);
	for (size_t i = 0; i < pack.len; i++)
		assert_int_equal(objects_pack_write(p, pack.data + i, 1), 0);
	objects_pack_progress(p, &progress);
	assert_int_equal(progress.n_bytes, pack.len);
	assert_int_equal(progress.n_objects, progress.n_objects_total);
	assert_int_equal(progress.n_objects_total,
			 (unsigned char)pack.data[11]);
	assert_false(objects_has(s->o, &commit));
	assert_int_equal(objects_pack_commit(NULL, steal(&p), NULL, 0), 0);
	assert_true(objects_has(s->o, &commit));
	/* The same again is fine, and is there once. */
	assert_int_equal(scratch_take(s->o, &pack, 11, NULL, 0), 0);
	scratch_expect(s, "ls store.git/objects/pack/*.pack | wc -l", "1\n");
	scratch_fsck(s);
	/* Half of one that is dropped. */
	assert_int_equal(objects_pack_begin(s->o, false, &p), 0);
	assert_int_equal(objects_pack_write(p, pack.data, pack.len / 2), 0);
	p = objects_pack_drop(p);
	assert_null(objects_pack_drop(NULL));
	scratch_expect_clean(s);
}

static void test_shallow(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0}, older = {0};
	struct oid head, parent;
	char hex[41], hex_parent[41];
	const char *shallow[2] = {hex, hex_parent};

	scratch_do(s, MAKE_REPO);
	scratch_do(s, "git clone -q --bare --depth 1 file://$PWD/repo one.git");
	head = scratch_oid(s, "git -C repo rev-parse HEAD");
	parent = scratch_oid(s, "git -C repo rev-parse HEAD~1");
	oid_hex(&head, hex);
	oid_hex(&parent, hex_parent);
	pack = scratch_run(s, "cat one.git/objects/pack/*.pack");
	assert_int_equal(scratch_take(s->o, &pack, 100, shallow, 1), 0);
	assert_true(objects_has(s->o, &head));
	assert_false(objects_has(s->o, &parent));
	assert_true(objects_is_shallow(s->o, &head));
	assert_false(objects_is_shallow(s->o, &parent));
	assert_int_equal(objects_mark(s->o, &head, OBJECTS_COMPLETE), 0);
	assert_int_equal(objects_set_branch(s->o, "main", &head), 0);
	scratch_fsck(s);
	scratch_expect(s, "git --git-dir=store.git log --format=%s",
		       "second\n");
	/* Another one is added; what was there stays, once. */
	older = scratch_run(
		s, "git clone -q --bare --depth 1 file://$PWD/repo two.git && "
		   "git init -q --bare old.git && git -C old.git fetch -q "
		   "--depth 1 file://$PWD/repo HEAD~1:refs/heads/x 2>/dev/null "
		   "|| true; git -C repo branch x HEAD~1; git -C old.git fetch "
		   "-q --depth 1 file://$PWD/repo x:x && "
		   "git -C old.git repack -adq && "
		   "cat old.git/objects/pack/*.pack");
	assert_int_equal(scratch_take(s->o, &older, 100, shallow, 2), 0);
	assert_true(objects_is_shallow(s->o, &parent));
	assert_int_equal(objects_mark(s->o, &parent, OBJECTS_COMPLETE), 0);
	scratch_expect(s, "wc -l <store.git/shallow", "2\n");
	scratch_fsck(s);
	/* Nonsense is refused before anything appears. */
	shallow[0] = "nonsense";
	assert_int_equal(scratch_take(s->o, &older, 100, shallow, 1), -EBADMSG);
	scratch_expect(s, "wc -l <store.git/shallow", "2\n");
	scratch_expect_clean(s);
}

static void expect_lacking(struct objects *o, const struct oid *tree,
			   size_t n_blobs, size_t n_missing,
			   size_t n_trees_missing)
{
	cleanup(objects_lacking_done) struct objects_lacking l = {0};

	assert_int_equal(objects_lacking(NULL, o, tree, &l), 0);
	assert_int_equal(l.n_blobs, n_blobs);
	assert_int_equal(l.n_missing, n_missing);
	assert_int_equal(l.n_trees_missing, n_trees_missing);
}

static void test_a_filtered_pack_and_the_rest(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0}, rest = {0};
	struct oid file, tree;
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	struct blob *b;

	scratch_do(s, MAKE_REPO);
	file = scratch_oid(s, "git -C repo rev-parse HEAD:file");
	tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--filter=blob:none --stdout </dev/null");
	rest = scratch_run(s, "cd repo && git rev-parse HEAD:file HEAD:run | "
			      "git pack-objects -q --stdout");
	expect_lacking(s->o, &tree, 0, 0, 1);
	assert_int_equal(scratch_take(s->o, &pack, 999, NULL, 0), 0);
	assert_int_equal(objects_read_tree(NULL, s->o, &tree, &l), 0);
	expect_lacking(s->o, &tree, N_BLOBS, N_BLOBS, 0);
	assert_int_equal(objects_read_blob(NULL, s->o, &file, 100, &b),
			 -ENOENT);
	assert_int_equal(scratch_take(s->o, &rest, 999, NULL, 0), 0);
	expect_blob(s->o, &file, "changed\n");
	expect_lacking(s->o, &tree, N_BLOBS, N_BLOBS - 2, 0);
}

static void test_an_empty_pack(void **state)
{
	struct scratch *s = *state;
	cleanup(buf_done) struct buf pack = {0};
	static const char oid[] = "1234567890123456789012345678901234567890";
	const char *const shallow[] = {oid};

	scratch_do(s, "git init -q repo");
	pack = scratch_run(
		s, "cd repo && git pack-objects -q --stdout </dev/null");
	assert_int_equal(pack.len, 32);
	assert_int_equal(scratch_take(s->o, &pack, 5, NULL, 0), 0);
	assert_int_equal(scratch_take(s->o, &pack, 5, shallow, 1), 0);
	scratch_expect(s, "ls store.git/objects/pack", "");
	scratch_expect(s, "cat store.git/shallow",
		       "1234567890123456789012345678901234567890\n");
	scratch_expect_clean(s);
}

static void test_refs(void **state)
{
	struct scratch *s = *state;
	struct oid commits[4], *oids, tree;
	size_t n;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "for i in 1 2 3 4; do echo $i >f; git add f; "
		      "git commit -q -m $i; done");
	scratch_take_all(s, "repo");
	for (int i = 0; i < 4; i++) {
		cleanup(free) char *line =
			mem_asprintf("git -C repo rev-parse HEAD~%d", i);

		commits[i] = scratch_oid(s, line);
		assert_false(objects_is_present(s->o, &commits[i],
						OBJECTS_COMPLETE));
		assert_int_equal(
			objects_mark(s->o, &commits[i], OBJECTS_COMPLETE), 0);
		assert_true(objects_is_present(s->o, &commits[i],
					       OBJECTS_COMPLETE));
		/* The file system's clock is coarse. */
		scratch_do(s, "sleep 0.02");
	}
	tree = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	assert_false(objects_is_present(s->o, &tree, OBJECTS_COMPLETE));
	assert_int_equal(objects_marked(s->o, OBJECTS_COMPLETE, 10, &oids, &n),
			 0);
	assert_int_equal(n, 4);
	assert_memory_equal(oids, commits, sizeof(commits));
	free(oids);
	/* A new mark is the newest; at most the newest two. */
	assert_int_equal(objects_mark(s->o, &commits[0], OBJECTS_COMPLETE), 0);
	assert_int_equal(objects_marked(s->o, OBJECTS_COMPLETE, 2, &oids, &n),
			 0);
	assert_int_equal(n, 2);
	assert_true(oid_equal(&oids[0], &commits[3]));
	assert_true(oid_equal(&oids[1], &commits[0]));
	free(oids);
	/* git may pack them away. */
	scratch_do(s, "git --git-dir=store.git pack-refs --all");
	assert_true(objects_is_present(s->o, &commits[2], OBJECTS_COMPLETE));
	assert_int_equal(objects_marked(s->o, OBJECTS_COMPLETE, 10, &oids, &n),
			 0);
	assert_int_equal(n, 4);
	free(oids);
	assert_int_equal(objects_set_branch(s->o, "a", &commits[1]), 0);
	scratch_expect(s, "git --git-dir=store.git log --format=%s",
		       "3\n2\n1\n");
	/* A directory where a file was, and back. */
	assert_int_equal(objects_set_branch(s->o, "a/b", &commits[0]), 0);
	scratch_expect(s, "git --git-dir=store.git symbolic-ref HEAD",
		       "refs/heads/a/b\n");
	assert_int_equal(objects_set_branch(s->o, "a", &commits[3]), 0);
	scratch_expect(s, "git --git-dir=store.git log --format=%s", "1\n");
	assert_int_equal(
		objects_set_branch(s->o, "w\xc3\xa4hlen/#1", &commits[0]), 0);
	assert_int_equal(objects_set_branch(s->o, "../up", &commits[0]),
			 -EINVAL);
	assert_int_equal(objects_set_branch(s->o, "a..b", &commits[0]),
			 -EINVAL);
	assert_int_equal(objects_set_branch(s->o, "", &commits[0]), -EINVAL);
	scratch_fsck(s);
	/* gc by hand takes nothing away. */
	scratch_do(s, "git --git-dir=store.git gc -q --prune=now 2>/dev/null "
		      "|| true");
	scratch_reopen(s);
	for (int i = 0; i < 4; i++)
		assert_true(objects_is_present(s->o, &commits[i],
					       OBJECTS_COMPLETE));
}

static void test_packs_of_others_are_seen(void **state)
{
	struct scratch *s = *state;
	struct objects *other;
	cleanup(buf_done) struct buf pack = {0};
	struct oid commit;

	scratch_do(s, MAKE_REPO);
	commit = scratch_oid(s, "git -C repo rev-parse HEAD");
	pack = scratch_run(s, "cd repo && git pack-objects --all --revs -q "
			      "--stdout </dev/null");
	assert_int_equal(objects_open(s->store, &other), 0);
	scratch_expect(s, "ls -d store.git/tmp-* | wc -l", "2\n");
	clock_fake(1000, 1000);
	assert_false(objects_has(s->o, &commit));
	assert_int_equal(scratch_take(other, &pack, 4096, NULL, 0), 0);
	assert_true(objects_has(other, &commit));
	/* It looked a moment ago; 100 ms later it looks again. */
	clock_advance(100);
	assert_true(objects_has(s->o, &commit));
	objects_close(other);
	clock_real();
}

/* ---- large blobs ---- */

static void test_kept_blob(void **state)
{
	struct scratch *s = *state;
	struct oid oid;
	struct blob *a, *b, *c;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "head -c 1000000 /dev/urandom >big && echo x >small && "
		      "git add . && git commit -q -m x");
	scratch_take_all(s, "repo");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, MIB, &a), 0);
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, MIB, &b), 0);
	assert_ptr_equal(a, b);
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, 999999, &c),
			 -EFBIG);
	objects_trim(s->o);
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, MIB, &c), 0);
	assert_ptr_not_equal(a, c);
	assert_memory_equal(blob_data(a), blob_data(c), 1000000);
	blob_unref(a);
	blob_unref(b);
	blob_unref(c);
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:small");
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, MIB, &a), 0);
	assert_int_equal(objects_read_blob(NULL, s->o, &oid, MIB, &b), 0);
	assert_ptr_not_equal(a, b);
	blob_unref(a);
	blob_unref(b);
}

/* ---- trees that are kept ---- */

struct look {
	struct objects *o;
	struct oid oid;
	struct tree_list *list;
};

static void look_at_tree(void *arg)
{
	struct look *look = arg;

	check(objects_read_tree(NULL, look->o, &look->oid, &look->list) == 0);
}

/* A directory of so many names, as a tree object of the store. */
static struct oid make_directory(struct scratch *s, unsigned n)
{
	cleanup(free) char *line = mem_asprintf(
		"rm -rf repo && git init -q -b main repo && cd repo && "
		"b=$(git hash-object -w -t blob /dev/null) && "
		"seq -f \"100644 blob $b\tname-%%06.0f\" %u | git mktree "
		"--missing >"
		"../oid && git commit-tree -m x $(cat ../oid) >.git/refs/heads/"
		"main",
		n);

	scratch_do(s, line);
	scratch_take_all(s, "repo");
	return scratch_oid(s, "cat oid");
}

static void test_readers_of_one_tree_parse_it_once(void **state)
{
	struct scratch *s = *state;
	struct look looks[8] = {{0}};
	struct thread *threads[ARRAY_SIZE(looks)];
	struct oid oid = make_directory(s, 30000);
	uint64_t before = objects_trees_parsed();

	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		looks[i].o = s->o;
		looks[i].oid = oid;
		assert_int_equal(thread_start("look", look_at_tree, &looks[i],
					      &threads[i]),
				 0);
	}
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++)
		thread_join(threads[i]);
	assert_int_equal(objects_trees_parsed() - before, 1);
	assert_int_equal(looks[0].list->n_entries, 30000);
	assert_non_null(tree_list_find(looks[0].list, "name-017000"));
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		assert_ptr_equal(looks[i].list, looks[0].list);
		tree_list_unref(looks[i].list);
	}
}

/* Each is more than half of the room that small ones have. */
static void test_large_trees_and_small_ones_are_kept(void **state)
{
	struct scratch *s = *state;
	struct oid oids[] = {
		make_directory(s, 10),
		make_directory(s, 20000),
		make_directory(s, 30000),
	};
	uint64_t before = objects_trees_parsed();

	for (size_t i = 0; i < 4 * ARRAY_SIZE(oids); i++) {
		struct look look = {.o = s->o, .oid = oids[i % 3]};

		look_at_tree(&look);
		tree_list_unref(look.list);
	}
	assert_int_equal(objects_trees_parsed() - before, ARRAY_SIZE(oids));
}

static void test_a_large_tree_goes_when_nobody_uses_it(void **state)
{
	struct scratch *s = *state;
	struct look look = {.o = s->o, .oid = make_directory(s, 30000)};
	uint64_t before = objects_trees_parsed();

	clock_fake(1000000, 1000000);
	for (int i = 0; i < 3; i++) {
		look_at_tree(&look);
		tree_list_unref(look.list);
		clock_advance(50000);
		(void)objects_expire_all();
	}
	assert_int_equal(objects_trees_parsed() - before, 1);
	clock_advance(10000);
	objects_expire_all();
	look_at_tree(&look);
	tree_list_unref(look.list);
	assert_int_equal(objects_trees_parsed() - before, 2);
	clock_real();
}

static void expect_file(struct scratch *s, const struct oid *oid)
{
	cleanup(buf_done) struct buf content = scratch_run(s, "cat repo/big");
	cleanup(free) char *read = mem_alloc(content.len + 1);
	cleanup(fd) int fd = -1;
	uint64_t size = 0;

	assert_int_equal(
		objects_blob_file(NULL, s->o, oid, 0, content.len, &fd, &size),
		0);
	assert_int_equal(size, content.len);
	assert_int_equal(pread(fd, read, content.len, 0), content.len);
	assert_memory_equal(read, content.data, content.len);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
}

static void test_blob_file(void **state)
{
	struct scratch *s = *state;
	cleanup(free) char *line = NULL;
	struct oid oid;
	char hex[41];
	uint64_t before;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "{ head -c 5000000 /dev/urandom; head -c 5000000 "
		      "/dev/zero; } >big && git add . && git commit -q -m x");
	scratch_take_all(s, "repo");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	before = objects_disk_bytes(s->o);
	expect_file(s, &oid);
	/* Its sums lie behind it. */
	assert_int_equal(objects_disk_bytes(s->o), before + 10002432 + 10 * 4);
	line = mem_asprintf("stat -c %%i store.git/big/%s >inode",
			    oid_hex(&oid, hex));
	scratch_do(s, line);
	expect_file(s, &oid);
	free(line);
	line = mem_asprintf("stat -c %%i store.git/big/%s | cmp - inode", hex);
	scratch_do(s, line);
	scratch_expect_clean(s);
	/* The directory is lost while it is open. */
	scratch_do(s, "rm -rf store.git/big store.git/tmp-*");
	expect_file(s, &oid);
	scratch_fsck(s);
}

static void test_big_files_are_pruned(void **state)
{
	struct scratch *s = *state;
	struct oid oid;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "head -c 9000000 /dev/zero >big && git add . && "
		      "git commit -q -m x");
	scratch_take_all(s, "repo");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	/* The bound is never less than what one file may have. */
	objects_limit_big(OBJECTS_BIG_BYTES);
	/* Sparse ones; used 1, 2 and 3 hours ago. */
	scratch_do(s, "cd store.git/big && for i in 1 2 3; do "
		      "n=${i}234567890123456789012345678901234567890; "
		      "truncate -s 2047M $n; touch -a -d \"$i hours ago\" $n; "
		      "done; echo other >README");
	expect_file(s, &oid);
	scratch_expect(s,
		       "ls store.git/big | cut -c1-8 | grep -c -e 1234567 "
		       "-e 2234567",
		       "1\n");
	scratch_expect(s, "ls store.git/big | cut -c1-8 | grep -c 12345678",
		       "1\n");
	scratch_expect(s, "ls store.git/big | wc -l", "3\n");
	expect_file(s, &oid);
	objects_limit_big(OBJECTS_BIG_FILE);
}

/* However many stores there are beside it, the bound is of all together. */
static void test_big_files_of_all_stores_are_pruned(void **state)
{
	struct scratch *s = *state;
	struct oid oid;

	scratch_do(s, "git init -q -b main repo && cd repo && "
		      "head -c 9000000 /dev/zero >big && git add . && "
		      "git commit -q -m x");
	scratch_take_all(s, "repo");
	oid = scratch_oid(s, "git -C repo rev-parse HEAD:big");
	objects_limit_big(OBJECTS_BIG_BYTES);
	/* Used 1, 2 and 3 hours ago, and one just now. */
	scratch_do(s, "for i in 1 2 3; do mkdir -p $i.git/big; "
		      "n=$i.git/big/${i}2345678901234567890123456789012345678"
		      "90; truncate -s 1500M $n; "
		      "touch -a -d \"$i hours ago\" $n; done; "
		      "mkdir -p 4.git/big other/big; "
		      "truncate -s 2000M 4.git/big/"
		      "4234567890123456789012345678901234567890; "
		      "truncate -s 5000M other/big/"
		      "4234567890123456789012345678901234567890");
	expect_file(s, &oid);
	scratch_expect(s,
		       "ls -d [1-4].git/big/* other/big/* store.git/big/* "
		       "| cut -c1-6 | xargs",
		       "1.git/ 4.git/ other/ store.\n");
	objects_limit_big(OBJECTS_BIG_FILE);
}

/* ---- differences ---- */

static char kind_letter(const struct tree_entry *e)
{
	static const char letters[] = {
		[TREE_FILE] = 'f',      [TREE_EXECUTABLE] = 'x',
		[TREE_SYMLINK] = 'l',   [TREE_DIRECTORY] = 'd',
		[TREE_SUBMODULE] = 'm',
	};

	return e ? letters[e->kind] : '-';
}

static int note_difference(void *arg, const char *path,
			   const struct tree_entry *before,
			   const struct tree_entry *after)
{
	return buf_printf(arg, "%c%c %s\n", kind_letter(before),
			  kind_letter(after), path);
}

static void expect_diff(struct scratch *s, const struct oid *before,
			const struct oid *after, const char *said)
{
	cleanup(buf_done) struct buf out = BUF_INIT(0);

	assert_int_equal(objects_diff_trees(NULL, s->o, before, after,
					    note_difference, &out),
			 0);
	assert_string_equal(out.data ? out.data : "", said);
}

static int stop_at_once(void *arg, const char *path,
			const struct tree_entry *before,
			const struct tree_entry *after)
{
	(void)path;
	(void)before;
	(void)after;
	++*(int *)arg;
	return -ECANCELED;
}

static void test_diff(void **state)
{
	struct scratch *s = *state;
	struct oid a, b, missing;
	int n = 0;

	scratch_do(s, MAKE_REPO);
	scratch_do(s, "cd repo && git mv dir/two two && chmod -x run && "
		      "mkdir -p same && echo s >same/s && echo d >dir.c && "
		      "git add . && git commit -q -m third && "
		      "rm -r dir file && mkdir file && echo in >file/in && "
		      "echo now >dir && rm link && echo no >link && "
		      "echo t >same/t && git add . && git commit -q -m fourth");
	scratch_take_all(s, "repo");
	a = scratch_oid(s, "git -C repo rev-parse HEAD~2^{tree}");
	b = scratch_oid(s, "git -C repo rev-parse HEAD~1^{tree}");
	expect_diff(s, &a, &a, "");
	expect_diff(s, NULL, NULL, "");
	expect_diff(s, &a, &b,
		    "dd dir\nf- dir/two\n-f dir.c\nm- module\nxf run\n"
		    "-d same\n-f same/s\n-f two\n");
	expect_diff(s, &b, &a,
		    "dd dir\n-f dir/two\nf- dir.c\n-m module\nfx run\n"
		    "d- same\nf- same/s\nf- two\n");
	a = scratch_oid(s, "git -C repo rev-parse HEAD^{tree}");
	expect_diff(s, &b, &a,
		    "df dir\nd- dir/deep\nf- dir/deep/three\nfd file\n"
		    "-f file/in\nlf link\ndd same\n-f same/t\n");
	expect_diff(s, NULL, &a,
		    "-f dir\n-f dir.c\n-f empty\n-d file\n-f file/in\n"
		    "-f link\n-f run\n-d same\n-f same/s\n-f same/t\n-f two\n");
	assert_int_equal(
		objects_diff_trees(NULL, s->o, &a, NULL, stop_at_once, &n),
		-ECANCELED);
	assert_int_equal(n, 1);
	oid_parse("1234567890123456789012345678901234567890", &missing);
	assert_int_equal(
		objects_diff_trees(NULL, s->o, &a, &missing, stop_at_once, &n),
		-ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_oid),
		SCRATCH_TEST(test_an_empty_store),
		SCRATCH_TEST(test_whole_history),
		SCRATCH_TEST(test_every_object),
		SCRATCH_TEST(test_pieces_and_progress),
		SCRATCH_TEST(test_shallow),
		SCRATCH_TEST(test_a_filtered_pack_and_the_rest),
		SCRATCH_TEST(test_an_empty_pack),
		SCRATCH_TEST(test_refs),
		SCRATCH_TEST(test_packs_of_others_are_seen),
		SCRATCH_TEST(test_kept_blob),
		SCRATCH_TEST(test_readers_of_one_tree_parse_it_once),
		SCRATCH_TEST(test_large_trees_and_small_ones_are_kept),
		SCRATCH_TEST(test_a_large_tree_goes_when_nobody_uses_it),
		SCRATCH_TEST(test_blob_file),
		SCRATCH_TEST(test_big_files_are_pruned),
		SCRATCH_TEST(test_big_files_of_all_stores_are_pruned),
		SCRATCH_TEST(test_diff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
