/*
 * content/scope: where a row is meant, and the keys of its things in the cache.
 */
#include "content/scope.h"

#include "base/mem.h"
#include "base/text.h"

struct scope *scope_new(const char *key, const char *workspace,
			const char *slug, const char *workspace_id,
			const char *repository_id)
{
	struct scope *s = mem_calloc(1, sizeof(*s));

	refcount_init(&s->refcount);
	s->key = mem_strdup(key);
	s->workspace = mem_strdup(workspace);
	s->slug = mem_strdup(slug);
	s->workspace_id = mem_strdup(workspace_id);
	s->repository_id = mem_strdup(repository_id);
	return s;
}

/* key is the copy's from now on. */
static struct scope *copy_as(const struct scope *from, char *key)
{
	struct scope *s = mem_calloc(1, sizeof(*s));

	refcount_init(&s->refcount);
	s->key = key;
	s->workspace = mem_strdup(from->workspace);
	s->slug = mem_strdup(from->slug);
	s->workspace_id = mem_strdup(from->workspace_id);
	s->repository_id = mem_strdup(from->repository_id);
	for (; s->n_ids < from->n_ids; s->n_ids++)
		s->ids[s->n_ids] = mem_strdup(from->ids[s->n_ids]);
	return s;
}

struct scope *scope_copy(const struct scope *scope)
{
	return copy_as(scope, mem_strdup(scope->key));
}

struct scope *scope_below(const struct scope *scope, const char *row_name)
{
	return copy_as(scope, mem_asprintf("%s/%s", scope->key, row_name));
}

char *scope_item_key(const struct resource *row, const struct scope *scope,
		     const char *id)
{
	size_t n = strlen(scope->key);
	struct buf key = BUF_INIT(0);

	if (row->items && row->items->key)
		return mem_asprintf("%s%s", row->items->key, id);
	if (row->is_beside)
		n -= strlen(row->name) + 1;
	buf_add(&key, scope->key, n);
	buf_puts(&key, "/@");
	text_percent_encode(&key, id, "{}");
	return buf_steal(&key, NULL);
}

struct scope *scope_item(const struct scope *scope, const struct resource *row,
			 const char *id)
{
	struct scope *s = copy_as(scope, scope_item_key(row, scope, id));

	check(s->n_ids < SCOPE_IDS);
	s->ids[s->n_ids++] = mem_strdup(id);
	return s;
}

struct scope *scope_ref(struct scope *s)
{
	refcount_take(&s->refcount);
	return s;
}

struct scope *scope_unref(struct scope *s)
{
	if (!s || !refcount_drop(&s->refcount))
		return NULL;
	for (unsigned i = 0; i < s->n_ids; i++)
		free(s->ids[i]);
	free(s->workspace);
	free(s->slug);
	free(s->workspace_id);
	free(s->repository_id);
	free(s->key);
	free(s);
	return NULL;
}
