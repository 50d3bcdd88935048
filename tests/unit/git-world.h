/*
 * The world of the tests of model/git: a repository made by git, as
 * acme/widgets in a table of nodes. The worker (model/work/refresh) is a
 * double: the tests do what it does, in an order of their own.
 */
#ifndef TESTS_GIT_WORLD_H
#define TESTS_GIT_WORLD_H

#include "clone-world.h"

#include "model/git/checkout.h"
#include "model/git/refs.h"
#include "model/repository.h"

static const struct provider plain = {.name = "plain"};
static const struct provider of_repository = {.kind = PROVIDER_REPOSITORY};

static struct scene {
	struct world *world;
	struct model model;
	struct node *top; /* branches/ */
	struct mutex lock;
	struct cond changed;
	/* Under lock: */
	/* What the worker was given. */
	const struct node *watched;
	const struct refresh_watching *how;
	unsigned n_watched;
	struct buf told;
	bool holds; /* the next answer waits before it is shown */
	bool waits; /* … and does so */
} scene;

/* ---- the worker's double ---- */

void refresh_watch(struct refresh *refresh, struct node *node,
		   const struct refresh_watching *how)
{
	(void)refresh;
	mutex_lock(&scene.lock);
	scene.watched = node;
	scene.how = how;
	scene.n_watched++;
	mutex_unlock(&scene.lock);
}

void refresh_node(struct ctx *for_whom, struct refresh *refresh,
		  struct node *node)
{
	(void)for_whom;
	(void)refresh;
	(void)node;
}

void refresh_queue(struct refresh *refresh, const struct refresh_work *work,
		   const char *workspace, const char *name, struct node *node)
{
	(void)refresh;
	(void)work;
	(void)workspace;
	(void)name;
	(void)node;
}

int64_t refresh_pause_ms(const struct model *model, unsigned n_quiet)
{
	(void)n_quiet;
	return model->config.ttl_ms;
}

int64_t refresh_age_ms(const struct model *model, unsigned n_quiet)
{
	(void)model;
	(void)n_quiet;
	return -1;
}

/* Called when an answer has come, and before it is shown. */
int64_t refresh_asked_ms(int64_t began_ms, int64_t checked_ms,
			 int64_t max_age_ms)
{
	(void)checked_ms;
	(void)max_age_ms;
	mutex_lock(&scene.lock);
	if (scene.holds) {
		scene.holds = false;
		scene.waits = true;
		cond_broadcast(&scene.changed);
		while (scene.waits)
			cond_wait(&scene.changed, &scene.lock);
	}
	mutex_unlock(&scene.lock);
	return began_ms;
}

/* ---- the scene ---- */

static void told_entry(void *arg, uint64_t parent_ino, const char *name)
{
	(void)arg;
	mutex_lock(&scene.lock);
	buf_printf(&scene.told, "%s%s ",
		   parent_ino == scene.top->ino ? "" : "below/", name);
	mutex_unlock(&scene.lock);
}

static void told_inode(void *arg, uint64_t ino, bool content)
{
	(void)arg;
	(void)content;
	mutex_lock(&scene.lock);
	buf_puts(&scene.told,
		 ino == scene.top->ino ? "listing " : "listing-below ");
	mutex_unlock(&scene.lock);
}

static void repository_free(void *data)
{
	struct repository_data *d = data;

	scope_unref(d->dir.scope);
	free(d->dir.id);
	free(d->slug);
	free(d);
}

static struct node *make(struct node *parent, const char *name,
			 const struct provider *provider, void *data)
{
	const struct node_what what = {
		.provider = provider, .mode = NODE_DIRECTORY, .data = data};

	return node_make(scene.model.nodes, parent, name, &what, NULL, true);
}

static int git_set_up(void **state)
{
	const struct node_what what = {.provider = &plain,
				       .mode = NODE_DIRECTORY};
	struct repository_data *d = mem_calloc(1, sizeof(*d));
	struct node *root, *acme, *widgets;

	world_start(state);
	scene = (struct scene){.world = *state, .told = BUF_INIT(0)};
	mutex_init(&scene.lock);
	cond_init(&scene.changed);
	scene.model.config.clones = scene.world->mount.clones;
	scene.model.config.ttl_ms = 60000;
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&what, scene.model.listings);
	mutex_init(&scene.model.lock);
	scene.model.kernel =
		(struct model_kernel){.entry = told_entry, .inode = told_inode};
	scene.model.started = true;
	d->dir.scope = scope_new("", "acme", "acme", "acme", "");
	d->dir.id = mem_strdup("{widgets-uuid}");
	d->slug = mem_strdup("widgets");
	root = node_get(scene.model.nodes, NODE_ROOT_INO);
	acme = make(root, "acme", &plain, NULL);
	widgets = make(acme, "widgets", &of_repository, d);
	scene.top = make(widgets, "branches", &plain, NULL);
	node_unref(scene.model.nodes, root);
	node_unref(scene.model.nodes, acme);
	node_unref(scene.model.nodes, widgets);
	make_repository(scene.world, "widgets");
	return 0;
}

static int git_tear_down(void **state)
{
	struct node *repository = scene.top->parent;
	void *data = node_data(repository);

	refs_end(&scene.model);
	node_unref(scene.model.nodes, scene.top);
	node_table_free(scene.model.nodes);
	listed_all_free(scene.model.listings);
	mutex_done(&scene.model.lock);
	repository_free(data);
	buf_done(&scene.told);
	cond_done(&scene.changed);
	mutex_done(&scene.lock);
	return world_stop(state);
}

#define T(name) cmocka_unit_test_setup_teardown(name, git_set_up, git_tear_down)

/* Something on the server, in the bare repository. */
static void server(const char *command)
{
	cleanup(free) char *all =
		mem_asprintf("git -C root/acme/widgets.git %s", command);

	run_at(scene.world, T0, all);
}

/* Somebody else asks for this repository's refs, and shows nothing. */
static void ask_elsewhere(void)
{
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	struct clone *c = open_clone(scene.world, "widgets");
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	assert_int_equal(clone_get_refs(&ctx, c, -1, &refs), 0);
	ctx_done(&ctx);
}

static void forget_told(void)
{
	mutex_lock(&scene.lock);
	buf_clear(&scene.told);
	mutex_unlock(&scene.lock);
}

static void expect_told_at(const char *what, int line)
{
	const char *told = scene.told.len ? scene.told.data : "";

	if (strcmp(told, what))
		fail_msg("line %d: told \"%s\", not \"%s\"", line, told, what);
	forget_told();
}
#define expect_told(what) expect_told_at(what, __LINE__)

/* Runs `ask` in a thread whose answer waits before it is shown. */
static struct thread *hold(void (*ask)(void *arg))
{
	struct thread *thread;

	scene.holds = true;
	assert_int_equal(thread_start("held", ask, NULL, &thread), 0);
	mutex_lock(&scene.lock);
	while (!scene.waits)
		cond_wait(&scene.changed, &scene.lock);
	mutex_unlock(&scene.lock);
	return thread;
}

static void let_go(struct thread *thread)
{
	mutex_lock(&scene.lock);
	scene.waits = false;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
	thread_join(thread);
}

static void an_hour(void)
{
	clock_advance(LONGEST_MS + 1000);
}

#endif
