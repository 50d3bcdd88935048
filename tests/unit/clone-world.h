/*
 * The world of the tests of clone/clone: repositories made by git, served by
 * git behind the tiny server, and a mount's cache, client and clones on them.
 */
#ifndef TESTS_CLONE_WORLD_H
#define TESTS_CLONE_WORLD_H

/* A test takes what it needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "clone/clone.h"

#include "base/clock.h"
#include "base/file.h"
#include "git-server.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

#define T0 1700000000 /* when the first commits are made, s */

/* ---- The world of a test ------------------------------------------------- */

struct mount {
	struct cache *cache;
	struct credential *credential;
	struct http *http;
	struct clone_set *clones;
};
struct world {
	char dir[64]; /* root/ cache/ work/ */
	struct git_server server;
	struct mount mount;
	char url[64];
	unsigned max_trees;
	/* What the test opened: held until the next mount. */
	struct clone *clones[16];
	unsigned n_clones;
};

/* Runs it in the world's directory; git's dates are `at`, s. */
static void run_at(struct world *w, int64_t at, const char *command)
{
	cleanup(free) char *all = mem_asprintf(
		"cd %s && exec >/dev/null && export "
		"GIT_AUTHOR_DATE='%lld +0000' GIT_COMMITTER_DATE='%lld +0000' "
		"&& set -e; %s",
		w->dir, (long long)at, (long long)at, command);

	if (system(all) != 0)
		fail_msg("failed: %s", command);
}

/* Who knows names in the mounts that start from now on; nobody, mostly. */
static struct clone_naming world_names;
/* What is the service's own address in them. */
static const char *world_own_url;

static void mount_start(struct mount *m, const char *dir, const char *url,
			unsigned max_trees)
{
	cleanup(free) char *cache = mem_asprintf("%s/cache", dir);
	cleanup(free) char *stores = mem_asprintf("%s/cache/git", dir);
	struct http_config http = {.user_agent = "git/test"};
	const char *why;

	check(!file_mkdirs(cache, 0700));
	check(!cache_open(cache, &m->cache));
	check(!credential_new(NULL, NULL, NULL, &m->credential, &why));
	check(!http_new(&http, &m->http));
	check(!clone_set_new(
		&(struct clone_set_config){
			.dir = stores,
			.git_url = url,
			.credential = m->credential,
			.http = m->http,
			.cache = m->cache,
			.max_trees = max_trees,
			.names = world_names,
			.own_url = world_own_url,
		},
		&m->clones));
}

static void mount_stop(struct mount *m)
{
	m->clones = clone_set_free(m->clones);
	m->http = http_free(m->http);
	m->credential = credential_free(m->credential);
	m->cache = cache_close(m->cache);
}

static void world_unmount(struct world *w)
{
	while (w->n_clones)
		clone_unref(w->clones[--w->n_clones]);
	mount_stop(&w->mount);
}

static void remount(struct world *w)
{
	world_unmount(w);
	mount_start(&w->mount, w->dir, w->url, w->max_trees);
}

static int world_start(void **state)
{
	struct world *w = mem_calloc(1, sizeof(*w));
	cleanup(free) char *root = NULL;
	const char *tmp = getenv("TMPDIR");

	snprintf(w->dir, sizeof(w->dir), "%s/test-clone-XXXXXX",
		 tmp ? tmp : "/tmp");
	check(mkdtemp(w->dir));
	setenv("HOME", w->dir, 1);
	root = mem_asprintf("%s/root", w->dir);
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
	git_server_hold(&w->server, 0);
	world_unmount(w);
	git_server_stop(&w->server);
	file_remove_tree(w->dir);
	free(w);
	return 0;
}

/* acme/<slug> with a.txt, b.txt, dir/c.txt on main, at T0. */
static void make_repository(struct world *w, const char *slug)
{
	cleanup(free) char *command = mem_asprintf(
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
	cleanup(free) char *command = mem_asprintf(
		"cd work/%s && %s && git add -A . && git commit -q "
		"--allow-empty -m at-%lld && git push -q origin main",
		slug, change, (long long)at);

	run_at(w, at, command);
}

static struct oid rev(struct world *w, const char *slug, const char *what)
{
	cleanup(free) char *command = mem_asprintf(
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
	cleanup(free) char *uuid = mem_asprintf("{%s-uuid}", slug);
	struct clone *c = NULL;

	assert_int_equal(
		clone_open(w->mount.clones, uuid, "acme", slug, "main", &c), 0);
	check(w->n_clones < ARRAY_SIZE(w->clones));
	return w->clones[w->n_clones++] = c;
}

/* Of the default branch. */
static int known_head(struct clone *c, struct clone_head *head)
{
	return clone_tracking_known(clone_tracking(c, NULL), head);
}

static bool has_path_times(struct clone *c, int64_t *time_s)
{
	return clone_has_path_times(clone_tracking(c, NULL), time_s);
}

static char last_sentence[512];

static int get(struct clone *c, int64_t max_age_ms, struct clone_head *head)
{
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = clone_tracking_get(&ctx, clone_tracking(c, NULL), max_age_ms, head);
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

static unsigned n_packs_found, n_temporary_found;

static int count_file(const char *path, const struct stat *st, int type,
		      struct FTW *ftw)
{
	const char *name = path + ftw->base;

	(void)st;
	if (type != FTW_F)
		return 0;
	if (strstr(path, "/tmp-"))
		n_temporary_found += strcmp(name, "lock") != 0;
	else if (strlen(name) > 5 && !strcmp(name + strlen(name) - 5, ".pack"))
		n_packs_found++;
	else if (strstr(name, "tmp_") || strstr(name, "git2_"))
		n_temporary_found++;
	return 0;
}

static void count_files(struct world *w)
{
	cleanup(free) char *stores = mem_asprintf("%s/cache/git", w->dir);

	n_packs_found = n_temporary_found = 0;
	check(!nftw(stores, count_file, 16, FTW_PHYS));
}

static unsigned n_packs(struct world *w)
{
	count_files(w);
	return n_packs_found;
}

/* What is half taken in. */
static unsigned n_temporary(struct world *w)
{
	count_files(w);
	return n_temporary_found;
}

static void assert_sound(struct world *w, const char *slug)
{
	cleanup(free) char *command = mem_asprintf(
		"git --git-dir=cache/git/%s-uuid.git fsck --strict "
		"2>&1 && git --git-dir=cache/git/%s-uuid.git log -1 "
		"2>&1",
		slug, slug);

	run_at(w, T0, command);
	/* Nobody is fetching: nothing half taken in may lie about. */
	assert_int_equal(n_temporary(w), 0);
}

/* Half of its fetch is some bytes. */
static void make_large_repository(struct world *w, const char *slug)
{
	make_repository(w, slug);
	push(w, slug, T0,
	     "head -c 1000000 /dev/urandom >random && head -c 300000 "
	     "/dev/urandom >another");
}

/* The object of a path of the tree. */
static struct oid at(struct clone *c, const struct oid *tree, const char *path)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const char *slash = strchr(path, '/');
	cleanup(free) char *name =
		mem_dup0(path, slash ? (size_t)(slash - path) : strlen(path));
	const struct tree_entry *e;

	if (!path[0])
		return *tree;
	assert_int_equal(clone_read_tree(NULL, c, tree, &list), 0);
	e = tree_list_find(list, name);
	assert_non_null(e);
	return slash ? at(c, &e->oid, slash + 1) : e->oid;
}

static int64_t time_at(struct clone *c, const struct clone_head *head,
		       const char *path)
{
	struct oid oid = at(c, &head->tree, path);

	return clone_path_time(clone_tracking(c, NULL), path, &oid);
}

static void world_environment(void)
{
	setenv("GIT_CONFIG_NOSYSTEM", "1", 1);
	setenv("GIT_AUTHOR_NAME", "Ada", 1);
	setenv("GIT_AUTHOR_EMAIL", "ada@example.com", 1);
	setenv("GIT_COMMITTER_NAME", "Ada", 1);
	setenv("GIT_COMMITTER_EMAIL", "ada@example.com", 1);
}

#define test(name) \
	cmocka_unit_test_setup_teardown(name, world_start, world_stop)

#endif
