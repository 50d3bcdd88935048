/*
 * What a worker does to fetch a commit. Nothing is recorded before everything
 * is here, so that a job which ends anywhere has changed nothing that anybody
 * sees: first the pack, then the mark of how much of the commit is here.
 */
#include "clone/clone_private.h"

#include "store/say.h"

#include "base/clock.h"
#include "base/file.h"
#include "base/text.h"

#include <time.h>

/* Far more than a fetch of depth 1 can have. */
#define SHALLOW_MOST 1024
/* Commits that are here and may spare bytes: each makes the server compare
 * another tree. */
#define HAVES_MOST 8

static int fail_store(struct clone_job *j, int r)
{
	if (j->ctx->sentence[0])
		return r;
	/* Of what came: what is here is found out when it is read. */
	if (r == -EBADMSG)
		return ctx_fail(j->ctx, -EIO,
				"%s/%s: the server's pack is damaged",
				j->workspace, j->slug);
	if (r == -EFBIG)
		return ctx_fail(j->ctx, r,
				"%s/%s: the server's pack is refused: it has "
				"more than 32 GB, or an object of more than "
				"1 GB as a change of another one",
				j->workspace, j->slug);
	return ctx_fail(j->ctx, r, "the object store of %s/%s: %s",
			j->workspace, j->slug, store_why(-r));
}

int clone_admit_tree(struct ctx *ctx, struct clone_set *cs, bool take)
{
	int64_t now = clock_boot_ms(), oldest = 0;
	char at[16] = "";
	struct tm tm;
	time_t when;
	bool full;

	mutex_lock(&cs->lock);
	full = cs->n_fetched >= cs->max_trees;
	if (full)
		oldest = cs->fetched_ms[cs->next_fetched];
	full = full && now - oldest < CLONE_TREES_WINDOW_MS;
	if (!full && take) {
		cs->fetched_ms[cs->next_fetched] = now;
		cs->next_fetched = (cs->next_fetched + 1) % cs->max_trees;
		cs->n_fetched++;
	}
	mutex_unlock(&cs->lock);
	if (!full)
		return 0;
	when = (time_t)((clock_wall_ms() + CLONE_TREES_WINDOW_MS -
			 (now - oldest) + 999) /
			1000);
	if (localtime_r(&when, &tm))
		strftime(at, sizeof(at), "%H:%M:%S", &tm);
	return ctx_fail(ctx, -EDQUOT,
			"%u trees were brought in the last ten minutes "
			"(-o trees=%u); this one can be brought at %s",
			cs->max_trees, cs->max_trees, at);
}

static void note_progress(struct clone_job *j,
			  const struct objects_progress *progress)
{
	struct clone_set *cs = j->clones;

	mutex_lock(&cs->lock);
	j->progress = *progress;
	/* The size was not known, or a server sends other things than what it
	 * was asked for: another one may begin beside it. */
	if (!j->is_slow && progress->n_bytes > CLONE_BIG) {
		j->is_slow = true;
		cond_broadcast(&cs->work);
	}
	mutex_unlock(&cs->lock);
}

static int take_pack(void *arg, const void *data, size_t n)
{
	struct clone_job *j = arg;
	struct objects_progress progress;
	int r = ctx_check(j->ctx);

	if (r >= 0)
		r = objects_pack_write(j->pack, data, n);
	if (r < 0)
		return r;
	clone_blobs_hear(j, data, n);
	objects_pack_progress(j->pack, &progress);
	if (clone_directory_is_too_much(j, progress.n_bytes))
		return -EFBIG;
	note_progress(j, &progress);
	return j->need.kind == CLONE_NEED_ALL ? clone_rest_goes_on(j) : 0;
}

static void take_shallow(void *arg, const char *oid)
{
	struct clone_job *j = arg;

	if (j->n_shallow == SHALLOW_MOST || !text_is_oid(oid))
		return;
	if (!j->shallow)
		j->shallow = mem_calloc(SHALLOW_MOST, sizeof(*j->shallow));
	snprintf(j->shallow[j->n_shallow++], sizeof(*j->shallow), "%s", oid);
}

struct haves {
	char hex[HAVES_MOST][41];
	const char *haves[HAVES_MOST + 1], *shallows[HAVES_MOST + 1];
	size_t n;
};

static void add_have(struct clone_job *j, struct haves *h,
		     const struct oid *commit)
{
	size_t n_shallow = 0;
	char hex[41];

	oid_hex(commit, hex);
	for (size_t i = 0; i < h->n; i++)
		if (strcmp(h->hex[i], hex) == 0)
			return;
	if (h->n == HAVES_MOST)
		return;
	memcpy(h->hex[h->n], hex, sizeof(hex));
	h->haves[h->n] = h->hex[h->n];
	if (objects_is_shallow(j->objects, commit)) {
		while (h->shallows[n_shallow])
			n_shallow++;
		h->shallows[n_shallow] = h->hex[h->n];
	}
	h->n++;
}

/* Commits of which all that is fetched is here, so that the server leaves their
 * objects out: the default branch's, and those that were fetched last. */
static void find_haves(struct clone_job *j, struct haves *h)
{
	enum objects_presence least = j->filter ? OBJECTS_TREES
						: OBJECTS_COMPLETE;
	struct commit_info info;
	struct clone_head head;
	struct oid *commits = NULL;
	size_t n = 0;

	if (clone_tracking_load(clone_tracking(j->clone, NULL), &head) >= 0 &&
	    !head.empty && objects_is_present(j->objects, &head.commit, least))
		add_have(j, h, &head.commit);
	for (; least <= OBJECTS_COMPLETE; least++, free(commits)) {
		if (objects_marked(j->objects, least, HAVES_MOST, &commits,
				   &n) < 0)
			return;
		/* The newest fetch is the last. A tree that a tag led to is not
		 * a commit. */
		while (n--)
			if (objects_read_commit(j->ctx, j->objects, &commits[n],
						&info) >= 0)
				add_have(j, h, &commits[n]);
	}
}

/* The commit is wanted, and not an object of it alone. */
static bool is_for_commit(const struct clone_job *j)
{
	return j->whole || j->need.kind == CLONE_NEED_COMMIT ||
	       j->need.kind == CLONE_NEED_TREES;
}

struct wants {
	char (*hex)[41];
	const char **wants; /* NULL-terminated */
};

static void wants_done(struct wants *w)
{
	free(w->hex);
	free(w->wants);
}
DEFINE_CLEANUP_DONE(struct wants, wants_done);

static void find_wants(const struct clone_job *j, struct wants *w)
{
	const struct oid *oids = is_for_commit(j) ? &j->want : &j->need.oid;
	size_t n = 1, n_also = 0;

	if (j->n_listed) {
		oids = j->listed;
		n = j->n_listed;
	} else if (!is_for_commit(j) && j->members) {
		oids = j->wants;
		n = j->n_wants;
	}
	if (!is_for_commit(j) && j->need.kind == CLONE_NEED_DIRECTORY)
		n_also = j->need.n_also;
	w->hex = mem_calloc(n + n_also, sizeof(*w->hex));
	w->wants = mem_calloc(n + n_also + 1, sizeof(*w->wants));
	for (size_t i = 0; i < n; i++)
		w->wants[i] = oid_hex(&oids[i], w->hex[i]);
	for (size_t i = n; i < n + n_also; i++)
		w->wants[i] = oid_hex(&j->need.also[i - n], w->hex[i]);
}

static int receive(struct clone_job *j, const struct haves *h)
{
	cleanup(wants_done) struct wants w = {NULL};
	struct upload_pack_fetch fetch = {
		.haves = h->n ? h->haves : NULL,
		.shallows = h->n ? h->shallows : NULL,
		.depth = is_for_commit(j) ? 1 : 0,
		.filter = j->filter,
		.thin = h->n > 0,
		.pack = take_pack,
		.shallow = take_shallow,
		.arg = j,
	};
	int r;

	find_wants(j, &w);
	fetch.wants = w.wants;
	r = upload_pack_fetch(j->ctx, j->session->up, &fetch);
	return r < 0 ? r : ctx_check(j->ctx);
}

static int commit_pack(struct clone_job *j)
{
	const char **shallow = mem_calloc(j->n_shallow + 1, sizeof(*shallow));
	int r;

	for (size_t i = 0; i < j->n_shallow; i++)
		shallow[i] = j->shallow[i];
	r = objects_pack_commit(j->ctx, steal(&j->pack), shallow, j->n_shallow);
	free(shallow);
	return r;
}

/* Of the commit and its own tree, which came alone, there is no mark. */
static bool is_way(const struct clone_job *j)
{
	return j->filtered && j->filter_kinds != CLONE_FILTER_BLOB_NONE;
}

static int take_in(struct clone_job *j, const struct haves *h)
{
	int r = objects_pack_begin(j->objects, h->n > 0, &j->pack);

	if (r < 0)
		return r;
	if (j->keeps_rest && j->whole)
		(void)objects_pack_keep_rest(j->pack);
	j->n_shallow = 0;
	j->n_heard = 0;
	r = receive(j, h);
	/* Its abilities may have turned out to be others than were remembered:
	 * then it was sent no filter. */
	j->filtered = j->filter && j->session->caps.filter;
	if (r >= 0 && j->members && !j->whole)
		objects_pack_promise(j->pack, true);
	/* Somebody waits, and there is no mark after it. */
	if (r >= 0 && (!is_for_commit(j) || is_way(j)))
		objects_pack_relax(j->pack);
	if (r >= 0 && j->filtered)
		objects_pack_promise(j->pack,
				     j->need.kind == CLONE_NEED_DIRECTORY);
	if (r >= 0)
		r = commit_pack(j);
	j->pack = objects_pack_drop(j->pack);
	return r;
}

static int take_in_with_haves(struct clone_job *j)
{
	static const struct haves none;
	struct haves h = {.n = 0};
	int r;

	if (is_for_commit(j) && j->need.kind != CLONE_NEED_ALL)
		find_haves(j, &h);
	r = take_in(j, &h);
	/* A have that the pack was built on may be damaged here: once more,
	 * without haves. */
	return r == -EBADMSG && h.n ? take_in(j, &none) : r;
}

/* Nothing of the directory is to be fetched. */
static bool is_in_vain(const struct clone_job *j)
{
	return j->need.kind == CLONE_NEED_DIRECTORY && !j->whole &&
	       !j->filter && !j->n_listed;
}

static int take_in_what_is_chosen(struct clone_job *j)
{
	int r = upload_pack_greet(j->ctx, j->session->up);

	while (r >= 0) {
		clone_filter_choose(j);
		if (is_in_vain(j))
			return 0;
		r = take_in_with_haves(j);
		if (r >= 0 && j->filter)
			clone_filter_worked(j);
		if (r == -EBADRQC && j->filter)
			clone_filter_refused(j);
		else if (!clone_directory_goes_on(j, r))
			return r;
		j->ctx->sentence[0] = '\0';
		r = 0;
	}
	return r;
}

/* With the session that there is: without what its server can leave out. */
static int take_in_filtered(struct clone_job *j)
{
	int r = take_in_what_is_chosen(j);

	return j->need.kind == CLONE_NEED_DIRECTORY ? clone_directory_end(j, r)
						    : r;
}

/* The errors after which the next source is tried: this one is gone, may not be
 * read, or has not the commit. */
static bool may_be_elsewhere(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EIO;
}

static bool is_missing(const struct clone_job *j)
{
	return j->session && j->session->link && j->session->link->missing;
}

/* From where the name was redirected to before, or from its own place, where
 * somebody may have made another repository; where there is none, from where it
 * is redirected to now. */
static int fetch_by_name(struct clone_job *j, const char *workspace,
			 const char *slug)
{
	struct clone_set *cs = j->clones;
	cleanup(free) char *moved =
		clone_moved_recall(cs, j->server, workspace, slug);
	char sentence[sizeof(j->ctx->sentence)];
	bool is_there = false;
	int r;

	if (moved) {
		r = clone_connect_to(j, moved);
		r = r < 0 ? r : take_in_filtered(j);
		if (r >= 0 || !may_be_elsewhere(r))
			return r;
		is_there = !is_missing(j);
		if (!is_there)
			clone_moved_note(cs, workspace, slug, "");
	}
	r = j->session && !moved ? 0 : clone_connect(j, workspace, slug);
	r = r < 0 ? r : take_in_filtered(j);
	if (r >= 0 && is_there)
		clone_moved_note(cs, workspace, slug, "");
	if (r >= 0 || is_there || !is_missing(j))
		return r;
	memcpy(sentence, j->ctx->sentence, sizeof(sentence));
	if (j->session->link->ops->look_for(j->ctx, j->session->link) != 1) {
		memcpy(j->ctx->sentence, sentence, sizeof(sentence));
		return r;
	}
	j->ctx->sentence[0] = '\0';
	r = take_in_filtered(j);
	if (r >= 0)
		clone_moved_note(cs, workspace, slug, j->session->link->url);
	return r;
}

static int fetch_from(struct clone_job *j, const char *workspace,
		      const char *slug)
{
	int r;

	if (workspace == j->workspace && j->server == &j->clones->server)
		(void)clone_session_take(j);
	r = fetch_by_name(j, workspace, slug);
	if (r >= 0)
		clone_caps_remember(j);
	j->session = clone_session_free(j->session);
	return r < 0 ? fail_store(j, r) : 0;
}

/* What the first source said, which should have the commit. */
struct first_failure {
	int r;
	char sentence[512];
};

static int fetch_of_sources(struct clone_job *j, struct first_failure *first)
{
	int r = -EIO;

	for (size_t i = 0; i <= j->n_sources; i++) {
		bool own = i == j->n_sources;
		const char *workspace = own ? j->workspace
					    : j->sources[i].workspace;
		const char *slug = own ? j->slug : j->sources[i].slug;

		j->ctx->sentence[0] = '\0';
		r = fetch_from(j, workspace, slug);
		if (r >= 0 || !may_be_elsewhere(r))
			return r;
		if (!first->r) {
			first->r = r;
			snprintf(first->sentence, sizeof(first->sentence),
				 "%s/%s: %.300s", workspace, slug,
				 j->ctx->sentence);
		}
	}
	return r;
}

static int fetch_anywhere(struct clone_job *j)
{
	struct first_failure first = {0};
	int r;

	j->server = &j->clones->server;
	r = fetch_of_sources(j, &first);
	if (r < 0 && may_be_elsewhere(r) && clone_to_fallback(j))
		r = fetch_of_sources(j, &first);
	if (r >= 0 || !may_be_elsewhere(r))
		return r;
	/* The repository may have another name by now. */
	if (clone_name_is_other(j)) {
		j->ctx->sentence[0] = '\0';
		r = fetch_from(j, j->workspace, j->slug);
		if (r >= 0)
			return r;
	}
	/* An ENOENT is about the commit there: passed on, it would say that the
	 * name which a program looks at does not exist. */
	r = first.r == -ENOENT ? -ENODATA : first.r;
	if (j->clones->server.is_own || j->clones->fallback.url)
		return ctx_fail(j->ctx, r, "%s", first.sentence);
	return ctx_fail(j->ctx, r,
			"%s (asked of the mirror %.100s; no git_fallback is "
			"set)",
			first.sentence, j->clones->server.url);
}

/* The object is here: a commit, a tree that a tag leads to, or neither. */
static int mark(struct clone_job *j)
{
	struct clone_head head;
	char hex[41];
	int r = clone_commit_read(j->ctx, j->objects, &j->commit, &head);

	if (r == -EBADMSG) {
		clone_refs_no_tree(j->clone, &j->commit);
		return ctx_fail(j->ctx, -EIO,
				"%s/%s: %.12s is neither a commit nor a tree",
				j->workspace, j->slug,
				oid_hex(&j->commit, hex));
	}
	if (r == -ENOENT)
		return ctx_fail(
			j->ctx, -EIO,
			"%s/%s: the server's pack lacks the commit that "
			"was asked for, or its tree",
			j->workspace, j->slug);
	if (r < 0)
		return fail_store(j, r);
	if (is_way(j))
		return 0;
	r = objects_mark(j->objects, &j->commit,
			 j->filtered ? OBJECTS_TREES : OBJECTS_COMPLETE);
	return r < 0 ? fail_store(j, r) : 0;
}

/* What was needed of the commit came, though not all of it. Of a directory as
 * much as could be had. Of a batch clone_blobs_end looks. */
static int check_came(struct clone_job *j)
{
	char hex[41];

	if (j->need.kind == CLONE_NEED_DIRECTORY || j->members ||
	    objects_has(j->objects, &j->need.oid))
		return 0;
	return ctx_fail(j->ctx, -EIO,
			"%s/%s: the server's pack lacks the object %.12s that "
			"was asked for",
			j->workspace, j->slug, oid_hex(&j->need.oid, hex));
}

/* If the commit cannot be read after its pack was taken in, a pack that was
 * here before (a base of a delta, or one with the same name) is damaged: packs
 * are checked, and it is fetched once more. */
int clone_job_take(struct clone_job *j)
{
	struct clone_head head;
	int r = fetch_anywhere(j);

	if (r < 0)
		return r;
	if (!is_for_commit(j))
		return check_came(j);
	r = clone_commit_read(j->ctx, j->objects, &j->commit, &head);
	if (r < 0 && r != -EBADMSG) {
		r = objects_check(j->ctx, j->objects);
		if (r < 0)
			return fail_store(j, r);
		r = fetch_anywhere(j);
		if (r < 0)
			return r;
	}
	return mark(j);
}

/* Of src/model/README.md, 13. */
static bool is_counted(const struct clone_job *j)
{
	return !j->behind && (j->need.kind == CLONE_NEED_COMMIT ||
			      j->need.kind == CLONE_NEED_TREES);
}

/* Another process may have fetched it while this job was queued. */
static bool is_here(struct clone_job *j)
{
	struct clone_head head;

	switch (j->need.kind) {
	case CLONE_NEED_COMMIT:
		return clone_commit_is_present(j->ctx, j->objects, &j->commit,
					       CLONE_SHOWN, &head);
	case CLONE_NEED_TREES:
		return clone_commit_is_present(j->ctx, j->objects, &j->commit,
					       OBJECTS_TREES, &head);
	case CLONE_NEED_TREE:
		return objects_has(j->objects, &j->need.oid);
	case CLONE_NEED_BLOB:
		return clone_blobs_are_here(j);
	case CLONE_NEED_DIRECTORY:
		return clone_directory_is_here(j);
	case CLONE_NEED_ALL:
		break;
	}
	return clone_commit_is_present(j->ctx, j->objects, &j->commit,
				       OBJECTS_COMPLETE, &head);
}

int clone_job_fetch(struct clone_job *j)
{
	cleanup(fd) int hold = -1;
	int r = clone_store(j->clone, &j->objects);

	/* What is here is not evicted until the commit is marked, which may be
	 * complete by it alone. */
	if (r >= 0)
		r = objects_hold(j->ctx, j->objects, &hold);
	if (r < 0)
		return fail_store(j, r);
	if (is_here(j))
		return 0;
	if (clone_is_no_tree(j->clone, &j->commit))
		return mark(j);
	if (is_counted(j))
		r = clone_admit_tree(j->ctx, j->clones, true);
	if (r < 0)
		return r;
	return j->need.kind == CLONE_NEED_ALL ? clone_job_rest(j)
					      : clone_job_take(j);
}

void clone_job_done(struct clone_job *j)
{
	j->pack = objects_pack_drop(j->pack);
	j->session = clone_session_free(j->session);
	free(j->listed);
	j->listed = NULL;
	j->n_listed = 0;
	free(j->shallow);
	j->shallow = NULL;
	j->n_shallow = 0;
	if (j->clones->budget)
		budget_count_git(j->clones->budget,
				 clone_set_requests(j->clones));
}
