/*
 * fs/era: eras stay until the end of the mount, a few words each; handles until
 * the kernel closes them.
 */
#include "fs/era.h"

#include "base/ctx.h"
#include "base/map.h"

struct era_opened {
	struct era_opened *prev, *next;
	struct era *era;
	struct opened *opened; /* the model's; fixed */
};

void era_all_init(struct era_all *eras, struct model *model,
		  struct ctx_group *group)
{
	struct era *era = mem_calloc(1, sizeof(*era));

	*era = (struct era){.model = model, .group = group};
	*eras = (struct era_all){.now = era};
	mutex_init(&eras->lock);
	cond_init(&eras->left);
}

void era_all_done(struct era_all *eras)
{
	struct era_opened *opened, *next;
	struct era *era, *before;

	mutex_lock(&eras->lock);
	for (era = eras->now; era; era = before) {
		before = era->before;
		DL_FOREACH_SAFE (era->opened, opened, next)
			free(opened);
		free(era);
	}
	eras->now = NULL;
	mutex_unlock(&eras->lock);
	cond_done(&eras->left);
	mutex_done(&eras->lock);
}

struct era *era_enter(struct era_all *eras)
{
	struct era *era;

	mutex_lock(&eras->lock);
	era = eras->now;
	era->n_users++;
	mutex_unlock(&eras->lock);
	return era;
}

void era_leave(struct era_all *eras, struct era *era)
{
	mutex_lock(&eras->lock);
	if (--era->n_users == 0 && era != eras->now)
		cond_broadcast(&eras->left);
	mutex_unlock(&eras->lock);
}

uint64_t era_open(struct era_all *eras, struct era *era, struct opened *opened)
{
	struct era_opened *handle = mem_calloc(1, sizeof(*handle));

	handle->era = era;
	handle->opened = opened;
	mutex_lock(&eras->lock);
	DL_APPEND(era->opened, handle);
	mutex_unlock(&eras->lock);
	return (uintptr_t)handle;
}

static struct era *enter_opened(struct era_all *eras,
				const struct era_opened *handle,
				struct opened **ret_opened)
	requires_lock(eras->lock)
{
	if (handle->era != eras->now)
		return NULL;
	*ret_opened = handle->opened;
	handle->era->n_users++;
	return handle->era;
}

struct era *era_enter_opened(struct era_all *eras, uint64_t handle,
			     struct opened **ret_opened)
{
	struct era *era;

	mutex_lock(&eras->lock);
	era = enter_opened(eras, (struct era_opened *)(uintptr_t)handle,
			   ret_opened);
	mutex_unlock(&eras->lock);
	return era;
}

struct era *era_enter_closed(struct era_all *eras, uint64_t handle,
			     struct opened **ret_opened)
{
	struct era_opened *closed = (struct era_opened *)(uintptr_t)handle;
	struct era *era;

	mutex_lock(&eras->lock);
	era = enter_opened(eras, closed, ret_opened);
	DL_DELETE(closed->era->opened, closed);
	mutex_unlock(&eras->lock);
	free(closed);
	return era;
}

/* 1. The mount ends: the group of now is cancelled.
 * 2. A new era begins, with a group that nobody cancels.
 * 3. The loop waits for a request of it, which waits for the network.
 * So no era begins after the end. */
void era_all_end(struct era_all *eras)
{
	struct era *era;

	mutex_lock(&eras->lock);
	eras->ended = true;
	era = eras->now;
	era->n_users++;
	mutex_unlock(&eras->lock);
	ctx_group_cancel(era->group);
	era_leave(eras, era);
}

int era_begin(struct era_all *eras, struct model *model,
	      struct ctx_group *group, struct era **ret_before)
{
	struct era *era = mem_calloc(1, sizeof(*era));
	bool ended;

	*era = (struct era){.model = model, .group = group};
	mutex_lock(&eras->lock);
	ended = eras->ended;
	if (!ended) {
		era->before = eras->now;
		eras->now = era;
		*ret_before = era->before;
	}
	mutex_unlock(&eras->lock);
	if (!ended)
		return 0;
	free(era);
	return -ESHUTDOWN;
}

void era_await(struct era_all *eras, struct era *era)
{
	mutex_lock(&eras->lock);
	while (era->n_users)
		cond_wait(&eras->left, &eras->lock);
	mutex_unlock(&eras->lock);
}
