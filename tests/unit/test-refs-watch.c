/*
 * model/git/refs_watch: the plays in which the kernel could go on believing in
 * a branch that is gone. The worker (model/work/refresh) is a double: the tests
 * do what it does, in an order of their own.
 */
#include "clone-world.h"

#include "model/git/refs.h"
#include "model/repository.h"

static const struct provider plain = {.name = "plain"};
static const struct provider of_repository = {.kind = PROVIDER_REPOSITORY};

static struct scene {
	struct world *world;
	struct model model;
	struct node *top;
	/* What the worker was given. */
	const struct refresh_watching *how;
	unsigned n_watched;
	struct mutex lock;
	struct cond changed;
	/* Under lock: */
	struct buf told;
	bool holds; /* the next answer waits before it is shown */
	bool waits; /* … and does so */
} scene;

/* ---- the worker's double ---- */

void refresh_watch(struct refresh *refresh, struct node *node,
		   const struct refresh_watching *how)
{
	(void)refresh;
	assert_ptr_equal(node, scene.top);
	scene.how = how;
	scene.n_watched++;
}

void refresh_node(struct refresh *refresh, struct node *node)
{
	(void)refresh;
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
	assert_true(content);
	mutex_lock(&scene.lock);
	buf_puts(&scene.told,
		 ino == scene.top->ino ? "listing " : "listing-below ");
	mutex_unlock(&scene.lock);
}

static void repository_free(void *data)
{
	struct repository_data *d = data;

	free(d->workspace);
	documents_repository_done(&d->repository);
	free(d);
}

static struct node *make(struct node *parent, const char *name,
			 const struct provider *provider, void *data)
{
	const struct node_what what = {
		.provider = provider, .mode = NODE_DIRECTORY, .data = data};

	return node_make(scene.model.nodes, parent, name, &what, NULL, true);
}

static int set_up(void **state)
{
	const struct node_what what = {.provider = &plain,
				       .mode = NODE_DIRECTORY};
	struct repository_data *d = xcalloc(1, sizeof(*d));
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
	d->workspace = xstrdup("acme");
	d->repository.slug = xstrdup("widgets");
	d->repository.uuid = xstrdup("{widgets-uuid}");
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

static int tear_down(void **state)
{
	struct node *repository = scene.top->parent;
	void *data = repository->what.data;

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

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

/* ---- what happens ---- */

static void server(const char *command)
{
	cleanup(free) char *all =
		xasprintf("git -C root/acme/widgets.git %s", command);

	run_at(scene.world, T0, all);
}

/* A program looks a name up: whether it is there. */
static bool look(const char *name)
{
	struct found found = {0};
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, 60000);
	r = refs_lookup(&ctx, &scene.model, scene.top, CLONE_BRANCHES, name,
			&found);
	ctx_done(&ctx);
	assert_int_equal(r, 0);
	if (!found.what.provider)
		return false;
	node_unref(scene.model.nodes, node_make(scene.model.nodes, scene.top,
						name, &found.what, NULL, true));
	return true;
}

/* The worker asks. */
static void check_now(void)
{
	struct ctx ctx;

	ctx_init(&ctx, NULL, 60000);
	ctx.who = CTX_REFRESH;
	assert_int_equal(
		refs_check(&ctx, &scene.model, scene.top, REFRESH_POLL, NULL),
		0);
	ctx_done(&ctx);
}

static void check_in_thread(void *arg)
{
	(void)arg;
	check_now();
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

static void expect_told(const char *what)
{
	assert_string_equal(scene.told.len ? scene.told.data : "", what);
	forget_told();
}

/* ---- plays ---- */

static void what_changes_is_told(void **state)
{
	(void)state;
	assert_true(look("main"));
	assert_int_equal(scene.n_watched, 1);
	expect_told("");
	server("branch feature/x main");
	server("branch y main");
	check_now();
	expect_told("feature y listing ");
	assert_true(look("feature"));
	server("branch feature/z main");
	server("branch -D y");
	check_now();
	/* feature is a directory as before: its own listing changed. */
	expect_told("below/z listing-below y listing ");
	check_now();
	expect_told("");
}

/* The play in model/listed.h. */
static void the_older_list_is_not_shown_last(void **state)
{
	struct thread *a;

	(void)state;
	assert_true(look("main"));
	server("branch y main");
	scene.holds = true;
	assert_int_equal(thread_start("a", check_in_thread, NULL, &a), 0);
	mutex_lock(&scene.lock);
	while (!scene.waits)
		cond_wait(&scene.changed, &scene.lock);
	mutex_unlock(&scene.lock);
	server("branch x main");
	check_now();
	expect_told("x y listing ");
	assert_true(look("x"));
	mutex_lock(&scene.lock);
	scene.waits = false;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
	thread_join(a);
	/* Not that x is gone: a shell in it would be cut off. */
	expect_told("");
	assert_true(look("x"));
	server("branch -D x");
	check_now();
	expect_told("x listing ");
}

/*
 * 1. Another watch of the repository brings a list with x.
 * 2. A program looks x up in it, before the worker shows that list.
 * 3. x is gone from the next list.
 */
static void no_name_is_answered_from_a_list_that_was_not_told(void **state)
{
	(void)state;
	assert_true(look("main"));
	server("branch x main");
	ask_elsewhere();
	assert_true(look("x"));
	expect_told("x listing ");
	server("branch -D x");
	check_now();
	expect_told("x listing ");
}

static void an_hour(void)
{
	clock_advance(FOREVER_MS + 1000);
}

/* A look between the worker's question whether anybody looks, and the end. */
static void a_look_at_the_end_keeps_the_watch(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_true(look("main"));
	an_hour();
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	assert_true(look("main"));
	assert_false(scene.how->end(&scene.model, scene.top));
	assert_true(scene.how->due_ms(&scene.model, scene.top) != INT64_MAX);
	forget_told();
	server("branch x main");
	check_now();
	expect_told("x listing ");
}

static void after_the_end_a_look_begins_anew(void **state)
{
	(void)state;
	clock_fake(1000000, T0 * INT64_C(1000));
	assert_true(look("main"));
	an_hour();
	assert_true(scene.how->end(&scene.model, scene.top));
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	/* Asked again, although a list is known; and watched again. */
	server("branch x main");
	assert_true(look("x"));
	assert_int_equal(scene.n_watched, 2);
	assert_true(scene.how->due_ms(&scene.model, scene.top) != INT64_MAX);
	/* The kernel may have a listing of the time before: with cookies, as
	 * one that was read. */
	an_hour();
	node_book(scene.model.nodes, scene.top, true);
	assert_true(scene.how->end(&scene.model, scene.top));
	forget_told();
	assert_true(look("x"));
	expect_told("listing ");
}

/* A directory that has lost its name is watched for nobody, whoever stands in
 * it. */
static void an_unlinked_one_ends(void **state)
{
	(void)state;
	assert_true(look("main"));
	node_unlink(scene.model.nodes, scene.top);
	assert_int_equal(scene.how->due_ms(&scene.model, scene.top), INT64_MAX);
	assert_true(scene.how->end(&scene.model, scene.top));
}

static void look_often(void *arg)
{
	for (unsigned i = 0; i < 300; i++) {
		struct ctx ctx;
		struct clone_refs *refs = NULL;

		ctx_init(&ctx, NULL, 60000);
		assert_int_equal(refs_ensure(&ctx, &scene.model, scene.top,
					     CLONE_BRANCHES, &refs),
				 0);
		ctx_done(&ctx);
		clone_refs_unref(refs);
		if (arg && i % 50 == 0)
			check_now();
		if (arg)
			scene.how->end(&scene.model, scene.top);
	}
}

static void many_at_once(void **state)
{
	struct thread *threads[4];
	int worker = 1;

	(void)state;
	assert_true(look("main"));
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(thread_start("looks", look_often,
					      i ? NULL : &worker, &threads[i]),
				 0);
	for (size_t i = 0; i < 4; i++)
		thread_join(threads[i]);
	forget_told();
	server("branch x main");
	check_now();
	expect_told("x listing ");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(what_changes_is_told),
		T(the_older_list_is_not_shown_last),
		T(no_name_is_answered_from_a_list_that_was_not_told),
		T(a_look_at_the_end_keeps_the_watch),
		T(after_the_end_a_look_begins_anew),
		T(an_unlinked_one_ends),
		T(many_at_once),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
