/*
 * The steps of a job, on a worker's thread: ask for the ref, fetch its commit,
 * record what was found. Nothing is recorded before everything is here, so that
 * a job which ends anywhere has changed nothing that anybody sees.
 *
 * The order of recording matters to who is killed in between: the pack, the
 * mark that its commit is whole, the times of what changed, the head. A head of
 * the facts is believed when its commit is marked.
 */
#include "remote/clone_private.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"

#include <inttypes.h>
#include <time.h>

/* Far more than a fetch of depth 1 can have. */
#define SHALLOW_MOST 1024

static int fail_store(struct clone_job *j, int r)
{
	if (j->ctx.sentence[0])
		return r;
	return ctx_fail(&j->ctx, r, "the object store of %s/%s: %s",
			j->workspace, j->slug, strerror(-r));
}

/* The capabilities that are remembered of this host. */
static void caps_recall(struct clone_job *j)
{
	cleanup(blob_unref) struct blob *line = NULL;
	const char *origin = j->clones->origin;

	if (cache_fact_get(j->clones->cache, "git-caps", origin, strlen(origin),
			   &line) < 0 ||
	    !upload_pack_caps_parse(blob_data(line), &j->caps))
		j->caps = (struct upload_pack_caps){0};
}

static void caps_remember(struct clone_job *j)
{
	cleanup(blob_unref) struct blob *old = NULL;
	cleanup(buf_done) struct buf line = BUF_INIT(4 * KIB);
	const char *origin = j->clones->origin;
	int r;

	/* A SHA-256 repository says nothing of its neighbours, nor does a
	 * server of v0 (its line is emptied, so that it is not asked in v2
	 * for nothing each time). */
	if (j->caps.sha256)
		return;
	if (upload_pack_caps_format(&j->caps, &line) < 0)
		buf_clear(&line);
	r = cache_fact_get(j->clones->cache, "git-caps", origin, strlen(origin),
			   &old);
	if (r < 0 && line.len == 0)
		return;
	if (r >= 0 && blob_len(old) == line.len &&
	    memcmp(blob_data(old), line.len ? line.data : "", line.len) == 0)
		return;
	(void)cache_fact_put(j->clones->cache, "git-caps", origin,
			     strlen(origin), line.len ? line.data : "",
			     line.len);
}

static int connect_job(struct clone_job *j)
{
	cleanup(buf_done) struct buf url = BUF_INIT(8 * KIB);
	int r;

	buf_printf(&url, "%s/", j->clones->git_url);
	text_percent_encode(&url, j->workspace, "");
	buf_putc(&url, '/');
	text_percent_encode(&url, j->slug, "");
	buf_puts(&url, ".git");
	if (url.failed)
		return ctx_fail(&j->ctx, -ENAMETOOLONG,
				"the name of the repository is too long");
	caps_recall(j);
	r = link_http_new(j->clones->http, url.data,
			  credential_git(j->clones->credential), &j->link);
	if (r < 0)
		return r;
	return upload_pack_new(j->link, &j->caps, &j->up);
}

static const struct upload_pack_ref *
find_ref(const struct upload_pack_refs *refs, const char *name)
{
	for (size_t i = 0; i < refs->n_refs; i++)
		if (strcmp(refs->refs[i].name, name) == 0)
			return &refs->refs[i];
	return NULL;
}

/* "refs/heads/main" → "main"; "" for what no file of ours can carry. */
static void set_branch(struct clone_head *head, const char *ref)
{
	size_t n;

	head->branch[0] = '\0';
	if (!ref || strncmp(ref, "refs/heads/", 11) != 0)
		return;
	ref += 11;
	n = strlen(ref);
	if (n >= sizeof(head->branch))
		return;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)ref[i] <= ' ' || ref[i] == 0x7f)
			return;
	memcpy(head->branch, ref, n + 1);
}

/* Which commit the default branch is: HEAD's; where the server does not say,
 * that of the branch which REST named. */
static int choose_head(struct clone_job *j, const struct upload_pack_refs *refs,
		       const char *main_ref, struct clone_head *head)
{
	const struct upload_pack_ref *ref = find_ref(refs, "HEAD");
	const struct upload_pack_ref *main = main_ref ? find_ref(refs, main_ref)
						      : NULL;
	const char *target = ref ? ref->target : NULL;

	if (!ref || !ref->oid[0]) {
		ref = main;
		if (ref)
			target = main_ref;
	} else if (!target && main && strcmp(main->oid, ref->oid) == 0) {
		target = main_ref;
	}
	set_branch(head, target ? target : main_ref);
	head->empty = !ref || !ref->oid[0];
	if (!head->empty && oid_parse(ref->oid, &head->commit) < 0)
		return ctx_fail(&j->ctx, -EPROTO,
				"%s/%s: the server's HEAD is no object id",
				j->workspace, j->slug);
	return 0;
}

static int ask_ref(struct clone_job *j, struct clone_head *head)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};
	cleanup(free) char *main_ref =
		j->main_branch ? xasprintf("refs/heads/%s", j->main_branch)
			       : NULL;
	const char *prefixes[] = {"HEAD", main_ref, NULL};
	int r;

	/* Before the question: what is pushed meanwhile is not in it. */
	head->checked_ms = clock_wall_ms();
	r = upload_pack_ls_refs(&j->ctx, j->up, prefixes, &refs);
	if (r < 0)
		return r;
	caps_remember(j);
	return choose_head(j, &refs, main_ref, head);
}

/* Whether the commit and its tree are here; then completes found. */
static bool is_here(struct clone_job *j)
{
	struct commit_info info;

	if (!objects_is_whole(j->objects, &j->found.commit) ||
	    objects_read_commit(j->objects, &j->found.commit, &info) < 0 ||
	    !objects_has(j->objects, &info.tree))
		return false;
	j->found.tree = info.tree;
	j->found.time_s = info.time_s;
	return true;
}

int job_check(struct clone_job *j, bool *ret_fetch)
{
	int r = clone_store(j->clone, &j->objects);

	if (r < 0)
		return fail_store(j, r);
	r = connect_job(j);
	if (r < 0)
		return r;
	r = ask_ref(j, &j->found);
	if (r < 0)
		return r;
	mutex_lock(&j->clones->lock);
	j->asked_ms = j->found.checked_ms;
	mutex_unlock(&j->clones->lock);
	*ret_fetch = !j->found.empty && !is_here(j);
	/* Refused now rather than after waiting for a place. */
	return *ret_fetch ? trees_admit(j, false) : 0;
}

int trees_admit(struct clone_job *j, bool take)
{
	struct clones *cs = j->clones;
	int64_t now = clock_boot_ms(), oldest = 0;
	char at[16] = "";
	struct tm tm;
	time_t when;
	bool full;

	mutex_lock(&cs->lock);
	full = cs->n_brought >= cs->max_trees;
	if (full)
		oldest = cs->brought[cs->next_brought];
	full = full && now - oldest < CLONE_TREES_WINDOW_MS;
	if (!full && take) {
		cs->brought[cs->next_brought] = now;
		cs->next_brought = (cs->next_brought + 1) % cs->max_trees;
		cs->n_brought++;
	}
	mutex_unlock(&cs->lock);
	if (!full)
		return 0;
	when = (time_t)((clock_wall_ms() + CLONE_TREES_WINDOW_MS -
			 (now - oldest) + 999) /
			1000);
	if (localtime_r(&when, &tm))
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	return ctx_fail(&j->ctx, -EDQUOT,
			"%u trees were brought in the last ten minutes "
			"(-o trees=%u); this one can be brought at %s",
			cs->max_trees, cs->max_trees, at);
}

static int take_pack(void *arg, const void *data, size_t n)
{
	struct clone_job *j = arg;
	struct objects_progress progress;
	int r = ctx_check(&j->ctx);

	if (r >= 0)
		r = objects_pack_write(j->pack, data, n);
	if (r < 0)
		return r;
	objects_pack_progress(j->pack, &progress);
	mutex_lock(&j->clones->lock);
	j->progress = progress;
	mutex_unlock(&j->clones->lock);
	return 0;
}

static void take_shallow(void *arg, const char *oid)
{
	struct clone_job *j = arg;

	if (j->n_shallow == SHALLOW_MOST || !text_is_oid(oid))
		return;
	if (!j->shallow)
		j->shallow = xcalloc(SHALLOW_MOST, sizeof(*j->shallow));
	snprintf(j->shallow[j->n_shallow++], sizeof(*j->shallow), "%s", oid);
}

/* What was shown so far spares most of the bytes. */
static bool have_of(struct clone_job *j, char have[static 41],
		    bool *ret_shallow)
{
	struct clone_head old;

	if (clone_load_head(j->clone, &old) < 0 || old.empty ||
	    oid_equal(&old.commit, &j->found.commit) ||
	    !objects_is_whole(j->objects, &old.commit))
		return false;
	*ret_shallow = objects_is_shallow(j->objects, &old.commit);
	oid_hex(&old.commit, have);
	return true;
}

static int receive(struct clone_job *j, const char *have, bool shallow)
{
	char want[41];
	const char *wants[] = {oid_hex(&j->found.commit, want), NULL};
	const char *haves[] = {have, NULL};
	struct upload_pack_fetch fetch = {
		.wants = wants,
		.haves = have ? haves : NULL,
		.shallows = have && shallow ? haves : NULL,
		.depth = 1,
		.thin = have != NULL,
		.pack = take_pack,
		.shallow = take_shallow,
		.arg = j,
	};
	int r = upload_pack_fetch(&j->ctx, j->up, &fetch);

	return r < 0 ? r : ctx_check(&j->ctx);
}

static int commit_pack(struct clone_job *j)
{
	const char **shallow = xcalloc(j->n_shallow + 1, sizeof(*shallow));
	int r;

	for (size_t i = 0; i < j->n_shallow; i++)
		shallow[i] = j->shallow[i];
	r = objects_pack_commit(steal(&j->pack), shallow, j->n_shallow);
	free(shallow);
	return r;
}

static int bring(struct clone_job *j, const char *have, bool shallow)
{
	int r = objects_pack_begin(j->objects, &j->pack);

	if (r < 0)
		return r;
	j->n_shallow = 0;
	r = receive(j, have, shallow);
	if (r >= 0)
		r = commit_pack(j);
	j->pack = objects_pack_drop(j->pack);
	return r;
}

int job_fetch(struct clone_job *j)
{
	struct commit_info info;
	char have[41];
	bool shallow = false, has;
	int r;

	/* Another process may have brought it while this waited. */
	if (is_here(j))
		return 0;
	r = trees_admit(j, true);
	if (r < 0)
		return r;
	has = have_of(j, have, &shallow);
	r = bring(j, has ? have : NULL, shallow);
	/* What was built on may be damaged: once more, with nothing. */
	if (r == -EBADMSG && has)
		r = bring(j, NULL, false);
	if (r < 0)
		return fail_store(j, r);
	r = objects_read_commit(j->objects, &j->found.commit, &info);
	if (r < 0 || !objects_has(j->objects, &info.tree))
		return ctx_fail(
			&j->ctx, -EIO,
			"%s/%s: the server's pack lacks the commit that "
			"was asked for, or its tree",
			j->workspace, j->slug);
	r = objects_mark_whole(j->objects, &j->found.commit);
	if (r < 0)
		return fail_store(j, r);
	j->found.tree = info.tree;
	j->found.time_s = info.time_s;
	return 0;
}

static void record_times(struct clone_job *j, bool same_as_lost)
{
	struct clone *c = j->clone;
	const struct clone_head *to = &j->found;
	struct clone_head from;
	bool known = clone_load_head(c, &from) >= 0;
	int r;

	if (to->empty && (!known || from.empty))
		return;
	if (!to->empty && !times_has_base(c)) {
		times_begin(c, to->time_s);
		return;
	}
	if (!known) {
		/* What it differs from is not here any more. */
		if (!same_as_lost && !to->empty)
			times_begin(c, to->time_s);
		return;
	}
	if (from.empty == to->empty && oid_equal(&from.tree, &to->tree))
		return;
	r = times_move(c, j->objects, &from, to);
	if (r < 0)
		log_warn("%s/%s: the times of what changed were not kept: %s",
			 j->workspace, j->slug, strerror(-r));
}

static void record_head(struct clone_job *j)
{
	const struct clone_head *h = &j->found;
	struct cache *cache = j->clones->cache;
	const char *uuid = j->clone->uuid;
	char line[512], commit[41], tree[41];
	cleanup(blob_unref) struct blob *old = NULL;
	int n = snprintf(line, sizeof(line), "%s %s %" PRId64 " %d %s",
			 oid_hex(&h->commit, commit), oid_hex(&h->tree, tree),
			 h->time_s, h->empty, h->branch);

	if (cache_fact_get(cache, "head", uuid, strlen(uuid), &old) < 0 ||
	    strcmp(blob_data(old), line) != 0)
		(void)cache_fact_put(cache, "head", uuid, strlen(uuid), line,
				     (size_t)n);
	n = snprintf(line, sizeof(line), "%" PRId64, h->checked_ms);
	(void)cache_fact_put(cache, "head-checked", uuid, strlen(uuid), line,
			     (size_t)n);
}

/* For people who look into the store with git: a name that it cannot take is
 * no failure of the tree. */
static void set_store_branch(struct clone_job *j)
{
	const struct clone_head *h = &j->found;
	struct clone_head old;

	if (h->empty || !h->branch[0])
		return;
	if (clone_load_head(j->clone, &old) >= 0 &&
	    oid_equal(&old.commit, &h->commit) &&
	    strcmp(old.branch, h->branch) == 0)
		return;
	(void)objects_set_branch(j->objects, h->branch, &h->commit);
}

void job_finish(struct clone_job *j)
{
	struct clones *cs = j->clones;
	struct clone *c = j->clone;
	bool same_as_lost;

	mutex_lock(&cs->lock);
	same_as_lost = c->has_lost && !j->found.empty &&
		       oid_equal(&c->lost, &j->found.commit);
	mutex_unlock(&cs->lock);
	set_store_branch(j);
	record_times(j, same_as_lost);
	record_head(j);
	mutex_lock(&cs->lock);
	c->has_head = true;
	c->head = j->found;
	c->has_lost = false;
	mutex_unlock(&cs->lock);
}

void job_done(struct clone_job *j)
{
	j->pack = objects_pack_drop(j->pack);
	j->up = upload_pack_free(j->up);
	j->link = link_free(j->link);
	free(j->shallow);
	j->shallow = NULL;
	j->n_shallow = 0;
	if (j->clones->budget)
		budget_count_git(j->clones->budget,
				 http_n_requests(j->clones->http));
}
