/*
 * remote/clone against real git behind the tiny server: what is brought, how
 * often, what is left behind when it is cut off, and what times paths have.
 */
#include "remote/clone.h"

#include "base/clock.h"
#include "base/file.h"
#include "git-server.h"

#include <ftw.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <cmocka.h>

#define T0 1700000000 /* when the first commits are made, s */

/* ---- The world of a test ------------------------------------------------- */

struct mount {
	struct cache *cache;
	struct credential *credential;
	struct http *http;
	struct clones *clones;
};
struct world {
	char dir[64]; /* root/ cache/ work/ */
	struct git_server server;
	struct mount mount;
	char url[64];
	unsigned max_trees;
};

/* Runs it in the world's directory; git's dates are `at`, s. */
static void run_at(struct world *w, int64_t at, const char *command)
{
	cleanup(free) char *all = xasprintf(
		"cd %s && exec >/dev/null && export "
		"GIT_AUTHOR_DATE='%lld +0000' GIT_COMMITTER_DATE='%lld +0000' "
		"&& set -e; %s",
		w->dir, (long long)at, (long long)at, command);

	if (system(all) != 0)
		fail_msg("failed: %s", command);
}

static void mount_start(struct mount *m, const char *dir, const char *url,
			unsigned max_trees)
{
	cleanup(free) char *cache = xasprintf("%s/cache", dir);
	cleanup(free) char *stores = xasprintf("%s/cache/git", dir);
	struct http_config http = {.user_agent = "git/test"};
	const char *why;

	check(!file_mkdirs(cache, 0700));
	check(!cache_open(cache, &m->cache));
	check(!credential_new(NULL, NULL, NULL, &m->credential, &why));
	check(!http_new(&http, &m->http));
	check(!clones_new(
		&(struct clones_config){
			.dir = stores,
			.git_url = url,
			.credential = m->credential,
			.http = m->http,
			.cache = m->cache,
			.max_trees = max_trees,
		},
		&m->clones));
}

static void mount_stop(struct mount *m)
{
	m->clones = clones_free(m->clones);
	m->http = http_free(m->http);
	m->credential = credential_free(m->credential);
	m->cache = cache_close(m->cache);
}

static void remount(struct world *w)
{
	mount_stop(&w->mount);
	mount_start(&w->mount, w->dir, w->url, w->max_trees);
}

static int world_start(void **state)
{
	struct world *w = xcalloc(1, sizeof(*w));
	cleanup(free) char *root = NULL;
	const char *tmp = getenv("TMPDIR");

	snprintf(w->dir, sizeof(w->dir), "%s/test-clone-XXXXXX",
		 tmp ? tmp : "/tmp");
	check(mkdtemp(w->dir));
	setenv("HOME", w->dir, 1);
	root = xasprintf("%s/root", w->dir);
	git_server_start(&w->server, root);
	snprintf(w->url, sizeof(w->url), "%s", w->server.tiny->url);
	mount_start(&w->mount, w->dir, w->url, 0);
	*state = w;
	return 0;
}

static int world_stop(void **state)
{
	struct world *w = *state;

	clock_real();
	git_server_hold(&w->server, false);
	mount_stop(&w->mount);
	git_server_stop(&w->server);
	file_remove_tree(w->dir);
	free(w);
	return 0;
}

/* acme/<slug> with a.txt, b.txt, dir/c.txt on main, at T0. */
static void make_repository(struct world *w, const char *slug)
{
	cleanup(free) char *command = xasprintf(
		"mkdir -p work root/acme && git init -q -b main work/%s && "
		"cd work/%s && mkdir dir && echo one >a.txt && echo b >b.txt "
		"&& echo c >dir/c.txt && git add . && git commit -q -m one && "
		"git clone -q --bare . ../../root/acme/%s.git && "
		"git remote add origin ../../root/acme/%s.git",
		slug, slug, slug, slug);

	run_at(w, T0, command);
}

static void push(struct world *w, const char *slug, int64_t at,
		 const char *change)
{
	cleanup(free) char *command =
		xasprintf("cd work/%s && %s && git add -A . && git commit -q "
			  "--allow-empty -m at-%lld && git push -q origin main",
			  slug, change, (long long)at);

	run_at(w, at, command);
}

static struct oid rev(struct world *w, const char *slug, const char *what)
{
	cleanup(free) char *command = xasprintf(
		"git -C %s/root/acme/%s.git rev-parse %s", w->dir, slug, what);
	FILE *f = popen(command, "re");
	char hex[42] = "";
	struct oid oid;

	check(f && fgets(hex, sizeof(hex), f));
	pclose(f);
	hex[40] = '\0';
	check(!oid_parse(hex, &oid));
	return oid;
}

static struct clone *open_clone(struct world *w, const char *slug)
{
	cleanup(free) char *uuid = xasprintf("{%s-uuid}", slug);
	struct clone *c = NULL;

	assert_int_equal(
		clone_open(w->mount.clones, uuid, "acme", slug, "main", &c), 0);
	return c;
}

static char last_sentence[512];

static int get(struct clone *c, int64_t max_age_ms, struct clone_head *head)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = clone_get_head(&ctx, c, max_age_ms, head);
	snprintf(last_sentence, sizeof(last_sentence), "%s", ctx.sentence);
	ctx_done(&ctx);
	return r;
}

/* The next call asks again, whatever millisecond it is. */
static int get_now(struct clone *c, struct clone_head *head)
{
	return get(c, -1, head);
}

static void assert_counts(struct world *w, unsigned adverts, unsigned refs,
			  unsigned fetches)
{
	struct git_server_count n = git_server_counts(&w->server);

	assert_int_equal(n.adverts, adverts);
	assert_int_equal(n.refs, refs);
	assert_int_equal(n.fetches, fetches);
}

static unsigned n_found;
static const char *found_part;

static int count_name(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	(void)st;
	if (type == FTW_F && strstr(path + ftw->base, found_part))
		n_found++;
	return 0;
}

/* How many files of the stores have this in their names. */
static unsigned n_files(struct world *w, const char *part)
{
	cleanup(free) char *stores = xasprintf("%s/cache/git", w->dir);

	n_found = 0;
	found_part = part;
	nftw(stores, count_name, 16, FTW_PHYS);
	return n_found;
}

static void assert_sound(struct world *w, const char *slug)
{
	cleanup(free) char *command =
		xasprintf("git --git-dir=cache/git/%s-uuid.git fsck --strict "
			  "2>&1 && git --git-dir=cache/git/%s-uuid.git log -1 "
			  "2>&1",
			  slug, slug);

	run_at(w, T0, command);
	/* Nobody is fetching: nothing half taken in may lie about. */
	assert_int_equal(n_files(w, "tmp_"), 0);
	assert_int_equal(n_files(w, ".temp"), 0);
	assert_int_equal(n_files(w, "pack_git2_"), 0);
}

/* The object of a path of the tree. */
static struct oid at(struct clone *c, const struct oid *tree, const char *path)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const char *slash = strchr(path, '/');
	cleanup(free) char *name =
		xmemdup0(path, slash ? (size_t)(slash - path) : strlen(path));
	const struct tree_entry *e;

	if (!path[0])
		return *tree;
	assert_int_equal(clone_read_tree(c, tree, &list), 0);
	e = tree_list_find(list, name);
	assert_non_null(e);
	return slash ? at(c, &e->oid, slash + 1) : e->oid;
}

static int64_t time_at(struct clone *c, const struct clone_head *head,
		       const char *path)
{
	struct oid oid = at(c, &head->tree, path);

	return clone_path_time(c, path, &oid);
}

/* ---- Bringing ------------------------------------------------------------ */

static void test_first_head(void **state)
{
	struct world *w = *state;
	cleanup(clone_unref) struct clone *c = NULL, *other = NULL;
	cleanup(blob_unref) struct blob *blob = NULL;
	struct clone_head head, again;
	struct oid expected, oid;
	uint64_t size;
	int64_t time_s;

	make_repository(w, "one");
	make_repository(w, "two");
	c = open_clone(w, "one");
	assert_int_equal(clone_known_head(c, &head), -ENOENT);
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
	assert_int_equal(clone_blob_size(c, &oid, &size), 0);
	assert_int_equal(size, 2);
	assert_int_equal(clone_read_blob(c, &oid, &blob), 0);
	assert_string_equal(blob_data(blob), "c\n");
	assert_false(clone_has_path_times(c, &time_s));
	assert_int_equal(time_s, T0);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);

	/* Recent, any, and what is known: nothing is asked. */
	assert_int_equal(get(c, 60000, &again), 0);
	assert_int_equal(get(c, INT64_MAX, &again), 0);
	assert_int_equal(clone_known_head(c, &again), 0);
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
	clone_unref(c);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(clone_known_head(c, &again), 0);
	assert_memory_equal(&again, &head, sizeof(head));
	assert_int_equal(get(c, 600000, &again), 0);
	assert_counts(w, 1, 1, 1);
	/* The capabilities are remembered as well. */
	assert_int_equal(get_now(c, &again), 0);
	assert_counts(w, 1, 2, 1);
	clone_unref(c);
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
	assert_true(clone_has_path_times(c, &base_s));
	assert_int_equal(base_s, T0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir"), T0 + 100);
	assert_int_equal(time_at(c, &head, "dir/c.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir/d.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, ""), T0 + 100);

	/* Back to what it was: so are the times. */
	push(w, "one", T0 + 200, "echo one >a.txt; rm dir/d.txt b.txt");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(head.time_s, T0 + 200);
	assert_int_equal(time_at(c, &head, "a.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir"), T0);
	assert_int_equal(time_at(c, &head, ""), T0 + 200);

	/* And forth: the first time that each was seen. */
	push(w, "one", T0 + 300,
	     "echo two >a.txt; echo d >dir/d.txt; echo b >b.txt; echo n >new");
	clone_unref(c);
	remount(w);
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "dir/d.txt"), T0 + 100);
	assert_int_equal(time_at(c, &head, "dir"), T0 + 100);
	assert_int_equal(time_at(c, &head, "new"), T0 + 300);
	assert_int_equal(time_at(c, &head, ""), T0 + 300);
	assert_sound(w, "one");
	/* A fetch has what it lacks only. */
	assert_counts(w, 1, 4, 4);
	clone_unref(c);
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
	clone_unref(c);
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
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 5);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 9);
	clone_unref(c);
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
	clone_unref(c);
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
	clone_unref(c);
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
	clone_unref(c);
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
	clone_unref(c);

	/* Deleted from the service: what is there stays. */
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	run_at(w, T0, "rm -r root/acme/one.git");
	assert_int_equal(get_now(c, &head), -ENOENT);
	assert_int_equal(clone_known_head(c, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0);
	clone_unref(c);
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
		cleanup(free) char *slug = xasprintf("r%zu", i);
		struct clone *c = open_clone(w, slug);

		mutex_lock(&w->server.lock);
		w->server.status = cases[i].status;
		mutex_unlock(&w->server.lock);
		assert_int_equal(get_now(c, &head), cases[i].errnum);
		assert_true(strlen(last_sentence) > 0);
		clone_unref(c);
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
	clone_unref(other);
	clone_unref(c);
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
	for (size_t i = 0; i < 3; i++)
		clone_unref(c[i]);
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
	clone_unref(c);
	git_server_stop(&w->server);
	remount(w);
	c = open_clone(w, "one");
	r = get_now(c, &head);
	assert_true(r == -ENETUNREACH || r == -ECONNRESET);
	assert_true(strlen(last_sentence) > 0);
	assert_int_equal(clone_known_head(c, &head), 0);
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0);
	clone_unref(c);
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
	clone_unref(c);
	mount_stop(&w->mount);
	run_at(w, T0, "rm -r cache/git/one-uuid.git");
	mount_start(&w->mount, w->dir, w->url, 0);
	c = open_clone(w, "one");
	assert_int_equal(clone_known_head(c, &head), -ENOENT);
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(git_server_counts(&w->server).fetches, 3);
	/* The same commit: its times are still true. */
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 100);
	clone_unref(c);

	/* Another commit: what changed cannot be known any more. */
	mount_stop(&w->mount);
	run_at(w, T0, "rm -r cache/git/one-uuid.git");
	push(w, "one", T0 + 200, "echo n >new");
	mount_start(&w->mount, w->dir, w->url, 0);
	c = open_clone(w, "one");
	assert_int_equal(get(c, INT64_MAX, &head), 0);
	assert_int_equal(time_at(c, &head, "b.txt"), T0 + 200);
	assert_sound(w, "one");
	clone_unref(c);
}

/* ---- Many at once -------------------------------------------------------- */

struct caller {
	struct thread *thread;
	struct clone *clone;
	struct ctx ctx;
	int64_t max_age_ms;
	struct clone_head head;
	int result;
};

static void call(void *arg)
{
	struct caller *caller = arg;

	caller->result = clone_get_head(&caller->ctx, caller->clone,
					caller->max_age_ms, &caller->head);
}

static void caller_start(struct caller *caller, struct clone *clone,
			 int64_t max_age_ms, int64_t timeout_ms)
{
	*caller = (struct caller){.clone = clone, .max_age_ms = max_age_ms};
	ctx_init(&caller->ctx, NULL, timeout_ms);
	check(!thread_start("caller", call, caller, &caller->thread));
}

static int caller_end(struct caller *caller)
{
	caller->thread = thread_join(caller->thread);
	ctx_done(&caller->ctx);
	return caller->result;
}

static void test_fifty(void **state)
{
	struct world *w = *state;
	struct caller callers[50];
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		caller_start(&callers[i], c, 60000, -1);
	for (size_t i = 0; i < ARRAY_SIZE(callers); i++)
		assert_int_equal(caller_end(&callers[i]), 0);
	assert_counts(w, 1, 1, 1);
	assert_int_equal(n_files(w, ".pack"), 1);
	clone_unref(c);
}

static bool copy_progress(void *arg, const struct clone_progress *p)
{
	struct clone_progress **to = arg;

	*(*to)++ = *p;
	return true;
}

static size_t running(struct world *w, struct clone_progress *out)
{
	struct clone_progress *end = out;

	clones_running(w->mount.clones, copy_progress, &end);
	return (size_t)(end - out);
}

static void await_running(struct world *w, struct clone_progress *out, size_t n)
{
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	while (running(w, out) != n)
		assert_int_equal(ctx_sleep(&ctx, 1), 0);
	ctx_done(&ctx);
}

static void test_last_waiter_leaves(void **state)
{
	struct world *w = *state;
	struct caller first, second;
	struct clone_progress progress[8];
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, true);
	caller_start(&first, c, 0, -1);
	git_server_await_held(&w->server, 1);
	caller_start(&second, c, 60000, 100);
	/* One leaves by its deadline, the other one's fetch goes on. */
	assert_int_equal(caller_end(&second), -ETIMEDOUT);
	assert_int_equal(running(w, progress), 1);
	assert_false(progress[0].waiting);
	ctx_cancel(&first.ctx);
	assert_int_equal(caller_end(&first), -EINTR);
	await_running(w, progress, 0);
	git_server_hold(&w->server, false);
	tiny_await_idle(w->server.tiny);
	assert_int_equal(clone_known_head(c, &head), -ENOENT);
	assert_int_equal(n_files(w, ".pack"), 0);
	/* A cancelled job is nobody's failure. */
	assert_int_equal(get(c, 60000, &head), 0);
	assert_sound(w, "one");
	clone_unref(c);
}

static void test_two_places(void **state)
{
	struct world *w = *state;
	struct caller callers[4];
	struct clone_progress progress[8];
	struct clone_head head;
	struct clone *c[4], *known;
	static const char *const slugs[] = {"a", "b", "c", "d"};

	make_repository(w, "known");
	known = open_clone(w, "known");
	assert_int_equal(get_now(known, &head), 0);
	git_server_hold(&w->server, true);
	for (size_t i = 0; i < 4; i++) {
		make_repository(w, slugs[i]);
		c[i] = open_clone(w, slugs[i]);
		caller_start(&callers[i], c[i], 0, -1);
		await_running(w, progress, i + 1);
	}
	git_server_await_held(&w->server, 2);
	assert_int_equal(running(w, progress), 4);
	assert_false(progress[0].waiting || progress[1].waiting);
	assert_true(progress[2].waiting && progress[3].waiting);
	/* Asking for a ref does not wait behind them. */
	assert_int_equal(get_now(known, &head), 0);
	/* Who waits for a place can leave. */
	ctx_cancel(&callers[3].ctx);
	assert_int_equal(caller_end(&callers[3]), -EINTR);
	assert_int_equal(running(w, progress), 3);
	git_server_hold(&w->server, false);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(caller_end(&callers[i]), 0);
	for (size_t i = 0; i < 4; i++)
		clone_unref(c[i]);
	clone_unref(known);
	assert_int_equal(git_server_counts(&w->server).fetches, 4);
}

static void test_unmount(void **state)
{
	struct world *w = *state;
	struct caller callers[3];
	struct clone *c[3];
	struct clone_progress progress[8];
	struct clone_head head;
	static const char *const slugs[] = {"a", "b", "c"};

	git_server_hold(&w->server, true);
	for (size_t i = 0; i < 3; i++) {
		make_repository(w, slugs[i]);
		c[i] = open_clone(w, slugs[i]);
		caller_start(&callers[i], c[i], 0, -1);
	}
	await_running(w, progress, 3);
	clones_cancel(w->mount.clones);
	for (size_t i = 0; i < 3; i++)
		assert_int_equal(caller_end(&callers[i]), -EINTR);
	assert_int_equal(get_now(c[0], &head), -EINTR);
	for (size_t i = 0; i < 3; i++)
		clone_unref(c[i]);
	mount_stop(&w->mount);
	assert_int_equal(n_files(w, ".pack"), 0);
	mount_start(&w->mount, w->dir, w->url, 0);
}

/* A pushed ref is seen by who asks after the push, though a job that asked
 * before it is still at work. */
static void test_joins_no_older_answer(void **state)
{
	struct world *w = *state;
	struct caller first, second;
	struct clone *c;
	struct clone_progress progress[8];
	struct ctx ctx;

	make_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, true);
	caller_start(&first, c, 0, -1);
	git_server_await_held(&w->server, 1);
	push(w, "one", T0 + 1, "echo two >a.txt");
	/* Another millisecond than that of the first question. */
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(ctx_sleep(&ctx, 2), 0);
	ctx_done(&ctx);
	caller_start(&second, c, 0, -1);
	await_running(w, progress, 1);
	git_server_hold(&w->server, false);
	assert_int_equal(caller_end(&first), 0);
	assert_int_equal(caller_end(&second), 0);
	assert_int_equal(first.head.time_s, T0);
	assert_int_equal(second.head.time_s, T0 + 1);
	clone_unref(c);
}

/* ---- Another process ----------------------------------------------------- */

/* test-clone --child DIR URL: brings {one-uuid}, like a mount of its own. */
static int child(const char *dir, const char *url)
{
	struct mount m = {0};
	struct clone_head head;
	struct clone *c;
	int r;

	mount_start(&m, dir, url, 0);
	check(!clone_open(m.clones, "{one-uuid}", "acme", "one", "main", &c));
	r = get(c, 0, &head);
	clone_unref(c);
	mount_stop(&m);
	return r < 0 ? 1 : 0;
}

static pid_t child_start(struct world *w)
{
	char self[] = "/proc/self/exe", option[] = "--child";
	char *argv[] = {self, option, w->dir, w->url, NULL};
	pid_t pid;

	check(!posix_spawn(&pid, "/proc/self/exe", NULL, NULL, argv, environ));
	return pid;
}

static int child_end(pid_t pid)
{
	int status;

	check(waitpid(pid, &status, 0) == pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_killed(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	pid_t pid;

	make_repository(w, "one");
	git_server_hold(&w->server, true);
	pid = child_start(w);
	git_server_await_held(&w->server, 1);
	check(!kill(pid, SIGKILL));
	assert_int_equal(child_end(pid), -1);
	git_server_hold(&w->server, false);
	c = open_clone(w, "one");
	assert_int_equal(clone_known_head(c, &head), -ENOENT);
	assert_int_equal(n_files(w, ".pack"), 0);
	assert_int_equal(get(c, 0, &head), 0);
	assert_sound(w, "one");
	clone_unref(c);
}

static void test_two_processes(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	pid_t pid;

	make_repository(w, "one");
	c = open_clone(w, "one");
	git_server_hold(&w->server, true);
	pid = child_start(w);
	git_server_await_held(&w->server, 1);
	git_server_hold(&w->server, false);
	assert_int_equal(get(c, 0, &head), 0);
	assert_int_equal(child_end(pid), 0);
	assert_sound(w, "one");
	/* What the other one brings is not brought again. */
	push(w, "one", T0 + 50, "echo two >a.txt");
	assert_int_equal(child_end(child_start(w)), 0);
	{
		unsigned n = git_server_counts(&w->server).fetches;

		assert_int_equal(get_now(c, &head), 0);
		assert_int_equal(git_server_counts(&w->server).fetches, n);
	}
	assert_int_equal(head.time_s, T0 + 50);
	assert_int_equal(time_at(c, &head, "a.txt"), T0 + 50);
	assert_int_equal(time_at(c, &head, "b.txt"), T0);
	clone_unref(c);
}

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
	struct clone *c, *unseen, *none = NULL;
	struct clone_head head;
	unsigned n = 0;

	make_repository(w, "one");
	c = open_clone(w, "one");
	unseen = open_clone(w, "two");
	assert_int_equal(get_now(c, &head), 0);
	clones_shown(w->mount.clones, count_shown, &n);
	assert_int_equal(n, 1);
	clone_unref(unseen);
	clone_unref(c);
	assert_int_equal(
		clone_open(w->mount.clones, "u", "..", "x", NULL, &none),
		-EINVAL);
	assert_null(none);
}

#define test(name) \
	cmocka_unit_test_setup_teardown(name, world_start, world_stop)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		test(test_first_head),
		test(test_earlier_mount),
		test(test_times),
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
		test(test_fifty),
		test(test_last_waiter_leaves),
		test(test_two_places),
		test(test_unmount),
		test(test_joins_no_older_answer),
		test(test_killed),
		test(test_two_processes),
		test(test_shown),
	};

	if (argc == 4 && strcmp(argv[1], "--child") == 0)
		return child(argv[2], argv[3]);
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "Ada", 1);
	setenv("GIT_AUTHOR_EMAIL", "ada@example.com", 1);
	setenv("GIT_COMMITTER_NAME", "Ada", 1);
	setenv("GIT_COMMITTER_EMAIL", "ada@example.com", 1);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
