/*
 * model/dirs/hierarchy: a repository as a directory: an item of its workspace's
 * listing (model/dirs/row_dir), which has an identity of its own.
 */
#include "model/dirs/hierarchy.h"
#include "model/repository.h"

#include "model/dirs/snapshot.h"

#include "base/hash.h"

static void repository_free(void *data)
{
	struct repository_data *d = data;

	scope_unref(d->dir.scope);
	scope_unref(d->dir.collection);
	documents_repository_done(&d->repository);
	free(d->workspace);
	free(d);
}

static bool repository_same(const struct node_what *a,
			    const struct node_what *b)
{
	const struct repository_data *x = a->data, *y = b->data;

	return strcmp(x->repository.uuid, y->repository.uuid) == 0;
}

static uint64_t repository_hash(const struct node_what *what, uint64_t seed)
{
	const struct repository_data *d = what->data;

	return hash_text(seed, d->repository.uuid);
}

void hierarchy_found_repository(struct scope *listing,
				struct documents_repository *repository,
				int64_t left_ms, struct found *found)
{
	struct repository_data *d = mem_calloc(1, sizeof(*d));

	d->workspace = mem_strdup(listing->workspace);
	d->repository = *repository;
	*repository = (struct documents_repository){0};
	d->dir.row = &resource_repositories;
	d->dir.scope = scope_new(d->repository.key, d->workspace,
				 d->repository.workspace_slug,
				 d->repository.workspace, repository_id(d));
	d->dir.collection = scope_ref(listing);
	d->dir.id = d->repository.uuid;
	*found = (struct found){
		.what =
			{
				.provider = &provider_repository,
				.mode = NODE_DIRECTORY,
				.mtime_ms = d->repository.updated_ms,
				.data = d,
			},
		.left_ms = left_ms,
	};
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
	const struct repository_data *d = repository_of(dir);

	return hierarchy_refresh_repository(ctx, model, d->workspace,
					    d->repository.name, said);
}

const struct provider provider_repository = {
	.name = "repository",
	.kind = PROVIDER_REPOSITORY,
	.lookup = row_dir_lookup,
	.open = row_dir_open,
	.attr = repository_attr,
	.refresh = repository_refresh,
	.same_data = repository_same,
	.hash_data = repository_hash,
	.free_data = repository_free,
};
