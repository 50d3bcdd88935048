/*
 * What `status` wants to know of the clones: snapshots, told with no lock held.
 */
#include "clone/clone_private.h"

struct snapshot {
	char *workspace, *slug, *ref;
	struct clone_progress progress;
	struct clone_head head;
	bool held;
	const struct clone_server *server;
};

static void snapshot_names(struct snapshot *s, const char *workspace,
			   const char *slug)
{
	s->workspace = mem_strdup(workspace);
	s->slug = mem_strdup(slug);
}

static void snapshots_free(struct snapshot *snapshots, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		free(snapshots[i].workspace);
		free(snapshots[i].slug);
		free(snapshots[i].ref);
	}
	free(snapshots);
}

/* Of batches, all of them together. */
static void snapshot_rest(struct clone_progress *p, const struct clone_job *j)
{
	p->is_rest = j->need.kind == CLONE_NEED_ALL &&
		     (j->rest.n_all || j->rest.waits);
	if (!p->is_rest)
		return;
	p->n_bytes += j->rest.n_bytes;
	if (j->rest.whole)
		return;
	p->n_objects += (unsigned)(j->rest.n_all - j->rest.n_left);
	p->n_objects_total = (unsigned)j->rest.n_all;
}

static void snapshot_job(struct snapshot *s, const struct clone_job *j)
{
	snapshot_names(s, j->workspace, j->slug);
	s->progress = (struct clone_progress){
		.workspace = s->workspace,
		.slug = s->slug,
		.n_bytes = j->progress.n_bytes,
		.n_objects = j->progress.n_objects,
		.n_objects_total = j->progress.n_objects_total,
		.since_ms = j->since_ms,
		.waiting = !j->is_running || j->rest.waits,
	};
	snapshot_rest(&s->progress, j);
}

void clone_set_running(struct clone_set *cs,
		       bool (*each)(void *arg, const struct clone_progress *),
		       void *arg)
{
	struct snapshot *snapshots;
	struct clone_job *j;
	size_t n = 0, n_waiting = 0;

	mutex_lock(&cs->lock);
	DL_COUNT(cs->fetches, j, n_waiting);
	snapshots = mem_calloc(n_waiting + CLONE_WORKERS, sizeof(*snapshots));
	DL_FOREACH (cs->running, j) {
		if (j->kind == CLONE_JOB_FETCH && !j->batch)
			snapshot_job(&snapshots[n++], j);
	}
	DL_FOREACH (cs->fetches, j) {
		snapshot_job(&snapshots[n++], j);
	}
	mutex_unlock(&cs->lock);
	for (size_t i = 0; i < n && each(arg, &snapshots[i].progress); i++)
		;
	snapshots_free(snapshots, n);
}

void clone_set_shown(struct clone_set *cs,
		     bool (*each)(void *arg, const struct clone_shown *),
		     void *arg)
{
	struct snapshot *snapshots;
	struct clone *c, *next;
	struct clone_tracking *tracking, *next_tracking;
	struct clone_shown shown;
	size_t n = 0;

	mutex_lock(&cs->lock);
	HASH_ITER (hh, cs->clones, c, next)
		n += HASH_COUNT(c->trackings);
	snapshots = mem_calloc(n + 1, sizeof(*snapshots));
	n = 0;
	HASH_ITER (hh, cs->clones, c, next) {
		HASH_ITER (hh, c->trackings, tracking, next_tracking) {
			if (!tracking->has_head)
				continue;
			snapshot_names(&snapshots[n], c->workspace, c->slug);
			snapshots[n].ref = mem_strdup(tracking->ref);
			snapshots[n].held = c->held;
			snapshots[n].server = c->has_tip && c->tip.server
						      ? c->tip.server
						      : &cs->server;
			snapshots[n++].head = tracking->head;
		}
	}
	mutex_unlock(&cs->lock);
	for (size_t i = 0; i < n; i++) {
		shown.workspace = snapshots[i].workspace;
		shown.slug = snapshots[i].slug;
		shown.ref = snapshots[i].ref;
		shown.head = snapshots[i].head;
		shown.held = snapshots[i].held;
		shown.git = snapshots[i].server->url;
		shown.git_is_own = snapshots[i].server->is_own;
		if (!each(arg, &shown))
			break;
	}
	snapshots_free(snapshots, n);
}

uint64_t clone_trees_parsed(void)
{
	return objects_trees_parsed();
}

bool clone_expire_all(void)
{
	return objects_expire_all();
}
