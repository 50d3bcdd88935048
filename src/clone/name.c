/*
 * What a repository is called, and whether its git server's answers are its.
 *
 * Git knows names only: after a rename the old name may be another
 * repository's, and its answers prove nothing about the uuid. So what a
 * question brought is taken when nothing moved, or when the repository's own
 * object still has the name (asked for by uuid, once a move, never for a poll).
 * Where that cannot be asked, a move is shown as long as the listing that gave
 * the name is believed, but not kept on disk; else the old state stays.
 *
 * When the name turns out to be another's, what was learnt after the name was
 * last known to be right is forgotten. In the cache there is for that, in the
 * space "learnt": when the state that is kept was learnt, when the name was
 * confirmed since, and the name; in "name-until" (content's): when a
 * whole listing last had the former name.
 */
#include "clone/clone_private.h"

#include "base/clock.h"
#include "base/text.h"

#include <inttypes.h>

#define LEARNT "learnt"
#define CONFIRM_MS 15000
/* So long the listing may still tell a name that is known to be outdated. */
#define FORMER_MS (INT64_C(10) * 60 * 1000)

static char *full_name(const char *workspace, const char *slug)
{
	return mem_asprintf("%s/%s", workspace, slug);
}

/* ---- what is kept ---- */

static void learnt_load(struct clone *c)
{
	struct clone_set *cs = c->clones;
	cleanup(blob_unref) struct blob *fact = NULL;
	cleanup(free) char *name = NULL;
	long long learnt = 0, confirmed = 0;
	int at = 0;

	if (cache_fact_get(cs->cache, LEARNT, c->uuid, strlen(c->uuid),
			   &fact) >= 0 &&
	    sscanf(blob_data(fact), "%lld %lld %n", &learnt, &confirmed, &at) ==
		    2 &&
	    at)
		name = mem_strdup((const char *)blob_data(fact) + at);
	mutex_lock(&cs->lock);
	if (!c->learnt_loaded) {
		c->learnt_loaded = true;
		c->learnt_as = steal(&name);
		c->learnt_ms = learnt;
		c->confirmed_ms = confirmed;
	}
	mutex_unlock(&cs->lock);
}

static void learnt_store(struct clone *c)
{
	struct clone_set *cs = c->clones;
	cleanup(free) char *text = NULL;

	mutex_lock(&cs->lock);
	text = mem_asprintf("%" PRId64 " %" PRId64 " %s", c->learnt_ms,
			    c->confirmed_ms, c->learnt_as ? c->learnt_as : "");
	mutex_unlock(&cs->lock);
	(void)cache_fact_put(cs->cache, LEARNT, c->uuid, strlen(c->uuid), text,
			     strlen(text));
}

/* When a whole listing last had the name before this one. */
static int64_t listed_until(struct clone *c)
{
	cleanup(blob_unref) struct blob *fact = NULL;
	uint64_t ms = 0;

	if (cache_fact_get(c->clones->cache, "name-until", c->uuid,
			   strlen(c->uuid), &fact) < 0 ||
	    text_parse_u64(blob_data(fact), INT64_MAX, &ms) < 0)
		return 0;
	return (int64_t)ms;
}

/* ---- forgetting ---- */

struct heads {
	const char *uuid;
	size_t n_uuid;
	char **keys;
	size_t n;
};

static int note_head(void *arg, const struct cache_fact *f)
{
	struct heads *heads = arg;
	const char *key = f->key;

	if (f->n_key < heads->n_uuid ||
	    memcmp(key, heads->uuid, heads->n_uuid) != 0 ||
	    (f->n_key > heads->n_uuid && key[heads->n_uuid] != '/'))
		return 0;
	heads->keys =
		mem_realloc(heads->keys, (heads->n + 1) * sizeof(*heads->keys));
	heads->keys[heads->n++] = mem_dup0(key, f->n_key);
	return 0;
}

/* On the disk: no later mount recalls a head or a list of names. */
static void forget_facts(struct clone *c)
{
	struct cache *cache = c->clones->cache;
	struct heads heads = {.uuid = c->uuid, .n_uuid = strlen(c->uuid)};

	(void)cache_fact_each(cache, "head", note_head, &heads);
	for (size_t i = 0; i < heads.n; i++) {
		(void)cache_fact_put(cache, "head", heads.keys[i],
				     strlen(heads.keys[i]), "-", 1);
		free(heads.keys[i]);
	}
	free(heads.keys);
	(void)cache_fact_put(cache, "refs", c->uuid, heads.n_uuid, "-", 1);
}

/* In memory: what is needed next is recalled from the disk. */
static void forget_memory(struct clone *c)
{
	struct clone_set *cs = c->clones;
	struct clone_refs *names;
	struct clone_tracking *tracking, *next;

	mutex_lock(&cs->lock);
	names = c->names;
	c->names = NULL;
	c->names_ms = 0;
	c->has_tip = false;
	c->recalled = false;
	c->unsure = false;
	c->names_unsure = false;
	c->n_forgotten++;
	HASH_ITER (hh, c->trackings, tracking, next) {
		tracking->has_head = false;
		tracking->loaded = false;
	}
	mutex_unlock(&cs->lock);
	clone_refs_unref(names);
}

/* After a rename. */
static void name_check(struct clone *c)
{
	struct clone_set *cs = c->clones;
	cleanup(free) char *name = NULL;
	bool same, doubt, unsure;
	int64_t until;

	learnt_load(c);
	mutex_lock(&cs->lock);
	name = full_name(c->workspace, c->slug);
	same = !c->learnt_as || strcmp(c->learnt_as, name) == 0;
	unsure = c->unsure || c->names_unsure;
	mutex_unlock(&cs->lock);
	if (same)
		return;
	until = listed_until(c);
	mutex_lock(&cs->lock);
	if (c->confirmed_ms > until)
		until = c->confirmed_ms;
	doubt = c->learnt_ms > until;
	/* Otherwise a directory that still has the old name would offer it,
	 * and lead back to the other repository. */
	if (unsure) {
		free(c->former);
		c->former = c->learnt_as;
		c->former_ms = clock_mono_ms();
	} else {
		free(c->learnt_as);
	}
	c->learnt_as = steal(&name);
	mutex_unlock(&cs->lock);
	/* The disk first: publish() (tracking.c) takes its own record on the
	 * disk back when it finds memory forgotten. */
	if (doubt)
		forget_facts(c);
	if (doubt || unsure)
		forget_memory(c);
	learnt_store(c);
}

/* ---- an answer ---- */

static bool same_tip(const struct clone_tip *a, const struct clone_tip *b)
{
	return a->empty == b->empty &&
	       (a->empty || oid_equal(&a->commit, &b->commit));
}

/* An answer is compared with what is shown, which may be what an earlier mount
 * left in the cache. */
static void load_known(struct clone *c)
{
	cleanup(blob_unref) struct blob *fact = NULL;
	struct clone_head head;

	clone_refs_load(c);
	if (cache_fact_get(c->clones->cache, "head", c->uuid, strlen(c->uuid),
			   &fact) >= 0)
		(void)clone_tracking_load(clone_tracking(c, NULL), &head);
}

static void take_name(struct clone_job *j, const char *workspace,
		      const char *slug)
{
	struct clone_set *cs = j->clones;
	struct clone *c = j->clone;

	mutex_lock(&cs->lock);
	free(c->former);
	c->former = full_name(j->workspace, j->slug);
	c->former_ms = clock_mono_ms();
	free(j->workspace);
	free(j->slug);
	j->workspace = mem_strdup(workspace);
	j->slug = mem_strdup(slug);
	clone_rename(cs, c, workspace, slug);
	mutex_unlock(&cs->lock);
	name_check(c);
}

static bool is_former(const struct clone *c, const char *name)
{
	return c->former && clock_mono_ms() - c->former_ms <= FORMER_MS &&
	       strcmp(c->former, name) == 0;
}

/* The name that it is known to have, "workspace/slug". */
static void keep_name(struct clone_set *cs, struct clone *c, const char *name)
	requires_lock(cs->lock)
{
	const char *slash = strchr(name, '/');
	cleanup(free) char *workspace = NULL;

	if (!slash)
		return;
	workspace = mem_dup0(name, (size_t)(slash - name));
	if (clone_is_name(workspace) && clone_is_name(slash + 1))
		(void)clone_rename(cs, c, workspace, slash + 1);
}

void clone_name_offered(struct clone *c, const char *workspace,
			const char *slug)
{
	struct clone_set *cs = c->clones;
	const struct clone_naming *names = &cs->ask_names;
	cleanup(free) char *offered = full_name(workspace, slug);
	bool doubted;

	learnt_load(c);
	mutex_lock(&cs->lock);
	doubted = names->now && c->learnt_as && c->confirmed_ms &&
		  strcmp(c->learnt_as, offered) != 0;
	mutex_unlock(&cs->lock);
	/* A directory keeps its name while somebody stands in it, long after
	 * the rename: against a name that was confirmed a listing of now
	 * counts, not that. The name may be another's, and what was learnt
	 * under the right one would be forgotten. */
	if (doubted && names->is_listed(names->arg, c->uuid, workspace, slug))
		doubted = false;
	mutex_lock(&cs->lock);
	if (doubted && c->learnt_as)
		keep_name(cs, c, c->learnt_as);
	else if (!is_former(c, offered))
		(void)clone_rename(cs, c, workspace, slug);
	mutex_unlock(&cs->lock);
	name_check(c);
}

/* Asks REST in the class of those who wait: otherwise a poll in the background
 * would spend the requests that are kept for people. If that class is refused
 * and a waiter of another one has come meanwhile, asks again as that one. */
static int name_now(struct clone_job *j, char **ret_workspace, char **ret_slug)
{
	const struct clone_naming *names = &j->clones->ask_names;
	bool again;
	int r;

	do {
		enum ctx_class who;
		int32_t caller;

		mutex_lock(&j->clones->lock);
		j->ctx->who = who = j->who;
		j->ctx->caller = caller = j->caller;
		mutex_unlock(&j->clones->lock);
		j->ctx->refused = false;
		r = names->now(names->arg, j->ctx, j->clone->uuid, j->workspace,
			       j->slug, ret_workspace, ret_slug,
			       &j->confirmed_ms);
		mutex_lock(&j->clones->lock);
		again = r < 0 && j->ctx->refused &&
			(j->who != who || j->caller != caller);
		mutex_unlock(&j->clones->lock);
	} while (again);
	/* Requests to git are not of a class: await_job asked for each waiter.
	 */
	j->ctx->who = CTX_PERSON;
	j->ctx->caller = 0;
	j->ctx->refused = false;
	return r;
}

/* 1: it has another name, which is the clone's and the job's now; 0: it has
 * this one; -errno: that cannot be asked. */
static int confirm(struct clone_job *j)
{
	cleanup(free) char *workspace = NULL, *slug = NULL;
	int64_t deadline;
	bool same;
	int r;

	deadline = ctx_narrow(j->ctx, CONFIRM_MS);
	r = name_now(j, &workspace, &slug);
	ctx_widen(j->ctx, deadline);
	if (r < 0)
		return ctx_is_cancelled(j->ctx) ? -EINTR : r;
	j->ctx->sentence[0] = '\0';
	if (!clone_is_name(workspace) || !clone_is_name(slug))
		return -EBADMSG;
	same = strcmp(workspace, j->workspace) == 0 &&
	       strcmp(slug, j->slug) == 0;
	if (!same)
		take_name(j, workspace, slug);
	return !same;
}

static bool is_listed(const struct clone_job *j)
{
	const struct clone_naming *names = &j->clones->ask_names;

	return names->is_listed(names->arg, j->clone->uuid, j->workspace,
				j->slug);
}

static void set_held(struct clone *c, bool held)
{
	mutex_lock(&c->clones->lock);
	c->held = held;
	mutex_unlock(&c->clones->lock);
}

int clone_name_judge(struct clone_job *j, struct clone_tip *tip,
		     const struct clone_refs *names, bool renamed)
{
	struct clone *c = j->clone;
	bool first, moved;
	int r = 0;

	if (renamed)
		tip->confirmed_ms = j->confirmed_ms;
	if (!j->clones->ask_names.now)
		return CLONE_NAME_TAKE;
	load_known(c);
	mutex_lock(&j->clones->lock);
	first = !c->has_tip && !c->names;
	moved = (c->has_tip && !same_tip(&c->tip, tip)) || c->unsure ||
		(names && c->names && !clone_refs_same(c->names, names));
	mutex_unlock(&j->clones->lock);
	tip->moved = first || moved;
	if (renamed || (!moved && (!first || is_listed(j))))
		return CLONE_NAME_TAKE;
	r = confirm(j);
	if (r == -EINTR)
		return r;
	if (r == 1)
		return CLONE_NAME_OTHER;
	if (r == 0)
		tip->confirmed_ms = j->confirmed_ms;
	if (r == 0)
		return CLONE_NAME_TAKE;
	/* REST says that the repository is gone: git's answer under its name is
	 * another repository's. */
	if (r == -ENOENT && first)
		return r;
	j->ctx->sentence[0] = '\0';
	tip->unsure = true;
	if (first || (r != -ENOENT && is_listed(j)))
		return CLONE_NAME_TAKE;
	set_held(c, true);
	return CLONE_NAME_HOLD;
}

bool clone_name_is_other(struct clone_job *j)
{
	char sentence[sizeof(j->ctx->sentence)];
	bool is_other;

	if (!j->clones->ask_names.now)
		return false;
	/* With the same name, git's failure is what there is to tell. */
	memcpy(sentence, j->ctx->sentence, sizeof(sentence));
	is_other = confirm(j) == 1;
	if (!is_other)
		memcpy(j->ctx->sentence, sentence, sizeof(sentence));
	return is_other;
}

void clone_name_learnt(struct clone *c, const struct clone_job *j,
		       const struct clone_tip *tip)
{
	struct clone_set *cs = c->clones;
	bool store;

	learnt_load(c);
	mutex_lock(&cs->lock);
	c->held = false;
	store = tip->moved || tip->confirmed_ms || !c->learnt_as;
	if (tip->moved || !c->learnt_as)
		c->learnt_ms = tip->checked_ms;
	if (tip->confirmed_ms)
		c->confirmed_ms = tip->confirmed_ms;
	if (store) {
		free(c->learnt_as);
		c->learnt_as = full_name(j->workspace, j->slug);
	}
	mutex_unlock(&cs->lock);
	/* Otherwise the next mount would believe the name of an answer that was
	 * not kept. */
	if (store && !tip->unsure)
		learnt_store(c);
}
