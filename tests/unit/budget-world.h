/*
 * Answers as the service gives them, and programs that ask: what the tests of
 * remote/budget share.
 */
#ifndef TESTS_BUDGET_WORLD_H
#define TESTS_BUDGET_WORLD_H

#include "remote/budget.h"

#include "base/clock.h"
#include "base/sync.h"

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
	enum ctx_class class;
	int32_t thread;
};
static const struct asker anybody = {CTX_PERSON, 0};

/* 0 and under way, or what budget_admit said, with its sentence. */
static inline int admit(struct budget *b, const struct asker *who,
			struct ctx *ctx)
{
	ctx_init(ctx, NULL, 20000);
	ctx->class = who->class;
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
