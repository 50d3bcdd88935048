/*
 * model/wiring: a model's beginning and end. Of the model's files this one
 * alone knows them all; nobody below calls another by name where a member of a
 * provider, or of struct model, will do.
 */
#include "model/absent.h"
#include "model/dirs/control.h"
#include "model/dirs/heard.h"
#include "model/dirs/hierarchy.h"
#include "model/dirs/row_file.h"
#include "model/dirs/status.h"
#include "model/dirs/warm.h"
#include "model/git/ahead.h"
#include "model/git/checkout.h"
#include "model/git/large.h"
#include "model/git/large_count.h"
#include "model/git/lfs.h"
#include "model/git/refs.h"
#include "model/git/checkout_submodule_table.h"
#include "model/git/walk.h"
#include "model/work/fetch.h"
#include "model/work/prefetch.h"

#include "base/clock.h"

/* Providers that keep something in the model, to be freed at its end. */
static const struct provider *const providers[] = {
	&provider_row_file,
	&provider_refs,
	NULL,
};

int model_new(const struct model_config *config, struct model **ret_model)
{
	struct model *model = mem_calloc(1, sizeof(*model));
	const struct node_what root = {
		.provider = &provider_row_dir,
		.mode = NODE_DIRECTORY,
		.data = row_dir_new(&resource_workspaces,
				    documents_root_scope()),
		.mtime_ms = clock_wall_ms(),
		.version = config->generation,
	};

	model->config = *config;
	if (model->config.ttl_ms <= 0)
		model->config.ttl_ms = MODEL_TTL_MS;
	if (!model->config.listed)
		model->config.listed = 10;
	model->started_ms = clock_wall_ms();
	model->control = &provider_control;
	model->specials = specials_all;
	model->collection_seen = prefetch_note;
	model->checkout_heard = checkout_heard;
	model->refresh_place = control_refresh_place;
	model->heard = heard_place;
	model->lfs_read = large_read;
	model->untrue = large_untrue;
	model->listings = listed_all_new(config->most_open, config->most_kept);
	model->nodes = node_table_new(&root, model->listings);
	model->absent = absent_new();
	model->fetches = fetch_all_new();
	model->walks = walk_all_new();
	model->warm = warm_all_new();
	model->ahead = ahead_new();
	model->lfs = lfs_places_new();
	model->large = large_new();
	model->counts = large_counts_new();
	model->problems = problems_new();
	model->events = events_new();
	mutex_init(&model->lock);
	*ret_model = model;
	return 0;
}

void model_status(struct ctx *ctx, struct model *model, const char *path,
		  struct buf *out)
{
	cleanup(json_free) struct json *root = status_json(model);

	fetch_json(model, root);
	status_repository_json(ctx, model, path, root);
	json_pretty(root, out);
}

int model_fetch(struct ctx *ctx, struct model *model, const char *path,
		struct buf *said)
{
	return fetch_run(ctx, model, path, said);
}

int model_fetch_lfs(struct ctx *ctx, struct model *model, const char *path,
		    struct buf *said)
{
	return fetch_run_lfs(ctx, model, path, said);
}

int model_fetch_cost(struct ctx *ctx, struct model *model, const char *path,
		     struct buf *out)
{
	return fetch_cost(ctx, model, path, out);
}

void model_fetch_stop(struct model *model, const char *path, struct buf *said)
{
	fetch_stop(model, path, said);
}

int model_start(struct model *model, const struct model_kernel *kernel)
{
	int r;

	model->kernel = *kernel;
	model->started = true;
	r = refresh_start(model, &model->refresh);
	if (r < 0)
		return r;
	model->prefetch = prefetch_new(model);
	checkout_hydrate_start(model);
	if (model->config.check_behind)
		control_refresh_user(model);
	return 0;
}

int model_find_ref(struct ctx *ctx, struct model *model, const char *path,
		   size_t *ret_parts, char hex[static 41])
{
	return refs_place(ctx, model, path, ret_parts, hex);
}

int model_submodule(struct ctx *ctx, struct model *model, const char *path,
		    struct buf *out)
{
	return checkout_submodule_table_say(ctx, model, path, out);
}

void model_stop(struct model *model)
{
	checkout_hydrate_stop(model);
	large_counts_stop(model);
	model->prefetch = prefetch_free(model->prefetch);
	model->refresh = refresh_stop(model->refresh);
	model->started = false;
}

struct model *model_free(struct model *model)
{
	if (!model)
		return NULL;
	model_stop(model);
	for (size_t i = 0; providers[i]; i++)
		if (providers[i]->end)
			providers[i]->end(model);
	node_table_free(model->nodes);
	listed_all_free(model->listings);
	absent_free(model->absent);
	fetch_all_free(model->fetches);
	walk_all_free(model->walks);
	warm_all_free(model->warm);
	ahead_free(model->ahead);
	lfs_places_free(model->lfs);
	large_free(model->large);
	large_counts_free(model->counts);
	problems_free(model->problems);
	events_free(model->events);
	mutex_done(&model->lock);
	free(model);
	return NULL;
}
