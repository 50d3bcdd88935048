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
	bool open; /* work may end */
	unsigned n_begun, n_done, n_asked, n_ended;
	char order[16];
} scene;

static int setup(void **state)
{
	const struct node_what root = {.provider = &nothing};

	(void)state;
	scene = (struct scene){.open = false};
	mutex_init(&scene.lock);
	cond_init(&scene.changed);
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&root, scene.model.listings);
	scene.model.problems = problems_new();
	return refresh_start(&scene.model, &scene.refresh);
}

static int teardown(void **state)
{
	(void)state;
	scene.refresh = refresh_stop(scene.refresh);
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
		cmocka_unit_test(pauses_grow),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
