/*
 * clone/clone: names that go over to other repositories. What git says under a
 * name is the repository's only while that is its name.
 */
#include "clone-world.h"

static struct {
	struct mutex lock;
	/* Under it. */
	const char *slug; /* what its own object says */
	int failed;       /* it cannot be asked */
	bool listed;
	unsigned n_asked;
	enum ctx_class who; /* of who asked last */
	int32_t caller;
	bool spent; /* but for people */
} service;

static int name_now(void *arg, struct ctx *ctx, const char *uuid,
		    const char *workspace, const char *slug,
		    char **ret_workspace, char **ret_slug,
		    int64_t *ret_asked_ms)
{
	int failed;

	(void)arg;
	(void)slug;
	check(!strcmp(uuid, "{one-uuid}"));
	mutex_lock(&service.lock);
	service.n_asked++;
	service.who = ctx->who;
	service.caller = ctx->caller;
	failed = service.failed;
	if (service.spent && ctx->who != CTX_PERSON) {
		ctx->refused = true;
		failed = -EDQUOT;
	}
	if (!failed) {
		*ret_workspace = mem_strdup(workspace);
		*ret_slug = mem_strdup(service.slug);
		*ret_asked_ms = clock_wall_ms();
	}
	mutex_unlock(&service.lock);
	return failed;
}

static bool is_listed(void *arg, const char *uuid, const char *workspace,
		      const char *slug)
{
	bool listed;

	(void)arg;
	(void)uuid;
	(void)workspace;
	(void)slug;
	mutex_lock(&service.lock);
	listed = service.listed;
	mutex_unlock(&service.lock);
	return listed;
}

static void serve(const char *slug, int failed, bool listed)
{
	mutex_lock(&service.lock);
	service.slug = slug;
	service.failed = failed;
	service.listed = listed;
	service.n_asked = 0;
	mutex_unlock(&service.lock);
}

static void expect_asked(unsigned n)
{
	unsigned is;

	mutex_lock(&service.lock);
	is = service.n_asked;
	service.n_asked = 0;
	mutex_unlock(&service.lock);
	assert_int_equal(is, n);
}

static int set_up(void **state)
{
	mutex_init(&service.lock);
	serve("one", 0, true);
	world_names = (struct clone_naming){name_now, is_listed, NULL, NULL};
	return world_start(state);
}

static int tear_down(void **state)
{
	int r = world_stop(state);

	world_names = (struct clone_naming){0};
	mutex_done(&service.lock);
	return r;
}

/* The one with the uuid of "one", whatever it is called. */
static struct clone *open_as(struct world *w, const char *slug)
{
	struct clone *c = NULL;

	assert_int_equal(clone_open(w->mount.clones, "{one-uuid}", "acme", slug,
				    "main", &c),
			 0);
	return w->clones[w->n_clones++] = c;
}

static void expect_head(const struct clone_head *head, struct oid commit)
{
	char is[41], want[41];

	assert_string_equal(oid_hex(&head->commit, is), oid_hex(&commit, want));
}

/* ---- moves ---- */

static void a_move_asks_once(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	/* The listing that gave the name is enough for a first look. */
	assert_int_equal(get_now(c, &head), 0);
	expect_asked(0);
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(get_now(c, &head), 0);
	expect_asked(0);
	push(w, "one", T0 + 60, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "one", "main"));
	expect_asked(1);
	assert_int_equal(get_now(c, &head), 0);
	expect_asked(0);
}

static void goes_on_under_the_new_name(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct oid old;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	old = head.commit;
	run_at(w, T0,
	       "mv root/acme/one.git root/acme/two.git && mv work/one "
	       "work/two && cd work/two && git remote set-url origin "
	       "../../root/acme/two.git");
	serve("two", 0, true);
	/* Nobody has the old name. */
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, old);
	expect_asked(1);
	assert_true(clone_is_named(c, "acme", "two"));
	/* A listing of before does not turn it back. */
	open_as(w, "one");
	assert_true(clone_is_named(c, "acme", "two"));
	push(w, "two", T0 + 60, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "two", "main"));
}

static void never_shows_another(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	make_repository(w, "two");
	push(w, "two", T0 + 60, "echo other >a.txt");
	c = open_as(w, "two");
	serve("two", 0, true);
	assert_int_equal(get_now(c, &head), 0);
	/* It was renamed to "one", and the name "two" is another's. */
	run_at(w, T0,
	       "cd root/acme && mv one.git x.git && mv two.git one.git && "
	       "mv x.git two.git");
	serve("one", 0, true);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "one", "main"));
	expect_asked(1);
}

/* Somebody stands in a directory with the old name for longer than a listing of
 * before is excused. */
static void an_old_directory_does_not_turn_it_back(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	run_at(w, T0,
	       "mv root/acme/one.git root/acme/two.git && mv work/one "
	       "work/two && cd work/two && git remote set-url origin "
	       "../../root/acme/two.git");
	/* The listing has the new name. */
	serve("two", 0, false);
	assert_int_equal(get_now(c, &head), 0);
	push(w, "two", T0 + 60, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "two", "main"));
	/* The answer that confirmed it was of some seconds before. */
	clock_fake(clock_mono_ms(), clock_wall_ms());
	clock_advance(11 * 60 * 1000);
	open_as(w, "one");
	assert_true(clone_is_named(c, "acme", "two"));
	assert_int_equal(known_head(c, &head), 0);
	clock_real();
	remount(w);
	c = open_as(w, "one");
	assert_true(clone_is_named(c, "acme", "two"));
	assert_int_equal(known_head(c, &head), 0);
	expect_head(&head, rev(w, "two", "main"));
	/* It got its old name again: a listing says so. */
	serve("one", 0, true);
	c = open_as(w, "one");
	assert_true(clone_is_named(c, "acme", "one"));
}

/* ---- whose question it is ---- */

static void get_for(struct clone *c, enum ctx_class who, int32_t caller)
{
	struct clone_head head;
	struct ctx ctx;

	ctx_init(&ctx, NULL, -1);
	ctx.who = who;
	ctx.caller = caller;
	assert_int_equal(
		clone_tracking_get(&ctx, clone_tracking(c, NULL), -1, &head),
		0);
	ctx_done(&ctx);
}

static void asks_for_who_waits(void **state)
{
	struct world *w = *state;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	get_for(c, CTX_PERSON, 7);
	push(w, "one", T0 + 60, "echo two >a.txt");
	get_for(c, CTX_REFRESH, 0);
	expect_asked(1);
	assert_int_equal(service.who, CTX_REFRESH);
	push(w, "one", T0 + 120, "echo three >a.txt");
	get_for(c, CTX_WALK, 8);
	expect_asked(1);
	assert_int_equal(service.who, CTX_WALK);
	assert_int_equal(service.caller, 8);
	/* What is refused to the background is left to people. */
	push(w, "one", T0 + 180, "echo four >a.txt");
	service.spent = true;
	get_for(c, CTX_REFRESH, 0);
	expect_asked(1);
	get_for(c, CTX_PERSON, 7);
	expect_asked(1);
	assert_int_equal(service.who, CTX_PERSON);
	assert_int_equal(service.caller, 7);
	get_for(c, CTX_PERSON, 7);
	expect_asked(0);
	service.spent = false;
}

/* ---- nobody can be asked ---- */

static void shown_while_listed(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct oid old, new;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	old = head.commit;
	push(w, "one", T0 + 60, "echo two >a.txt");
	new = rev(w, "one", "main");
	serve("one", -EDQUOT, true);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, new);
	/* It is not kept: to the next mount nothing moved. */
	remount(w);
	c = open_as(w, "one");
	assert_int_equal(known_head(c, &head), 0);
	expect_head(&head, old);
	/* Once it can be asked it is. */
	assert_int_equal(get_now(c, &head), 0);
	serve("one", 0, true);
	assert_int_equal(get_now(c, &head), 0);
	expect_asked(1);
	remount(w);
	c = open_as(w, "one");
	assert_int_equal(known_head(c, &head), 0);
	expect_head(&head, new);
}

static bool see_held(void *arg, const struct clone_shown *shown)
{
	bool *held = arg;

	*held = shown->held;
	return true;
}

static void held_otherwise(void **state)
{
	struct world *w = *state;
	bool held = false;
	struct clone_head head;
	struct oid old;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	old = head.commit;
	push(w, "one", T0 + 60, "echo two >a.txt");
	serve("one", -EDQUOT, false);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, old);
	clone_set_shown(w->mount.clones, see_held, &held);
	assert_true(held);
	/* Its own page is gone: the listing is no word against that. */
	serve("one", -ENOENT, true);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, old);
	serve("one", 0, false);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "one", "main"));
	clone_set_shown(w->mount.clones, see_held, &held);
	assert_false(held);
}

/* ---- the listing tells of a rename ---- */

static void forgets_what_may_be_another_s(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	/* It has another name now; nobody knows since when. */
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), -ENOENT);
	remount(w);
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), -ENOENT);
	/* The same when the listing tells after a remount. */
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	remount(w);
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), -ENOENT);
}

/* So many times that reading them takes a while. */
static void add_times(struct world *w)
{
	enum {
		N = 200000,
		KEY = 8 + OID_BYTES
	};
	cleanup(free) struct cache_fact *facts = mem_calloc(N, sizeof(*facts));
	cleanup(free) char *keys = mem_calloc(N, KEY);
	static const int64_t time_s = T0;

	for (size_t i = 0; i < N; i++) {
		snprintf(keys + i * KEY, 8, "%zu", i);
		facts[i] = (struct cache_fact){
			.key = keys + i * KEY,
			.n_key = KEY,
			.value = &time_s,
			.n_value = sizeof(time_s),
		};
	}
	assert_int_equal(cache_fact_put_many(w->mount.cache, "times:{one-uuid}",
					     facts, N),
			 0);
}

static void load_head(void *arg)
{
	struct clone_head head;

	(void)known_head(arg, &head);
}

/* A head is read from the cache, and forgotten before it is in memory: whoever
 * read it does not put it there. */
static void forgets_what_is_being_read(void **state)
{
	struct world *w = *state;
	struct thread *thread;
	struct clone_head head;
	struct clone *c;
	int64_t time_s;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	add_times(w);
	remount(w);
	c = open_as(w, "one");
	assert_int_equal(thread_start("loader", load_head, c, &thread), 0);
	/* It reads the times after the head. */
	while (!has_path_times(c, &time_s))
		sched_yield();
	assert_ptr_equal(open_as(w, "two"), c);
	thread_join(thread);
	assert_int_equal(known_head(c, &head), -ENOENT);
}

static void an_outdated_directory_does_not_lead_back(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	push(w, "one", T0 + 60, "echo two >a.txt");
	serve("one", -EDQUOT, true);
	assert_int_equal(get_now(c, &head), 0);
	expect_head(&head, rev(w, "one", "main"));
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), -ENOENT);
	c = open_as(w, "one");
	assert_true(clone_is_named(c, "acme", "two"));
}

static void keeps_what_was_confirmed_since(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;
	char ms[24];

	make_repository(w, "one");
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	push(w, "one", T0 + 60, "echo two >a.txt");
	assert_int_equal(get_now(c, &head), 0);
	expect_asked(1);
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), 0);
	expect_head(&head, rev(w, "one", "main"));
	/* By a whole listing, too. */
	c = open_as(w, "three");
	assert_int_equal(known_head(c, &head), 0);
	remount(w);
	cache_fact_replace(w->mount.cache, "learnt", NULL, 0);
	c = open_as(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	snprintf(ms, sizeof(ms), "%lld", (long long)clock_wall_ms() + 1);
	cache_fact_put(w->mount.cache, "name-until", "{one-uuid}",
		       strlen("{one-uuid}"), ms, strlen(ms));
	c = open_as(w, "two");
	assert_int_equal(known_head(c, &head), 0);
}

#define names_test(name) \
	cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		names_test(a_move_asks_once),
		names_test(goes_on_under_the_new_name),
		names_test(never_shows_another),
		names_test(an_old_directory_does_not_turn_it_back),
		names_test(asks_for_who_waits),
		names_test(shown_while_listed),
		names_test(held_otherwise),
		names_test(forgets_what_may_be_another_s),
		names_test(forgets_what_is_being_read),
		names_test(an_outdated_directory_does_not_lead_back),
		names_test(keeps_what_was_confirmed_since),
	};

	world_environment();
	if (argc == 2)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
