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
	int r;

	ctx_because(ctx, "refresh");
	r = session_run(live->session, ctx, refresh, &asked);
	session_await_told(live->session);
	return r;
}

static int fetch(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	return model_fetch(ctx, model, asked->words[0], asked->answer);
}

int live_fetch(void *arg, struct ctx *ctx, const char *const *words,
	       struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	return session_run(live->session, ctx, fetch, &asked);
}

static int fetch_lfs(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	return model_fetch_lfs(ctx, model, asked->words[0], asked->answer);
}

int live_fetch_lfs(void *arg, struct ctx *ctx, const char *const *words,
		   struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	return session_run(live->session, ctx, fetch_lfs, &asked);
}

static int fetch_cost(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	return model_fetch_cost(ctx, model, asked->words[0], asked->answer);
}

int live_fetch_cost(void *arg, struct ctx *ctx, const char *const *words,
		    struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	return session_run(live->session, ctx, fetch_cost, &asked);
}

static int fetch_stop(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	(void)ctx;
	model_fetch_stop(model, asked->words[0], asked->answer);
	return 0;
}

int live_fetch_stop(void *arg, struct ctx *ctx, const char *const *words,
		    struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	return session_run(live->session, ctx, fetch_stop, &asked);
}

static int status(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;

	model_status(ctx, model, asked->words[0], asked->answer);
	return asked->answer->failed;
}

/* A mount that fetches by SSH may have been started where no agent was; who
 * looks at it has one. It need not hear of it. */
int live_status(void *arg, struct ctx *ctx, const char *const *words,
		struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};
	char why[512];

	if (*words[1] == '/')
		(void)live_use_agent(live, words[1], why);
	return session_run(live->session, ctx, status, &asked);
}

static int heard(void *arg, struct ctx *ctx, struct model *model)
{
	const struct asked *asked = arg;
	const char *const *words = asked->words;
	const struct model_news news = {
		.uuid = words[0],
		.workspace = words[1],
		.slug = words[2],
		.ask = !strcmp(words[3], "ask"),
		.path = words[4],
	};

	return model_heard(ctx, model, &news, asked->answer);
}

int live_heard(void *arg, struct ctx *ctx, const char *const *words,
	       struct buf *answer)
{
	const struct live *live = arg;
	struct asked asked = {words, answer};

	ctx_because(ctx, "refresh --webhook");
	return session_run(live->session, ctx, heard, &asked);
}
