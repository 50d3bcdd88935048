/*
 * content/catalog, the root: the account's workspaces, the configured ones, and
 * those that somebody entered by name.
 */
#include "content/catalog_private.h"

#include <strings.h>

#define ENTERED_MOST 1000

struct catalog_workspaces *catalog_workspaces_free(struct catalog_workspaces *w)
{
	if (!w)
		return NULL;
	for (size_t i = 0; i < w->n_items; i++) {
		free(w->items[i].slug);
		free(w->items[i].uuid);
	}
	free(w->items);
	free(w);
	return NULL;
}

void catalog_workspace_done(struct catalog_workspace *w)
{
	free(w->slug);
	free(w->uuid);
	*w = (struct catalog_workspace){0};
}

static bool is_configured(const struct catalog *c, const char *slug)
{
	for (size_t i = 0; c->workspaces[i]; i++)
		if (!strcmp(c->workspaces[i], slug))
			return true;
	return false;
}

/* Remembers that somebody was there; the mount lists it from now on. */
static void enter(struct catalog *c, const char *slug)
{
	bool known = false;

	mutex_lock(&c->lock);
	for (size_t i = 0; !known && i < c->n_entered; i++)
		known = !strcmp(c->entered[i], slug);
	if (!known && c->n_entered < ENTERED_MOST) {
		c->entered = xrealloc(c->entered,
				      (c->n_entered + 1) * sizeof(*c->entered));
		c->entered[c->n_entered++] = xstrdup(slug);
	}
	mutex_unlock(&c->lock);
}

static void leave(struct catalog *c, const char *slug)
{
	mutex_lock(&c->lock);
	for (size_t i = 0; i < c->n_entered; i++) {
		if (!strcmp(c->entered[i], slug)) {
			free(c->entered[i]);
			c->entered[i] = c->entered[--c->n_entered];
			break;
		}
	}
	mutex_unlock(&c->lock);
}

static void add_unless_there(struct catalog *c, struct catalog_ws_list *list,
			     const char *slug)
{
	cleanup(free) char *uuid = catalog_alias_uuid(c, slug);

	/* By its former name, too, it is one directory. */
	for (size_t i = 0; i < list->n_items; i++)
		if (!strcmp(list->items[i].slug, slug) ||
		    (uuid && *uuid && !strcasecmp(list->items[i].uuid, uuid)))
			return;
	catalog_ws_add(list, slug, uuid);
}

/* The configured and the entered ones, too. */
static void add_others(struct catalog *c, struct catalog_ws_list *list)
{
	char **entered;
	size_t n;

	for (size_t i = 0; c->workspaces[i]; i++)
		add_unless_there(c, list, c->workspaces[i]);
	mutex_lock(&c->lock);
	n = c->n_entered;
	entered = xcalloc(n + 1, sizeof(*entered));
	for (size_t i = 0; i < n; i++)
		entered[i] = xstrdup(c->entered[i]);
	mutex_unlock(&c->lock);
	for (size_t i = 0; i < n; i++) {
		add_unless_there(c, list, entered[i]);
		free(entered[i]);
	}
	free(entered);
}

static int by_name(const void *a, const void *b)
{
	const struct catalog_ws *x = a, *y = b;

	return strcmp(x->name, y->name);
}

/* Moves the names and uuids of a list into an answer. */
static struct catalog_workspaces *answer_of(struct catalog_ws_list *list)
{
	struct catalog_workspaces *w = xcalloc(1, sizeof(*w));

	if (list->n_items)
		qsort(list->items, list->n_items, sizeof(*list->items),
		      by_name);
	w->items = xcalloc(list->n_items + 1, sizeof(*w->items));
	for (size_t i = 0; i < list->n_items; i++) {
		struct catalog_ws *from = &list->items[i];

		/* Two slugs with one file name: the first stands. */
		if (i && !strcmp(from->name, w->items[w->n_items - 1].slug))
			continue;
		w->items[w->n_items].slug = xstrdup(from->name);
		w->items[w->n_items++].uuid = steal(&from->uuid);
	}
	return w;
}

/* The account's list; empty when this credential has none. */
static int account_list(struct ctx *ctx, struct catalog *c,
			enum read_through_mode mode,
			struct catalog_ws_list *ret_list,
			struct answer_age *ret_age)
{
	cleanup(catalog_known_unref) struct catalog_known *known = NULL;
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct fetch f = {0};
	bool stale = false;
	int r;

	if (!catalog_has_user(c)) {
		*ret_age = (struct answer_age){
			.left_ms = c->config.ttl_workspaces_ms,
		};
		return 0;
	}
	if (mode == READ_THROUGH || mode == READ_CACHED)
		known = catalog_known_get(c, ret_age);
	if (known && (mode == READ_CACHED || !ret_age->stale)) {
		for (size_t i = 0; i < known->list.n_items; i++)
			catalog_ws_add(ret_list, known->list.items[i].slug,
				       known->list.items[i].uuid);
		return 0;
	}
	/* Twice: unreadable bytes are removed and fetched anew. */
	for (unsigned i = 0;; i++) {
		e = cache_entry_free(e);
		r = catalog_get(ctx, c, KEY_WORKSPACES, mode,
				catalog_fetch_workspaces, &f, &e, &stale);
		if (r < 0)
			return r;
		if (catalog_workspaces_of(e, ret_list))
			break;
		(void)cache_remove(c->config.cache, KEY_WORKSPACES);
		if (i > 0)
			return ctx_fail(ctx, -EIO,
					"The cached list of workspaces is "
					"unreadable.");
	}
	*ret_age = answer_age_of(e, stale);
	return 0;
}

int catalog_workspaces(struct ctx *ctx, struct catalog *c,
		       enum read_through_mode mode,
		       struct catalog_workspaces **ret_workspaces)
{
	cleanup(catalog_ws_list_done) struct catalog_ws_list list = {0};
	struct catalog_workspaces *w;
	struct answer_age age = {0};
	int r = account_list(ctx, c, mode, &list, &age);

	if (r < 0)
		return r;
	add_others(c, &list);
	w = answer_of(&list);
	w->age = age;
	*ret_workspaces = w;
	return 0;
}

/* One that no list has: asked for by its name. */
static int workspace_by_name(struct ctx *ctx, struct catalog *c,
			     const char *name, struct catalog_workspace *ret,
			     struct answer_age *ret_age)
{
	cleanup(free) char *key = xasprintf("workspace/%s", name);
	cleanup(cache_entry_free) struct cache_entry *e = NULL;
	struct fetch f = {.slug = name};
	bool stale = false;
	int r = catalog_get(ctx, c, key, READ_THROUGH, catalog_fetch_workspace,
			    &f, &e, &stale);

	if (r < 0)
		return r;
	*ret_age = answer_age_of(e, stale);
	if (!e->body) {
		leave(c, name);
		return answer_failed(ctx, e);
	}
	enter(c, name);
	ret->slug = xstrdup(name);
	ret->uuid = xstrdup(blob_data(e->body));
	return 0;
}

int catalog_workspace(struct ctx *ctx, struct catalog *c, const char *name,
		      struct catalog_workspace *ret_workspace,
		      struct answer_age *ret_age)
{
	cleanup(catalog_ws_list_done) struct catalog_ws_list list = {0};
	struct answer_age age = {.left_ms = c->config.ttl_unknown_ms};
	bool legal = text_is_workspace_id(name);
	const struct catalog_ws *w;
	int r = account_list(ctx, c, legal ? READ_THROUGH : READ_CACHED, &list,
			     &age);

	if (r == -EINTR)
		return r;
	if (r < 0 && !legal)
		return catalog_unknown(ctx, name, ret_age,
				       c->config.ttl_unknown_ms, false);
	if (is_configured(c, name))
		add_unless_there(c, &list, name);
	w = catalog_ws_find(&list, name);
	if (w) {
		ret_workspace->slug = xstrdup(w->name);
		ret_workspace->uuid = xstrdup(w->uuid);
		*ret_age = age;
		return 0;
	}
	if (!legal)
		return catalog_unknown(ctx, name, ret_age, age.left_ms,
				       age.stale);
	/* Also when the list could not be had (a missing scope): the one
	 * request says more than the list's failure does. */
	return workspace_by_name(ctx, c, name, ret_workspace, ret_age);
}
