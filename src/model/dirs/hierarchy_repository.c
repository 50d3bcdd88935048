/*
 * model/dirs/hierarchy: a repository as a directory: the files of its object,
 * and the rows of the table.
 */
#include "model/dirs/hierarchy.h"
#include "model/repository.h"

#include "model/dirs/meta.h"
#include "model/dirs/snapshot.h"

#include "base/hash.h"

static void repository_free(void *data)
{
	struct repository_data *d = data;

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

void hierarchy_found_repository(const char *workspace,
				const struct documents_repository *repository,
				int64_t left_ms, struct found *found)
{
	struct repository_data *d = xcalloc(1, sizeof(*d));

	d->workspace = xstrdup(workspace);
	d->repository = (struct documents_repository){
		.name = xstrdup(repository->name),
		.slug = xstrdup(repository->slug),
		.uuid = xstrdup(repository->uuid),
		.project = xstrdup(repository->project),
		.key = xstrdup(repository->key),
		.workspace = xstrdup(repository->workspace
					     ? repository->workspace
					     : workspace),
		.updated_ms = repository->updated_ms,
	};
	*found = (struct found){
		.what =
			{
				.provider = &provider_repository,
				.mode = NODE_DIRECTORY,
				.mtime_ms = repository->updated_ms,
				.data = d,
			},
		.left_ms = left_ms,
	};
}

/* Outdated, and nobody waits for it; see the head of hierarchy.c. */
static void refresh_behind(struct model *model, const struct repository_data *d,
			   const struct answer_age *age)
{
	if (age->listed)
		hierarchy_queue_workspace(model, d->workspace);
	else
		hierarchy_queue_repository(model, d->workspace,
					   d->repository.name);
}

int hierarchy_document(struct ctx *ctx, struct model *model,
		       const char *workspace,
		       const struct documents_repository *repository,
		       enum read_through_mode mode,
		       struct answer_document *ret_document)
{
	cleanup(scope_unref) struct scope *scope =
		documents_repository_scope(workspace, repository);

	return documents_item(ctx, model->config.documents,
			      &resource_repositories, scope, repository->uuid,
			      mode, ret_document);
}

/* The document behind a repository's files. */
static int repository_document(struct ctx *ctx, struct model *model,
			       struct node *dir,
			       struct answer_document *ret_document)
{
	const struct repository_data *d = repository_of(dir);
	int r = hierarchy_document(ctx, model, d->workspace, &d->repository,
				   READ_THROUGH, ret_document);

	/* It may have told that it is called otherwise by now. */
	if (r < 0 || ret_document->age.asked)
		model_outdated(model, dir->parent);
	if (r == 0 && ret_document->age.stale)
		refresh_behind(model, d, &ret_document->age);
	return r;
}

static struct scope *repository_scope(const struct node *dir)
{
	const struct repository_data *d = repository_of(dir);

	return scope_new(d->repository.key, d->workspace,
			 d->repository.workspace, repository_id(d));
}

/* A row of the repository. A row with needs exists as the document says, so its
 * answer is good as long as the document is. */
static int lookup_row(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(scope_unref) struct scope *scope = repository_scope(dir);
	const struct resource *row =
		resource_find_row(resource_repository.rows, name);
	int64_t left_ms;
	int r;

	if (!row || !row->needs)
		return row_dir_lookup_row(ctx, model, dir,
					  resource_repository.rows, scope, name,
					  ret_found);
	r = repository_document(ctx, model, dir, &document);
	if (r < 0)
		return r;
	left_ms = row_dir_believe_ms(&document.age);
	if (row_dir_is_there(row, &document))
		r = row_dir_lookup_row(ctx, model, dir,
				       resource_repository.rows, scope, name,
				       ret_found);
	ret_found->left_ms = left_ms;
	return r;
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

static int repository_lookup(struct ctx *ctx, struct model *model,
			     struct node *dir, const char *name,
			     struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct resource_file *file =
		resource_find_file(resource_repository.files, name);
	int r;

	ret_found->left_ms = FOREVER_MS;
	/* Not listed: .ignore is the mount's, not the repository's. */
	if (strcmp(name, ignore_name) == 0) {
		snapshot_found(model,
			       blob_new(ignore_text, strlen(ignore_text)),
			       FOREVER_MS, ret_found);
		return 0;
	}
	if (!file)
		return lookup_row(ctx, model, dir, name, ret_found);
	r = repository_document(ctx, model, dir, &document);
	if (r < 0)
		return r;
	r = meta_found(model, file, &document, ret_found);
	if (r == 0)
		ret_found->left_ms = row_dir_believe_ms(&document.age);
	return r;
}

/* Tags of a listing: a file's position; from here on, a row's. */
#define TAG_ROW 0x1000u

/* What one READDIR needs for all of its names. */
struct piece {
	struct scope *scope;
	bool have; /* the document is cached and fresh */
	struct answer_document document;
};

static struct piece *piece_of(struct dirlist_piece *piece)
{
	const struct repository_data *d = repository_of(piece->dir);
	struct piece *own = piece->own;

	if (own)
		return own;
	own = piece->own = xcalloc(1, sizeof(*own));
	own->scope = repository_scope(piece->dir);
	own->have = hierarchy_document(piece->ctx, piece->model, d->workspace,
				       &d->repository, READ_CACHED,
				       &own->document) == 0 &&
		    own->document.age.left_ms > 0;
	return own;
}

static void piece_done(struct dirlist_piece *piece)
{
	struct piece *own = piece->own;

	if (own) {
		scope_unref(own->scope);
		answer_document_done(&own->document);
	}
	free(own);
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	struct piece *own = piece_of(piece);

	if (name->tag >= TAG_ROW)
		return row_dir_row_found(
			piece, &resource_repository.rows[name->tag - TAG_ROW],
			own->scope, ret_found);
	return own->have &&
	       meta_found(piece->model, &resource_repository.files[name->tag],
			  &own->document, ret_found) == 0;
}

static const struct dirlist_ops ops_names = {
	.found = name_found,
	.piece_done = piece_done,
};

/* Never waits: the names follow from what is known of the repository. */
static int repository_open(struct ctx *ctx, struct model *model,
			   struct node *dir, struct dirlist *newest,
			   struct dirlist **ret_listing)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(scope_unref) struct scope *scope = repository_scope(dir);
	const struct repository_data *d = repository_of(dir);
	const struct resource_file *files = resource_repository.files;
	struct dirlist *l = dirlist_new(&ops_names, NULL, 0);
	bool known = hierarchy_document(ctx, model, d->workspace,
					&d->repository, READ_CACHED,
					&document) == 0;
	unsigned n = 0;

	(void)newest;
	for (; files[n].name; n++)
		dirlist_add(l, files[n].name, n + 1, S_IFREG, n);
	row_dir_add_rows(ctx, model, resource_repository.rows, scope,
			 known ? &document : NULL, n, TAG_ROW, l);
	*ret_listing = dirlist_seal(l, known ? row_dir_believe_ms(&document.age)
					     : MOMENT_MS);
	return 0;
}

static int repository_attr(struct ctx *ctx, struct model *model,
			   struct node *node, int64_t *ret_left_ms,
			   uint64_t *ret_size)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	const struct repository_data *d = repository_of(node);

	(void)ret_size;
	*ret_left_ms = MOMENT_MS;
	if (hierarchy_document(ctx, model, d->workspace, &d->repository,
			       READ_CACHED, &document) < 0)
		return 0;
	node_set_mtime_ms(model->nodes, node, document.updated_ms);
	if (document.age.left_ms > 0)
		*ret_left_ms = document.age.left_ms;
	else
		refresh_behind(model, d, &document.age);
	return 0;
}

const struct provider provider_repository = {
	.name = "repository",
	.kind = PROVIDER_REPOSITORY,
	.lookup = repository_lookup,
	.open = repository_open,
	.attr = repository_attr,
	.same_data = repository_same,
	.hash_data = repository_hash,
	.free_data = repository_free,
};
