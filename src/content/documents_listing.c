/*
 * content/documents, a workspace's repositories: all of them asked for, or what
 * was updated since; compared with the listing of before, stored with every
 * document in one transaction.
 *
 * A listing is walked in several requests, while repositories come and go:
 * 1. A asks for page 1, which ends with the 100th.
 * 2. The 7th is deleted: what was the 101st is the 100th.
 * 3. A asks for page 2, which begins after it. It is on no page of A's.
 * So what the walk lacks is asked for itself, and vanishes only when it is
 * gone, or has another name by now (src/model/README.md, 8).
 *
 * Most of the time it is one request for what was updated since the newest
 * change that is known, and the rest stays; once an hour, and when people ask,
 * all of it is walked, because what was deleted tells nobody. A slug that went
 * over to another uuid is a reason to walk, too: the one that had it was
 * renamed or deleted, and a rename need not count as an update.
 */
#include "content/documents_private.h"

#include "base/clock.h"
#include "base/map.h"

#define WALK_EVERY_MS (INT64_C(3600) * 1000)
#define MOST_UPDATED 300

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
	ret->places = mem_calloc(2 * all->n_items + 1, sizeof(*ret->places));
	for (size_t i = 0; i < all->n_items; i++) {
		const struct bitbucket_repository *item = &all->items[i];

		members_add(ret, &ret->uuids, item->uuid, item->uuid);
		members_add(ret, &ret->slugs, item->slug, item->uuid);
	}
}

/* ---- what the new listing lacks ---- */

enum fate {
	FATE_STAYS,   /* unchanged, or as *ret says */
	FATE_RENAMED, /* it has the name in *ret, in the same workspace */
	FATE_GOES,
};

static bool has_left(const struct scope *workspace,
		     const struct bitbucket_repository *now)
{
	if (documents_is_uuid(workspace->workspace_id) && *now->workspace_uuid)
		return documents_is_other(workspace->workspace_id,
					  now->workspace_uuid);
	return *now->workspace && strcmp(now->workspace, workspace->slug) != 0;
}

/* A fate, or -EINTR; *more becomes false when it is of no use to go on asking.
 * ret->slug is set when it was seen. */
static int ask_fate(struct ctx *ctx, struct documents *d,
		    const struct scope *workspace,
		    const struct collection_item *old, bool *more,
		    struct bitbucket_repository *ret)
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(json_free) struct json *json = NULL;
	cleanup(free) char *path = bitbucket_repository_path(
		workspace->workspace_id,
		documents_is_uuid(old->id) ? old->id : old->slug);
	int r = bitbucket_get(ctx, d->config.bitbucket, path, NULL, &reply);

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
	if (documents_is_other(old->id, ret->uuid)) {
		bitbucket_repository_done(ret);
		return FATE_STAYS;
	}
	if (has_left(workspace, ret))
		return FATE_GOES;
	return strcmp(ret->slug, old->slug) ? FATE_RENAMED : FATE_STAYS;
}

/* A listing being stored. */
struct storing {
	struct documents *documents;
	const struct scope *workspace;
	struct collection_lines lines;
	struct answer_batch batch;
	/* Seen when asked for itself; the batch borrows of them. */
	struct bitbucket_repository seen[MOST_ASKED];
	unsigned n_seen;
	char *removed[2 * MOST_ASKED + 1]; /* keys; the rest expires anyway */
	unsigned n_removed;
};

static void storing_done(struct storing *s)
{
	collection_lines_done(&s->lines);
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

static void forget_alias(struct storing *s, const char *slug)
{
	remove_later(s, documents_alias_key(s->workspace, slug));
}

static void keep_line(struct storing *s, const struct collection_item *old)
{
	collection_lines_add(&s->lines, old->slug, old->id, old->project,
			     old->time_ms);
}

/* One that the walk lacks; now: what it has. */
static int store_vanished(struct ctx *ctx, struct storing *s,
			  const struct collection_item *old,
			  const struct members *now, bool *more)
{
	bool name_taken = member_of(now->slugs, old->slug);
	struct bitbucket_repository *seen = NULL;
	int fate = FATE_STAYS;

	if (*more && s->n_seen < MOST_ASKED) {
		seen = &s->seen[s->n_seen++];
		fate = ask_fate(ctx, s->documents, s->workspace, old, more,
				seen);
	}
	if (fate < 0)
		return fate;
	if (fate == FATE_RENAMED)
		documents_note_renamed(s->documents, s->workspace->key,
				       old->id);
	/* Renamed: while the pages were walked. */
	if (fate != FATE_STAYS && !name_taken)
		forget_alias(s, old->slug);
	if (fate == FATE_GOES) {
		cleanup(free) char *path = mem_asprintf(
			"%s/%s", s->workspace->workspace, old->name);

		if (!seen->slug)
			remove_later(s, scope_item_key(&resource_repositories,
						       s->workspace, old->id));
		if (!name_taken)
			documents_say(s->documents, ENOENT, path,
				      "The repository %s/%s is no longer "
				      "there.",
				      s->workspace->slug, old->slug);
		return 0;
	}
	/* There is no name under which it could be shown. */
	if (fate == FATE_RENAMED ? member_of(now->slugs, seen->slug) != NULL
				 : name_taken)
		return 0;
	if (fate == FATE_RENAMED)
		collection_lines_add(&s->lines, seen->slug, old->id,
				     seen->project, seen->updated_ms);
	else
		keep_line(s, old);
	/* Asked for and there: its document is news. */
	if (seen && seen->json)
		documents_batch_repository(&s->batch, s->workspace, old->id,
					   seen, NULL);
	return 0;
}

/* ---- what came, and what was there ---- */

static void store_new(struct storing *s,
		      const struct bitbucket_repositories *all)
{
	for (size_t i = 0; i < all->n_items; i++) {
		const struct bitbucket_repository *item = &all->items[i];

		collection_lines_add(&s->lines, item->slug, item->uuid,
				     item->project, item->updated_ms);
		documents_batch_repository(&s->batch, s->workspace, item->uuid,
					   item, NULL);
	}
}

static void touch_later(struct storing *s, char *key)
{
	answer_batch_touch(&s->batch, key, REPOSITORIES_MS);
}

/* What was not updated is as true as it was. */
static void keep_unchanged(struct storing *s, const struct collection_item *old)
{
	keep_line(s, old);
	touch_later(s, scope_item_key(&resource_repositories, s->workspace,
				      old->id));
	touch_later(s, documents_alias_key(s->workspace, old->slug));
}

/* What the new listing is. */
enum listing {
	LISTING_WHOLE,
	LISTING_IN_PART, /* what it lacks is no sign of anything */
	LISTING_UPDATES, /* what was updated */
};

/* Those of the old listing, now that the new one has come. */
static int store_old(struct ctx *ctx, struct storing *s,
		     const struct collection *before, const struct members *now,
		     enum listing listing)
{
	bool more = listing == LISTING_WHOLE;
	int r = 0;

	for (size_t i = 0; i < before->n_items && r == 0; i++) {
		const struct collection_item *old = &before->items[i];
		const struct member *is = member_of(now->slugs, old->slug);

		if (!member_of(now->uuids, old->id)) {
			if (listing == LISTING_UPDATES)
				keep_unchanged(s, old);
			else
				r = store_vanished(ctx, s, old, now, &more);
			continue;
		}
		if (!is || strcmp(is->uuid, old->id) != 0)
			documents_note_renamed(s->documents, s->workspace->key,
					       old->id);
		/* Renamed: the old name means nothing any more. */
		if (!is)
			forget_alias(s, old->slug);
	}
	return r;
}

static void say_left_out(void *arg, const struct collection_line *line)
{
	struct storing *s = arg;

	documents_say(s->documents, EEXIST, s->workspace->workspace,
		      "The repository %s (%s) of the workspace %s is left out: "
		      "another one has the same file name.",
		      line->slug, line->uuid, s->workspace->slug);
}

/* ---- asking ---- */

/* An answer for a workspace that is asked for by its slug may be about the one
 * that has the slug now. */
static int check_workspace(struct ctx *ctx, struct storing *s,
			   const struct bitbucket_repositories *all)
{
	for (size_t i = 0; i < all->n_items; i++)
		if (documents_is_other(s->workspace->workspace_id,
				       all->items[i].workspace_uuid))
			return documents_other_workspace(ctx, s->documents,
							 s->workspace);
	return 0;
}

/* Some slug is another repository's now than before. */
static bool has_changed_hands(const struct collection *before,
			      const struct members *now)
{
	for (size_t i = 0; i < before->n_items; i++) {
		const struct collection_item *old = &before->items[i];
		const struct member *is = member_of(now->slugs, old->slug);

		if (is && strcmp(is->uuid, old->id) != 0)
			return true;
	}
	return false;
}

/* The listing from the one before and what was updated since; 1: it has to be
 * walked. all is borrowed by what is to be stored. */
static int update_listing(struct ctx *ctx, const struct documents_fetch *f,
			  struct storing *s, const struct collection *before,
			  struct bitbucket_repositories *all)
{
	cleanup(members_done) struct members now = {0};
	cleanup(free) char *path = NULL;
	struct bitbucket_list list = {
		.identify = bitbucket_repository_identity,
		.most = MOST_UPDATED,
		.each = bitbucket_take_repository,
		.arg = all,
	};
	char since[24];
	int64_t newest = collection_newest(before);
	int r;

	if (!newest)
		return 1;
	/* To the second below: what changed within it comes again. */
	clock_format_iso8601(answer_changes_since_ms(s->documents->config.cache,
						     f->scope->key, newest),
			     since);
	r = documents_path(ctx, s->documents, "/repositories/{ws}?pagelen=100",
			   f->scope, &path);
	if (r == 0)
		r = documents_list_changed(ctx, f, path, since, &list);
	if (r == 0)
		r = check_workspace(ctx, s, all);
	if (r != 0)
		return r;
	/* The newest itself is among them, unless it went. */
	if (all->n_items == 0)
		return 1;
	members_of(all, &now);
	if (has_changed_hands(before, &now))
		return 1;
	store_new(s, all);
	return store_old(ctx, s, before, &now, LISTING_UPDATES);
}

static int walk_listing(struct ctx *ctx, const struct documents_fetch *f,
			struct storing *s, const struct collection *before,
			struct bitbucket_repositories *all,
			int64_t *ret_since_ms)
{
	cleanup(members_done) struct members now = {0};
	cleanup(documents_pages_done) struct documents_pages pages;
	struct documents *d = s->documents;
	const char *endpoint = resource_repositories.endpoint;
	const char *key = s->workspace->key;
	struct bitbucket_known known = documents_known_list(d, endpoint, key);
	int r;

	documents_pages_init(&pages, d, s->workspace->key,
			     documents_pages_age_ms(f, true));
	r = bitbucket_list_repositories(ctx, d->config.bitbucket,
					s->workspace->workspace_id, &known,
					&pages.kept, all);
	documents_pages_end(&pages, r);
	*ret_since_ms = documents_pages_since_ms(&pages);
	if (r >= 0)
		r = check_workspace(ctx, s, all);
	if (r < 0)
		return r;
	if (all->n_odd)
		documents_say(d, EBADMSG, s->workspace->workspace,
			      "%zu objects in the listing of %s name no "
			      "repository and are left out.",
			      all->n_odd, s->workspace->slug);
	documents_learn_list(d, endpoint, key, &known);
	documents_say_list(d, s->workspace->workspace, all->came, &known);
	store_new(s, all);
	members_of(all, &now);
	return before ? store_old(ctx, s, before, &now,
				  documents_is_complete(all->came)
					  ? LISTING_WHOLE
					  : LISTING_IN_PART)
		      : 0;
}

int documents_fetch_repositories(struct ctx *ctx, void *arg,
				 const struct cache_entry *old)
{
	struct documents_fetch *f = arg;
	struct documents *d = f->documents;
	cleanup(bitbucket_repositories_done) struct bitbucket_repositories
		updated = {0},
		all = {0};
	cleanup(collection_unref) struct collection *before = NULL;
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(storing_done) struct storing s = {
		.documents = d,
		.workspace = f->scope,
		.lines = {.row = f->row},
	};
	int64_t since_ms = 0; /* of a walk */
	int r = 1;

	if (old && old->body &&
	    collection_decode(f->row, blob_data(old->body), blob_len(old->body),
			      &before))
		before = NULL;
	if (before && documents_may_update(f, old, WALK_EVERY_MS))
		r = update_listing(ctx, f, &s, before, &updated);
	if (r == 1)
		r = walk_listing(ctx, f, &s, before, &all, &since_ms);
	if (r == 0)
		r = collection_lines_encode(&s.lines, say_left_out, &s, &text);
	if (r < 0)
		return r;
	answer_batch_add(&s.batch, mem_strdup(f->scope->key), text.data,
			 text.len, NULL, REPOSITORIES_MS);
	documents_pages_drop(f->scope->key, &s.batch);
	r = answer_put(ctx, d->config.cache, s.batch.puts, s.batch.n);
	if (r == 0 && since_ms)
		answer_was_walked(d->config.cache, f->scope->key, since_ms);
	else if (r == 0)
		answer_has_changes(d->config.cache, f->scope->key);
	if (r == 0)
		documents_changed_repositories(f, before, &text);
	for (unsigned i = 0; r == 0 && i < s.n_removed; i++)
		(void)cache_remove(d->config.cache, s.removed[i]);
	if (r == 0)
		documents_tell_repositories(d, f->scope->slug, &s.lines);
	return r;
}
