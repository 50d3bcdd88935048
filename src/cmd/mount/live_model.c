/*
 * cmd/mount/live: questions to the model of now, which may be replaced
 * meanwhile: fs/session knows when it can go.
 */
#include "live_private.h"

#include "fs/session.h"

int live_hello(void *live, struct ctx *ctx, const char *const *words,
	       struct buf *answer)
{
	(void)live;
	(void)ctx;
	(void)words;
	(void)answer;
	return 0;
}

struct asked {
	const char *const *words;
	struct buf *answer;
};

static int refresh(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	return model_refresh(ctx, model, asked->words[0], asked->answer);
}

int live_refresh(void *arg, struct ctx *ctx, const char *const *words,
		 struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	return session_run(live->session, ctx, refresh, &asked);
}
