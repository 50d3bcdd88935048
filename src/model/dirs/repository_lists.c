/*
 * model/dirs/repository_lists: a workspace's listing, seen from .workspace/: as
 * the indexes of all repositories, and as symbolic links in their projects'
 * directories.
 *
 * Nothing of it costs a request beyond the listing's own. Names are the mount's
 * (collection_item.name); a repository called as one of a project's own
 * names gives way (src/model/README.md, 11).
 */
#include "model/dirs/specials.h"
#include "model/probe.h"

/* The workspace that this directory is about, above .workspace/. */
static struct node *workspace_above(struct node *dir)
{
	while (dir->parent->parent)
		dir = dir->parent;
	return dir;
}

static int listing_of(struct ctx *ctx, struct model *model, struct node *dir,
		      enum read_through_mode mode, struct collection **ret_list,
		      struct answer_age *ret_age)
{
	struct documents *documents = model->config.documents;
	cleanup(scope_unref) struct scope *scope = documents_listing_scope(
		documents, row_dir_of(dir)->scope->workspace);
	int r = documents_collection(ctx, documents, &resource_repositories,
				     scope, mode, ret_list, ret_age);

	if (r == 0 && ret_age->stale && mode == READ_THROUGH)
		refresh_node(ctx, model->refresh, workspace_above(dir));
	return r;
}

/* ---- repositories/ ---- */

/* The newest change of a workspace's repositories. */
static int64_t newest(struct ctx *ctx, struct model *model, struct node *dir)
{
	cleanup(collection_unref) struct collection *list = NULL;
	struct answer_age age;
	int64_t ms = 0;

	if (listing_of(ctx, model, dir, READ_CACHED, &list, &age) == 0)
		ms = collection_newest(list);
	return ms ? ms : node_mtime_ms(model->nodes, dir);
}

static int found_index(struct ctx *ctx, struct model *model, struct node *dir,
		       const char *name, enum read_through_mode mode,
		       struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	struct document_file file;
	int r = documents_repositories(ctx, model->config.documents,
				       p->scope->workspace, name, mode, &file);

	if (r < 0)
		return r;
	if (file.age.stale && mode == READ_THROUGH)
		refresh_node(ctx, model->refresh, workspace_above(dir));
	row_dir_found_file(model, &file, newest(ctx, model, dir), ret_found);
	return 0;
}

int repository_lists_index_lookup(struct ctx *ctx, struct model *model,
				  struct node *dir, const char *name,
				  struct found *ret_found)
{
	for (size_t i = 0; documents_repositories_files[i]; i++)
		if (!strcmp(name, documents_repositories_files[i]))
			return found_index(ctx, model, dir, name, READ_THROUGH,
					   ret_found);
	return 0;
}

int repository_lists_index_open(struct ctx *, struct model *, struct node *,
				struct row_dir_names *,
				const struct row_dir_names *, struct dirlist *l)
{
	for (unsigned i = 0; documents_repositories_files[i]; i++)
		dirlist_add(l, documents_repositories_files[i],
			    ROW_DIR_FIRST_ITEM + i + 1, S_IFREG,
			    ROW_DIR_TAG_SPECIAL + i);
	return 0;
}

bool repository_lists_index_found(struct dirlist_piece *piece,
				  const struct row_dir_names *, size_t i,
				  struct found *ret_found)
{
	return found_index(piece->ctx, piece->model, piece->dir,
			   documents_repositories_files[i], READ_CACHED,
			   ret_found) == 0;
}

/* ---- projects/KEY/: one link per repository ---- */

static bool is_own_name(const struct row_dir *p, const char *name)
{
	return resource_find_file(row_dir_files(p), name) ||
	       resource_find_row(row_dir_rows(p), name);
}

/* The name of a repository's link; free it. */
static char *link_name(const struct row_dir *p,
		       const struct collection_item *repository)
{
	const char *name = repository->name;

	return is_own_name(p, name)
		       ? mem_asprintf("%%%02X%s", (unsigned char)name[0],
				      name + 1)
		       : mem_strdup(name);
}

static bool is_of_project(const struct row_dir *p,
			  const struct collection_item *repository)
{
	return strcmp(repository->project, p->id) == 0;
}

static void found_link(const struct collection_item *repository,
		       const struct answer_age *age, struct found *ret_found)
{
	cleanup(free) char *target =
		mem_asprintf("../../../%s", repository->name);

	row_dir_found_link(target, repository->time_ms, row_dir_believe_ms(age),
			   ret_found);
}

int repository_lists_project_lookup(struct ctx *ctx, struct model *model,
				    struct node *dir, const char *name,
				    struct found *ret_found)
{
	cleanup(collection_unref) struct collection *list = NULL;
	const struct row_dir *p = row_dir_of(dir);
	struct answer_age age;
	int r;

	if (probe_matches(name))
		return 0;
	r = listing_of(ctx, model, dir, READ_THROUGH, &list, &age);
	if (r < 0)
		return r;
	ret_found->left_ms = row_dir_believe_ms(&age);
	for (size_t i = 0; i < list->n_items; i++) {
		cleanup(free) char *link = NULL;

		if (!is_of_project(p, &list->items[i]))
			continue;
		link = link_name(p, &list->items[i]);
		if (strcmp(link, name) != 0)
			continue;
		found_link(&list->items[i], &age, ret_found);
		return 0;
	}
	return 0;
}

struct links {
	char **names;
	const struct collection_item **repositories;
	size_t n;
};

static void links_done(struct links *l)
{
	for (size_t i = 0; i < l->n; i++)
		free(l->names[i]);
	free(l->names);
	free(l->repositories);
}
DEFINE_CLEANUP_DONE(struct links, links_done);

static void links_of(const struct row_dir *p, const struct collection *list,
		     struct links *ret)
{
	ret->names = mem_calloc(list->n_items + 1, sizeof(*ret->names));
	ret->repositories =
		mem_calloc(list->n_items + 1, sizeof(*ret->repositories));
	for (size_t i = 0; i < list->n_items; i++) {
		if (!is_of_project(p, &list->items[i]))
			continue;
		ret->repositories[ret->n] = &list->items[i];
		ret->names[ret->n++] = link_name(p, &list->items[i]);
	}
}

/* The pin of a listing: the links, and the repositories that they are of. */
struct project {
	struct links links;
	struct collection *list;
};

void repository_lists_project_free(void *data)
{
	struct project *project = data;

	if (!project)
		return;
	links_done(&project->links);
	collection_unref(project->list);
	free(project);
}

int repository_lists_project_open(struct ctx *ctx, struct model *model,
				  struct node *dir, struct row_dir_names *names,
				  const struct row_dir_names *,
				  struct dirlist *l)
{
	const struct row_dir *p = row_dir_of(dir);
	struct project *project = mem_calloc(1, sizeof(*project));
	size_t first = l->n_names;
	int r = listing_of(ctx, model, dir, READ_THROUGH, &project->list,
			   &names->age);

	names->special_data = project;
	if (r < 0)
		return r;
	names->left_ms = row_dir_believe_ms(&names->age);
	links_of(p, project->list, &project->links);
	for (size_t i = 0; i < project->links.n; i++)
		dirlist_add(l, project->links.names[i], 0, S_IFLNK,
			    ROW_DIR_TAG_SPECIAL + (unsigned)i);
	dirlist_number(l, first, node_book(model->nodes, dir, true),
		       ROW_DIR_FIRST_ITEM);
	l->n_bytes += project->list->n_items *
		      (sizeof(*project->list->items) + 200);
	return 0;
}

bool repository_lists_project_found(struct dirlist_piece *piece,
				    const struct row_dir_names *names, size_t i,
				    struct found *ret_found)
{
	const struct project *project = names->special_data;
	struct answer_age age = row_dir_age(piece, names);

	found_link(project->links.repositories[i], &age, ret_found);
	return true;
}

/* ---- a newer listing ---- */

struct telling {
	struct model *model;
	const char *workspace;
	const struct collection *before; /* NULL: none */
};

static void tell_project(struct telling *t, struct node *dir)
{
	cleanup(links_done) struct links links = {0};
	struct row_dir *p = row_dir_of(dir);

	if (t->before)
		links_of(p, t->before, &links);
	/* Old links may lead elsewhere by now, or be gone. */
	for (size_t i = 0; i < links.n; i++)
		model_changed_entry(t->model, dir, links.names[i]);
	model_changed_inode(t->model, dir, true);
}

static void tell(void *arg, struct node *node)
{
	struct telling *t = arg;
	const struct row_dir *p = row_dir_of(node);

	if (strcmp(p->scope->workspace, t->workspace) != 0)
		return;
	if (!p->collection && p->row->special == RESOURCE_REPOSITORY_FILES)
		for (size_t i = 0; documents_repositories_files[i]; i++)
			model_changed_entry(t->model, node,
					    documents_repositories_files[i]);
	else if (p->collection &&
		 p->row->items->special == RESOURCE_PROJECT_VIEW)
		tell_project(t, node);
}

void repository_lists_changed(struct model *model, const char *workspace,
			      const struct collection *before)
{
	struct telling t = {model, workspace, before};

	node_each(model->nodes, &provider_row_dir, tell, &t);
}
