/*
 * model/dirs/warm: whoever enters a repository's directory will look at its
 * files: a connection with git's server is made meanwhile (clone_warm).
 *
 * Not for a walk, which enters all repositories and looks into few: a process
 * group (a pipeline, a script) has three a minute, and none once it has spent a
 * walk's share of the API's quota.
 */
#include "model/dirs/warm.h"
#include "model/repository.h"

#include "base/clock.h"

#define GROUPS 32
#define MOST 3
#define WINDOW_MS (INT64_C(60) * 1000)

struct warm_all {
	struct mutex lock;
	struct {
		int32_t group;
		int64_t at_ms[MOST]; /* clock_mono_ms; the oldest first */
	} groups[GROUPS] under_lock;
};

struct warm_all *warm_all_new(void)
{
	struct warm_all *all = mem_calloc(1, sizeof(*all));

	mutex_init(&all->lock);
	return all;
}

struct warm_all *warm_all_free(struct warm_all *all)
{
	if (!all)
		return NULL;
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

bool warm_may(struct warm_all *all, int32_t group, int64_t now_ms)
{
	size_t at = 0;
	bool may;

	mutex_lock(&all->lock);
	/* Its own place, else that of who asked longest ago. */
	for (size_t i = 0; i < GROUPS; i++) {
		if (all->groups[i].group == group) {
			at = i;
			break;
		}
		if (all->groups[i].at_ms[MOST - 1] <
		    all->groups[at].at_ms[MOST - 1])
			at = i;
	}
	if (all->groups[at].group != group)
		memset(&all->groups[at], 0, sizeof(all->groups[at]));
	all->groups[at].group = group;
	may = !all->groups[at].at_ms[0] ||
	      now_ms - all->groups[at].at_ms[0] >= WINDOW_MS;
	if (may) {
		memmove(&all->groups[at].at_ms[0], &all->groups[at].at_ms[1],
			(MOST - 1) * sizeof(all->groups[at].at_ms[0]));
		all->groups[at].at_ms[MOST - 1] = now_ms;
	}
	mutex_unlock(&all->lock);
	return may;
}

static bool is_walk(struct ctx *ctx, struct model *model)
{
	bool is = budget_refuses(ctx, model->config.budget) < 0;

	ctx->sentence[0] = '\0';
	ctx->refused = false;
	return is;
}

void warm_entered(struct ctx *ctx, struct model *model, struct node *dir)
{
	struct clone *clone = NULL;
	struct budget_who who;

	if (ctx->who != CTX_PERSON || ctx->walks || ctx->caller <= 0 ||
	    ctx_is_barred(ctx) || repository_clone(model, dir, &clone) < 0)
		return;
	if (clone_is_cold(clone) && !is_walk(ctx, model)) {
		budget_identify(model->config.budget, ctx->caller, &who);
		if (warm_may(model->warm, who.group, clock_mono_ms()))
			clone_warm(ctx, clone);
	}
	clone_unref(clone);
}
