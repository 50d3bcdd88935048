/*
 * What can be shown of a clone: the heads of tracking refs, and single commits.
 *
 * Three steps lead to a head: ls-refs, the fetch of its commit (each shared by
 * all who want it, queue.c), and publish(), which records the move. The order
 * in which it records matters if the process is killed in between: the mark
 * that the commit is complete (made when it was fetched), the times of what
 * changed, the head. A head of the facts is believed when its commit is marked.
 */
#include "clone/clone_private.h"

#include "store/say.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>

enum tip_state {
	TIP_UNKNOWN, /* never asked for */
	TIP_GONE,    /* there is no such ref */
	TIP_KNOWN,
};

/* ---- commits ---- */

int clone_commit_read(struct ctx *ctx, struct objects *objects,
		      const struct oid *oid, struct clone_head *ret_head)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct commit_info info = {.tree = *oid};
	int r = objects_read_commit(ctx, objects, oid, &info);

	/* A tag may lead to a tree. */
	if (r == -EBADMSG)
		r = objects_read_tree(ctx, objects, oid, &list);
	else if (r >= 0 && !objects_has(objects, &info.tree))
		r = -ENOENT;
	if (r < 0)
		return r;
	ret_head->commit = *oid;
	ret_head->tree = info.tree;
	ret_head->time_s = info.time_s;
	return 0;
}

bool clone_commit_is_present(struct ctx *ctx, struct objects *objects,
			     const struct oid *oid,
			     enum objects_presence at_least,
			     struct clone_head *ret_head)
{
	return objects_is_present(objects, oid, at_least) &&
	       clone_commit_read(ctx, objects, oid, ret_head) >= 0;
}

int clone_known_commit(struct clone *c, const struct oid *commit,
		       struct clone_head *ret_head)
{
	struct clone_head head = {0};
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r < 0)
		return r;
	if (!clone_commit_is_present(NULL, objects, commit, CLONE_SHOWN, &head))
		return -ENOENT;
	*ret_head = head;
	return 0;
}

bool clone_was_evicted(struct clone *c)
{
	struct objects *objects;

	return clone_store(c, &objects) >= 0 && objects_was_evicted(objects);
}

bool clone_is_complete(struct clone *c, const struct oid *commit)
{
	struct objects *objects;

	return clone_store(c, &objects) >= 0 &&
	       objects_is_present(objects, commit, OBJECTS_COMPLETE);
}

static int fail_store(struct ctx *ctx, int r)
{
	return ctx_fail(ctx, r, "the repository's object store: %s",
			store_why(-r));
}

/* The commit was fetched a moment ago. If somebody has emptied the store since,
 * that is an error here: fetching again could go on for ever. */
static int read_fetched(struct ctx *ctx, struct clone *c,
			const struct oid *commit, struct clone_head *head)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r >= 0)
		r = clone_commit_read(ctx, objects, commit, head);
	return r < 0 ? fail_store(ctx, r) : 0;
}

/* Fills in what a commit says of itself. moves: another one was shown, which is
 * compared with it. */
static int fetch_commit(struct ctx *ctx, struct clone *c,
			const struct oid *commit, const struct oid *want,
			bool moves, const struct clone_source *sources,
			size_t n_sources, struct clone_head *head)
{
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r < 0)
		return fail_store(ctx, r);
	if (clone_commit_is_present(ctx, objects, commit,
				    moves ? OBJECTS_TREES : CLONE_SHOWN, head))
		return 0;
	r = clone_way_commit(ctx, c, commit, want, moves, sources, n_sources);
	return r < 0 ? r : read_fetched(ctx, c, commit, head);
}

/* Whether the marks say that it is lacking. */
static bool may_lack(struct objects *objects, const struct oid *commit,
		     enum clone_need_kind kind)
{
	enum objects_presence has = kind == CLONE_NEED_TREE ? OBJECTS_TREES
							    : OBJECTS_COMPLETE;

	return objects_is_present(objects, commit, CLONE_SHOWN) &&
	       !objects_is_present(objects, commit, has);
}

int clone_bring(struct ctx *ctx, struct clone *c, const struct oid *commit,
		const struct clone_need *need,
		const struct clone_source *sources, size_t n_sources)
{
	struct clone_need what = *need;
	struct objects *objects;
	int r = clone_store(c, &objects);

	if (r < 0)
		return fail_store(ctx, r);
	if (!may_lack(objects, commit, need->kind))
		return 0;
	/* One job for all who need something of it. */
	if (clone_comes_whole(c) ||
	    (need->kind == CLONE_NEED_ALL && oid_is_none(&need->oid)))
		what = (struct clone_need){.kind = CLONE_NEED_ALL,
					   .oid = *commit,
					   .most = need->most};
	else if (need->kind == CLONE_NEED_DIRECTORY &&
		 clone_directory_was_asked(c, &need->oid))
		return 1;
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	if (what.kind == CLONE_NEED_TREE)
		r = clone_way_tree(ctx, c, commit, &what, sources, n_sources);
	else
		r = clone_queue_fetch(ctx, c, commit, commit, &what, sources,
				      n_sources);
	ctx_wait_end(ctx);
	return r < 0 ? r : 1;
}

int clone_get_commit(struct ctx *ctx, struct clone *c, const struct oid *commit,
		     const struct clone_source *sources, size_t n_sources,
		     struct clone_head *ret_head)
{
	struct clone_head head = {0};
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	if (clone_known_commit(c, commit, ret_head) >= 0)
		return 0;
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	r = fetch_commit(ctx, c, commit, commit, false, sources, n_sources,
			 &head);
	ctx_wait_end(ctx);
	if (r < 0)
		return r;
	*ret_head = head;
	return 0;
}

/* ---- tracking refs ---- */

static struct clone_tracking *tracking_new(struct clone *c, const char *ref)
{
	struct clone_tracking *tracking = mem_calloc(1, sizeof(*tracking));

	tracking->clone = c;
	tracking->ref = mem_strdup(ref);
	clone_times_init(&tracking->times);
	return tracking;
}

void clone_tracking_free(struct clone_tracking *tracking)
{
	clone_times_done(&tracking->times);
	free(tracking->ref);
	free(tracking);
}

struct clone_tracking *clone_tracking(struct clone *c, const char *ref)
{
	struct clone_tracking *tracking, *fresh;
	size_t n;

	if (!ref)
		ref = "";
	n = strlen(ref);
	fresh = tracking_new(c, ref);
	mutex_lock(&c->clones->lock);
	HASH_FIND(hh, c->trackings, ref, n, tracking);
	if (!tracking) {
		tracking = steal(&fresh);
		HASH_ADD_KEYPTR(hh, c->trackings, tracking->ref, n, tracking);
	}
	mutex_unlock(&c->clones->lock);
	if (fresh)
		clone_tracking_free(fresh);
	return tracking;
}

static char *head_key(const struct clone_tracking *tracking)
{
	return mem_asprintf("%s%s%s", tracking->clone->uuid,
			    tracking->ref[0] ? "/" : "", tracking->ref);
}

/* "commit tree time empty branch" */
static bool parse_head(const char *text, struct clone_head *head)
{
	char commit[41], tree[41];
	int empty = 0, branch = 0;
	long long time_s;

	if (sscanf(text, "%40[0-9a-f] %40[0-9a-f] %lld %1d %n", commit, tree,
		   &time_s, &empty, &branch) != 4 ||
	    !branch || oid_parse(commit, &head->commit) < 0 ||
	    oid_parse(tree, &head->tree) < 0 ||
	    strlen(text + branch) >= sizeof(head->branch))
		return false;
	head->time_s = time_s;
	head->empty = empty != 0;
	snprintf(head->branch, sizeof(head->branch), "%s", text + branch);
	return true;
}

static bool recall_head(struct clone_tracking *tracking,
			struct clone_head *head)
{
	cleanup(blob_unref) struct blob *text = NULL, *checked = NULL;
	struct cache *cache = tracking->clone->clones->cache;
	cleanup(free) char *key = head_key(tracking);
	uint64_t ms = 0;

	*head = (struct clone_head){0};
	if (cache_fact_get(cache, "head", key, strlen(key), &text) < 0 ||
	    !parse_head(blob_data(text), head))
		return false;
	if (cache_fact_get(cache, "head-checked", key, strlen(key), &checked) >=
		    0 &&
	    text_parse_u64(blob_data(checked), INT64_MAX, &ms) >= 0)
		head->checked_ms = (int64_t)ms;
	return true;
}

/* The head of the default branch, as an earlier mount left it, is also what the
 * server said last. */
static void recall_tip(struct clone_set *cs, struct clone *c,
		       const struct clone_head *head) requires_lock(cs->lock)
{
	check(c->clones == cs);
	if (c->has_tip)
		return;
	c->has_tip = true;
	c->tip = (struct clone_tip){
		.commit = head->commit,
		.want = head->commit,
		.empty = head->empty,
		.checked_ms = head->checked_ms,
	};
	memcpy(c->tip.branch, head->branch, sizeof(c->tip.branch));
}

int clone_tracking_load(struct clone_tracking *tracking,
			struct clone_head *ret_head)
{
	struct clone *c = tracking->clone;
	struct clone_set *cs = c->clones;
	struct objects *objects;
	struct clone_head head;
	bool loaded, has, recalled, here, outdated;
	uint64_t n_forgotten;
	int r;

again:
	mutex_lock(&cs->lock);
	n_forgotten = c->n_forgotten;
	loaded = tracking->loaded;
	has = tracking->has_head;
	if (has)
		*ret_head = tracking->head;
	mutex_unlock(&cs->lock);
	if (has || loaded)
		return has ? 0 : -ENOENT;

	r = clone_store(c, &objects);
	if (r < 0)
		return r;
	recalled = recall_head(tracking, &head);
	/* Somebody may have deleted the store since. */
	here = recalled &&
	       (head.empty ||
		(objects_is_present(objects, &head.commit, CLONE_SHOWN) &&
		 objects_has(objects, &head.tree)));
	clone_times_load(tracking);
	mutex_lock(&cs->lock);
	/* Not installed when name.c forgot it while it was read, nor while a
	 * thread is publishing, which may be about to take it back. */
	outdated = c->n_forgotten != n_forgotten;
	if (!tracking->loaded && !outdated && !tracking->publishing) {
		tracking->loaded = true;
		tracking->has_head = here;
		tracking->has_lost = recalled && !here;
		if (here)
			tracking->head = head;
		else if (recalled)
			tracking->lost = head.commit;
		if (here && !tracking->ref[0])
			recall_tip(cs, c, &head);
	}
	has = tracking->has_head;
	if (has)
		*ret_head = tracking->head;
	mutex_unlock(&cs->lock);
	if (outdated)
		goto again;
	return has ? 0 : -ENOENT;
}

/* ---- what the ref is ---- */

static bool find_name(const struct clone_refs *names, const char *ref,
		      struct clone_tip *tip)
{
	static const char *const prefixes[CLONE_REF_KINDS] = {
		[CLONE_BRANCHES] = "refs/heads/",
		[CLONE_TAGS] = "refs/tags/",
	};

	for (enum clone_ref_kind kind = 0; kind < CLONE_REF_KINDS; kind++) {
		size_t n = strlen(prefixes[kind]), i;

		if (strncmp(ref, prefixes[kind], n) != 0)
			continue;
		i = clone_refs_seek(names, kind, ref + n);
		if (i == names->n_names[kind] ||
		    strcmp(names->names[kind][i], ref + n) != 0)
			return false;
		tip->commit = clone_refs_commit(names, kind, i);
		tip->want = clone_refs_want(names, kind, i);
		if (kind == CLONE_BRANCHES)
			snprintf(tip->branch, sizeof(tip->branch), "%s",
				 strlen(ref + n) < sizeof(tip->branch) ? ref + n
								       : "");
		return true;
	}
	return false;
}

static enum tip_state find_tip(struct clone_tracking *tracking,
			       struct clone_tip *tip)
{
	cleanup(clone_refs_unref) struct clone_refs *names = NULL;
	struct clone *c = tracking->clone;
	struct clone_head head;
	uint64_t n_forgotten;
	bool has;

	*tip = (struct clone_tip){0};
	/* Before the tip is read: see publish(). */
	mutex_lock(&c->clones->lock);
	n_forgotten = c->n_forgotten;
	mutex_unlock(&c->clones->lock);
	if (!tracking->ref[0]) {
		(void)clone_tracking_load(tracking, &head);
		mutex_lock(&c->clones->lock);
		has = c->has_tip;
		if (has)
			*tip = c->tip;
		tip->n_forgotten = n_forgotten;
		mutex_unlock(&c->clones->lock);
		return has ? TIP_KNOWN : TIP_UNKNOWN;
	}
	if (clone_known_refs(c, &names) < 0)
		return TIP_UNKNOWN;
	mutex_lock(&c->clones->lock);
	tip->checked_ms = c->names_ms;
	tip->serial = c->names_serial;
	tip->unsure = c->names_unsure;
	tip->n_forgotten = n_forgotten;
	mutex_unlock(&c->clones->lock);
	return find_name(names, tracking->ref, tip) ? TIP_KNOWN : TIP_GONE;
}

static bool is_recent(int64_t checked_ms, int64_t since_ms, int64_t max_age_ms)
{
	int64_t age_ms = since_ms - checked_ms;

	/* A check from the future: the clock was set back since. */
	return max_age_ms == INT64_MAX || (age_ms >= 0 && age_ms <= max_age_ms);
}

int64_t clone_tracking_checked_ms(struct clone_tracking *tracking)
{
	struct clone_tip tip;

	return find_tip(tracking, &tip) == TIP_UNKNOWN ? 0 : tip.checked_ms;
}

bool clone_tracking_is_gone(struct clone_tracking *tracking)
{
	struct clone_tip tip;

	return find_tip(tracking, &tip) == TIP_GONE;
}

bool clone_tracking_is_no_tree(struct clone_tracking *tracking)
{
	struct clone_tip tip;

	return find_tip(tracking, &tip) == TIP_KNOWN && !tip.empty &&
	       clone_is_no_tree(tracking->clone, &tip.commit);
}

/* ---- publishing ---- */

static bool same_commit(const struct clone_head *a, const struct clone_head *b)
{
	return a->empty == b->empty &&
	       (a->empty || oid_equal(&a->commit, &b->commit));
}

static int store_times(struct clone_tracking *tracking, struct objects *objects,
		       const struct clone_head *from,
		       const struct clone_head *to, bool same_as_lost)
{
	if (to->empty && (!from || from->empty))
		return 0;
	if (!to->empty && !clone_times_has_base(tracking))
		return clone_times_begin(tracking, to->time_s, from);
	/* The last head is lost, or not all of its trees came: there is nothing
	 * to compare with. */
	if (from && !from->empty &&
	    !objects_is_present(objects, &from->commit, OBJECTS_TREES))
		from = NULL;
	if (!from)
		return same_as_lost || to->empty
			       ? 0
			       : clone_times_begin(tracking, to->time_s, NULL);
	if (from->empty == to->empty && oid_equal(&from->tree, &to->tree))
		return 0;
	return clone_times_move(tracking, objects, from, to);
}

/* False: the cache did not take them, they are in this mount's memory alone. */
static bool record_times(struct clone_tracking *tracking,
			 struct objects *objects, const struct clone_head *from,
			 const struct clone_head *to, bool same_as_lost)
{
	int r = store_times(tracking, objects, from, to, same_as_lost);

	if (r < 0)
		log_warn("%s: the times of what changed in %s were not kept: "
			 "%s",
			 tracking->clone->uuid,
			 tracking->ref[0] ? tracking->ref
					  : "the default branch",
			 store_why(-r));
	return r >= 0;
}

static void record_head(struct clone_tracking *tracking,
			const struct clone_head *h)
{
	struct cache *cache = tracking->clone->clones->cache;
	cleanup(free) char *key = head_key(tracking);
	char text[512], commit[41], tree[41];
	cleanup(blob_unref) struct blob *old = NULL;
	int n = snprintf(text, sizeof(text), "%s %s %" PRId64 " %d %s",
			 oid_hex(&h->commit, commit), oid_hex(&h->tree, tree),
			 h->time_s, h->empty, h->branch);

	if (cache_fact_get(cache, "head", key, strlen(key), &old) < 0 ||
	    strcmp(blob_data(old), text) != 0)
		(void)cache_fact_put(cache, "head", key, strlen(key), text,
				     (size_t)n);
	/* Of other refs the time of the last ls-refs is one fact, by refs.c. */
	if (tracking->ref[0])
		return;
	n = snprintf(text, sizeof(text), "%" PRId64, h->checked_ms);
	(void)cache_fact_put(cache, "head-checked", key, strlen(key), text,
			     (size_t)n);
}

/* For people who look into the store with git. That git's refs cannot take a
 * name does not make the tree fail. */
static void set_store_branch(const struct clone_tracking *tracking,
			     struct objects *objects,
			     const struct clone_head *old,
			     const struct clone_head *h)
{
	if (tracking->ref[0] || h->empty || !h->branch[0])
		return;
	if (old && same_commit(old, h) && strcmp(old->branch, h->branch) == 0)
		return;
	(void)objects_set_branch(objects, h->branch, &h->commit);
	/* It is synced later, too. */
	clone_fold_note(tracking->clone);
}

static void forget_head(struct clone_tracking *tracking)
{
	cleanup(free) char *key = head_key(tracking);

	(void)cache_fact_put(tracking->clone->clones->cache, "head", key,
			     strlen(key), "-", 1);
}

/*
 * The tracking ref is at `to` from now on, whose commit is in the store. One
 * thread at a time (`publishing`), because the times that are recorded are
 * those of the move from the last head. That is a lock and not a store/flight:
 * two threads may publish different tips, and the second has to do its own work
 * after the first. Two races are closed here.
 *
 * An older answer comes later:
 * 1. A asks for the ref, and is told commit 1 (serial n).
 * 2. B asks, is told commit 2 (serial n + 1), and publishes it.
 * 3. A, whose fetch took longer, publishes commit 1: the ref would go back, and
 *    stay there until the next push. So a smaller serial changes nothing
 *    (newer).
 *
 * The tip turns out to be another repository's (name.c) on its way here:
 * 1. A looks the tip up, and fetches its commit, which takes a while.
 * 2. B hears that the name went over to another repository: what was known is
 *    forgotten, on the disk, then in memory (n_forgotten).
 * 3. A publishes: the ref would show the other repository's files, for this
 *    mount, and by way of the cache for the next. So a tip of before 2. is
 *    looked up anew: -EAGAIN.
 *
 * If 2. comes while the head is recorded here, the last look at n_forgotten
 * finds it, and takes the record back; if 2. comes later, B itself takes it
 * back.
 */
static int publish(struct ctx *ctx, struct clone_tracking *tracking,
		   const struct clone_head *to, const struct clone_tip *tip)
{
	struct clone_set *cs = tracking->clone->clones;
	uint64_t serial = tip->serial;
	struct clone_head from;
	struct objects *objects;
	bool known, same_as_lost, newer, outdated;
	int r = clone_store(tracking->clone, &objects);

	if (r < 0)
		return fail_store(ctx, r);
	known = clone_tracking_load(tracking, &from) >= 0;
	mutex_lock(&cs->lock);
	while (tracking->publishing)
		cond_wait(&cs->published, &cs->lock);
	known = tracking->has_head;
	from = tracking->head;
	newer = known && tracking->serial >= serial &&
		(tracking->serial > serial || same_commit(&from, to));
	same_as_lost = tracking->has_lost && !to->empty &&
		       oid_equal(&tracking->lost, &to->commit);
	outdated = tracking->clone->n_forgotten != tip->n_forgotten;
	tracking->publishing = !newer && !outdated;
	if (newer && !outdated && tracking->serial == serial)
		tracking->head.checked_ms = to->checked_ms;
	mutex_unlock(&cs->lock);
	if (newer || outdated)
		return outdated ? -EAGAIN : 0;
	set_store_branch(tracking, objects, known ? &from : NULL, to);
	/* A head without the times of what changed would be shown with older
	 * ones by the next mount, which moves once more instead. */
	if (record_times(tracking, objects, known ? &from : NULL, to,
			 same_as_lost) &&
	    !tip->unsure)
		record_head(tracking, to);
	mutex_lock(&cs->lock);
	outdated = tracking->clone->n_forgotten != tip->n_forgotten;
	if (!outdated) {
		tracking->has_head = true;
		tracking->head = *to;
		tracking->serial = serial;
		tracking->has_lost = false;
	}
	mutex_unlock(&cs->lock);
	/* The disk first: otherwise a thread that loads in between would take
	 * the forgotten head into memory again. */
	if (outdated && !tip->unsure)
		forget_head(tracking);
	mutex_lock(&cs->lock);
	if (outdated)
		tracking->has_head = tracking->loaded = false;
	tracking->publishing = false;
	cond_broadcast(&cs->published);
	mutex_unlock(&cs->lock);
	return outdated ? -EAGAIN : 0;
}

static void head_of(const struct clone_tip *tip, struct clone_head *head)
{
	*head = (struct clone_head){
		.commit = tip->commit,
		.checked_ms = tip->checked_ms,
		.empty = tip->empty,
	};
	memcpy(head->branch, tip->branch, sizeof(head->branch));
}

/* ---- getting ---- */

/* Whether the known head is that of a young enough answer, so that no ls-refs
 * is needed. */
static bool is_current(struct clone_tracking *tracking, int64_t since_ms,
		       int64_t max_age_ms, struct clone_head *ret_head)
{
	struct clone_head head, at;
	struct clone_tip tip;

	if (clone_tracking_load(tracking, &head) < 0)
		return false;
	if (max_age_ms != INT64_MAX) {
		if (find_tip(tracking, &tip) != TIP_KNOWN ||
		    !is_recent(tip.checked_ms, since_ms, max_age_ms))
			return false;
		head_of(&tip, &at);
		if (tip.missing || !same_commit(&at, &head) ||
		    head.checked_ms != at.checked_ms)
			return false;
	}
	*ret_head = head;
	return true;
}

static int fail_gone(struct ctx *ctx, const struct clone_tracking *tracking)
{
	bool tag = strncmp(tracking->ref, "refs/tags/", 10) == 0;

	return ctx_fail(ctx, -ENOENT, "the repository has no %s %s (any more)",
			tag ? "tag" : "branch",
			tracking->ref + (tag ? 10 : 11));
}

static int fail_missing(struct ctx *ctx, const struct clone_tip *tip)
{
	if (!tip->branch[0])
		return ctx_fail(ctx, -ENODATA,
				"The repository has no default branch; those "
				"that there are, are in branches/.");
	return ctx_fail(ctx, -ENODATA,
			"The default branch %s does not exist; those that "
			"there are, are in branches/.",
			tip->branch);
}

/* Whether another commit is shown. */
static bool moves(struct clone_tracking *tracking, const struct oid *commit)
{
	struct clone_head head;

	return clone_tracking_load(tracking, &head) >= 0 && !head.empty &&
	       !oid_equal(&head.commit, commit);
}

static int get_once(struct ctx *ctx, struct clone_tracking *tracking,
		    int64_t since_ms, int64_t max_age_ms,
		    struct clone_head *ret_head)
{
	struct clone_tip tip;
	struct clone_head head;
	enum tip_state state = find_tip(tracking, &tip);
	int r;

	if (state == TIP_UNKNOWN ||
	    !is_recent(tip.checked_ms, since_ms, max_age_ms)) {
		r = clone_queue_ls_refs(ctx, tracking->clone, tracking->ref[0]);
		if (r < 0)
			return r;
		state = find_tip(tracking, &tip);
	}
	if (state != TIP_KNOWN)
		return fail_gone(ctx, tracking);
	if (tip.missing)
		return fail_missing(ctx, &tip);
	head_of(&tip, &head);
	if (!tip.empty) {
		r = fetch_commit(ctx, tracking->clone, &tip.commit, &tip.want,
				 moves(tracking, &tip.commit), NULL, 0, &head);
		if (r < 0)
			return r;
	}
	r = publish(ctx, tracking, &head, &tip);
	if (r < 0)
		return r;
	*ret_head = head;
	return 0;
}

static int get(struct ctx *ctx, struct clone_tracking *tracking,
	       int64_t since_ms, int64_t max_age_ms,
	       struct clone_head *ret_head)
{
	int r;

	for (;;) {
		r = get_once(ctx, tracking, since_ms, max_age_ms, ret_head);
		if (r != -EAGAIN)
			return r;
		r = ctx_check(ctx);
		if (r < 0)
			return r;
	}
}

int clone_tracking_get(struct ctx *ctx, struct clone_tracking *tracking,
		       int64_t max_age_ms, struct clone_head *ret_head)
{
	int64_t since_ms = clock_wall_ms();
	int r = ctx_check(ctx);

	if (r < 0)
		return r;
	if (tracking->ref[0]) {
		mutex_lock(&tracking->clone->clones->lock);
		tracking->clone->wanted_ms = clock_mono_ms();
		mutex_unlock(&tracking->clone->clones->lock);
	}
	if (is_current(tracking, since_ms, max_age_ms, ret_head))
		return 0;
	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	r = get(ctx, tracking, since_ms, max_age_ms, ret_head);
	ctx_wait_end(ctx);
	return r;
}

/* A ref without a head here may lead to a commit that was fetched for another
 * one. */
int clone_tracking_known(struct clone_tracking *tracking,
			 struct clone_head *ret_head)
{
	struct clone_head head;
	struct clone_tip tip;
	struct objects *objects;
	struct ctx ctx;
	int r = clone_tracking_load(tracking, ret_head);

	if (r != -ENOENT || find_tip(tracking, &tip) != TIP_KNOWN ||
	    tip.missing)
		return r;
	head_of(&tip, &head);
	if (!tip.empty) {
		r = clone_store(tracking->clone, &objects);
		if (r >= 0 &&
		    !clone_commit_is_present(NULL, objects, &tip.commit,
					     CLONE_SHOWN, &head))
			r = -ENOENT;
		if (r < 0)
			return r;
	}
	ctx_init(&ctx, NULL, -1);
	r = publish(&ctx, tracking, &head, &tip);
	ctx_done(&ctx);
	/* name.c has just forgotten the tip. */
	if (r == -EAGAIN)
		r = -ENOENT;
	if (r >= 0)
		*ret_head = head;
	return r;
}
