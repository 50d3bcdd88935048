/*
 * content/catalog, a complete listing: asked for, compared with the one before,
 * stored with every document in one transaction.
 *
 * What the new listing lacks vanishes only when it says so itself, or has
 * another name by now (src/model/README.md, 8).
 *
 * Most of the time it is one request for what was updated since the newest
 * change that is known, and the rest stays; once an hour, and when people ask,
 * all of it is walked, because what was deleted tells nobody. A slug that went
 * over to another uuid is a reason to walk, too: the one that had it was
 * renamed or deleted, and a rename need not count as an update.
 */
#include "content/catalog_private.h"

#include "base/map.h"

struct member {
	const char *key;  /* a uuid, or a slug */
	const char *uuid; /* whose it is */
	UT_hash_handle hh;
};

/* Two sets of what the new listing has. */
struct members {
	struct member *uuids, *slugs;
	struct member *places;
	size_t n;
};

static void members_done(struct members *m)
{
	HASH_CLEAR(hh, m->uuids);
	HASH_CLEAR(hh, m->slugs);
	free(m->places);
}
DEFINE_CLEANUP_DONE(struct members, members_done);

static struct member *member_of(struct member *set, const char *key)
{
	struct member *found;

	HASH_FIND_STR(set, key, found);
	return found;
}

static void members_add(struct members *m, struct member **set, const char *key,
			const char *uuid)
{
	struct member *place = &m->places[m->n];

	if (member_of(*set, key))
		return;
	m->n++;
	place->key = key;
	place->uuid = uuid;
	HASH_ADD_KEYPTR(hh, *set, place->key, strlen(place->key), place);
}

static void members_of(const struct bitbucket_repositories *all,
		       struct members *ret)
{
	ret->places = xcalloc(2 * all->n_items + 1, sizeof(*ret->places));
	for (size_t i = 0; i < all->n_items; i++) {
		const struct bitbucket_repository *item = &all->items[i];

		members_add(ret, &ret->uuids, item->uuid, item->uuid);
		members_add(ret, &ret->slugs, item->slug, item->uuid);
	}
}

/* What becomes of one that the new listing lacks. */
enum fate {
	FATE_STAYS,   /* unchanged, or as *ret says */
	FATE_RENAMED, /* it has the name in *ret, in the same workspace */
	FATE_GOES,
};

/* A fate, or -EINTR; *more becomes false when it is of no use to go on asking.
 * ret->slug is set when it was seen. */
static int ask_fate(struct ctx *ctx, struct catalog *c,
		    const struct workspace_ref *workspace,
		    const struct catalog_repository *old, bool *more,
		    struct bitbucket_repository *ret)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = bitbucket_repository_path(
		workspace->key,
		catalog_is_uuid(old->uuid) ? old->uuid : old->slug);
	int r = bitbucket_get(ctx, c->config.bitbucket, path, NULL, &reply);

	if (r == -EINTR)
		return r;
	if (r < 0 && answer_is_gone(reply.status))
		return FATE_GOES;
	if (r < 0) {
		*more = false;
		return FATE_STAYS;
	}
	if (!reply.body.data ||
	    json_parse(reply.body.data, reply.body.len, &json) ||
	    bitbucket_read_repository(json, ret))
		return FATE_STAYS;
	/* The answer is about another one: it says nothing of this. */
	if (catalog_is_other(old->uuid, ret->uuid)) {
		bitbucket_repository_done(ret);
		return FATE_STAYS;
	}
	if (catalog_is_uuid(workspace->uuid) && *ret->workspace_uuid
		    ? catalog_is_other(workspace->uuid, ret->workspace_uuid)
		    : *ret->workspace &&
			      strcmp(ret->workspace, workspace->slug))
		return FATE_GOES;
	return strcmp(ret->slug, old->slug) ? FATE_RENAMED : FATE_STAYS;
}

/* A listing being stored. */
struct storing {
	struct catalog *catalog;
	const struct workspace_ref *workspace;
	struct listing *listing;
	struct answer_batch batch;
	/* Seen when asked for itself; their JSON is borrowed by the batch. */
	struct bitbucket_repository seen[MOST_ASKED];
	unsigned n_seen;
	char *removed[2 * MOST_ASKED + 1]; /* keys; the rest expires anyway */
	unsigned n_removed;
};

static void storing_done(struct storing *s)
{
	catalog_listing_unref(s->listing);
	answer_batch_done(&s->batch);
	for (unsigned i = 0; i < s->n_seen; i++)
		bitbucket_repository_done(&s->seen[i]);
	for (unsigned i = 0; i < s->n_removed; i++)
		free(s->removed[i]);
}
DEFINE_CLEANUP_DONE(struct storing, storing_done);

static void remove_later(struct storing *s, char *key)
{
	if (s->n_removed < ARRAY_SIZE(s->removed))
		s->removed[s->n_removed++] = key;
	else
		free(key);
}

/* One that the walk lacks; now: what it has. */
static int store_missing(struct ctx *ctx, struct storing *s,
			 const struct catalog_repository *old,
			 const struct members *now, bool *more)
{
	bool name_taken = member_of(now->slugs, old->slug);
	struct bitbucket_repository *seen = NULL;
	int fate = FATE_STAYS;

	if (*more && s->n_seen < MOST_ASKED) {
		seen = &s->seen[s->n_seen++];
		fate = ask_fate(ctx, s->catalog, s->workspace, old, more, seen);
		if (fate < 0)
			return fate;
	}
	if (fate == FATE_GOES) {
		cleanup(free) char *path =
			xasprintf("%s/%s", s->workspace->name, old->name);

		if (!name_taken)
			remove_later(
				s, catalog_alias_key(s->workspace, old->slug));
		if (!seen->slug)
			remove_later(s, xstrdup(old->key));
		if (!name_taken)
			catalog_say(s->catalog, ENOENT, path,
				    "The repository %s/%s is no longer there.",
				    s->workspace->slug, old->slug);
		return 0;
	}
	if (fate == FATE_RENAMED) {
		cleanup(free) char *key = catalog_listing_key(s->workspace);

		catalog_note_renamed(s->catalog, key, old->uuid);
		/* While the pages were walked. */
		if (!name_taken)
			remove_later(
				s, catalog_alias_key(s->workspace, old->slug));
		if (member_of(now->slugs, seen->slug))
			return 0;
		catalog_listing_add(s->listing, seen->slug, old->uuid,
				    seen->project, seen->updated_ms);
	} else if (name_taken) {
		/* There is no name under which it could be shown. */
		return 0;
	} else {
		catalog_listing_add(s->listing, old->slug, old->uuid,
				    old->project, old->updated_ms);
	}
	/* Asked for and there: its document is news. */
	if (seen && seen->json)
		catalog_batch_repository(&s->batch, s->catalog, s->workspace,
					 old->uuid, seen, NULL);
	return 0;
}

/* It is still called so. */
static bool has_name(const struct members *now,
		     const struct catalog_repository *old)
{
	const struct member *is = member_of(now->slugs, old->slug);

	return is && strcmp(is->uuid, old->uuid) == 0;
}

/* Those of the old listing that the new one lacks. */
static int store_old(struct ctx *ctx, struct storing *s,
		     const struct listing *before, const struct members *now)
{
	cleanup(free) char *key = catalog_listing_key(s->workspace);
	bool more = true;

	for (size_t i = 0; i < before->n_items; i++) {
		const struct catalog_repository *old = &before->items[i];
		bool name_taken = member_of(now->slugs, old->slug);
		int r;

		if (member_of(now->uuids, old->uuid)) {
			if (!has_name(now, old))
				catalog_note_renamed(s->catalog, key,
						     old->uuid);
			/* Renamed: the old name means nothing any more. */
			if (!name_taken)
				remove_later(s, catalog_alias_key(s->workspace,
								  old->slug));
			continue;
		}
		r = store_missing(ctx, s, old, now, &more);
		if (r < 0)
			return r;
	}
	return 0;
}

static void say_left_out(void *arg, const struct catalog_repository *r)
{
	struct storing *s = arg;

	catalog_say(s->catalog, EEXIST, s->workspace->name,
		    "The repository %s (%s) of the workspace %s is left out: "
		    "another one has the same file name.",
		    r->slug, r->uuid, s->workspace->slug);
}

/* What came, and which they are. */
static void store_new(struct storing *s,
		      const struct bitbucket_repositories *all)
{
	for (size_t i = 0; i < all->n_items; i++) {
		const struct bitbucket_repository *item = &all->items[i];

		catalog_listing_add(s->listing, item->slug, item->uuid,
				    item->project, item->updated_ms);
		catalog_batch_repository(&s->batch, s->catalog, s->workspace,
					 item->uuid, item, NULL);
	}
}

/* ---- what was updated since ---- */

#define WALK_EVERY_MS (INT64_C(3600) * 1000)
void catalog_note_renamed(struct catalog *c, const char *key, const char *uuid)
{
	int64_t at = answer_walked_ms(c->config.cache, key);
	char text[24];
	int n;

	if (!at)
		return;
	n = snprintf(text, sizeof(text), "%lld", (long long)at);
	(void)cache_fact_put(c->config.cache, "name-until", uuid, strlen(uuid),
			     text, (size_t)n);
}

static int64_t newest_change(const struct listing *l)
{
	int64_t newest = 0;

	for (size_t i = 0; i < l->n_items; i++)
		if (l->items[i].updated_ms > newest)
			newest = l->items[i].updated_ms;
	return newest;
}

static void touch_later(struct storing *s, char *key)
{
	answer_batch_touch(&s->batch, key,
			   s->catalog->config.ttl_repositories_ms);
}

/* Some slug is another repository's now than before. */
static bool has_changed_hands(const struct listing *before,
			      const struct members *now)
{
	for (size_t i = 0; i < before->n_items; i++) {
		const struct catalog_repository *old = &before->items[i];
		const struct member *is = member_of(now->slugs, old->slug);

		if (is && strcmp(is->uuid, old->uuid) != 0)
			return true;
	}
	return false;
}

/* An answer for a workspace that is asked for by its slug may be about the one
 * that has the slug now. */
static int check_workspace(struct ctx *ctx, struct storing *s,
			   const struct bitbucket_repositories *all)
{
	for (size_t i = 0; i < all->n_items; i++) {
		if (!catalog_is_other(s->workspace->uuid,
				      all->items[i].workspace_uuid))
			continue;
		(void)cache_expire(s->catalog->config.cache, KEY_WORKSPACES);
		return ctx_fail(
			ctx, -EIO,
			"The name %s is another workspace's by now; the "
			"list of workspaces is asked for again.",
			s->workspace->slug);
	}
	return 0;
}

/* The listing from the one before and what was updated since; 1: it has to be
 * walked. all is borrowed by what is to be stored. */
static int update_listing(struct ctx *ctx, struct storing *s,
			  const struct listing *before,
			  struct bitbucket_repositories *all)
{
	cleanup(members_done) struct members now = {0};
	cleanup(free) char *key = catalog_listing_key(s->workspace);
	struct catalog *c = s->catalog;
	int64_t since = newest_change(before);
	bool more = false;
	int r;

	if (!since)
		return 1;
	r = bitbucket_list_updated(ctx, c->config.bitbucket, s->workspace->key,
				   since, all, &more);
	if (r >= 0)
		r = check_workspace(ctx, s, all);
	if (r < 0)
		return r;
	/* The newest itself is among them, unless it went. */
	if (more || all->n_items == 0)
		return 1;
	members_of(all, &now);
	if (has_changed_hands(before, &now))
		return 1;
	s->listing = catalog_listing_new(all->n_items + before->n_items);
	store_new(s, all);
	for (size_t i = 0; i < before->n_items; i++) {
		const struct catalog_repository *old = &before->items[i];
		bool renamed = member_of(now.uuids, old->uuid) &&
			       !member_of(now.slugs, old->slug);

		if (renamed)
			catalog_note_renamed(c, key, old->uuid);
		if (renamed)
			remove_later(
				s, catalog_alias_key(s->workspace, old->slug));
		if (member_of(now.uuids, old->uuid))
			continue;
		catalog_listing_add(s->listing, old->slug, old->uuid,
				    old->project, old->updated_ms);
		touch_later(s, xstrdup(old->key));
		touch_later(s, catalog_alias_key(s->workspace, old->slug));
	}
	return 0;
}

/* ---- all of it ---- */

static int walk_listing(struct ctx *ctx, struct storing *s,
			const struct listing *before,
			struct bitbucket_repositories *all)
{
	cleanup(members_done) struct members now = {0};
	struct catalog *c = s->catalog;
	int r = bitbucket_list_repositories(ctx, c->config.bitbucket,
					    s->workspace->key, all);

	if (r >= 0)
		r = check_workspace(ctx, s, all);
	if (r < 0)
		return r;
	if (all->n_odd)
		catalog_say(c, EBADMSG, s->workspace->name,
			    "%zu objects in the listing of %s name no "
			    "repository and are left out.",
			    all->n_odd, s->workspace->slug);
	s->listing = catalog_listing_new(all->n_items +
					 (before ? before->n_items : 0));
	store_new(s, all);
	members_of(all, &now);
	return before ? store_old(ctx, s, before, &now) : 0;
}

int catalog_fetch_listing(struct ctx *ctx, void *arg,
			  const struct cache_entry *old)
{
	struct fetch *f = arg;
	struct catalog *c = f->catalog;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories
		updated = {0},
		all = {0};
	cleanup(catalog_listing_unref) struct listing *before = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(storing_done) struct storing s = {.catalog = c,
						  .workspace = f->workspace};
	cleanup(free) char *key = catalog_listing_key(f->workspace);
	int r = 1;

	if (old && old->body &&
	    catalog_decode_listing(blob_data(old->body), blob_len(old->body),
				   &before))
		before = NULL;
	if (before && !f->anew &&
	    !answer_walk_is_due(c->config.cache, key, WALK_EVERY_MS))
		r = update_listing(ctx, &s, before, &updated);
	if (r == 1) {
		r = walk_listing(ctx, &s, before, &all);
		if (r == 0)
			answer_was_walked(c->config.cache, key);
	}
	if (r < 0)
		return r;
	catalog_listing_sort(s.listing, say_left_out, &s);
	r = catalog_encode_listing(s.listing, &text);
	if (r < 0)
		return r;
	answer_batch_add(&s.batch, xstrdup(key), text.data, text.len, NULL,
			 c->config.ttl_repositories_ms);
	r = answer_put(ctx, c->config.cache, s.batch.puts, s.batch.n);
	for (unsigned i = 0; r == 0 && i < s.n_removed; i++)
		(void)cache_remove(c->config.cache, s.removed[i]);
	return r;
}
