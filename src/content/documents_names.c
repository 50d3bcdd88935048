/*
 * content/documents: what a repository is called now, for who knows it by its
 * name alone (git). Its own object says so, got by uuid; for a minute that will
 * do.
 */
#include "content/documents_private.h"

#include "base/clock.h"

#include <strings.h>

#define CONFIRMED_MS (INT64_C(60) * 1000)
/* Nobody is asked about every poll while that fails. */
#define FAILED_MS (INT64_C(5) * 1000)
#define MOST_CONFIRMED 1000

struct confirmed {
	struct refcount refcount;
	char *workspace, *slug;
	int failed;      /* then there are no names */
	int64_t at_ms;   /* clock_boot_ms, of the question */
	int64_t wall_ms; /* the same by the wall clock */
};

static void *confirmed_ref(void *value)
{
	refcount_take(&((struct confirmed *)value)->refcount);
	return value;
}

static void confirmed_unref(void *value)
{
	struct confirmed *one = value;

	if (!refcount_drop(&one->refcount))
		return;
	free(one->workspace);
	free(one->slug);
	free(one);
}

void documents_names_init(struct documents *d)
{
	static const struct lru_values values = {
		.ref = confirmed_ref,
		.unref = confirmed_unref,
	};

	lru_init(&d->confirmed, MOST_CONFIRMED, &values);
}

/* 1: it is known; 0: it is not; or the failure, which is no answer to somebody
 * who says that it is to be asked now. */
static int recall(struct documents *d, const char *uuid, bool urgent,
		  char **ret_workspace, char **ret_slug, int64_t *ret_asked_ms)
{
	struct confirmed *one = lru_get(&d->confirmed, uuid, strlen(uuid));
	int found = 0;

	if (!one)
		return 0;
	if (!(one->failed && urgent) &&
	    clock_boot_ms() - one->at_ms <=
		    (one->failed ? FAILED_MS : CONFIRMED_MS))
		found = one->failed ? one->failed : 1;
	if (found == 1) {
		*ret_workspace = mem_strdup(one->workspace);
		*ret_slug = mem_strdup(one->slug);
		*ret_asked_ms = one->wall_ms;
	}
	confirmed_unref(one);
	return found;
}

static void remember(struct documents *d, const char *uuid,
		     const char *workspace, const char *slug, int failed,
		     int64_t at_ms, int64_t wall_ms)
{
	struct confirmed *one = mem_calloc(1, sizeof(*one));

	refcount_init(&one->refcount);
	one->workspace = mem_strdup(workspace);
	one->slug = mem_strdup(slug);
	one->failed = failed;
	one->at_ms = at_ms;
	one->wall_ms = wall_ms;
	lru_put(&d->confirmed, uuid, strlen(uuid), one, 1);
	confirmed_unref(one);
}

int documents_name_now(void *arg, struct ctx *ctx, const char *uuid,
		       const char *workspace, const char *slug,
		       char **ret_workspace, char **ret_slug,
		       int64_t *ret_asked_ms)
{
	struct documents *d = arg;
	cleanup(scope_unref) struct scope *scope = NULL;
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(bitbucket_repository_done) struct bitbucket_repository got = {
		0};
	cleanup(json_free) struct json *json = NULL;
	int64_t at_ms = clock_boot_ms(), wall_ms = clock_wall_ms();
	int r = recall(d, uuid, ctx->urgent, ret_workspace, ret_slug,
		       ret_asked_ms);

	if (r)
		return r < 0 ? r : 0;
	/* Without a uuid there is nothing but the name. */
	if (!documents_is_uuid(uuid)) {
		*ret_workspace = mem_strdup(workspace);
		*ret_slug = mem_strdup(slug);
		*ret_asked_ms = wall_ms;
		return 0;
	}
	if (credential_kind(d->config.credential) == CREDENTIAL_ANONYMOUS)
		return -EAGAIN;
	scope = documents_listing_scope(d, workspace);
	r = documents_item(ctx, d, &resource_repositories, scope, uuid,
			   READ_REFRESH, &document);
	if (r < 0) {
		/* What is refused to one class others may have. */
		if (r != -EINTR && !ctx->refused)
			remember(d, uuid, workspace, slug, r, clock_boot_ms(),
				 0);
		return r;
	}
	json = json_of(document.body);
	if (bitbucket_read_repository(json, &got)) {
		remember(d, uuid, workspace, slug, -EBADMSG, clock_boot_ms(),
			 0);
		return -EBADMSG;
	}
	if (!*got.workspace) {
		free(got.workspace);
		got.workspace = mem_strdup(workspace);
	}
	if (strcmp(got.workspace, workspace))
		(void)cache_expire(d->config.cache, "workspaces");
	remember(d, uuid, got.workspace, got.slug, 0, at_ms, wall_ms);
	*ret_asked_ms = wall_ms;
	*ret_workspace = steal(&got.workspace);
	*ret_slug = steal(&got.slug);
	return 0;
}

bool documents_is_listed(void *arg, const char *uuid, const char *workspace,
			 const char *slug)
{
	struct documents *d = arg;
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(d, workspace);
	cleanup(collection_unref) struct collection *c = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	cleanup(free) char *alias = NULL;
	struct answer_age age;

	c = documents_known(d, &resource_repositories, scope->key, &age);
	if (c) {
		for (size_t i = 0; i < c->n_items && age.left_ms > 0; i++)
			if (!strcmp(c->items[i].slug, slug))
				return !strcasecmp(c->items[i].id, uuid);
		return false;
	}
	/* Of a workspace that was never listed. */
	alias = documents_alias_key(scope, slug);
	e = answer_peek(d->config.cache, alias);
	return e && e->body && e->left_ms > 0 &&
	       !strcasecmp(blob_data(e->body), uuid);
}

int64_t documents_repository_size(void *arg, const char *uuid,
				  const char *workspace)
{
	struct documents *d = arg;
	cleanup(scope_unref) struct scope *scope =
		documents_listing_scope(d, workspace);
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	struct ctx ctx;
	int r;

	ctx_init(&ctx, NULL, -1);
	r = documents_item(&ctx, d, &resource_repositories, scope, uuid,
			   READ_CACHED, &document);
	ctx_done(&ctx);
	json = r < 0 ? NULL : json_of(document.body);
	return json ? json_int(json, "size", -1) : -1;
}
