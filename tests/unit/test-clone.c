/*
 * clone/clone against real git: what is brought and how often, what is left
 * when it fails, and what times paths have. test-clone-many has what happens
 * at once.
 */
#include "clone-world.h"

/* ---- Bringing ------------------------------------------------------------ */

static void test_first_head(void **state)
{
	struct world *w = *state;
	struct clone *c, *other;
	cleanup(blob_unref) struct blob *blob = NULL;
	struct clone_head head, again;
	struct oid expected, oid;
	uint64_t size;
	int64_t time_s;

	make_repository(w, "one");
	make_repository(w, "two");
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &head), -ENOENT);
	assert_int_equal(get(c, 60000, &head), 0);
	assert_counts(w, 1, 1, 1);
	expected = rev(w, "one", "main");
	assert_true(oid_equal(&head.commit, &expected));
	expected = rev(w, "one", "main^{tree}");
	assert_true(oid_equal(&head.tree, &expected));
	assert_string_equal(head.branch, "main");
	assert_false(head.empty);
	assert_int_equal(head.time_s, T0);

	oid = at(c, &head.tree, "dir/c.txt");
	assert_int_equal(clone_blob_size(NULL, c, &oid, &size), 0);
	assert_int_equal(size, 2);
	assert_int_equal(clone_read_blob(NULL, c, &oid, &blob), 0);
	assert_string_equal(blob_data(blob), "c\n");
	assert_false(has_path_times(c, &time_s));
	assert_int_equal(time_s, T0);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);

	/* Recent, any, and what is known: nothing is asked. */
	assert_int_equal(get(c, 60000, &again), 0);
	assert_int_equal(get(c, INT64_MAX, &again), 0);
	assert_int_equal(known_head(c, &again), 0);
	assert_true(oid_equal(&again.commit, &head.commit));
	assert_counts(w, 1, 1, 1);
	/* Now: the ref alone. */
	assert_int_equal(get_now(c, &again), 0);
	assert_true(again.checked_ms >= head.checked_ms);
	assert_counts(w, 1, 2, 1);

	/* The host is known by now, also to the next mount. */
	other = open_clone(w, "two");
	assert_int_equal(get(other, 0, &again), 0);
	assert_counts(w, 1, 3, 2);
	assert_sound(w, "one");
	assert_sound(w, "two");
}

static void test_earlier_mount(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head, again;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get(c, 0, &head), 0);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &again), 0);
	assert_memory_equal(&again, &head, sizeof(head));
	assert_int_equal(get(c, 600000, &again), 0);
	assert_counts(w, 1, 1, 1);
	/* The capabilities are remembered as well. */
	assert_int_equal(get_now(c, &again), 0);
	assert_counts(w, 1, 2, 1);
}

static void test_times(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;
	int64_t base_s;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);

	push(w, "one", T0 + 100, "echo two >a.txt; echo d >dir/d.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(head.time_s, T0 + 100);
	assert_true(has_path_times(c, &base_s));
	assert_int_equal(base_s, T0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir"), T0 + 100);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir/d.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, ""), T0 + 100);

	/* Back to what it was: that is a change, too. */
	push(w, "one", T0 + 200, "echo one >a.txt; rm dir/d.txt b.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(head.time_s, T0 + 200);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 200);
	assert_int_equal(time_at(c, &head, "dir"), T0 + 200);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);
	assert_int_equal(time_at(c, &head, ""), T0 + 200);

	/* And forth, for the next mount as well. */
	push(w, "one", T0 + 300,
	     "echo two >a.txt; echo d >dir/d.txt; echo b >b.txt; echo n >new");
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 300);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 300);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir/d.txt"), T0 + 300);
	assert_int_equal(time_at(c, &head, "dir"), T0 + 300);
	assert_int_equal(time_at(c, &head, "new"), T0 + 300);
	assert_int_equal(time_at(c, &head, ""), T0 + 300);
	assert_sound(w, "one");
	assert_counts(w, 1, 4, 4);
}

/* Whatever a commit says, and whatever was there: never backwards, and a
 * second at least. */
static void test_times_never_fall(void **state)
{
	struct world *w = *state;
	int64_t now_s = clock_wall_ms() / 1000, shown;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	/* Two in the same second; one that is older than what it follows. */
	push(w, "one", T0, "echo two >a.txt; rm b.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 1);
	push(w, "one", T0 - 5000, "echo one >a.txt; echo b >b.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 2);
	/* It came back: a second after it was last seen. */
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 1);
	/* One of the future is of now. */
	push(w, "one", now_s + 100000, "echo two >a.txt; rm b.txt");
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	shown = time_at(c, &head, "a.txt");
	assert_in_range(shown, now_s, now_s + 60);
	push(w, "one", T0 + 7, "echo one >a.txt; echo b >b.txt");
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), shown + 1);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 7);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);
}

/* 101,000 files on main, all with this text, in a commit at `at`. */
static void import_many(struct world *w, const char *slug, int64_t at,
			const char *text)
{
	cleanup(free) char *command = mem_asprintf(
		"awk 'BEGIN { printf \"blob\\nmark :1\\ndata "
		"<<END\\n%s\\nEND\\n"
		"commit refs/heads/main\\ncommitter A <a@example.com> %lld "
		"+0000\\ndata 0\\ndeleteall\\n\"; for (d = 0; d < 101; d++) "
		"for (f = 0; f < 1000; f++) printf \"M 100644 :1 "
		"d%%d/f%%d\\n\", d, f }' | "
		"git -C root/acme/%s.git fast-import --quiet --force",
		text, (long long)at, slug);

	run_at(w, at, command);
}

/* As who is killed there: the cache takes no new base. */
static void refuse_bases(struct world *w, bool refuse)
{
	cleanup(free) char *command = mem_asprintf(
		"python3 - <<'END'\n"
		"import sqlite3\n"
		"with sqlite3.connect('cache/cache.db') as db:\n"
		"    db.execute(\"\"\"%s\"\"\")\n"
		"END",
		refuse ? "CREATE TRIGGER no_base BEFORE INSERT ON fact"
			 " WHEN new.space LIKE 'times:%' AND"
			 " length(new.key) = 0"
			 " BEGIN SELECT RAISE(ABORT, 'no'); END"
		       : "DROP TRIGGER no_base");

	run_at(w, T0, command);
}

/* More changes than times are kept for: everything begins anew. */
static void test_too_many_times(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	int64_t base_s;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	push(w, "one", T0 + 1, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_true(has_path_times(c, &base_s));
	import_many(w, "one", T0 + 2, "a");
	assert_int_equal(get_now(c, &head), 0);
	/* Half as many are fine. */
	assert_int_equal(time_at(c, &head, "d7/f9"), T0 + 2);
	assert_true(has_path_times(c, &base_s));
	assert_int_equal(base_s, T0);
	import_many(w, "one", T0 + 3, "b");
	/* In the midst of it: what was kept is there, and where it was. */
	refuse_bases(w, true);
	assert_int_equal(get_now(c, &head), 0);
	remount(w);
	refuse_bases(w, false);
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &head), 0);
	assert_true(has_path_times(c, &base_s));
	assert_int_equal(base_s, T0);
	assert_int_equal(time_at(c, &head, "d7/f9"), T0 + 2);
	assert_int_equal(get_now(c, &head), 0);
	assert_false(has_path_times(c, &base_s));
	assert_int_equal(base_s, T0 + 3);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &head), 0);
	assert_false(has_path_times(c, &base_s));
	assert_int_equal(base_s, T0 + 3);
}

/* A large repository becomes empty: its times are forgotten, but not that they
 * were, so what comes back is younger than what was shown there. */
static void too_many_times_to_be_emptied(struct world *w, bool remounted)
{
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	import_many(w, "one", T0 + 1000, "a");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "d7/f9"), T0 + 1000);
	run_at(w, T0, "git -C root/acme/one.git update-ref -d refs/heads/main");
	assert_int_equal(get_now(c, &head), 0);
	assert_true(head.empty);
	if (remounted) {
		remount(w);
		c = open_clone(w, "one");
		assert_int_equal(known_head(c, &head), 0);
		assert_true(head.empty);
	}
	push(w, "one", T0 + 5, "mkdir d7; echo b >d7/f9");
	assert_int_equal(get_now(c, &head), 0);
	assert_in_range(time_at(c, &head, "d7/f9"), T0 + 1001, T0 + 1010);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_in_range(time_at(c, &head, "d7/f9"), T0 + 1001, T0 + 1010);
	/* From there on as always. */
	push(w, "one", T0 + 2000, "echo c >d7/f9");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "d7/f9"), T0 + 2000);
}

static void test_too_many_times_to_be_emptied(void **state)
{
	too_many_times_to_be_emptied(*state, false);
}

static void test_too_many_times_emptied_and_remounted(void **state)
{
	too_many_times_to_be_emptied(*state, true);
}

/* A fetch brings what the store lacks only. */
static void test_moved_is_cheap(void **state)
{
	struct world *w = *state;
	cleanup(blob_unref) struct blob *blob = NULL;
	struct clone_head head;
	struct clone *c;
	struct oid oid;
	uint64_t n;

	make_large_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	n = git_server_counts(&w->server).fetched;
	assert_true(n > 1300000);
	push(w, "one", T0 + 1, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(n_packs(w), 2);
	/* A delta, whose base the store has. */
	push(w, "one", T0 + 2, "echo more >>random");
	assert_int_equal(get_now(c, &head), 0);
	assert_true(git_server_counts(&w->server).fetched - n < 8000);
	oid = at(c, &head.tree, "random");
	assert_int_equal(clone_read_blob(NULL, c, &oid, &blob), 0);
	assert_int_equal(blob_len(blob), 1000005);
	assert_string_equal(blob_data(blob) + 1000000, "more\n");
	assert_sound(w, "one");
}

static void test_empty(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;

	run_at(w, T0,
	       "mkdir -p work root/acme; git init -q --bare -b main "
	       "root/acme/one.git; git init -q -b main work/one; "
	       "git -C work/one remote add origin ../../root/acme/one.git");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_true(head.empty);
	assert_string_equal(head.branch, "main");
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_true(head.empty);
	assert_int_equal(git_server_counts(&w->server).fetches, 0);

	push(w, "one", T0 + 5, "echo a >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_false(head.empty);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 5);

	/* All branches deleted, and back. */
	run_at(w, T0, "git -C root/acme/one.git update-ref -d refs/heads/main");
	assert_int_equal(get_now(c, &head), 0);
	assert_true(head.empty);
	push(w, "one", T0 + 9, "echo b >b.txt");
	assert_int_equal(get_now(c, &head), 0);
	/* It went, and came back. */
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 9);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 9);
}

static void test_old_protocol(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;
	struct oid expected;

	w->server.v0 = true; /* before any request */
	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	push(w, "one", T0 + 1, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	expected = rev(w, "one", "main");
	assert_true(oid_equal(&head.commit, &expected));
	assert_string_equal(head.branch, "main");
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 1);
	assert_sound(w, "one");
}

static void test_head_is_not_main(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;

	make_repository(w, "one");
	run_at(w, T0,
	       "cd root/acme/one.git; git branch feature/x; git symbolic-ref "
	       "HEAD refs/heads/feature/x");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_string_equal(head.branch, "feature/x");
	/* HEAD that leads nowhere: the branch that REST names. */
	run_at(w, T0,
	       "git -C root/acme/one.git symbolic-ref HEAD refs/heads/none");
	assert_int_equal(get_now(c, &head), 0);
	assert_false(head.empty);
	assert_string_equal(head.branch, "main");
	assert_int_equal(git_server_counts(&w->server).fetches, 1);
}

static void test_renamed(void **state)
{
	struct world *w = *state;
	struct clone *c, *same;
	struct clone_head head;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	run_at(w, T0, "mv root/acme/one.git root/acme/new.git");
	assert_int_equal(get_now(c, &head), -ENOENT);
	/* The new name does not suffer from the old one's failure. */
	assert_int_equal(clone_open(w->mount.clones, "{one-uuid}", "acme",
				    "new", "main", &same),
			 0);
	assert_ptr_equal(same, c);
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 1);
	clone_unref(same);
}

/* ---- Failures ------------------------------------------------------------ */

static void test_missing(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;
	unsigned n;

	make_repository(w, "one");
	c = open_clone(w, "gone");
	clock_fake(1000000, clock_wall_ms());
	assert_int_equal(get_now(c, &head), -ENOENT);
	assert_true(strlen(last_sentence) > 0);
	n = tiny_n_requests(w->server.tiny);
	/* Remembered for a moment. */
	last_sentence[0] = '\0';
	assert_int_equal(get_now(c, &head), -ENOENT);
	assert_true(strlen(last_sentence) > 0);
	assert_int_equal(tiny_n_requests(w->server.tiny), n);
	clock_advance(2001);
	assert_int_equal(get_now(c, &head), -ENOENT);
	assert_true(tiny_n_requests(w->server.tiny) > n);

	/* Deleted from the service: what is there stays. */
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	run_at(w, T0, "rm -r root/acme/one.git");
	assert_int_equal(get_now(c, &head), -ENOENT);
	assert_int_equal(known_head(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0);
}

static void test_refused(void **state)
{
	static const struct {
		int status, errnum;
	} cases[] = {
		{401, -EACCES}, {403, -EACCES}, {429, -EDQUOT}, {500, -EIO}};
	struct world *w = *state;
	struct clone_head head;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *slug = mem_asprintf("r%zu", i);
		struct clone *c = open_clone(w, slug);

		mutex_lock(&w->server.lock);
		w->server.status = cases[i].status;
		mutex_unlock(&w->server.lock);
		assert_int_equal(get_now(c, &head), cases[i].errnum);
		assert_true(strlen(last_sentence) > 0);
	}
}

static void test_sha256(void **state)
{
	struct world *w = *state;
	struct clone *c, *other;
	struct clone_head head;

	run_at(w, T0,
	       "mkdir -p work root/acme; git init -q --object-format=sha256 "
	       "-b main work/one; cd work/one; echo a >a; git add a; "
	       "git commit -q -m a; git clone -q --bare . "
	       "../../root/acme/one.git");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), -EOPNOTSUPP);
	assert_non_null(strstr(last_sentence, "256"));
	/* Its neighbours are none the worse. */
	make_repository(w, "two");
	other = open_clone(w, "two");
	assert_int_equal(get_now(other, &head), 0);
}

static void test_bound(void **state)
{
	struct world *w = *state;
	struct clone *c[3];
	struct clone_head head;

	w->max_trees = 2;
	remount(w);
	make_repository(w, "a");
	make_repository(w, "b");
	make_repository(w, "c");
	c[0] = open_clone(w, "a");
	c[1] = open_clone(w, "b");
	c[2] = open_clone(w, "c");
	clock_fake(1000000, clock_wall_ms());
	assert_int_equal(get_now(c[0], &head), 0);
	clock_advance(1000);
	assert_int_equal(get_now(c[1], &head), 0);
	assert_int_equal(get_now(c[2], &head), -EDQUOT);
	assert_non_null(strstr(last_sentence, "2 trees were brought"));
	assert_non_null(strstr(last_sentence, "-o trees=2"));
	assert_int_equal(git_server_counts(&w->server).fetches, 2);
	/* Asking for refs is not bringing. */
	assert_int_equal(get_now(c[0], &head), 0);
	clock_advance(10 * 60 * 1000 - 1001);
	assert_int_equal(get_now(c[2], &head), -EDQUOT);
	clock_advance(2001); /* the failure is forgotten, too */
	assert_int_equal(get_now(c[2], &head), 0);
}

static void test_offline(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;
	int r;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	git_server_stop(&w->server);
	remount(w);
	c = open_clone(w, "one");
	r = get_now(c, &head);
	assert_true(r == -ENETUNREACH || r == -ECONNRESET);
	assert_true(strlen(last_sentence) > 0);
	assert_int_equal(known_head(c, &head), 0);
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0);
	git_server_start(&w->server, w->dir);
}

static void test_store_deleted(void **state)
{
	struct world *w = *state;
	struct clone *c;
	struct clone_head head;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	push(w, "one", T0 + 100, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	world_unmount(w);
	run_at(w, T0, "rm -r cache/git/one-uuid.git");
	mount_start(&w->mount, w->dir, w->url, 0);
	c = open_clone(w, "one");
	assert_int_equal(known_head(c, &head), -ENOENT);
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 3);
	/* The same commit: its times are still true. */
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 100);

	/* Another commit: what changed cannot be known any more. */
	world_unmount(w);
	run_at(w, T0, "rm -r cache/git/one-uuid.git");
	push(w, "one", T0 + 200, "echo n >new");
	mount_start(&w->mount, w->dir, w->url, 0);
	c = open_clone(w, "one");
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 200);
	assert_sound(w, "one");
}

/* ---- For status ---- */

static bool count_shown(void *arg, const struct clone_shown *shown)
{
	unsigned *n = arg;

	assert_string_equal(shown->workspace, "acme");
	assert_string_equal(shown->slug, "one");
	assert_int_equal(shown->head.time_s, T0);
	return ++*n > 0;
}

static void test_shown(void **state)
{
	struct world *w = *state;
	struct clone *c, *none = NULL;
	struct clone_head head;
	unsigned n = 0;

	make_repository(w, "one");
	c = open_clone(w, "one");
	open_clone(w, "two"); /* not looked at */
	assert_int_equal(get_now(c, &head), 0);
	clone_set_shown(w->mount.clones, count_shown, &n);
	assert_int_equal(n, 1);
	assert_int_equal(
		clone_open(w->mount.clones, "u", "..", "x", NULL, &none),
		-EINVAL);
	assert_null(none);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test(test_first_head),
		test(test_earlier_mount),
		test(test_times),
		test(test_times_never_fall),
		test(test_moved_is_cheap),
		test(test_too_many_times),
		test(test_too_many_times_to_be_emptied),
		test(test_too_many_times_emptied_and_remounted),
		test(test_empty),
		test(test_old_protocol),
		test(test_head_is_not_main),
		test(test_renamed),
		test(test_missing),
		test(test_refused),
		test(test_sha256),
		test(test_bound),
		test(test_offline),
		test(test_store_deleted),
		test(test_shown),
	};

	world_environment();
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
