/*
 * model/work/refresh: work is done in order and without doubles; a watched
 * directory is asked for while somebody looks at it, and no longer.
 */
#include "model/work/refresh.h"

#include "model/problems.h"
#include "model/provider.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static const struct provider nothing;

static struct scene {
	struct model model;
	struct refresh *refresh;
	struct mutex lock;
	struct cond changed;
	/* Under lock: */
	bool open;   /* work may end */
	bool looked; /* by a program, while the watch ends */
	unsigned n_begun, n_done, n_asked, n_ended, n_expired;
	char order[64];
	struct buf told;
} scene;

static void told_entry(void *arg, uint64_t parent_ino, const char *name)
{
	(void)arg;
	(void)parent_ino;
	mutex_lock(&scene.lock);
	buf_printf(&scene.told, "%s ", name);
	mutex_unlock(&scene.lock);
}

static void told_inode(void *arg, uint64_t ino, bool content)
{
	(void)arg;
	(void)ino;
	mutex_lock(&scene.lock);
	buf_puts(&scene.told, content ? "listing " : "attributes ");
	mutex_unlock(&scene.lock);
}

static int setup(void **state)
{
	const struct node_what root = {.provider = &nothing};

	(void)state;
	scene = (struct scene){.told = BUF_INIT(0)};
	mutex_init(&scene.lock);
	cond_init(&scene.changed);
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&root, scene.model.listings);
	scene.model.problems = problems_new();
	scene.model.kernel =
		(struct model_kernel){.entry = told_entry, .inode = told_inode};
	scene.model.started = true;
	return refresh_start(&scene.model, &scene.refresh);
}

static int teardown(void **state)
{
	(void)state;
	scene.refresh = refresh_stop(scene.refresh);
	clock_real();
	buf_done(&scene.told);
	problems_free(scene.model.problems);
	node_table_free(scene.model.nodes);
	listed_all_free(scene.model.listings);
	cond_done(&scene.changed);
	mutex_done(&scene.lock);
	return 0;
}

/* Until *n is that many; fails the test after a minute. */
static void await(const unsigned *n, unsigned many)
{
	int64_t until = clock_mono_ms() + 60000;
	unsigned got;

	mutex_lock(&scene.lock);
	while (*n < many && cond_wait_until(&scene.changed, &scene.lock, until))
		;
	got = *n;
	mutex_unlock(&scene.lock);
	assert_int_equal(got, many);
}

static int work(struct ctx *ctx, struct model *model,
		const struct refresh_item *item)
{
	(void)ctx;
	(void)model;
	mutex_lock(&scene.lock);
	scene.order[scene.n_begun++] = item->name[0];
	cond_broadcast(&scene.changed);
	while (!scene.open)
		cond_wait(&scene.changed, &scene.lock);
	scene.n_done++;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
	return 0;
}

static void queued_once(void **state)
{
	static const struct refresh_work what = {"work", work};

	(void)state;
	refresh_queue(scene.refresh, &what, "w", "a", NULL);
	await(&scene.n_begun, 1);
	/* What runs is not queued any more; what waits is. */
	refresh_queue(scene.refresh, &what, "w", "b", NULL);
	refresh_queue(scene.refresh, &what, "w", "a", NULL);
	refresh_queue(scene.refresh, &what, "w", "b", NULL);
	refresh_queue(scene.refresh, &what, "w", "a", NULL);
	refresh_queue(scene.refresh, &what, "w", "c", NULL);
	mutex_lock(&scene.lock);
	scene.open = true;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
	await(&scene.n_done, 4);
	assert_string_equal(scene.order, "abac");
}

static int64_t due_ms(struct model *model, struct node *node)
{
	int64_t due;

	(void)model;
	(void)node;
	mutex_lock(&scene.lock);
	due = scene.n_asked < 2 ? 0 : INT64_MAX;
	mutex_unlock(&scene.lock);
	return due;
}

static int ask(struct ctx *ctx, struct model *model, struct node *node,
	       int64_t max_age_ms)
{
	(void)model;
	(void)node;
	assert_int_equal(ctx->who, CTX_REFRESH);
	assert_int_equal(max_age_ms, REFRESH_POLL);
	mutex_lock(&scene.lock);
	scene.n_asked++;
	mutex_unlock(&scene.lock);
	return 0;
}

static bool ended(struct model *model, struct node *node)
{
	(void)model;
	(void)node;
	mutex_lock(&scene.lock);
	scene.n_ended++;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
	return true;
}

static void watched_until_nobody_looks(void **state)
{
	static const struct refresh_watching how = {
		.due_ms = due_ms,
		.ask = ask,
		.end = ended,
	};
	struct node *root = node_get(scene.model.nodes, 1);

	(void)state;
	assert_non_null(root);
	refresh_watch(scene.refresh, root, &how);
	refresh_watch(scene.refresh, root, &how);
	await(&scene.n_ended, 1);
	scene.refresh = refresh_stop(scene.refresh);
	assert_int_equal(scene.n_asked, 2);
	assert_int_equal(scene.n_ended, 1);
	node_unref(scene.model.nodes, root);
}

/*
 * 1. The worker finds that nobody has looked, and takes the directory off its
 *    list.
 * 2. A program looked just before that: `end` says so.
 */
static bool end_once(struct model *model, struct node *node)
{
	bool looked;

	mutex_lock(&scene.lock);
	looked = scene.looked;
	scene.looked = false;
	if (looked)
		scene.n_asked = 1; /* due again */
	mutex_unlock(&scene.lock);
	return looked ? false : ended(model, node);
}

static void a_look_at_the_end_goes_on_being_watched(void **state)
{
	static const struct refresh_watching how = {
		.due_ms = due_ms,
		.ask = ask,
		.end = end_once,
	};
	struct node *root = node_get(scene.model.nodes, 1);

	(void)state;
	scene.looked = true;
	scene.n_asked = 2; /* nobody looks */
	refresh_watch(scene.refresh, root, &how);
	await(&scene.n_ended, 1);
	scene.refresh = refresh_stop(scene.refresh);
	/* It was on the list again, and asked for. */
	assert_int_equal(scene.n_asked, 2);
	assert_int_equal(scene.n_ended, 1);
	node_unref(scene.model.nodes, root);
}

/* ---- after a sleep ---- */

static int64_t due_never(struct model *model, struct node *node)
{
	(void)model;
	(void)node;
	return 1000000;
}

static void expired(struct model *model, struct node *node)
{
	(void)model;
	(void)node;
	mutex_lock(&scene.lock);
	scene.n_expired++;
	cond_broadcast(&scene.changed);
	mutex_unlock(&scene.lock);
}

static bool has_expired(void)
{
	bool has;

	mutex_lock(&scene.lock);
	has = scene.n_expired > 0;
	mutex_unlock(&scene.lock);
	return has;
}

/* Until the worker has gone round, after what it does first. */
static void go_round(unsigned n)
{
	static const struct refresh_work what = {"round", work};
	char name[2] = {(char)('a' + n), '\0'};

	mutex_lock(&scene.lock);
	scene.open = true;
	mutex_unlock(&scene.lock);
	refresh_queue(scene.refresh, &what, name, name, NULL);
	await(&scene.n_done, n);
	refresh_queue(scene.refresh, &what, "w", name, NULL);
	await(&scene.n_done, n + 1);
}

static struct node *child(const char *name, const struct provider *provider,
			  mode_t mode)
{
	const struct node_what what = {.provider = provider, .mode = mode};
	struct node *root = node_get(scene.model.nodes, 1), *node;

	node = node_make(scene.model.nodes, root, name, &what, NULL, true);
	node_unref(scene.model.nodes, root);
	return node;
}

static void after_a_sleep_the_kernel_forgets_what_it_was_promised(void **state)
{
	static const struct provider names = {.expiry = PROVIDER_EXPIRES_NAME};
	static const struct provider lists = {
		.expiry = PROVIDER_EXPIRES_LISTING};
	static const struct refresh_watching how = {
		.due_ms = due_never,
		.ask = ask,
		.expire = expired,
	};
	struct node *a, *b, *c;
	unsigned n;

	(void)state;
	scene.refresh = refresh_stop(scene.refresh);
	clock_fake(1000000, INT64_C(1790000000000));
	assert_int_equal(refresh_start(&scene.model, &scene.refresh), 0);
	a = child("name", &names, NODE_FILE);
	b = child("list", &lists, NODE_DIRECTORY);
	c = child("keeps", &nothing, NODE_DIRECTORY);
	refresh_watch(scene.refresh, b, &how);
	/* CLOCK_BOOTTIME and CLOCK_MONOTONIC go on together, or nearly. */
	clock_advance(3600000);
	clock_suspend(4000);
	go_round(1);
	mutex_lock(&scene.lock);
	assert_int_equal(scene.told.len, 0);
	assert_int_equal(scene.n_expired, 0);
	mutex_unlock(&scene.lock);
	clock_suspend(6000);
	/* The worker looks once a round, and may do both of a round's pieces
	 * of work in one. */
	for (n = 3; !has_expired() && n < 40; n += 2)
		go_round(n);
	go_round(n);
	mutex_lock(&scene.lock);
	assert_int_equal(scene.n_expired, 1);
	assert_non_null(strstr(scene.told.data, "name "));
	assert_non_null(strstr(scene.told.data, "listing "));
	assert_null(strstr(scene.told.data, "keeps"));
	buf_clear(&scene.told);
	mutex_unlock(&scene.lock);
	/* Once a sleep. */
	go_round(n + 2);
	go_round(n + 4);
	mutex_lock(&scene.lock);
	assert_int_equal(scene.told.len, 0);
	assert_int_equal(scene.n_expired, 1);
	mutex_unlock(&scene.lock);
	node_unref(scene.model.nodes, a);
	node_unref(scene.model.nodes, b);
	node_unref(scene.model.nodes, c);
}

static void pauses_grow(void **state)
{
	const struct model model = {.config.ttl_ms = 1000};

	(void)state;
	assert_int_equal(refresh_pause_ms(&model, 0), 1000);
	assert_int_equal(refresh_pause_ms(&model, 2), 4000);
	assert_int_equal(refresh_pause_ms(&model, 3), 8000);
	assert_int_equal(refresh_pause_ms(&model, 40), 8000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(queued_once, setup, teardown),
		cmocka_unit_test_setup_teardown(watched_until_nobody_looks,
						setup, teardown),
		cmocka_unit_test_setup_teardown(
			a_look_at_the_end_goes_on_being_watched, setup,
			teardown),
		cmocka_unit_test_setup_teardown(
			after_a_sleep_the_kernel_forgets_what_it_was_promised,
			setup, teardown),
		cmocka_unit_test(pauses_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
