/*
 * Answers as the service gives them, and programs that ask: what the tests of
 * api/budget share.
 */
#ifndef TESTS_BUDGET_WORLD_H
#define TESTS_BUDGET_WORLD_H

#include "api/budget.h"

#include "base/clock.h"
#include "base/ctx.h"

#include <setjmp.h>
#include <stdarg.h>
#include <unistd.h>

#include <cmocka.h>

#define MINUTE (INT64_C(60) * 1000)
#define HOUR (60 * MINUTE)
/* The beginning of a minute. */
#define WALL (INT64_C(29833333) * MINUTE)

static inline struct http_response answer(long status)
{
	return (struct http_response){
		.status = status,
		.retry_after_s = -1,
		.rate_limit = -1,
		.rate_remaining = -1,
		.rate_reset_s = -1,
		.content_length = -1,
		.n_asked = 1,
	};
}

/* Of whom a request is. */
struct asker {
	enum ctx_class who;
	int32_t thread;
};
__attribute__((unused)) static const struct asker anybody = {CTX_PERSON, 0};

/* 0 and under way, or what budget_admit said, with its sentence. */
static inline int admit(struct budget *b, const struct asker *who,
			struct ctx *ctx)
{
	ctx_init(ctx, NULL, 20000);
	ctx->who = who->who;
	ctx->caller = who->thread;
	return budget_admit(ctx, b);
}

/* An answer to a request that was admitted before everything was forbidden. */
__attribute__((unused)) static int64_t
observed(struct budget *b, const struct asker *who,
	 const struct http_response *answer)
{
	struct ctx ctx;
	int64_t pause;
	int r = admit(b, who, &ctx);

	assert_int_equal(r, 0);
	pause = budget_observe(&ctx, b, answer);
	ctx_done(&ctx);
	return pause;
}

/* Threads 1000 to 1999 are of session 10, and so on; those under 1000 are gone,
 * those from 1,000,000,000 on have no terminal. The last digits are the
 * program's: that of 1900 is called otherwise than that of 1000.
 */
__attribute__((unused)) static int who_of(void *arg, int32_t thread,
					  struct budget_who *ret)
{
	unsigned *n_asked = arg;

	if (n_asked)
		++*n_asked;
	if (thread < 1000)
		return -ENOENT;
	*ret = (struct budget_who){.session = thread / 1000 * 10,
				   .terminal = thread < 1000000000};
	if (thread % 1000 >= 900)
		snprintf(ret->name, sizeof(ret->name), "look%d",
			 (int)thread % 1000);
	else
		snprintf(ret->name, sizeof(ret->name), "job\t%d",
			 (int)ret->session);
	return 0;
}

__attribute__((unused)) static struct budget *new_budget(int64_t api_hour,
							 unsigned walk)
{
	return budget_new(&(struct budget_config){
		.api_hour = api_hour, .walk = walk, .who_of = who_of});
}

#define PERSON(thread) ((struct asker){CTX_PERSON, thread})
__attribute__((unused)) static const struct asker refresher = {CTX_REFRESH, 0};

__attribute__((unused)) static int ask_said(struct budget *b, struct asker who,
					    int64_t limit, int64_t remaining,
					    int64_t reset_s, char sentence[512])
{
	struct http_response a = answer(200);
	struct ctx ctx;
	int r = admit(b, &who, &ctx);

	a.rate_limit = limit;
	a.rate_remaining = remaining;
	a.rate_reset_s = reset_s;
	if (r == 0)
		budget_observe(&ctx, b, &a);
	else if (sentence)
		memcpy(sentence, ctx.sentence, sizeof(ctx.sentence));
	/* What another one might do differently. */
	assert_int_equal(ctx.refused, r == -EDQUOT && ctx.who != CTX_PERSON);
	ctx_done(&ctx);
	return r;
}

__attribute__((unused)) static int ask(struct budget *b, struct asker who)
{
	return ask_said(b, who, -1, -1, -1, NULL);
}

/* How many of n are admitted. */
__attribute__((unused)) static unsigned ask_often(struct budget *b,
						  struct asker who, unsigned n)
{
	unsigned n_admitted = 0;

	for (unsigned i = 0; i < n; i++)
		n_admitted += ask(b, who) == 0;
	return n_admitted;
}

/* n requests, each of a group of its own: no walk. */
__attribute__((unused)) static unsigned ask_apart(struct budget *b, unsigned n)
{
	static int32_t thread = 5000000;
	unsigned n_admitted = 0;

	for (unsigned i = 0; i < n; i++)
		n_admitted += ask(b, PERSON(thread += 1000)) == 0;
	return n_admitted;
}

__attribute__((unused)) static struct budget_state state_of(struct budget *b)
{
	struct budget_state s;

	budget_state(b, &s);
	return s;
}

__attribute__((unused)) static int fake_time(void **state)
{
	(void)state;
	clock_fake(1000 * MINUTE, WALL);
	return 0;
}

__attribute__((unused)) static int real_time(void **state)
{
	(void)state;
	clock_real();
	return 0;
}

#endif
