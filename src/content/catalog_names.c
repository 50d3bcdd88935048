/*
 * content/catalog: what a repository is called now, for who knows it by its
 * name alone (git). Its own object says so, got by uuid; for a minute that will
 * do.
 */
#include "content/catalog_private.h"

#include "base/clock.h"
#include "base/map.h"

#include <strings.h>

#define CONFIRMED_MS (INT64_C(60) * 1000)
/* Nobody is asked about every poll while that fails. */
#define FAILED_MS (INT64_C(5) * 1000)
#define MOST_CONFIRMED 1000

struct confirmed {
	char *uuid, *workspace, *slug;
	int failed;      /* then there are no names */
	int64_t at_ms;   /* clock_boot_ms, of the question */
	int64_t wall_ms; /* the same by the wall clock */
	UT_hash_handle hh;
};

static void confirmed_free(struct confirmed *one)
{
	free(one->uuid);
	free(one->workspace);
	free(one->slug);
	free(one);
}

void catalog_names_done(struct catalog *c)
{
	struct confirmed *one, *next;

	HASH_ITER (hh, c->confirmed, one, next) {
		HASH_DEL(c->confirmed, one);
		confirmed_free(one);
	}
}

/* 1: it is known; 0: it is not; or the failure, which is no answer to somebody
 * who says that it is to be asked now. */
static int recall(struct catalog *c, const char *uuid, bool urgent,
		  char **ret_workspace, char **ret_slug, int64_t *ret_asked_ms)
{
	struct confirmed *one;
	int found = 0;

	mutex_lock(&c->lock);
	HASH_FIND_STR(c->confirmed, uuid, one);
	if (one && !(one->failed && urgent) &&
	    clock_boot_ms() - one->at_ms <=
		    (one->failed ? FAILED_MS : CONFIRMED_MS))
		found = one->failed ? one->failed : 1;
	if (found == 1) {
		*ret_workspace = xstrdup(one->workspace);
		*ret_slug = xstrdup(one->slug);
		*ret_asked_ms = one->wall_ms;
	}
	mutex_unlock(&c->lock);
	return found;
}

static void remember(struct catalog *c, const char *uuid, const char *workspace,
		     const char *slug, int failed, int64_t at_ms,
		     int64_t wall_ms)
{
	struct confirmed *one, *fresh = xcalloc(1, sizeof(*fresh)), *out = NULL;

	fresh->uuid = xstrdup(uuid);
	fresh->workspace = xstrdup(workspace);
	fresh->slug = xstrdup(slug);
	fresh->failed = failed;
	fresh->at_ms = at_ms;
	fresh->wall_ms = wall_ms;
	mutex_lock(&c->lock);
	HASH_FIND_STR(c->confirmed, uuid, one);
	/* The oldest is the first. */
	if (!one && HASH_COUNT(c->confirmed) >= MOST_CONFIRMED)
		one = c->confirmed;
	if (one) {
		HASH_DEL(c->confirmed, one);
		out = one;
	}
	HASH_ADD_KEYPTR(hh, c->confirmed, fresh->uuid, strlen(fresh->uuid),
			fresh);
	mutex_unlock(&c->lock);
	if (out)
		confirmed_free(out);
}

int catalog_name_now(void *arg, struct ctx *ctx, const char *uuid,
		     const char *workspace, const char *slug,
		     char **ret_workspace, char **ret_slug,
		     int64_t *ret_asked_ms)
{
	struct catalog *c = arg;
	cleanup(catalog_repository_done) struct catalog_repository known = {0};
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(json_free) struct json *json = NULL;
	int64_t at_ms = clock_boot_ms(), wall_ms = clock_wall_ms();
	int r = recall(c, uuid, ctx->urgent, ret_workspace, ret_slug,
		       ret_asked_ms);

	if (r)
		return r < 0 ? r : 0;
	/* Without a uuid there is nothing but the name. */
	if (!catalog_is_uuid(uuid)) {
		*ret_workspace = xstrdup(workspace);
		*ret_slug = xstrdup(slug);
		*ret_asked_ms = wall_ms;
		return 0;
	}
	if (credential_kind(c->config.credential) == CREDENTIAL_ANONYMOUS)
		return -EAGAIN;
	catalog_repository_make(slug, uuid, "", 0, &known);
	r = catalog_document(ctx, c, workspace, &known, READ_REFRESH,
			     &document);
	if (r < 0) {
		/* What is refused to one class others may have. */
		if (r != -EINTR && !ctx->refused)
			remember(c, uuid, workspace, slug, r, clock_boot_ms(),
				 0);
		return r;
	}
	if (json_parse(blob_data(document.body), blob_len(document.body),
		       &json) ||
	    bitbucket_read_repository(json, &got)) {
		remember(c, uuid, workspace, slug, -EBADMSG, clock_boot_ms(),
			 0);
		return -EBADMSG;
	}
	if (!*got.workspace) {
		free(got.workspace);
		got.workspace = xstrdup(workspace);
	}
	if (strcmp(got.workspace, workspace))
		(void)cache_expire(c->config.cache, KEY_WORKSPACES);
	remember(c, uuid, got.workspace, got.slug, 0, at_ms, wall_ms);
	*ret_asked_ms = wall_ms;
	*ret_workspace = steal(&got.workspace);
	*ret_slug = steal(&got.slug);
	return 0;
}

bool catalog_is_listed(void *arg, const char *uuid, const char *workspace,
		       const char *slug)
{
	struct catalog *c = arg;
	cleanup(catalog_workspace_ref_done) struct workspace_ref w = {0};
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(catalog_listing_unref) struct listing *l = NULL;
	cleanup(free) char *key = NULL, *alias = NULL;

	catalog_resolve(c, workspace, &w);
	key = catalog_listing_key(&w);
	e = answer_peek(c->config.cache, key);
	if (e && e->body) {
		if (e->left_ms <= 0 || catalog_listing_of(c, key, e, &l) < 0)
			return false;
		for (size_t i = 0; i < l->n_items; i++)
			if (!strcmp(l->items[i].slug, slug))
				return !strcasecmp(l->items[i].uuid, uuid);
		return false;
	}
	/* Of a workspace that was never listed. */
	cache_entry_free(e);
	alias = catalog_alias_key(&w, slug);
	e = answer_peek(c->config.cache, alias);
	return e && e->body && e->left_ms > 0 &&
	       !strcasecmp(blob_data(e->body), uuid);
}
