/*
 * tree/git: the files of a commit, served from the object store.
 *
 * Attributes are always at hand (a pack has the sizes), so a listing brings
 * them along; the kernel keeps everything for an hour and is told of changes.
 */
#include "tree/git_view.h"

#include <limits.h>

static struct node *tree_of(struct node *node)
{
	while (node->what.provider != &provider_tree)
		node = node->parent;
	return node;
}

/* Directories that lost their name keep showing what they showed. */
static int look(struct ctx *ctx, struct model *model, struct node *dir)
{
	return git_view_ensure(ctx, model, tree_of(dir));
}

/* NULL, or why no file system could have a symbolic link with such a target
 * (symlink(2)): half of it would be another target. An object that cannot be
 * read is no reason: reading the link says so. */
static const char *why_no_link(struct clone *clone, const struct oid *oid)
{
	cleanup(blob_unref) struct blob *target = NULL;
	uint64_t size;

	if (clone_blob_size(clone, oid, &size) < 0)
		return NULL;
	if (size == 0)
		return "is empty";
	if (size >= PATH_MAX)
		return "is longer than 4,095 bytes";
	if (clone_read_blob(clone, oid, &target) == 0 &&
	    memchr(blob_data(target), '\0', blob_len(target)))
		return "holds a NUL";
	return NULL;
}

/* Whether the entry can be shown (layout rule 11); if not, a line says so,
 * under its own path. tree_parse knows the names, not what is behind them. */
static bool can_be_shown(struct model *model, const struct node *dir,
			 const struct tree_entry *e)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const char *why = e->kind == TREE_SYMLINK
				  ? why_no_link(dir->what.view->clone, &e->oid)
				  : NULL;
	char sentence[128];

	if (!why)
		return true;
	node_path(dir, &path);
	buf_printf(&path, "/%s", e->name);
	snprintf(sentence, sizeof(sentence),
		 "The target of this symbolic link %s: it is left out.", why);
	model_say(model, path.data, EILSEQ, sentence);
	return false;
}

static int found_entry(struct ctx *ctx, const struct node *dir,
		       const struct node *tree, const struct oid *dir_oid,
		       const struct tree_entry *e, struct found *found)
{
	static const mode_t modes[] = {
		[TREE_FILE] = NODE_FILE,
		[TREE_EXECUTABLE] = NODE_EXECUTABLE,
		[TREE_SYMLINK] = NODE_LINK,
		[TREE_DIRECTORY] = NODE_DIRECTORY,
		[TREE_SUBMODULE] = NODE_DIRECTORY,
	};
	struct git_view *view = dir->what.view;
	uint64_t size = 0;
	int r;

	if (!S_ISDIR(modes[e->kind])) {
		r = clone_blob_size(view->clone, &e->oid, &size);
		if (r < 0)
			return ctx_fail(ctx, r == -ENOENT ? -EIO : r,
					"The object of this file is missing "
					"from the store.");
	}
	*found = (struct found){
		.what =
			{
				.provider = &provider_git,
				.mode = modes[e->kind],
				.size = size,
				.mtime_ms = git_path_time_ms(view, dir, tree,
							     e->name, &e->oid),
				.view = view,
			},
		.left_ms = FOREVER_MS,
		.checked = true,
		.expect = *dir_oid,
	};
	/* A submodule has no object here: an empty directory. */
	if (e->kind != TREE_SUBMODULE)
		found->what.oid = e->oid;
	return 0;
}

static int read_dir(struct ctx *ctx, struct model *model, struct node *dir,
		    struct oid *ret_oid, struct tree_list **ret_list)
{
	static const struct oid none;
	struct node *tree = tree_of(dir);
	int r;

	*ret_list = NULL;
	r = look(ctx, model, dir);
	if (r < 0)
		return r;
	*ret_oid = node_oid(model->nodes, dir);
	if (oid_equal(ret_oid, &none))
		return 0;
	r = clone_read_tree(dir->what.view->clone, ret_oid, ret_list);
	if (r == -ENOENT) {
		/* Somebody emptied the cache under us: bring it again. */
		r = git_view_check(ctx, model, tree, 0, NULL);
		if (r < 0)
			return r;
		*ret_oid = node_oid(model->nodes, dir);
		r = clone_read_tree(dir->what.view->clone, ret_oid, ret_list);
	}
	if (r < 0)
		return ctx_fail(ctx, -EIO,
				"This directory's tree object cannot be read "
				"from the store.");
	return 0;
}

static int git_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const struct tree_entry *e;
	struct oid oid;
	int r;

	ret_found->left_ms = FOREVER_MS;
	/* In no tree (layout rule 11): not worth bringing one. */
	if (strcasecmp(name, ".git") == 0)
		return 0;
	r = read_dir(ctx, model, dir, &oid, &list);
	if (r < 0)
		return r;
	e = list ? tree_list_find(list, name) : NULL;
	if (e && !can_be_shown(model, dir, e))
		e = NULL;
	return e ? found_entry(ctx, dir, tree_of(dir), &oid, e, ret_found) : 0;
}

static const char *entry_name(const void *names, size_t i)
{
	return ((const struct tree_list *)names)->entries[i].name;
}

static void say_left_out(struct model *model, const struct node *dir,
			 const struct tree_list *list)
{
	struct buf path = BUF_INIT(64 * KIB);

	node_path(dir, &path);
	model_say(model, path.data, EILSEQ, list->left_out);
	buf_done(&path);
}

/* The entries after a cookie: positions while the directory never changed, the
 * book's serials since then. */
static void order(struct model *model, struct node *dir,
		  const struct tree_list *list, uint64_t after,
		  struct dirbook_entry **ret_entries, size_t *ret_n)
{
	struct dirbook *book = node_book(model->nodes, dir, false);
	struct dirbook_entry *entries;
	size_t n = 0;

	if (book) {
		dirbook_order(book, list->n_entries, entry_name, list, after,
			      ret_entries, ret_n);
		return;
	}
	if (after < list->n_entries)
		n = list->n_entries - (size_t)after;
	entries = xcalloc(n + 1, sizeof(*entries));
	for (size_t i = 0; i < n; i++) {
		entries[i].index = (size_t)after + i;
		entries[i].cookie = after + i + 1;
	}
	*ret_entries = entries;
	*ret_n = n;
}

static int git_list(struct ctx *ctx, struct model *model, struct node *dir,
		    uint64_t after, bool plus, provider_emit *emit, void *arg)
{
	static const mode_t types[] = {
		[TREE_FILE] = S_IFREG,      [TREE_EXECUTABLE] = S_IFREG,
		[TREE_SYMLINK] = S_IFLNK,   [TREE_DIRECTORY] = S_IFDIR,
		[TREE_SUBMODULE] = S_IFDIR,
	};
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	cleanup(free) struct dirbook_entry *entries = NULL;
	const struct node *tree = tree_of(dir);
	struct oid oid;
	size_t n;
	int r;

	r = read_dir(ctx, model, dir, &oid, &list);
	if (r < 0 || !list)
		return r;
	if (after == 0 && list->n_left_out > 0)
		say_left_out(model, dir, list);
	order(model, dir, list, after, &entries, &n);
	for (size_t i = 0; i < n; i++) {
		const struct tree_entry *e = &list->entries[entries[i].index];
		struct found found;
		bool known;

		if (!can_be_shown(model, dir, e))
			continue;
		known = plus &&
			found_entry(ctx, dir, tree, &oid, e, &found) == 0;
		if (!emit(arg, e->name, entries[i].cookie, types[e->kind],
			  known ? &found : NULL))
			break;
	}
	return 0;
}

static int git_attr(struct ctx *ctx, struct model *model, struct node *node,
		    int64_t *ret_left_ms, uint64_t *ret_size)
{
	(void)ret_left_ms;
	(void)ret_size;
	/* A shell that stands here lists by the kernel's copy: this is where
	 * we hear of it after an idle hour. Old attributes are no failure. */
	if (S_ISDIR(node->what.mode) &&
	    git_view_ensure(ctx, model, tree_of(node)) == -EINTR)
		return -EINTR;
	return 0;
}

static int git_read(struct ctx *ctx, struct model *model, struct node *node,
		    off_t offset, size_t n, struct model_data *ret_data)
{
	struct clone *clone = node->what.view->clone;
	struct blob *blob = NULL;
	int r, fd = -1;

	(void)model;
	git_view_heard(node->what.view);
	if (node->what.size > CLONE_BIG) {
		r = clone_blob_file(clone, &node->what.oid, &fd);
		if (r == 0)
			*ret_data = (struct model_data){
				.n = n, .fd = fd, .fd_offset = offset};
	} else {
		r = clone_read_blob(clone, &node->what.oid, &blob);
		if (r == 0)
			model_slice(blob, offset, n, ret_data);
	}
	if (r == -ENOENT)
		return ctx_fail(ctx, -ESTALE,
				"This version of the file is no longer in the "
				"store; open it again.");
	return r;
}

static int git_readlink(struct ctx *ctx, struct model *model, struct node *node,
			struct blob **ret_target)
{
	(void)ctx;
	(void)model;
	git_view_heard(node->what.view);
	return clone_read_blob(node->what.view->clone, &node->what.oid,
			       ret_target);
}

/* Never fetches: looking at the name is not looking inside. */
static int tree_attr(struct ctx *ctx, struct model *model, struct node *node,
		     int64_t *ret_left_ms, uint64_t *ret_size)
{
	if (!git_view_is_shown(node))
		return 0;
	return git_attr(ctx, model, node, ret_left_ms, ret_size);
}

const struct provider provider_tree = {
	.name = "tree",
	.lookup = git_lookup,
	.list = git_list,
	.attr = tree_attr,
	.same_data = git_view_same,
	.hash_data = git_view_hash,
	.free_data = git_view_free_data,
};

const struct provider provider_git = {
	.name = "git",
	.lookup = git_lookup,
	.list = git_list,
	.attr = git_attr,
	.read = git_read,
	.readlink = git_readlink,
};
