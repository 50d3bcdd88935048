/*
 * model/dirs/hierarchy: a repository as a directory: an item of its workspace's
 * listing (model/dirs/row_dir), which has an identity of its own.
 */
#include "model/dirs/hierarchy.h"
#include "model/repository.h"

#include "model/dirs/snapshot.h"
#include "model/dirs/warm.h"

#include "base/hash.h"

static void repository_free(void *data)
{
	struct repository_data *d = data;

	scope_unref(d->dir.scope);
	scope_unref(d->dir.collection);
	free(d->dir.id);
	free(d->slug);
	free(d);
}

static bool repository_same(const struct node_what *a,
			    const struct node_what *b)
{
	const struct repository_data *x = a->data, *y = b->data;

	return strcmp(x->dir.id, y->dir.id) == 0;
}

static uint64_t repository_hash(const struct node_what *what, uint64_t seed)
{
	const struct repository_data *d = what->data;

	return hash_text(seed, d->dir.id);
}

void hierarchy_found_repository(struct scope *listing, const char *uuid,
				const char *slug, int64_t updated_ms,
				int64_t left_ms, struct found *found)
{
	struct repository_data *d = mem_calloc(1, sizeof(*d));
	cleanup(free) char *key =
		scope_item_key(&resource_repositories, listing, uuid);

	d->slug = mem_strdup(slug);
	d->dir.id = mem_strdup(uuid);
	d->dir.row = &resource_repositories;
	d->dir.scope = scope_new(key, listing->workspace, listing->slug,
				 listing->workspace_id, repository_id(d));
	d->dir.collection = scope_ref(listing);
	provider_found_dir(found, &provider_repository, updated_ms, left_ms, d);
}

/* For rg and fd: they read .ignore when they come from a directory above, and
 * then search only the files of tree/ and the indexes. The patterns name
 * directories alone, and none begins with `!`: started inside one of these
 * directories, rg and fd search as anywhere. */
static const char ignore_name[] = ".ignore";
static const char ignore_text[] =
	"# What `rg` and `fd` from above leave out (each directory a request "
	"or more);\n"
	"# `rg -u` goes everywhere. Search in tree/ and the index.tsv files.\n"
	"/branches/*/\n"
	"/tags/*/\n"
	"/commits/*/\n"
	"/pullrequests/*/\n"
	"/pipelines/*/\n"
	"/deployments/*/\n"
	"/environments/*/\n"
	"/network/*/\n"
	"/settings/*/\n"
	"/issues/*/\n"
	"/downloads/\n";

int hierarchy_lookup_ignore(struct ctx *, struct model *model, struct node *,
			    const char *name, struct found *ret_found)
{
	/* Not listed: .ignore is the mount's, not the repository's. */
	if (strcmp(name, ignore_name) == 0)
		snapshot_found(model,
			       blob_new(ignore_text, strlen(ignore_text)),
			       LONGEST_MS, ret_found);
	return 0;
}

static int repository_attr(struct ctx *ctx, struct model *model,
			   struct node *node, int64_t *ret_left_ms, uint64_t *)
{
	cleanup(answer_document_done) struct answer_document document = {0};

	*ret_left_ms = MOMENT_MS;
	if (row_dir_document(ctx, model, node, READ_CACHED, &document) < 0)
		return 0;
	node_set_mtime_ms(model->nodes, node, document.updated_ms);
	if (document.age.left_ms > 0)
		*ret_left_ms = document.age.left_ms;
	else
		row_dir_refresh_document(ctx, model, node, &document.age);
	return 0;
}

static int repository_refresh(struct ctx *ctx, struct model *model,
			      struct node *dir, struct node *, struct buf *said)
{
	return hierarchy_refresh_repository(
		ctx, model, row_dir_of(dir)->scope->workspace, dir->name, said);
}

const struct provider provider_repository = {
	.name = "repository",
	.kind = PROVIDER_REPOSITORY,
	.lookup = row_dir_lookup,
	.open = row_dir_open,
	.entered = warm_entered,
	.attr = repository_attr,
	.refresh = repository_refresh,
	.same_data = repository_same,
	.hash_data = repository_hash,
	.free_data = repository_free,
};
