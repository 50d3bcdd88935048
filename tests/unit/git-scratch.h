/*
 * A scratch directory with real git in it: repositories, packs, checks.
 */
#ifndef TESTS_GIT_SCRATCH_H
#define TESTS_GIT_SCRATCH_H

#include "base/file.h"
#include "store/objects.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

struct scratch {
	char dir[64];
	char store[80]; /* dir/store.git */
	struct objects *o;
};

static inline int scratch_set_up(void **state)
{
	struct scratch *s = mem_calloc(1, sizeof(*s));

	snprintf(s->dir, sizeof(s->dir), "/tmp/test-objects-XXXXXX");
	assert_non_null(mkdtemp(s->dir));
	snprintf(s->store, sizeof(s->store), "%s/store.git", s->dir);
	setenv("HOME", s->dir, 1);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "A", 1);
	setenv("GIT_AUTHOR_EMAIL", "a@example.org", 1);
	setenv("GIT_COMMITTER_NAME", "C", 1);
	setenv("GIT_COMMITTER_EMAIL", "c@example.org", 1);
	setenv("GIT_AUTHOR_DATE", "1600000000 +0000", 1);
	setenv("GIT_COMMITTER_DATE", "1600000001 +0200", 1);
	assert_int_equal(objects_open(s->store, &s->o), 0);
	*state = s;
	return 0;
}

static inline int scratch_tear_down(void **state)
{
	struct scratch *s = *state;

	objects_close(s->o);
	file_remove_tree(s->dir);
	free(s);
	return 0;
}

static inline void scratch_reopen(struct scratch *s)
{
	s->o = objects_close(s->o);
	assert_int_equal(objects_open(s->store, &s->o), 0);
}

/* Runs a line of sh in the scratch directory; what it says, which may be
 * binary; its failure is the test's. */
static inline struct buf scratch_run(const struct scratch *s, const char *line)
{
	cleanup(free) char *script =
		mem_asprintf("set -e; cd %s; { %s\n}", s->dir, line);
	struct buf said = BUF_INIT(64 * MIB);
	int out[2], status;
	char piece[4096];
	ssize_t n;
	pid_t pid;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (pid == 0) {
		dup2(out[1], STDOUT_FILENO);
		close(out[0]);
		close(out[1]);
		execl("/bin/sh", "sh", "-c", script, NULL);
		_exit(127);
	}
	assert_true(pid > 0);
	close(out[1]);
	buf_add(&said, "", 0);
	while ((n = read(out[0], piece, sizeof(piece))) > 0)
		buf_add(&said, piece, (size_t)n);
	close(out[0]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	if (status != 0)
		fail_msg("failed: %s", line);
	return said;
}

static inline void scratch_do(const struct scratch *s, const char *line)
{
	struct buf said = scratch_run(s, line);

	buf_done(&said);
}

static inline void scratch_expect(const struct scratch *s, const char *line,
				  const char *output)
{
	cleanup(buf_done) struct buf said = scratch_run(s, line);

	assert_string_equal(said.data ? said.data : "", output);
}

static inline struct oid scratch_oid(const struct scratch *s, const char *line)
{
	cleanup(buf_done) struct buf said = scratch_run(s, line);
	struct oid oid;

	assert_true(said.len == 41);
	said.data[40] = '\0';
	assert_int_equal(oid_parse(said.data, &oid), 0);
	return oid;
}

/* Takes in bytes in pieces of n. */
static inline int scratch_take_as(struct ctx *ctx, struct objects *o, bool thin,
				  const struct buf *pack, size_t piece,
				  const char *const *shallow, size_t n_shallow)
{
	cleanup(objects_pack_drop) struct objects_pack *p = NULL;
	int r = objects_pack_begin(o, thin, &p);

	assert_int_equal(r, 0);
	for (size_t at = 0; r == 0 && at < pack->len; at += piece)
		r = objects_pack_write(p, pack->data + at,
				       pack->len - at < piece ? pack->len - at
							      : piece);
	return objects_pack_commit(ctx, steal(&p), shallow, n_shallow);
}

static inline int scratch_take(struct objects *o, const struct buf *pack,
			       size_t piece, const char *const *shallow,
			       size_t n_shallow)
{
	return scratch_take_as(NULL, o, false, pack, piece, shallow, n_shallow);
}

/* Everything that can be reached in the repository dir/repo. */
static inline void scratch_take_all(const struct scratch *s, const char *repo)
{
	cleanup(free) char *line = mem_asprintf(
		"cd %s && git pack-objects --all --revs -q --stdout </dev/null",
		repo);
	cleanup(buf_done) struct buf pack = scratch_run(s, line);

	assert_int_equal(scratch_take(s->o, &pack, 4096, NULL, 0), 0);
}

/* git itself finds nothing to complain of. */
static inline void scratch_fsck(const struct scratch *s)
{
	scratch_expect(s,
		       "f='git --git-dir=store.git fsck --no-dangling "
		       "--no-progress'; { $f --connectivity-only; $f; } 2>&1 | "
		       "sed '/^notice:/d'",
		       "");
}

/* Nothing of an attempt is left behind. */
static inline void scratch_expect_clean(const struct scratch *s)
{
	scratch_expect(s,
		       "find store.git/tmp-* -type f ! -name lock; "
		       "find store.git/tmp-* -mindepth 1 -type d; "
		       "find store.git -name '*tmp*' -type f",
		       "");
}

/* Those objects of "repo" as one pack, as a fetch of a part of a commit leaves
 * it. */
static inline void scratch_take_part(const struct scratch *s, const char *ids,
				     bool has_blobs)
{
	cleanup(free) char *line = mem_asprintf("cd repo && git rev-parse %s | "
						"git pack-objects -q --stdout",
						ids);
	cleanup(buf_done) struct buf bytes = scratch_run(s, line);
	struct objects_pack *pack;

	assert_int_equal(objects_pack_begin(s->o, false, &pack), 0);
	objects_pack_promise(pack, has_blobs);
	assert_int_equal(objects_pack_write(pack, bytes.data, bytes.len), 0);
	assert_int_equal(objects_pack_commit(NULL, pack, NULL, 0), 0);
}

#define SCRATCH_TEST(name) \
	cmocka_unit_test_setup_teardown(name, scratch_set_up, scratch_tear_down)

#endif
