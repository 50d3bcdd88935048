/*
 * api/budget: what is left, and who may spend it.
 */
#include "budget-world.h"

#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

/* ---- counting ---- */

static void counts_an_hour(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	struct budget_state s;

	(void)state;
	for (int minute = 0; minute < 59; minute++) {
		assert_int_equal(ask_apart(b, 1), 1);
		assert_int_equal(ask(b, refresher), 0);
		clock_advance(MINUTE);
	}
	s = state_of(b);
	assert_int_equal(s.n_requests, 118);
	assert_int_equal(s.api.used, 118);
	assert_int_equal(s.api.by_class[CTX_PERSON], 59);
	assert_int_equal(s.api.by_class[CTX_WALK], 0);
	assert_int_equal(s.api.by_class[CTX_REFRESH], 59);
	assert_int_equal(s.api.left, 1000 - 118);
	/* The whole of a minute is an hour ago before it goes. */
	clock_advance(2 * MINUTE - 1);
	assert_int_equal(state_of(b).api.used, 118);
	clock_advance(1);
	assert_int_equal(state_of(b).api.used, 116);
	clock_advance(30 * MINUTE);
	assert_int_equal(state_of(b).api.used, 56);
	ask_apart(b, 1);
	assert_int_equal(state_of(b).api.used, 57);
	clock_advance(10000 * MINUTE);
	assert_int_equal(state_of(b).api.used, 0);
	ask_apart(b, 1);
	s = state_of(b);
	assert_int_equal(s.api.used, 1);
	assert_int_equal(s.n_requests, 120);
}

static void counts_what_the_service_counts(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	struct http_response none = answer(0), some = answer(200);

	(void)state;
	none.n_asked = 0; /* no network */
	observed(b, &anybody, &none);
	assert_int_equal(state_of(b).api.used, 0);
	assert_int_equal(state_of(b).api.left, 1000);
	some.n_asked = 3; /* redirects */
	observed(b, &anybody, &some);
	assert_int_equal(state_of(b).api.used, 3);
	none.n_asked = 1; /* no answer came */
	observed(b, &anybody, &none);
	assert_int_equal(state_of(b).api.used, 4);
}

static void git_is_apart(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	struct budget_state s;

	(void)state;
	budget_count_git(b, 5);
	budget_count_git(b, 12);
	budget_count_git(b, 9); /* said later than it was counted */
	s = state_of(b);
	assert_int_equal(s.git.used, 12);
	assert_int_equal(s.git.left, 60000 - 12);
	assert_int_equal(s.api.used, 0);
}

/* What is admitted counts before it is answered. */
static void many_at_once_are_not_let_through(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(10, 0);
	struct asker who[12];
	struct ctx ctx[12];
	unsigned n = 0;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(ctx); i++) {
		who[i] = PERSON((int32_t)(i + 1) * 1000);
		n += admit(b, &who[i], &ctx[i]) == 0;
	}
	assert_int_equal(n, 10);
	for (size_t i = 0; i < n; i++) {
		struct http_response a = answer(200);

		a.n_asked = i != 3;
		budget_observe(&ctx[i], b, &a);
	}
	for (size_t i = 0; i < ARRAY_SIZE(ctx); i++)
		ctx_done(&ctx[i]);
	/* The fourth did not get away. */
	assert_int_equal(ask_apart(b, 2), 1);
}

/* ---- classes ---- */

static void refreshes_leave_half(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	char sentence[512];

	(void)state;
	assert_true(budget_may_prefetch(b, 500));
	assert_false(budget_may_prefetch(b, 501));
	assert_int_equal(ask_often(b, refresher, 600), 500);
	assert_false(budget_may_prefetch(b, 1));
	assert_int_equal(ask_said(b, refresher, -1, -1, -1, sentence), -EDQUOT);
	assert_non_null(strstr(sentence, "leaves 500 of the 1000"));
	assert_int_equal(ask_apart(b, 1), 1);
	assert_int_equal(state_of(b).waits_until_ms[CTX_REFRESH],
			 WALL + 61 * MINUTE);
	assert_int_equal(state_of(b).waits_until_ms[CTX_WALK], 0);
}

static void a_walk_leaves_a_reserve(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 0);
	struct budget_state s;
	char sentence[512];

	(void)state;
	/* Two threads of one session. */
	assert_int_equal(ask_often(b, PERSON(1001), 60), 60);
	assert_int_equal(state_of(b).n_walks, 0);
	assert_int_equal(ask_often(b, PERSON(1002), 240), 150);
	s = state_of(b);
	assert_int_equal(s.api.used, 210);
	assert_int_equal(s.api.by_class[CTX_PERSON], 100);
	assert_int_equal(s.api.by_class[CTX_WALK], 110);
	assert_int_equal(s.api.left, 90);
	assert_int_equal(s.n_walks, 1);
	assert_int_equal(s.walks[0].session, 10);
	/* What was refused caused nothing. */
	assert_int_equal(s.walks[0].n_requests, 210);
	assert_string_equal(s.walks[0].name, "job?10");
	assert_int_equal(s.waits_until_ms[CTX_PERSON], 0);
	assert_int_equal(s.waits_until_ms[CTX_WALK], WALL + 61 * MINUTE);

	assert_int_equal(ask_said(b, PERSON(1003), -1, -1, -1, sentence),
			 -EDQUOT);
	assert_non_null(strstr(sentence, "job?10 (session 10)"));
	assert_non_null(strstr(sentence, "leave 90 of the 300"));
	assert_non_null(strstr(sentence, "in 3660 s"));
	/* Somebody else goes on until nothing is left. */
	assert_int_equal(ask_apart(b, 100), 90);
	s = state_of(b);
	assert_int_equal(s.api.left, 0);
	assert_int_equal(s.waits_until_ms[CTX_PERSON], WALL + 61 * MINUTE);
	assert_int_equal(ask_said(b, PERSON(2000), -1, -1, -1, sentence),
			 -EDQUOT);
	assert_non_null(strstr(sentence, "300 an hour, is used up"));
}

/* Whoever asks in between, at the same terminal. */
static void a_walk_is_called_what_walks(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 0);
	char sentence[512];

	(void)state;
	for (int32_t i = 0; i < 9; i++) {
		assert_int_equal(ask_often(b, PERSON(1001), 20), 20);
		assert_int_equal(ask(b, PERSON(1900 + i)), 0);
	}
	assert_int_equal(ask(b, PERSON(1950)), 0);
	assert_int_equal(state_of(b).n_walks, 1);
	assert_int_equal(state_of(b).walks[0].n_requests, 190);
	assert_string_equal(state_of(b).walks[0].name, "job?10");
	assert_int_equal(ask_often(b, PERSON(1001), 100), 20);
	/* Nor is it the one that is refused. */
	assert_int_equal(ask_said(b, PERSON(1960), -1, -1, -1, sentence),
			 -EDQUOT);
	assert_non_null(strstr(sentence, "job?10 (session 10) has caused 210"));
	/* Then another one walks. */
	clock_advance(61 * MINUTE);
	assert_int_equal(ask_often(b, PERSON(1970), 101), 101);
	assert_string_equal(state_of(b).walks[0].name, "look970");
}

static void a_walk_goes_on_when_the_window_moves(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 0);

	(void)state;
	assert_int_equal(ask_often(b, PERSON(1000), 150), 150);
	clock_advance(5 * MINUTE);
	assert_int_equal(ask_often(b, PERSON(1000), 150), 60);
	assert_int_equal(state_of(b).waits_until_ms[CTX_WALK],
			 WALL + 61 * MINUTE);
	/* It tries all the time, and so it stays a walk. */
	for (int i = 0; i < 55; i++) {
		assert_int_equal(ask_often(b, PERSON(1000), 20), 0);
		clock_advance(MINUTE);
	}
	clock_advance(MINUTE);
	assert_int_equal(ask_often(b, PERSON(1000), 200), 150);
	assert_int_equal(state_of(b).waits_until_ms[CTX_WALK],
			 WALL + 66 * MINUTE);
}

static void ten_quiet_minutes_make_a_person(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 5);
	struct budget_state s;

	(void)state;
	assert_int_equal(ask_often(b, PERSON(1000), 6), 6);
	clock_advance(4 * MINUTE);
	assert_int_equal(ask_often(b, PERSON(2000), 7), 7);
	s = state_of(b);
	assert_int_equal(s.n_walks, 2);
	assert_int_equal(s.walks[0].session, 20); /* the most first */
	assert_int_equal(s.walks[1].session, 10);
	clock_advance(6 * MINUTE);
	s = state_of(b);
	assert_int_equal(s.n_walks, 1);
	assert_int_equal(s.walks[0].session, 20);
	assert_int_equal(ask(b, PERSON(1000)), 0);
	assert_int_equal(state_of(b).api.by_class[CTX_WALK], 3);
}

/* Who comes anew again and again is no new person each time. */
static void walks_that_begin_anew_leave_something(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 0);
	unsigned n, before = 210;

	(void)state;
	assert_int_equal(ask_often(b, PERSON(1000), 400), 210);
	for (int32_t i = 0; i < 6; i++) {
		n = ask_often(b, PERSON(2000 + i * 1000), 400);
		assert_true(n <= (300 - before) / 3);
		before += n;
	}
	assert_true(before < 290);
	/* A person with a few requests is one all the time. */
	assert_int_equal(ask_often(b, PERSON(500000), 3), 3);
	assert_int_equal(ask_apart(b, 100), 300 - before - 3);
}

static void no_walk_if_they_say_so(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 100000);

	(void)state;
	assert_int_equal(ask_often(b, PERSON(1000), 400), 300);
}

static void who_is_gone_is_a_group_of_its_own(void **state)
{
	unsigned n_asked = 0;
	cleanup(budget_free) struct budget *b =
		budget_new(&(struct budget_config){
			.walk = 2, .who_of = who_of, .arg = &n_asked});
	struct budget_state s;

	(void)state;
	assert_int_equal(ask_often(b, PERSON(77), 3), 3);
	assert_int_equal(ask_often(b, PERSON(0), 4), 4);
	s = state_of(b);
	assert_int_equal(s.n_walks, 2);
	assert_int_equal(s.walks[0].session, 0);
	assert_int_equal(s.walks[1].session, 77);
	assert_string_equal(s.walks[1].name, "");
	/* What was found out holds for a second. */
	n_asked = 0;
	assert_int_equal(ask_often(b, PERSON(1000), 5), 5);
	assert_int_equal(n_asked, 1);
	clock_advance(1000);
	assert_int_equal(ask(b, PERSON(1000)), 0);
	assert_int_equal(n_asked, 2);
}

static int who_ends(void *arg, int32_t thread, struct budget_who *ret)
{
	const bool *ended = arg;

	return *ended ? -ENOENT : who_of(NULL, thread, ret);
}

/* A list goes on when the program has ended that wanted it: for its session. */
static void who_has_ended_is_remembered(void **state)
{
	bool ended = false;
	cleanup(budget_free) struct budget *b =
		budget_new(&(struct budget_config){
			.walk = 2, .who_of = who_ends, .arg = &ended});
	struct budget_state s;

	(void)state;
	assert_int_equal(ask(b, PERSON(1000)), 0);
	ended = true;
	clock_advance(5000);
	assert_int_equal(ask_often(b, PERSON(1000), 3), 3);
	s = state_of(b);
	assert_int_equal(s.n_walks, 1);
	assert_int_equal(s.walks[0].session, 10);
	assert_int_equal(s.walks[0].n_requests, 4);
	/* Another thread, of which nothing was ever known. */
	assert_int_equal(ask_often(b, PERSON(1064), 3), 3);
	assert_int_equal(state_of(b).n_walks, 2);
}

/* What a reader has fetched ahead is of the background, and of the reader. */
static void fetching_ahead_counts_for_who_reads(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	const struct asker ahead = {CTX_REFRESH, 1000};
	struct budget_state s;

	(void)state;
	assert_int_equal(ask_often(b, ahead, 101), 101);
	s = state_of(b);
	assert_int_equal(s.api.by_class[CTX_REFRESH], 101);
	assert_int_equal(s.n_walks, 1);
	assert_int_equal(ask(b, PERSON(1000)), 0);
	assert_int_equal(state_of(b).api.by_class[CTX_WALK], 1);
}

/* `for r in …; do setsid cat $r/info; done`: a session for each request. */
static void those_that_come_and_go_are_one_walk(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(300, 0);
	char sentence[512];
	unsigned n = 0;

	(void)state;
	for (int32_t i = 0; i < 300; i++)
		n += ask_often(b, PERSON(1000000000 + i * 1000), 1);
	assert_int_equal(n, 210);
	assert_int_equal(state_of(b).api.by_class[CTX_PERSON], 100);
	assert_int_equal(ask_said(b, PERSON(1500000000), -1, -1, -1, sentence),
			 -EDQUOT);
	assert_non_null(strstr(sentence, "come and go"));
	assert_non_null(strstr(sentence, "caused 210 requests"));
	/* Who sits at a terminal is none of them. */
	assert_int_equal(ask_often(b, PERSON(1000), 20), 20);
}

static void at_a_terminal_they_fade(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 20);

	(void)state;
	/* Three a minute, on and on: a person. */
	for (int i = 0; i < 30; i++) {
		assert_int_equal(ask_often(b, PERSON(1000), 3), 3);
		clock_advance(MINUTE);
	}
	assert_int_equal(state_of(b).api.by_class[CTX_WALK], 0);
	/* As many in two minutes: a walk. */
	assert_int_equal(ask_often(b, PERSON(1000), 30), 30);
	assert_in_range(state_of(b).api.by_class[CTX_WALK], 20, 30);
}

static void a_ceiling_is_over_all_who_are_no_walks(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 50);

	(void)state;
	for (int32_t i = 0; i < 12; i++)
		assert_int_equal(ask_often(b, PERSON(1000 + i * 1000), 40), 40);
	/* 201 were people's; of the others the first five each. */
	assert_in_range(state_of(b).api.by_class[CTX_PERSON], 201, 280);
}

static void many_groups_are_not_remembered_for_ever(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(1000000, 3);

	(void)state;
	assert_int_equal(ask_often(b, PERSON(1000), 9), 9);
	clock_advance(MINUTE);
	assert_int_equal(ask_apart(b, 5000), 5000);
	/* The oldest went. */
	assert_int_equal(state_of(b).n_walks, 0);
}

/* ---- the process ---- */

static void look_at_itself(void *arg)
{
	struct budget_who *who = arg;

	(void)budget_who_from_proc(NULL, (int32_t)syscall(SYS_gettid), who);
}

static void a_thread_is_of_a_process(void **state)
{
	struct budget_who who = {.process = 0};
	struct thread *thread = NULL;

	(void)state;
	assert_int_equal(thread_start("odd", look_at_itself, &who, &thread), 0);
	thread_join(thread);
	assert_string_equal(who.name, "odd");
	assert_int_equal(who.process, getpid());
	assert_int_equal(who.group, getpgrp());
	assert_int_equal(who.session, getsid(0));
}

static void a_name_with_anything_in_it(void **state)
{
	struct budget_who who;
	char said[16];
	int status;
	pid_t pid;

	(void)state;
	assert_int_equal(prctl(PR_GET_NAME, said), 0);
	assert_int_equal(budget_who_from_proc(NULL, (int32_t)getpid(), &who),
			 0);
	assert_int_equal(who.session, getsid(0));
	assert_string_equal(who.name, said);
	assert_int_equal(prctl(PR_SET_NAME, ") R 1 1\n 1 (("), 0);
	assert_int_equal(
		budget_who_from_proc(NULL, (int32_t)syscall(SYS_gettid), &who),
		0);
	prctl(PR_SET_NAME, said);
	assert_int_equal(who.session, getsid(0));
	assert_string_equal(who.name, ") R 1 1\n 1 ((");

	pid = fork();
	if (pid == 0)
		_exit(setsid() < 0 ||
		      budget_who_from_proc(NULL, (int32_t)getpid(), &who) ||
		      who.session != getpid() || who.terminal);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	/* Gone by now. */
	assert_true(budget_who_from_proc(NULL, (int32_t)pid, &who) < 0);
}

/* ---- what the service says ---- */

static void its_word_goes_before_our_count(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	struct budget_state s;

	(void)state;
	/* Others use the account. */
	assert_int_equal(ask_said(b, PERSON(1000), 300, 120, 1800, NULL), 0);
	s = state_of(b);
	assert_int_equal(s.api.limit, 300);
	assert_int_equal(s.api.left, 120);
	assert_int_equal(s.api.used, 1);
	assert_true(s.api.told);
	assert_int_equal(s.api.reset_ms, WALL + 1800 * 1000);
	/* What came since is taken off. */
	assert_int_equal(ask_apart(b, 5), 5);
	assert_int_equal(state_of(b).api.left, 115);
	assert_false(budget_may_prefetch(b, 1));
	assert_int_equal(ask(b, refresher), -EDQUOT);
	assert_int_equal(state_of(b).waits_until_ms[CTX_REFRESH],
			 WALL + 1800 * 1000);
	/* Or they stopped. */
	clock_advance(1000);
	assert_int_equal(ask_said(b, PERSON(1000), 300, 290, 1700, NULL), 0);
	assert_int_equal(state_of(b).api.left, 290);
	assert_true(budget_may_prefetch(b, 140));
	assert_false(budget_may_prefetch(b, 141));
}

static void nothing_is_left_until_it_begins_anew(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	struct budget_state s;
	char sentence[512];

	(void)state;
	assert_int_equal(ask_said(b, PERSON(1000), 1000, 0, 394, NULL), 0);
	clock_advance(4000);
	s = state_of(b);
	assert_int_equal(s.api.left, 0);
	assert_int_equal(s.paused_until_ms, 0);
	assert_int_equal(ask_said(b, PERSON(2000), -1, -1, -1, sentence),
			 -EDQUOT);
	assert_non_null(strstr(sentence, "in 390 s"));
	clock_advance(390 * 1000);
	s = state_of(b);
	assert_int_equal(s.api.left, 1000);
	assert_false(s.api.told);
	assert_int_equal(s.api.reset_ms, 0);
	assert_int_equal(ask(b, PERSON(2000)), 0);
	assert_int_equal(state_of(b).api.left, 999);
}

static void odd_words(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);

	(void)state;
	/* No moment: for a minute. */
	assert_int_equal(ask_said(b, PERSON(1000), -1, 0, -1, NULL), 0);
	assert_int_equal(ask(b, PERSON(2000)), -EDQUOT);
	clock_advance(MINUTE);
	assert_int_equal(ask(b, PERSON(2000)), 0);
	/* A limit that is none, and one that nobody believes. */
	assert_int_equal(ask_said(b, PERSON(3000), 0, -1, -1, NULL), 0);
	assert_int_equal(state_of(b).api.limit, 1000);
	assert_int_equal(
		ask_said(b, PERSON(4000), INT64_MAX, INT64_MAX, 10, NULL), 0);
	assert_int_equal(state_of(b).api.limit, 1000);
	assert_int_equal(ask(b, refresher), 0);
	/* A window longer than an hour is none. */
	clock_advance(10 * 1000);
	assert_int_equal(ask_said(b, PERSON(5000), 500, 0, 10 * 3600, NULL), 0);
	assert_int_equal(ask(b, PERSON(6000)), -EDQUOT);
	clock_advance(HOUR - 1000);
	assert_int_not_equal(state_of(b).waits_until_ms[CTX_PERSON], 0);
	/* Nor is a limit known for longer. */
	assert_int_equal(state_of(b).api.limit, 500);
	clock_advance(1000);
	assert_int_equal(state_of(b).waits_until_ms[CTX_PERSON], 0);
	assert_int_equal(ask(b, PERSON(6000)), 0);
	assert_int_equal(state_of(b).api.limit, 1000);
}

static void near_the_limit(void **state)
{
	cleanup(budget_free) struct budget *b = new_budget(0, 0);
	const struct asker who = PERSON(1000);
	struct http_response a = answer(200);

	(void)state;
	a.rate_limit = 5000;
	a.rate_near_limit = true;
	observed(b, &who, &a);
	assert_int_equal(state_of(b).api.limit, 5000);
	assert_int_equal(state_of(b).api.left, 1000);
	assert_int_equal(ask(b, refresher), -EDQUOT);
	assert_int_equal(state_of(b).waits_until_ms[CTX_WALK],
			 WALL + 5 * MINUTE);
	assert_int_equal(ask_apart(b, 1), 1);
	a.rate_near_limit = false;
	observed(b, &who, &a);
	assert_int_equal(ask(b, refresher), 0);
	a.rate_near_limit = true;
	observed(b, &who, &a);
	clock_advance(5 * MINUTE);
	assert_int_equal(ask(b, refresher), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, fake_time, real_time)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(counts_an_hour),
		TEST(counts_what_the_service_counts),
		TEST(git_is_apart),
		TEST(many_at_once_are_not_let_through),
		TEST(refreshes_leave_half),
		TEST(a_walk_leaves_a_reserve),
		TEST(a_walk_is_called_what_walks),
		TEST(a_walk_goes_on_when_the_window_moves),
		TEST(ten_quiet_minutes_make_a_person),
		TEST(walks_that_begin_anew_leave_something),
		TEST(no_walk_if_they_say_so),
		TEST(who_is_gone_is_a_group_of_its_own),
		TEST(those_that_come_and_go_are_one_walk),
		TEST(at_a_terminal_they_fade),
		TEST(a_ceiling_is_over_all_who_are_no_walks),
		TEST(who_has_ended_is_remembered),
		TEST(fetching_ahead_counts_for_who_reads),
		TEST(many_groups_are_not_remembered_for_ever),
		cmocka_unit_test(a_thread_is_of_a_process),
		cmocka_unit_test(a_name_with_anything_in_it),
		TEST(its_word_goes_before_our_count),
		TEST(nothing_is_left_until_it_begins_anew),
		TEST(odd_words),
		TEST(near_the_limit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
