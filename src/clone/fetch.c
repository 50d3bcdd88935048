/*
 * What a worker does for a job: it asks a repository for its refs, or fetches a
 * commit. Nothing is recorded before everything is here, so that a job which
 * ends anywhere has changed nothing that anybody sees: of a fetch first the
 * pack, then the mark that its commit is complete.
 */
#include "clone/clone_private.h"

#include "store/say.h"

#include "base/clock.h"
#include "base/text.h"

#include <time.h>

/* Far more than a fetch of depth 1 can have. */
#define SHALLOW_MOST 1024
/* Commits that are here and may spare bytes: each makes the server compare
 * another tree. */
#define HAVES_MOST 8
#define SESSION_MS 10000

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

/* The capabilities that are remembered of this host. */
static void caps_recall(struct clone_job *j)
{
	cleanup(blob_unref) struct blob *caps = NULL;
	const char *origin = j->server->origin;

	if (cache_fact_get(j->clones->cache, "git-caps", origin, strlen(origin),
			   &caps) < 0 ||
	    !upload_pack_caps_parse(blob_data(caps), &j->session->caps))
		j->session->caps = (struct upload_pack_caps){0};
}

static void caps_remember(struct clone_job *j)
{
	cleanup(blob_unref) struct blob *old = NULL;
	cleanup(buf_done) struct buf caps = BUF_INIT(4 * KIB);
	const char *origin = j->server->origin;
	int r;

	/* A SHA-256 repository says nothing of the host's others. A server
	 * that speaks v0 alone is remembered by an empty fact: without one it
	 * would be asked for v2 first, in vain, by each job. */
	if (j->session->caps.sha256)
		return;
	if (upload_pack_caps_format(&j->session->caps, &caps) < 0)
		buf_clear(&caps);
	r = cache_fact_get(j->clones->cache, "git-caps", origin, strlen(origin),
			   &old);
	if (r < 0 && caps.len == 0)
		return;
	if (r >= 0 && blob_len(old) == caps.len &&
	    memcmp(blob_data(old), caps.len ? caps.data : "", caps.len) == 0)
		return;
	(void)cache_fact_put(j->clones->cache, "git-caps", origin,
			     strlen(origin), caps.len ? caps.data : "",
			     caps.len);
}

struct clone_session *clone_session_free(struct clone_session *session)
{
	if (!session)
		return NULL;
	upload_pack_free(session->up);
	link_free(session->link);
	free(session);
	return NULL;
}

static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	const struct clone_set *cs = arg;

	return credential_authorize(ctx, cs->credential, CREDENTIAL_GIT, ret);
}

static void was_heard(void *arg, struct ctx *ctx,
		      const struct http_authorization *sent,
		      const struct http_response *answer)
{
	const struct clone_set *cs = arg;

	(void)ctx;
	if (answer->authorized)
		credential_heard(cs->credential, CREDENTIAL_GIT, sent,
				 answer->status);
}

static int renew(void *arg, struct ctx *ctx,
		 const struct http_authorization *refused)
{
	const struct clone_set *cs = arg;

	return credential_renew(ctx, cs->credential, refused);
}

static char *url_of(const struct clone_server *server, const char *workspace,
		    const char *slug)
{
	struct buf url = BUF_INIT(8 * KIB);

	buf_printf(&url, "%s/", server->url);
	text_percent_encode(&url, workspace, "");
	buf_putc(&url, '/');
	text_percent_encode(&url, slug, "");
	buf_puts(&url, ".git");
	if (!url.failed)
		return buf_steal(&url, NULL);
	buf_done(&url);
	return NULL;
}

/* url NULL: its name is too long for one. */
static int connect_to(struct clone_job *j, const char *url)
{
	const struct http_authorizer as = {authorize, was_heard, renew,
					   j->clones};
	int r;

	if (!url)
		return ctx_fail(j->ctx, -ENAMETOOLONG,
				"the name of the repository is too long");
	j->session = clone_session_free(j->session);
	j->session = mem_calloc(1, sizeof(*j->session));
	j->session->since_ms = clock_mono_ms();
	caps_recall(j);
	r = link_http_new(j->clones->http, url,
			  j->server->authorized ? &as : NULL,
			  &j->session->link);
	if (r < 0)
		return r;
	return upload_pack_new(j->session->link, &j->session->caps,
			       &j->session->up);
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
static void set_branch(struct clone_tip *tip, const char *ref)
{
	size_t n;

	tip->branch[0] = '\0';
	if (!ref || strncmp(ref, "refs/heads/", 11) != 0)
		return;
	ref += 11;
	n = strlen(ref);
	if (n >= sizeof(tip->branch))
		return;
	for (size_t i = 0; i < n; i++)
		if ((unsigned char)ref[i] <= ' ' || ref[i] == 0x7f)
			return;
	memcpy(tip->branch, ref, n + 1);
}

/* Which commit the default branch is: HEAD's; where the server does not say,
 * that of the branch which REST named. */
static int choose_tip(struct clone_job *j, const struct upload_pack_refs *refs,
		      const char *main_ref, struct clone_tip *tip)
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
	set_branch(tip, target ? target : main_ref);
	tip->empty = !ref || !ref->oid[0];
	if (!tip->empty && oid_parse(ref->oid, &tip->commit) < 0)
		return ctx_fail(j->ctx, -EPROTO,
				"%s/%s: the server's HEAD is no object id",
				j->workspace, j->slug);
	tip->want = tip->commit;
	return 0;
}

static void keep_session(struct clone_job *j)
{
	struct clone_session *old;

	/* A fetch begins with git_url. */
	if (j->session->caps.v2 || j->server != &j->clones->server)
		return;
	mutex_lock(&j->clones->lock);
	old = j->clone->session;
	j->clone->session = steal(&j->session);
	mutex_unlock(&j->clones->lock);
	clone_session_free(old);
}

/* Takes over the clone's kept session, unless it is too old to be open still.
 */
static bool take_session(struct clone_job *j)
{
	mutex_lock(&j->clones->lock);
	j->session = steal(&j->clone->session);
	mutex_unlock(&j->clones->lock);
	if (j->session && clock_mono_ms() - j->session->since_ms > SESSION_MS)
		j->session = clone_session_free(j->session);
	return j->session;
}

/* An answer about the default branch alone is the same for an empty repository
 * and for one whose default branch does not exist: the other refs tell. */
static int ls_other_refs(struct clone_job *j, const char *const *all,
			 struct clone_tip *tip, struct clone_refs **ret_names)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};
	int r = 0;

	if (!*ret_names) {
		r = upload_pack_ls_refs(j->ctx, j->session->up, all, &refs);
		if (r < 0)
			return r;
		*ret_names = clone_refs_new(&refs);
	}
	for (size_t i = 0; i < CLONE_REF_KINDS; i++)
		tip->missing |= (*ret_names)->n_names[i] > 0;
	return 0;
}

static int ls_refs_once(struct clone_job *j, struct clone_tip *ret_tip,
			struct clone_refs **ret_names)
{
	cleanup(upload_pack_refs_done) struct upload_pack_refs refs = {0};
	cleanup(clone_refs_unref) struct clone_refs *names = NULL;
	cleanup(free) char *main_ref =
		j->main_branch ? mem_asprintf("refs/heads/%s", j->main_branch)
			       : NULL;
	const char *prefixes[] = {"HEAD", main_ref, NULL};
	const char *all[] = {"HEAD", "refs/heads/", "refs/tags/", NULL};
	cleanup(free) char *url = url_of(j->server, j->workspace, j->slug);
	struct clone_tip tip = {.server = j->server};
	int r = connect_to(j, url);

	if (r < 0)
		return r;
	/* Before the question: what is pushed meanwhile is not in it. */
	tip.checked_ms = clock_wall_ms();
	mutex_lock(&j->clones->lock);
	tip.serial = ++j->clones->n_ls_refs;
	mutex_unlock(&j->clones->lock);
	r = upload_pack_ls_refs(j->ctx, j->session->up, j->all ? all : prefixes,
				&refs);
	if (r < 0)
		return r;
	caps_remember(j);
	r = choose_tip(j, &refs, main_ref, &tip);
	if (r < 0)
		return r;
	names = j->all ? clone_refs_new(&refs) : NULL;
	if (tip.empty)
		r = ls_other_refs(j, all, &tip, &names);
	if (r < 0)
		return r;
	*ret_tip = tip;
	*ret_names = steal(&names);
	return 0;
}

/* True: git_fallback is asked from now on. */
static bool to_fallback(struct clone_job *j)
{
	if (!j->clones->fallback.url || j->server == &j->clones->fallback)
		return false;
	j->server = &j->clones->fallback;
	return true;
}

static int ls_refs_anywhere(struct clone_job *j, struct clone_tip *ret_tip,
			    struct clone_refs **ret_names)
{
	int r;

	j->server = &j->clones->server;
	r = ls_refs_once(j, ret_tip, ret_names);
	if (r == -ENOENT && to_fallback(j)) {
		j->ctx->sentence[0] = '\0';
		r = ls_refs_once(j, ret_tip, ret_names);
	}
	return r;
}

int clone_job_ls_refs(struct clone_job *j)
{
	bool renamed = false;

	for (;;) {
		cleanup(clone_refs_unref) struct clone_refs *names = NULL;
		struct clone_tip tip = {0};
		int r = ls_refs_anywhere(j, &tip, &names);

		if (r == -ENOENT && !renamed && clone_name_is_other(j)) {
			renamed = true;
			continue;
		}
		if (r >= 0)
			r = clone_name_judge(j, &tip, names, renamed);
		if (r == CLONE_NAME_OTHER && !renamed) {
			renamed = true;
			continue;
		}
		if (r < 0 || r == CLONE_NAME_HOLD)
			return r < 0 ? r : 0;
		clone_name_learnt(j->clone, j, &tip);
		clone_refs_learn(j->clone, &tip, steal(&names));
		keep_session(j);
		return 0;
	}
}

/* ---- fetching a commit ---- */

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

static int take_pack(void *arg, const void *data, size_t n)
{
	struct clone_job *j = arg;
	struct objects_progress progress;
	int r = ctx_check(j->ctx);

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

/* Commits that are complete here, so that the server leaves their objects out:
 * the default branch's, and those that were fetched last. */
static void find_haves(struct clone_job *j, struct haves *h)
{
	struct commit_info info;
	struct clone_head head;
	struct oid *commits = NULL;
	size_t n = 0;

	if (clone_tracking_load(clone_tracking(j->clone, NULL), &head) >= 0 &&
	    !head.empty &&
	    objects_is_present(j->objects, &head.commit, OBJECTS_COMPLETE))
		add_have(j, h, &head.commit);
	if (objects_marked(j->objects, OBJECTS_COMPLETE, HAVES_MOST, &commits,
			   &n) < 0)
		return;
	/* The newest fetch is the last. A tree that a tag led to is not a
	 * commit. */
	while (n--)
		if (objects_read_commit(j->ctx, j->objects, &commits[n],
					&info) >= 0)
			add_have(j, h, &commits[n]);
	free(commits);
}

static int receive(struct clone_job *j, const struct haves *h)
{
	char want[41];
	const char *wants[] = {oid_hex(&j->want, want), NULL};
	struct upload_pack_fetch fetch = {
		.wants = wants,
		.haves = h->n ? h->haves : NULL,
		.shallows = h->n ? h->shallows : NULL,
		.depth = 1,
		.thin = h->n > 0,
		.pack = take_pack,
		.shallow = take_shallow,
		.arg = j,
	};
	int r = upload_pack_fetch(j->ctx, j->session->up, &fetch);

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

static int take_in(struct clone_job *j, const struct haves *h)
{
	int r = objects_pack_begin(j->objects, h->n > 0, &j->pack);

	if (r < 0)
		return r;
	j->n_shallow = 0;
	r = receive(j, h);
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

	find_haves(j, &h);
	r = take_in(j, &h);
	/* A have that the pack was built on may be damaged here: once more,
	 * without haves. */
	return r == -EBADMSG && h.n ? take_in(j, &none) : r;
}

/* From where the name was redirected to before, or from its own place; where
 * that has no repository, from where it is redirected to now. */
static int fetch_by_url(struct clone_job *j, const char *workspace,
			const char *slug, const char *url)
{
	struct clone_set *cs = j->clones;
	cleanup(free) char *moved =
		clone_moved_recall(cs, j->server, workspace, slug);
	char sentence[sizeof(j->ctx->sentence)];
	int r;

	if (moved) {
		r = connect_to(j, moved);
		r = r < 0 ? r : take_in_with_haves(j);
		if (r >= 0 || !j->session->link->missing)
			return r;
		clone_moved_note(cs, workspace, slug, "");
	}
	r = j->session && !moved ? 0 : connect_to(j, url);
	r = r < 0 ? r : take_in_with_haves(j);
	if (r >= 0 || !j->session || !j->session->link->missing)
		return r;
	memcpy(sentence, j->ctx->sentence, sizeof(sentence));
	if (j->session->link->ops->look_for(j->ctx, j->session->link) != 1) {
		memcpy(j->ctx->sentence, sentence, sizeof(sentence));
		return r;
	}
	j->ctx->sentence[0] = '\0';
	r = take_in_with_haves(j);
	if (r >= 0)
		clone_moved_note(cs, workspace, slug, j->session->link->url);
	return r;
}

static int fetch_from(struct clone_job *j, const char *workspace,
		      const char *slug)
{
	cleanup(free) char *url = url_of(j->server, workspace, slug);
	int r;

	if (workspace == j->workspace && j->server == &j->clones->server)
		(void)take_session(j);
	r = fetch_by_url(j, workspace, slug, url);
	if (r >= 0)
		caps_remember(j);
	j->session = clone_session_free(j->session);
	return r < 0 ? fail_store(j, r) : 0;
}

/* The errors after which the next source is tried: this one is gone, may not be
 * read, or has not the commit. */
static bool may_be_elsewhere(int r)
{
	return r == -ENOENT || r == -EACCES || r == -EIO;
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
	if (r < 0 && may_be_elsewhere(r) && to_fallback(j))
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
	r = objects_mark(j->objects, &j->commit, j->presence);
	return r < 0 ? fail_store(j, r) : 0;
}

/* If the commit cannot be read after its pack was taken in, a pack that was
 * here before (a base of a delta, or one with the same name) is damaged: packs
 * are checked, and it is fetched once more. */
static int fetch_and_mark(struct clone_job *j)
{
	struct clone_head head;
	int r = fetch_anywhere(j);

	if (r < 0)
		return r;
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

int clone_job_fetch(struct clone_job *j)
{
	struct clone_head head;
	int r = clone_store(j->clone, &j->objects);

	if (r < 0)
		return fail_store(j, r);
	/* Another process may have fetched it while this job was queued. */
	if (clone_commit_is_present(j->ctx, j->objects, &j->commit, j->presence,
				    &head))
		return 0;
	if (clone_is_no_tree(j->clone, &j->commit))
		return mark(j);
	r = clone_admit_tree(j->ctx, j->clones, true);
	return r < 0 ? r : fetch_and_mark(j);
}

void clone_job_done(struct clone_job *j)
{
	j->pack = objects_pack_drop(j->pack);
	j->session = clone_session_free(j->session);
	free(j->shallow);
	j->shallow = NULL;
	j->n_shallow = 0;
	if (j->clones->budget)
		budget_count_git(j->clones->budget,
				 http_n_requests(j->clones->http));
}
