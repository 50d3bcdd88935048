/*
 * clone/clone: the names of branches and tags, refs that are followed beside
 * the default branch, and any commit, also of a fork.
 */
#include "clone-world.h"

static struct clone_tracking *branch(struct clone *c, const char *name)
{
	cleanup(free) char *ref = mem_asprintf("refs/heads/%s", name);

	return clone_tracking(c, ref);
}

static struct clone_tracking *tag(struct clone *c, const char *name)
{
	cleanup(free) char *ref = mem_asprintf("refs/tags/%s", name);

	return clone_tracking(c, ref);
}

static int get_line(struct clone_tracking *line, int64_t max_age_ms,
		    struct clone_head *head)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = clone_tracking_get(&ctx, line, max_age_ms, head);
	snprintf(last_sentence, sizeof(last_sentence), "%s", ctx.sentence);
	ctx_done(&ctx);
	return r;
}

static int get_refs(struct clone *c, int64_t max_age_ms,
		    struct clone_refs **refs)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = clone_get_refs(&ctx, c, max_age_ms, refs);
	ctx_done(&ctx);
	return r;
}

static int get_commit(struct clone *c, const struct oid *commit,
		      const struct clone_source *sources, size_t n,
		      struct clone_head *head)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = clone_get_commit(&ctx, c, commit, sources, n, head);
	snprintf(last_sentence, sizeof(last_sentence), "%s", ctx.sentence);
	ctx_done(&ctx);
	return r;
}

static void assert_names(const struct clone_refs *refs,
			 enum clone_ref_kind kind, const char *expected)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	for (size_t i = 0; i < refs->n_names[kind]; i++)
		buf_printf(&text, "%s ", refs->names[kind][i]);
	assert_string_equal(text.data ? text.data : "", expected);
}

/* Refs of all kinds beside main. */
static void make_refs(struct world *w)
{
	make_repository(w, "one");
	run_at(w, T0,
	       "cd root/acme/one.git && git branch feature/x && "
	       "git branch feature-y && git update-ref refs/heads/A main && "
	       "git tag light && git tag -a -m text noted main && "
	       "git update-ref refs/other/one main && "
	       "git tag of-blob main:a.txt && git tag of-tree main^{tree}");
}

static void test_names(void **state)
{
	struct world *w = *state;
	struct clone_refs *refs = NULL, *again = NULL;
	struct clone *c;
	struct oid main, commit;
	struct clone_head head;
	size_t i;

	make_refs(w);
	c = open_clone(w, "one");
	assert_int_equal(clone_known_refs(c, &refs), -ENOENT);
	assert_int_equal(clone_refs_checked_ms(c), 0);
	assert_int_equal(get_refs(c, 60000, &refs), 0);
	assert_counts(w, 1, 1, 0);
	assert_names(refs, CLONE_BRANCHES, "A feature-y feature/x main ");
	assert_names(refs, CLONE_TAGS, "light noted of-blob of-tree ");
	assert_int_equal(refs->n_left_out, 0);
	i = clone_refs_seek(refs, CLONE_BRANCHES, "feature/");
	assert_string_equal(refs->names[CLONE_BRANCHES][i], "feature/x");
	assert_int_equal(clone_refs_seek(refs, CLONE_BRANCHES, "z"), 4);
	main = rev(w, "one", "main");
	i = clone_refs_seek(refs, CLONE_TAGS, "noted");
	commit = clone_refs_commit(refs, CLONE_TAGS, i);
	assert_true(oid_equal(&commit, &main));

	/* One question for the default branch too, and none while it is
	 * recent. */
	assert_int_equal(get(c, 60000, &head), 0);
	assert_counts(w, 1, 1, 1);
	assert_string_equal(head.branch, "main");
	assert_int_equal(get_refs(c, 60000, &again), 0);
	assert_ptr_equal(again, refs);
	clone_refs_unref(steal(&again));
	/* The default branch's question asks for all, now that somebody wanted
	 * them. */
	run_at(w, T0, "git -C root/acme/one.git branch new");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(get_refs(c, 60000, &again), 0);
	assert_counts(w, 1, 2, 1);
	assert_names(again, CLONE_BRANCHES, "A feature-y feature/x main new ");
	assert_int_not_equal(again->version, refs->version);
	clone_refs_unref(steal(&refs));

	/* Without a network, in another mount. */
	git_server_stop(&w->server);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(clone_known_refs(c, &refs), 0);
	assert_int_equal(refs->version, again->version);
	assert_names(refs, CLONE_BRANCHES, "A feature-y feature/x main new ");
	clone_refs_unref(steal(&refs));
	assert_int_equal(get_refs(c, INT64_MAX, &refs), 0);
	clone_refs_unref(refs);
	clone_refs_unref(again);
	git_server_start(&w->server, w->dir);
}

static void test_second_branch(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid expected;
	uint64_t n;

	make_large_repository(w, "one");
	run_at(w, T0 + 5,
	       "cd work/one && git checkout -q -b feature/x && "
	       "echo x >x.txt && echo more >>random && git add . && "
	       "git commit -q -m x && git push -q origin feature/x && "
	       "git checkout -q main && git tag -a -m t noted feature/x && "
	       "git push -q origin noted");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	n = git_server_counts(&w->server).fetched;
	assert_int_equal(get_line(branch(c, "feature/x"), 60000, &head), 0);
	assert_counts(w, 1, 2, 2);
	assert_true(git_server_counts(&w->server).fetched - n < 8000);
	expected = rev(w, "one", "feature/x");
	assert_true(oid_equal(&head.commit, &expected));
	assert_string_equal(head.branch, "feature/x");
	assert_int_equal(head.time_s, T0 + 5);
	/* What leads to a commit that is here is there at once. */
	assert_int_equal(get_line(tag(c, "noted"), 60000, &head), 0);
	assert_int_equal(get_line(branch(c, "main"), 60000, &head), 0);
	assert_int_equal(clone_tracking_known(branch(c, "feature/x"), &head),
			 0);
	assert_true(oid_equal(&head.commit, &expected));
	assert_counts(w, 1, 2, 2);
	assert_sound(w, "one");

	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_line(branch(c, "feature/x"), 60000, &head), 0);
	assert_true(oid_equal(&head.commit, &expected));
	assert_counts(w, 1, 2, 2);
}

static void test_each_ref_has_its_times(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone_tracking *x;
	struct clone *c;
	int64_t time_s;
	struct oid oid;

	make_repository(w, "one");
	run_at(w, T0,
	       "git -C root/acme/one.git branch x; git -C work/one checkout -q "
	       "-b x");
	c = open_clone(w, "one");
	x = branch(c, "x");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(get_line(x, 0, &head), 0);
	run_at(w, T0 + 50,
	       "cd work/one && echo two >a.txt && git commit -q -a -m two && "
	       "git push -q origin x");
	assert_int_equal(get_line(x, -1, &head), 0);
	assert_int_equal(head.time_s, T0 + 50);
	oid = at(c, &head.tree, "a.txt");
	assert_int_equal(clone_path_time(x, "a.txt", &oid), T0 + 50);
	oid = at(c, &head.tree, "b.txt");
	assert_int_equal(clone_path_time(x, "b.txt", &oid), T0);
	assert_false(has_path_times(c, &time_s));
	remount(w);
	c = open_clone(w, "one");
	x = branch(c, "x");
	assert_int_equal(clone_tracking_known(x, &head), 0);
	oid = at(c, &head.tree, "a.txt");
	assert_int_equal(clone_path_time(x, "a.txt", &oid), T0 + 50);
	assert_int_equal(known_head(c, &head), 0);
	assert_false(has_path_times(c, &time_s));
}

static void test_gone(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_refs(w);
	c = open_clone(w, "one");
	assert_int_equal(get_line(branch(c, "feature/x"), 0, &head), 0);
	assert_false(clone_tracking_is_gone(branch(c, "feature/x")));
	run_at(w, T0, "git -C root/acme/one.git branch -D feature/x -q");
	assert_int_equal(get_line(branch(c, "feature/x"), -1, &head), -ENOENT);
	assert_non_null(strstr(last_sentence, "no branch feature/x"));
	assert_true(clone_tracking_is_gone(branch(c, "feature/x")));
	assert_int_equal(clone_tracking_known(branch(c, "feature/x"), &head),
			 0);
	assert_int_equal(get_line(tag(c, "none"), 60000, &head), -ENOENT);
	assert_non_null(strstr(last_sentence, "no tag none"));
	assert_counts(w, 1, 2, 1);
}

static void test_what_tags_lead_to(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid tree;
	unsigned n;

	make_refs(w);
	c = open_clone(w, "one");
	assert_int_equal(get_line(tag(c, "of-tree"), 0, &head), 0);
	tree = rev(w, "one", "main^{tree}");
	assert_true(oid_equal(&head.tree, &tree));
	assert_false(clone_tracking_is_no_tree(tag(c, "of-tree")));
	assert_int_equal(get_line(tag(c, "noted"), 0, &head), 0);
	assert_true(oid_equal(&head.tree, &tree));
	assert_false(clone_tracking_is_no_tree(tag(c, "of-blob")));
	assert_int_equal(get_line(tag(c, "of-blob"), 0, &head), -EIO);
	assert_non_null(strstr(last_sentence, "neither a commit nor a tree"));
	assert_true(clone_tracking_is_no_tree(tag(c, "of-blob")));
	n = git_server_counts(&w->server).fetches;
	remount(w);
	c = open_clone(w, "one");
	assert_true(clone_tracking_is_no_tree(tag(c, "of-blob")));
	assert_int_equal(get_line(tag(c, "of-blob"), 60000, &head), -EIO);
	assert_int_equal(git_server_counts(&w->server).fetches, n);
}

static void test_any_commit(void **state)
{
	struct world *w = *state;
	struct clone_head head, again;
	struct clone *c;
	struct oid first, none = {{1}};
	unsigned n;

	make_repository(w, "one");
	push(w, "one", T0 + 1, "echo two >a.txt");
	push(w, "one", T0 + 2, "echo three >a.txt");
	first = rev(w, "one", "main~2");
	c = open_clone(w, "one");
	assert_int_equal(clone_known_commit(c, &first, &head), -ENOENT);
	assert_int_equal(get_commit(c, &first, NULL, 0, &head), 0);
	assert_counts(w, 1, 0, 1);
	assert_true(oid_equal(&head.commit, &first));
	assert_int_equal(head.time_s, T0);
	assert_int_equal(get_commit(c, &first, NULL, 0, &again), 0);
	assert_counts(w, 1, 0, 1);
	/* Not there at all: said with the server's words, not as ENOENT, which
	 * would be a word about a name. */
	assert_int_equal(get_commit(c, &none, NULL, 0, &again), -ENODATA);
	assert_non_null(strstr(last_sentence, "not our ref"));
	/* Whatever is asked for next to it. */
	n = git_server_counts(&w->server).fetches;
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, n + 1);
	assert_sound(w, "one");

	git_server_stop(&w->server);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_commit(c, &first, NULL, 0, &again), 0);
	assert_int_equal(again.time_s, T0);
	git_server_start(&w->server, w->dir);
}

static void test_fork(void **state)
{
	static const struct clone_source fork = {"ada", "fork"},
					 gone = {"ada", "gone"};
	const struct clone_source both[] = {gone, {"..", "x"}, fork};
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid commit, main;
	uint64_t n;

	make_large_repository(w, "one");
	run_at(w, T0 + 9,
	       "mkdir -p root/ada && git clone -q --bare root/acme/one.git "
	       "root/ada/fork.git && git clone -q root/ada/fork.git work/fork "
	       "&& cd work/fork && echo f >f.txt && git add . && "
	       "git commit -q -m f && git push -q origin main && "
	       "git -C ../../root/ada/fork.git rev-parse main >../../id");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	main = head.commit;
	n = git_server_counts(&w->server).fetched;
	{
		cleanup(free) char *path = mem_asprintf("%s/id", w->dir);
		cleanup(buf_done) struct buf id = BUF_INIT(100);

		check(!file_read(path, 100, &id));
		id.data[40] = '\0';
		check(!oid_parse(id.data, &commit));
	}
	/* The repository itself does not have it. */
	assert_int_equal(get_commit(c, &commit, NULL, 0, &head), -ENODATA);
	clock_fake(clock_mono_ms() + 5000, clock_wall_ms());
	assert_int_equal(get_commit(c, &commit, both, 3, &head), 0);
	assert_int_equal(head.time_s, T0 + 9);
	assert_true(git_server_counts(&w->server).fetched - n < 8000);
	/* Both gone: the repository itself is asked in the end. */
	assert_int_equal(get_commit(c, &main, &gone, 1, &head), 0);
	commit = rev(w, "one", "main~1");
	assert_int_equal(get_commit(c, &commit, &gone, 1, &head), 0);
	commit.bytes[0] ^= 1;
	assert_int_equal(get_commit(c, &commit, &gone, 1, &head), -ENODATA);
	assert_non_null(strstr(last_sentence, "ada/gone"));
	assert_sound(w, "one");
}

/* The commit whose id is in that file. */
static void read_id(struct world *w, const char *name, struct oid *ret)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", w->dir, name);
	cleanup(buf_done) struct buf id = BUF_INIT(100);

	check(!file_read(path, 100, &id));
	id.data[40] = '\0';
	check(!oid_parse(id.data, ret));
}

static void move(struct world *w, const char *from, const char *to)
{
	mutex_lock(&w->server.lock);
	w->server.from = from;
	w->server.to = to;
	mutex_unlock(&w->server.lock);
}

/* Its redirect names no uuid: commits by their ids alone are looked for there.
 */
static void test_fork_that_moved(void **state)
{
	static const struct clone_source fork = {"ada", "fork"};
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid commits[3];

	make_repository(w, "one");
	run_at(w, T0 + 9,
	       "mkdir -p root/ada && git clone -q --bare root/acme/one.git "
	       "root/ada/fork-2.git && git clone -q root/ada/fork-2.git "
	       "work/fork && cd work/fork && for i in 1 2 3; do echo $i >f.txt "
	       "&& git add . && git commit -q -m $i && "
	       "git rev-parse HEAD >../../id-$i; done && "
	       "git push -q origin main");
	read_id(w, "id-1", &commits[0]);
	read_id(w, "id-2", &commits[1]);
	read_id(w, "id-3", &commits[2]);
	move(w, "/ada/fork.git/", "/ada/fork-2.git/");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_counts(w, 1, 1, 1);
	/* 404; where is it; there. */
	assert_int_equal(get_commit(c, &commits[2], &fork, 1, &head), 0);
	assert_counts(w, 2, 1, 3);
	/* And that is remembered, also by the next mount. */
	assert_int_equal(get_commit(c, &commits[1], &fork, 1, &head), 0);
	assert_counts(w, 2, 1, 4);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_commit(c, &commits[0], &fork, 1, &head), 0);
	assert_counts(w, 2, 1, 5);
	/* Of its refs nothing is believed there. */
	{
		struct clone *other = NULL;

		assert_int_equal(clone_open(w->mount.clones, "{fork}", "ada",
					    "fork", "main", &other),
				 0);
		assert_int_equal(get_now(other, &head), -ENOENT);
		clone_unref(other);
	}
	assert_counts(w, 2, 2, 5);
	/* Gone from there, too: what is remembered is forgotten. */
	commits[0].bytes[0] ^= 1;
	run_at(w, T0, "rm -rf root/ada/fork-2.git");
	move(w, "/ada/fork.git/", "/ada/fork-3.git/");
	assert_int_equal(get_commit(c, &commits[0], &fork, 1, &head), -ENODATA);
	assert_non_null(strstr(last_sentence, "ada/fork"));
	assert_sound(w, "one");
}

/* Somebody made a new fork with the name that was moved away from: it has what
 * the moved one has not, and a failure there is no reason to forget it. */
static void test_fork_that_moved_and_was_made_anew(void **state)
{
	static const struct clone_source fork = {"ada", "fork"};
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid moved, anew, nowhere;

	make_repository(w, "one");
	run_at(w, T0 + 9,
	       "mkdir -p root/ada && git clone -q --bare root/acme/one.git "
	       "root/ada/fork-2.git && git clone -q --bare root/acme/one.git "
	       "root/ada/fork.git && for i in fork-2 fork; do "
	       "git clone -q root/ada/$i.git work/$i && cd work/$i && "
	       "echo $i >f.txt && git add . && git commit -q -m $i && "
	       "git push -q origin main && cd ../..; done");
	run_at(w, T0,
	       "git -C work/fork-2 rev-parse HEAD >id-1 && "
	       "git -C work/fork rev-parse HEAD >id-2");
	read_id(w, "id-1", &moved);
	read_id(w, "id-2", &anew);
	nowhere = moved;
	nowhere.bytes[0] ^= 1;
	move(w, "/ada/fork.git/", "/ada/fork-2.git/");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_counts(w, 1, 1, 1);
	assert_int_equal(get_commit(c, &moved, &fork, 1, &head), 0);
	assert_counts(w, 2, 1, 3);
	/* There; its own name, which has no repository; the repository. */
	assert_int_equal(get_commit(c, &nowhere, &fork, 1, &head), -ENODATA);
	assert_counts(w, 2, 1, 6);
	move(w, NULL, NULL);
	assert_int_equal(get_commit(c, &anew, &fork, 1, &head), 0);
	assert_counts(w, 2, 1, 8);
	assert_sound(w, "one");
}

static void test_short(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid id;
	char hex[41];

	make_repository(w, "one");
	c = open_clone(w, "one");
	oid_hex(&(struct oid){{0}}, hex);
	assert_int_equal(clone_resolve_short(c, hex, 7, &id), -ENOENT);
	assert_int_equal(get_now(c, &head), 0);
	oid_hex(&head.commit, hex);
	assert_int_equal(clone_resolve_short(c, hex, 7, &id), 0);
	assert_true(oid_equal(&id, &head.commit));
	assert_int_equal(clone_resolve_short(c, hex, 40, &id), 0);
	assert_int_equal(clone_resolve_short(c, hex, 3, &id), -EINVAL);
	assert_int_equal(clone_resolve_short(c, "wxyzwxyz", 8, &id), -EINVAL);
	/* A tree's id is no commit's. */
	oid_hex(&head.tree, hex);
	assert_int_equal(clone_resolve_short(c, hex, 12, &id), -ENOENT);
}

static void test_old_protocol(void **state)
{
	struct world *w = *state;
	struct clone_refs *refs = NULL;
	struct clone_head head;
	struct clone *c;
	struct oid first;

	w->server.v0 = true; /* before any request */
	make_refs(w);
	c = open_clone(w, "one");
	assert_int_equal(get_refs(c, 0, &refs), 0);
	assert_names(refs, CLONE_BRANCHES, "A feature-y feature/x main ");
	clone_refs_unref(refs);
	assert_counts(w, 1, 0, 0);
	/* The refs that came are good for the fetch. */
	assert_int_equal(get_line(branch(c, "feature/x"), 60000, &head), 0);
	assert_counts(w, 1, 0, 1);
	push(w, "one", T0 + 1, "echo two >a.txt");
	assert_int_equal(get_line(branch(c, "main"), -1, &head), 0);
	assert_int_equal(head.time_s, T0 + 1);
	push(w, "one", T0 + 2, "echo three >a.txt");
	first = rev(w, "one", "main~1");
	world_unmount(w);
	run_at(w, T0, "rm -r cache/git");
	mount_start(&w->mount, w->dir, w->url, 0);
	c = open_clone(w, "one");
	/* What is no tip: only with the server's leave. */
	assert_int_equal(get_commit(c, &first, NULL, 0, &head), -EIO);
	assert_non_null(strstr(last_sentence, "only its branch and tag tips"));
	assert_int_equal(get_line(tag(c, "noted"), 60000, &head), 0);
	assert_int_equal(get_now(c, &head), 0);
	assert_sound(w, "one");
}

static void test_bound(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	struct oid first;

	w->max_trees = 1;
	remount(w);
	make_repository(w, "one");
	first = rev(w, "one", "main");
	push(w, "one", T0 + 1, "echo two >a.txt");
	c = open_clone(w, "one");
	assert_int_equal(get_commit(c, &first, NULL, 0, &head), 0);
	assert_int_equal(get_line(branch(c, "main"), 0, &head), -EDQUOT);
	assert_non_null(strstr(last_sentence, "-o trees=1"));
	assert_int_equal(get_commit(c, &first, NULL, 0, &head), 0);
}

/* What was asked last counts, whatever the clock says. */
static void test_clock_goes_back(void **state)
{
	struct world *w = *state;
	struct clone_refs *refs = NULL;
	struct clone_head head;
	struct clone *c;
	int64_t now_ms = clock_wall_ms();

	make_refs(w);
	c = open_clone(w, "one");
	clock_fake(1000000, now_ms);
	assert_int_equal(get_line(branch(c, "main"), 0, &head), 0);
	push(w, "one", T0 + 1, "echo two >a.txt");
	run_at(w, T0, "git -C root/acme/one.git branch new");
	clock_fake(2000000, now_ms - 3600 * 1000);
	/* An answer from the future is no recent one. */
	assert_int_equal(get_line(branch(c, "main"), 60000, &head), 0);
	assert_int_equal(head.time_s, T0 + 1);
	assert_int_equal(clone_tracking_known(branch(c, "main"), &head), 0);
	assert_int_equal(head.time_s, T0 + 1);
	assert_int_equal(get(c, 60000, &head), 0);
	assert_int_equal(head.time_s, T0 + 1);
	assert_int_equal(get_refs(c, 60000, &refs), 0);
	assert_names(refs, CLONE_BRANCHES, "A feature-y feature/x main new ");
	clone_refs_unref(refs);
	assert_counts(w, 1, 2, 2);
}

struct fetcher {
	struct thread *thread;
	struct clone *clone;
	struct oid commit;
	int result;
};

static void fetch_one(void *arg)
{
	struct fetcher *f = arg;
	struct clone_head head;
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	f->result =
		clone_get_commit(&ctx, f->clone, &f->commit, NULL, 0, &head);
	ctx_done(&ctx);
}

/* All who want the same commit are one job, whatever they want it for. */
static void test_single_flight(void **state)
{
	struct world *w = *state;
	struct fetcher fetchers[20];
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	for (size_t i = 0; i < ARRAY_SIZE(fetchers); i++) {
		fetchers[i] = (struct fetcher){.clone = c,
					       .commit = rev(w, "one", "main")};
		check(!thread_start("fetch", fetch_one, &fetchers[i],
				    &fetchers[i].thread));
	}
	for (size_t i = 0; i < ARRAY_SIZE(fetchers); i++) {
		thread_join(fetchers[i].thread);
		assert_int_equal(fetchers[i].result, 0);
	}
	assert_counts(w, 1, 0, 1);
	assert_int_equal(n_packs(w), 1);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test(test_names),
		test(test_second_branch),
		test(test_each_ref_has_its_times),
		test(test_gone),
		test(test_what_tags_lead_to),
		test(test_any_commit),
		test(test_fork),
		test(test_fork_that_moved),
		test(test_fork_that_moved_and_was_made_anew),
		test(test_short),
		test(test_old_protocol),
		test(test_bound),
		test(test_clock_goes_back),
		test(test_single_flight),
	};

	world_environment();
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
