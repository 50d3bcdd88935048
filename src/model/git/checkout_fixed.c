/*
 * model/git/checkout_fixed: the files at one commit, wherever the layout names
 * one: in a pull request, in a commit's own directory.
 *
 * The service calls commits by their first twelve digits in many answers; git
 * wants all forty. The id is completed when a program looks inside: from the
 * store, from the branch's tip, from a list of commits that is in the cache,
 * else by one request. A commit that only a fork has is fetched from there,
 * into the repository's own store.
 */
#include "model/git/checkout.h"
#include "model/repository.h"

#include "base/clock.h"
#include "base/hash.h"
#include "base/text.h"

#define HASH_LEAST 12
#define SOURCES_MOST 4

struct fixed_commit {
	/* Fixed. */
	char *hash;
	/* of the first source; its tip may be the commit. May be NULL */
	char *branch;
	struct clone_source sources[SOURCES_MOST + 1];
	size_t n_sources; /* the repository itself is tried after them */
	char *texts[3 * (SOURCES_MOST + 1)];
	char *workspace; /* of the repository itself, as paths name it */
	const struct resource *commits; /* NULL: no list can have the commit */
	struct scope *commits_scope;

	struct mutex lock;
	/* Under lock: */
	bool has_id;
	struct oid id;
	/* No source had the commit: the errno and the sentence, and until when
	 * (clock_mono_ms) the sources are not asked again. */
	char *refusal;
	int refused;
	int64_t refused_ms, refused_until_ms;
};

struct fixed_commit *checkout_fixed_free(struct fixed_commit *fixed)
{
	if (!fixed)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(fixed->texts); i++)
		free(fixed->texts[i]);
	mutex_done(&fixed->lock);
	scope_unref(fixed->commits_scope);
	free(fixed->refusal);
	free(fixed->workspace);
	free(fixed->hash);
	free(fixed->branch);
	free(fixed);
	return NULL;
}

static void set_source(struct fixed_commit *fixed, size_t i,
		       const char *workspace, const char *slug,
		       const char *uuid)
{
	char **texts = fixed->texts + 3 * i;

	texts[0] = mem_strdup(workspace);
	texts[1] = mem_strdup(slug);
	texts[2] = uuid && uuid[0] == '{' ? mem_strdup(uuid) : NULL;
	fixed->sources[i] = (struct clone_source){texts[0], texts[1], texts[2]};
}

static bool is_own(const struct fixed_commit *fixed, size_t i)
{
	const struct clone_source *own = &fixed->sources[fixed->n_sources];

	const struct clone_source *source = &fixed->sources[i];

	/* The uuid decides: a fork's name may be another repository's by now.
	 */
	if (source->uuid && own->uuid)
		return strcmp(source->uuid, own->uuid) == 0;
	return strcmp(source->workspace, own->workspace) == 0 &&
	       strcmp(source->slug, own->slug) == 0;
}

/* Whether a name that the service told can be put into a URL's path and stay
 * one part of it. */
static bool is_name(const char *s)
{
	return s && s[0] && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static struct fixed_commit *fixed_new(const struct repository_data *repository,
				      const struct checkout_target *target)
{
	struct fixed_commit *fixed = mem_calloc(1, sizeof(*fixed));

	mutex_init(&fixed->lock);
	fixed->hash = mem_strdup(target->hash);
	fixed->branch = target->branch ? mem_strdup(target->branch) : NULL;
	fixed->has_id = oid_parse(fixed->hash, &fixed->id) == 0;
	if (target->commits) {
		fixed->commits = target->commits;
		fixed->commits_scope = scope_ref(target->commits_scope);
	}
	for (size_t i = 0; i < target->n_sources; i++) {
		const struct clone_source *source = &target->sources[i];

		if (fixed->n_sources < SOURCES_MOST &&
		    is_name(source->workspace) && is_name(source->slug))
			set_source(fixed, fixed->n_sources++, source->workspace,
				   source->slug, source->uuid);
	}
	set_source(fixed, fixed->n_sources, repository->dir.scope->workspace,
		   repository->slug, repository_id(repository));
	fixed->workspace = mem_strdup(repository->dir.scope->workspace_id);
	return fixed;
}

struct fixed_commit *checkout_fixed_new(const struct oid *commit)
{
	struct fixed_commit *fixed = mem_calloc(1, sizeof(*fixed));
	char hex[41];

	mutex_init(&fixed->lock);
	fixed->hash = mem_strdup(oid_hex(commit, hex));
	fixed->has_id = true;
	fixed->id = *commit;
	/* The repository itself is the only source: is_own says so. */
	set_source(fixed, 0, "", "", NULL);
	fixed->workspace = mem_strdup("");
	return fixed;
}

/* Equal, as far as the shorter one goes. */
static bool is_same(const char *a, const char *b)
{
	size_t n = strlen(a), m = strlen(b);

	return strncmp(a, b, n < m ? n : m) == 0;
}

bool checkout_fixed_same(const struct fixed_commit *a,
			 const struct fixed_commit *b)
{
	return is_same(a->hash, b->hash);
}

bool checkout_fixed_is_at(const struct node *node, const char *hash)
{
	const struct checkout *checkout = node_data(node);

	return checkout->fixed && is_same(checkout->fixed->hash, hash);
}

uint64_t checkout_fixed_hash(const struct fixed_commit *fixed, uint64_t seed)
{
	return hash_bytes(seed, fixed->hash, HASH_LEAST);
}

/* ---- the whole id ---- */

static void learn(struct fixed_commit *fixed, const struct oid *id)
{
	mutex_lock(&fixed->lock);
	fixed->has_id = true;
	fixed->id = *id;
	mutex_unlock(&fixed->lock);
}

/* The commit among the tips of the branches that were last told. */
static bool find_tip(const struct clone_refs *refs, const char *hash,
		     struct oid *ret_id)
{
	char hex[41];

	for (size_t i = 0; i < refs->n_names[CLONE_BRANCHES]; i++) {
		struct oid tip = clone_refs_commit(refs, CLONE_BRANCHES, i);

		if (strncmp(oid_hex(&tip, hex), hash, strlen(hash)) == 0) {
			*ret_id = tip;
			return true;
		}
	}
	return false;
}

bool checkout_fixed_known_id(struct checkout *checkout, struct oid *ret_commit)
{
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	struct fixed_commit *fixed = checkout->fixed;
	struct oid id;
	bool has;

	mutex_lock(&fixed->lock);
	has = fixed->has_id;
	id = fixed->id;
	mutex_unlock(&fixed->lock);
	if (!has)
		has = clone_resolve_short(checkout->clone, fixed->hash,
					  strlen(fixed->hash), &id) == 0 ||
		      (clone_known_refs(checkout->clone, &refs) == 0 &&
		       find_tip(refs, fixed->hash, &id));
	if (!has)
		return false;
	learn(fixed, &id);
	*ret_commit = id;
	return true;
}

/* The commit in the list of a pull request's commits. A program that walks has
 * read that list before it enters the files. */
static bool find_listed(struct ctx *ctx, struct model *model,
			const struct fixed_commit *fixed, struct oid *ret_id)
{
	cleanup(collection_unref) struct collection *c = NULL;
	struct answer_age age;
	size_t n = strlen(fixed->hash);

	if (!fixed->commits ||
	    documents_collection(ctx, model->config.documents, fixed->commits,
				 fixed->commits_scope, READ_CACHED, &c,
				 &age) < 0)
		return false;
	for (size_t i = 0; i < c->n_items; i++)
		if (strncmp(c->items[i].id, fixed->hash, n) == 0)
			return oid_parse(c->items[i].id, ret_id) == 0;
	return false;
}

/* Asks git for the branch's tip: it may have moved since the refs were last
 * asked for. */
static bool ask_git(struct ctx *ctx, struct model *model,
		    struct checkout *checkout, struct oid *ret_id)
{
	cleanup(clone_refs_unref) struct clone_refs *refs = NULL;
	struct fixed_commit *fixed = checkout->fixed;

	return fixed->branch && is_own(fixed, 0) &&
	       clone_get_refs(ctx, checkout->clone, model->config.ttl_ms,
			      &refs) == 0 &&
	       find_tip(refs, fixed->hash, ret_id);
}

static int ask_source(struct ctx *ctx, struct model *model,
		      const struct fixed_commit *fixed, size_t i, char id[41])
{
	const struct clone_source *source = &fixed->sources[i];
	bool own = i == fixed->n_sources || is_own(fixed, i);

	if (own)
		source = &fixed->sources[fixed->n_sources];
	/* By its slug only where nobody told a uuid: the name may be another
	 * repository's by now. */
	return documents_commit_id(
		ctx, model->config.documents,
		own ? fixed->workspace : source->workspace, source->uuid,
		own && source->uuid ? NULL : source->slug, fixed->hash, id);
}

static int ask_service(struct ctx *ctx, struct model *model,
		       struct fixed_commit *fixed, struct oid *ret_id)
{
	char id[41];
	int r = -ENOENT;

	for (size_t i = 0; i <= fixed->n_sources; i++) {
		if (i == fixed->n_sources && i > 0 && is_own(fixed, 0))
			break;
		r = ask_source(ctx, model, fixed, i, id);
		if (r == 0)
			return oid_parse(id, ret_id);
		/* A fork may be deleted, or be closed to this user: the next
		 * source. */
		if (r != -ENOENT && r != -EACCES)
			return r;
	}
	/* ENOENT would say that the directory which the program is looking into
	 * does not exist. */
	return ctx_fail(ctx, r == -ENOENT ? -ENODATA : r,
			"The commit %s is not to be had any more: %.300s",
			fixed->hash, ctx->sentence);
}

/* Its id, whole; asks for it where only the first digits are known. */
static int whole_id(struct ctx *ctx, struct model *model,
		    struct checkout *checkout, struct oid *ret_commit)
{
	struct oid id;
	int r;

	if (checkout_fixed_known_id(checkout, ret_commit))
		return 0;
	if (!find_listed(ctx, model, checkout->fixed, &id) &&
	    !ask_git(ctx, model, checkout, &id)) {
		r = ctx_check(ctx);
		if (r >= 0)
			r = ask_service(ctx, model, checkout->fixed, &id);
		if (r < 0)
			return r;
	}
	learn(checkout->fixed, &id);
	*ret_commit = id;
	return 0;
}

static int get(struct ctx *ctx, struct model *model, struct checkout *checkout,
	       struct clone_head *ret_head)
{
	struct fixed_commit *fixed = checkout->fixed;
	struct oid id;
	int r = whole_id(ctx, model, checkout, &id);

	if (r < 0)
		return r;
	/* clone_get_commit asks the repository itself after the sources. */
	return clone_get_commit(ctx, checkout->clone, &id, fixed->sources,
				is_own(fixed, 0) ? 0 : fixed->n_sources,
				ret_head);
}

int checkout_fixed_bring(struct ctx *ctx, struct checkout *checkout,
			 const struct oid *commit,
			 const struct clone_need *need)
{
	struct fixed_commit *fixed = checkout->fixed;

	return clone_bring(ctx, checkout->clone, commit, need, fixed->sources,
			   is_own(fixed, 0) ? 0 : fixed->n_sources);
}

/* 0, or the errno of the last refusal while that is remembered, with its
 * sentence. */
static int still_refused(struct ctx *ctx, struct model *model,
			 struct fixed_commit *fixed)
{
	int64_t renewed_ms = atomic_load(&model->renewed_ms);
	int r = 0;

	mutex_lock(&fixed->lock);
	/* It may have been another credential. */
	if (fixed->refused < 0 && fixed->refused_ms > renewed_ms &&
	    clock_mono_ms() < fixed->refused_until_ms)
		r = ctx_fail(ctx, fixed->refused, "%s", fixed->refusal);
	mutex_unlock(&fixed->lock);
	return r;
}

static void remember_refusal(const struct ctx *ctx, struct fixed_commit *fixed,
			     int refused, int64_t for_ms)
{
	mutex_lock(&fixed->lock);
	free(fixed->refusal);
	fixed->refusal = mem_strdup(ctx->sentence);
	fixed->refused = refused;
	fixed->refused_ms = clock_mono_ms();
	fixed->refused_until_ms = fixed->refused_ms + for_ms;
	mutex_unlock(&fixed->lock);
}

/* A refusal is remembered for a while: a walk opens the directory at each look,
 * and each time would ask every source for a commit that none has. */
int checkout_fixed_get(struct ctx *ctx, struct model *model,
		       struct checkout *checkout, struct clone_head *ret_head)
{
	int r = still_refused(ctx, model, checkout->fixed);

	if (r < 0)
		return r;
	r = get(ctx, model, checkout, ret_head);
	if (r == -ENODATA || r == -EACCES)
		remember_refusal(ctx, checkout->fixed, r,
				 documents_unknown_ms(model->config.documents));
	return r;
}

int checkout_fixed_found(struct ctx *ctx, struct model *model, struct node *dir,
			 const struct checkout_target *target,
			 struct found *ret_found)
{
	struct node *repository = repository_above(dir);
	int64_t mtime_ms = node_mtime_ms(model->nodes, dir);
	size_t n = target->hash ? strlen(target->hash) : 0;
	struct checkout *checkout = NULL;
	struct clone_head head;
	struct oid id;
	int r;

	if (!repository || n < HASH_LEAST || n > 40 ||
	    strspn(target->hash, "0123456789abcdef") != n)
		return ctx_fail(ctx, -EIO, "There is no commit id here.");
	r = checkout_new(model, repository, NULL,
			 fixed_new(repository_of(repository), target),
			 &checkout);
	if (r < 0)
		return r;
	if (checkout_fixed_known_id(checkout, &id) &&
	    clone_known_commit(checkout->clone, &id, &head) == 0)
		mtime_ms = head.time_s * 1000;
	checkout_found(checkout, mtime_ms, LONGEST_MS, ret_found);
	return 0;
}
