/*
 * model/git/checkout, its providers: lookup, listing, attributes and reading of
 * the files of a commit, served from the object store.
 *
 * Attributes are always at hand (a pack has the sizes), so a listing brings
 * them along; the kernel is promised everything for an hour, and told of
 * changes.
 */
#include "model/git/ahead.h"
#include "model/git/checkout.h"
#include "model/git/checkout_submodule.h"
#include "model/git/lfs.h"

#include "base/file.h"

#include <limits.h>

static struct node *tree_of(struct node *node)
{
	while (node->provider != &provider_tree)
		node = node->parent;
	return node;
}

/* Also for a directory that lost its name: its readers go on seeing its files.
 */
static int look(struct ctx *ctx, struct model *model, struct node *dir)
{
	return checkout_ensure(ctx, model, tree_of(dir));
}

/* Why no file system could have a symbolic link with this target (symlink(2));
 * a truncated target would be another one. NULL: it could. An object that
 * cannot be read is not a reason: reading the link tells of that. No ctx: a
 * cancelled caller must not leave a name out of a listing that others will
 * share. */
static const char *why_no_link(struct clone *clone, const struct oid *oid)
{
	cleanup(blob_unref) struct blob *target = NULL;
	uint64_t size;

	if (clone_blob_size(NULL, clone, oid, &size) < 0)
		return NULL;
	if (size == 0)
		return "is empty";
	if (size >= PATH_MAX)
		return "is longer than 4,095 bytes";
	if (clone_read_blob(NULL, clone, oid, &target) == 0 &&
	    memchr(blob_data(target), '\0', blob_len(target)))
		return "holds a NUL";
	return NULL;
}

/* Whether the entry can be shown (src/model/README.md, 11); if not, a problem
 * is recorded under its path. tree_list_parse has judged the name; this judges
 * its content. */
static bool can_be_shown(struct model *model, const struct node *dir,
			 const struct tree_entry *e)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	const char *why =
		e->kind == TREE_SYMLINK
			? why_no_link(node_checkout(dir)->clone, &e->oid)
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

/* Who needs names alone (find -name) neither goes through the files nor stays:
 * nothing else is to come for it. */
static int bring_tree(struct ctx *ctx, struct model *model, struct node *dir,
		      const struct oid *oid, bool lists)
{
	struct clone_need need = {
		.kind = CLONE_NEED_TREE, .oid = *oid, .lists = lists};
	int r = checkout_bring(ctx, model, tree_of(dir), &need);

	checkout_brought(ctx, model, dir);
	return r < 0 ? r : 0;
}

/* -ENOENT: the object is not here, or what looking needs. link: of a submodule
 * that is one its target, else NULL. */
static int found_entry(struct ctx *ctx, struct model *model,
		       const struct node *dir, const struct node *tree,
		       const struct oid *dir_oid, const struct tree_entry *e,
		       const char *link, struct lfs_looking *looking,
		       struct found *found)
{
	static const mode_t modes[] = {
		[TREE_FILE] = NODE_FILE,
		[TREE_EXECUTABLE] = NODE_EXECUTABLE,
		[TREE_SYMLINK] = NODE_LINK,
		[TREE_DIRECTORY] = NODE_DIRECTORY,
		[TREE_SUBMODULE] = NODE_DIRECTORY,
	};
	struct checkout *checkout = node_checkout(dir);
	int64_t mtime_ms =
		checkout_path_time_ms(checkout, dir, tree, e->name, &e->oid);
	uint64_t size = 0;
	int r = 0;

	if (!S_ISDIR(modes[e->kind]))
		r = clone_blob_size(ctx, checkout->clone, &e->oid, &size);
	if (r >= 0 && S_ISREG(modes[e->kind]))
		r = lfs_look(ctx, model, dir, tree, e->name, &e->oid, size,
			     looking);
	if (r < 0)
		return r;
	if (e->kind == TREE_SUBMODULE) {
		checkout_submodule_found(model, &e->oid, link, mtime_ms, found);
	} else {
		provider_found(found, &provider_git, modes[e->kind], mtime_ms,
			       LONGEST_MS, NULL);
		found->what.size = size;
		found->what.oid = e->oid;
	}
	/* Earlier content that comes back is another inode: see "Version =
	 * inode" in model/node.c. */
	found->what.version = (uint64_t)mtime_ms;
	/* A submodule's directory of files has one of its own, a link to it
	 * none. */
	if (!link && !found->what.checkout)
		found->what.checkout = checkout;
	found->checked = true;
	found->expect = *dir_oid;
	if (r == 1)
		lfs_found(&looking->pointer, found);
	return 0;
}

static int fail_tree(struct ctx *ctx, int r)
{
	return ctx_fail(ctx, r == -ENOENT ? -EIO : r,
			"This directory's tree object cannot be read from the "
			"store: %s.",
			model_why(r));
}

static int read_dir(struct ctx *ctx, struct model *model, struct node *dir,
		    bool lists, struct oid *ret_oid,
		    struct tree_list **ret_list)
{
	int r;

	*ret_list = NULL;
	r = look(ctx, model, dir);
	if (r < 0)
		return r;
	*ret_oid = node_oid(model->nodes, dir);
	if (oid_is_none(ret_oid))
		return 0;
	r = clone_read_tree(ctx, node_checkout(dir)->clone, ret_oid, ret_list);
	if (r == -ENOENT) {
		r = bring_tree(ctx, model, dir, ret_oid, lists);
		if (r < 0)
			return r;
		*ret_oid = node_oid(model->nodes, dir);
		r = clone_read_tree(ctx, node_checkout(dir)->clone, ret_oid,
				    ret_list);
	}
	return r < 0 ? fail_tree(ctx, r) : 0;
}

static int find_in(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, struct found *ret_found,
		   struct checkout_lost *ret_lost)
{
	cleanup(lfs_looking_done) struct lfs_looking looking = {
		.needs = {.n = 0}};
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	cleanup(checkout_submodule_links_free) struct submodule_links *links =
		NULL;
	const struct tree_entry *e;
	struct oid oid;
	int r = read_dir(ctx, model, dir, false, &oid, &list);

	*ret_lost = (struct checkout_lost){.dir = oid};
	if (r < 0)
		return r;
	e = list ? tree_list_find(list, name) : NULL;
	if (!e || !can_be_shown(model, dir, e))
		return 0;
	if (e->kind == TREE_SUBMODULE)
		links = checkout_submodule_links(ctx, model, dir, tree_of(dir),
						 list, e);
	r = found_entry(ctx, model, dir, tree_of(dir), &oid, e,
			links ? links->links[0].target : NULL, &looking,
			ret_found);
	ret_lost->needs = looking.needs;
	if (r == -ENOENT)
		ret_lost->oid = e->oid;
	if (r < 0)
		return ctx_fail(ctx, r,
				"The object of this file cannot be read from "
				"the store: %s.",
				strerror(-r));
	return 0;
}

static int git_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	struct checkout_lost lost;
	int r;

	ret_found->left_ms = LONGEST_MS;
	/* No tree that git accepts has it (src/model/README.md, 11), and every
	 * git command looks for it: without this, each look would fetch the
	 * repository. */
	if (strcasecmp(name, ".git") == 0)
		return 0;
	r = find_in(ctx, model, dir, name, ret_found, &lost);
	if (!oid_is_none(&lost.oid))
		r = checkout_look(ctx, model, dir, tree_of(dir), name, find_in,
				  ret_found, &lost);
	return r == -ENOENT && !oid_is_none(&lost.oid) ? -EIO : r;
}

static const mode_t types[] = {
	[TREE_FILE] = S_IFREG,      [TREE_EXECUTABLE] = S_IFREG,
	[TREE_SYMLINK] = S_IFLNK,   [TREE_DIRECTORY] = S_IFDIR,
	[TREE_SUBMODULE] = S_IFDIR,
};

/* The parsed tree is the pin of its listing. */
struct git_names {
	struct oid oid; /* of the directory */
	/* The entries that are shown, by cookie. NULL: all of them, and cookies
	 * are positions: the directory has not changed since the mount began.
	 */
	struct dirbook_entry *order;
	bool may_have_links;           /* submodules, that may be some */
	struct submodule_links *links; /* those that are; or NULL */
};

static void names_free(void *data)
{
	struct git_names *names = data;

	checkout_submodule_links_free(names->links);
	free(names->order);
	free(names);
}

static const struct tree_entry *entry_of(const struct dirlist *l, size_t index)
{
	const struct tree_list *list = atomic_load(&l->pin);

	return tree_list_entry(list, index);
}

static void names_at(const struct dirlist *l, size_t i,
		     struct dirlist_name *ret)
{
	const struct git_names *names = l->data;
	size_t index = names->order ? names->order[i].index : i;
	const struct tree_entry *e = entry_of(l, index);

	*ret = (struct dirlist_name){
		.name = e->name,
		.cookie = names->order ? names->order[i].cookie : i + 1,
		.type = checkout_submodule_link_at(names->links, index)
				? S_IFLNK
				: types[e->kind],
		.tag = (unsigned)index,
	};
}

static bool names_found(struct dirlist_piece *piece,
			const struct dirlist_name *name,
			struct found *ret_found)
{
	const struct git_names *names = piece->listing->data;

	if (!piece->own)
		piece->own = mem_calloc(1, sizeof(struct lfs_looking));
	return found_entry(piece->ctx, piece->model, piece->dir,
			   tree_of(piece->dir), &names->oid,
			   entry_of(piece->listing, name->tag),
			   checkout_submodule_link_at(names->links, name->tag),
			   piece->own, ret_found) == 0;
}

static void names_piece_done(struct dirlist_piece *piece)
{
	if (piece->own)
		lfs_looking_done(piece->own);
	free(piece->own);
}

static int names_pin(struct dirlist_piece *piece, void **ret_pin)
{
	struct clone *clone = node_checkout(piece->dir)->clone;
	const struct git_names *names = piece->listing->data;
	struct tree_list *list = NULL;
	int r = clone_read_tree(piece->ctx, clone, &names->oid, &list);

	if (r == -ENOENT) {
		r = bring_tree(piece->ctx, piece->model, piece->dir,
			       &names->oid, true);
		if (r >= 0)
			r = clone_read_tree(piece->ctx, clone, &names->oid,
					    &list);
	}
	if (r < 0)
		return fail_tree(piece->ctx, r);
	*ret_pin = list;
	return 0;
}

static void names_unpin(void *pin)
{
	tree_list_unref(pin);
}

static const struct dirlist_ops ops_names = {
	.at = names_at,
	.found = names_found,
	.piece_done = names_piece_done,
	.free_data = names_free,
	.pin = names_pin,
	.unpin = names_unpin,
};

static const char *entry_name(const void *names, size_t i)
{
	return tree_list_entry(names, i)->name;
}

static void say_left_out(struct model *model, const struct node *dir,
			 const struct tree_list *list)
{
	struct buf path = BUF_INIT(64 * KIB);

	node_path(dir, &path);
	model_say(model, path.data, EILSEQ, list->left_out);
	buf_done(&path);
}

static uint64_t version_of(const struct oid *oid)
{
	uint64_t version = 0;

	for (size_t i = 0; i < sizeof(oid->bytes); i++)
		version = version * 0x100000001b3ULL + oid->bytes[i];
	return version;
}

/* The entries by cookie: positions as long as the directory has not changed,
 * the book's serials since then. */
static size_t order(struct model *model, struct node *dir,
		    const struct tree_list *list, struct dirbook_entry **ret)
{
	struct dirbook *book = node_book(model->nodes, dir, false);
	struct dirbook_entry *entries;
	size_t n = 0;

	if (book) {
		dirbook_order(book, list->n_entries, entry_name, list, 0, ret,
			      &n);
		return n;
	}
	entries = *ret = mem_calloc(list->n_entries + 1, sizeof(*entries));
	for (; n < list->n_entries; n++)
		entries[n] = (struct dirbook_entry){n + 1, n};
	return n;
}

static bool *hidden_links(struct model *model, const struct node *dir,
			  const struct tree_list *list)
{
	bool *hidden = NULL;

	for (size_t i = 0; i < list->n_entries; i++) {
		const struct tree_entry *e = tree_list_entry(list, i);

		if (e->kind != TREE_SYMLINK || can_be_shown(model, dir, e))
			continue;
		if (!hidden)
			hidden = mem_calloc(list->n_entries, sizeof(*hidden));
		hidden[i] = true;
	}
	return hidden;
}

/* list and links are taken. */
static struct dirlist *names_new(struct model *model, struct node *dir,
				 const struct oid *oid, struct tree_list *list,
				 struct submodule_links *links)
{
	cleanup(free) bool *hidden = list ? hidden_links(model, dir, list)
					  : NULL;
	struct git_names *names = mem_calloc(1, sizeof(*names));
	size_t n = list ? list->n_entries : 0, n_ordered = 0, n_shown = 0;
	struct dirlist *l;

	names->oid = *oid;
	names->links = links;
	/* Nobody else pays for looking. */
	names->may_have_links =
		list && model->config.submodules == MODEL_SUBMODULES_LINK &&
		checkout_submodule_is_any(list);
	if (list && (hidden || node_book(model->nodes, dir, false))) {
		n_ordered = order(model, dir, list, &names->order);
		for (size_t i = 0; i < n_ordered; i++)
			if (!hidden || !hidden[names->order[i].index])
				names->order[n_shown++] = names->order[i];
		n = n_shown;
	}
	l = dirlist_new(&ops_names, names,
			sizeof(*names) + n_ordered * sizeof(*names->order));
	atomic_store(&l->pin, list);
	l->n_pin = list ? tree_list_size(list) : 0;
	l->n_names = n;
	l->version = checkout_submodule_links_version(links, version_of(oid));
	return l;
}

static int git_open(struct ctx *ctx, struct model *model, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing)
{
	cleanup(checkout_submodule_links_free) struct submodule_links *links =
		NULL;
	const struct git_names *names = newest ? newest->data : NULL;
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	struct oid oid;
	bool same;
	int r;

	r = look(ctx, model, dir);
	if (r < 0)
		return r;
	/* A program that goes through it is to be known for one before it
	 * comes to the first large object. */
	if (!atomic_load(&node_checkout(dir)->lacks) &&
	    lfs_may_be_in(ctx, model, dir, tree_of(dir)))
		atomic_store(&node_checkout(dir)->lacks, true);
	checkout_opened(ctx, model, dir);
	oid = node_oid(model->nodes, dir);
	same = names && oid_equal(&names->oid, &oid);
	if (same && !names->may_have_links) {
		*ret_listing = dirlist_ref(newest);
		return 0;
	}
	r = read_dir(ctx, model, dir, true, &oid, &list);
	if (r < 0)
		return r;
	if (list)
		links = checkout_submodule_links(ctx, model, dir, tree_of(dir),
						 list, NULL);
	if (same && checkout_submodule_links_same(names->links, links)) {
		*ret_listing = dirlist_ref(newest);
		return 0;
	}
	if (list && list->n_left_out > 0)
		say_left_out(model, dir, list);
	*ret_listing = names_new(model, dir, &oid, steal(&list), steal(&links));
	return 0;
}

/* What is given ahead in a directory. Of one that nobody lists nothing is: who
 * reads by name does not go through it. */
struct git_place {
	struct dirlist *newest;
	struct tree_list *again;
	struct ahead_place place;
};

static void git_place_done(struct git_place *p)
{
	tree_list_unref(p->again);
	dirlist_unref(p->newest);
}

static bool git_place_of(struct ctx *ctx, struct model *model, struct node *dir,
			 struct git_place *p)
{
	struct listed *listed = node_listed(model->nodes, dir, false);
	const struct git_names *names;

	*p = (struct git_place){
		.newest = listed ? listed_read_now(listed) : NULL,
		.place = {.dir = dir,
			  .files = &provider_git,
			  .clone = node_checkout(dir)->clone},
	};
	if (!p->newest || p->newest->ops != &ops_names)
		return false;
	names = p->newest->data;
	if (oid_is_none(&names->oid))
		return false;
	p->place.oid = names->oid;
	p->place.list = atomic_load(&p->newest->pin);
	/* The kernel had the names, but not the files. */
	if (!p->place.list &&
	    clone_read_tree(ctx, p->place.clone, &names->oid, &p->again) == 0)
		p->place.list = p->again;
	return p->place.list;
}

static void git_ahead(struct ctx *ctx, struct model *model, struct node *node,
		      model_give *give, void *arg)
{
	struct git_place p;

	if (git_place_of(ctx, model, node->parent, &p))
		ahead_of(ctx, model, node, &p.place, give, arg);
	git_place_done(&p);
}

static void git_ahead_listed(struct ctx *ctx, struct model *model,
			     struct node *dir, model_give *give, void *arg)
{
	struct git_place p;

	if (git_place_of(ctx, model, dir, &p))
		ahead_listed(ctx, model, &p.place, give, arg);
	git_place_done(&p);
}

/* Asks nobody: the node's time moves with the tree. A program that only looks
 * at attributes keeps the tree followed all the same. */
static int git_attr(struct ctx *, struct model *model, struct node *node,
		    int64_t *, uint64_t *)
{
	checkout_heard(model, node);
	return 0;
}

/* -EBADMSG: the object has another size than the node. The size was read from
 * the head of a damaged pack entry, which no checksum protects. */
static int read_blob(struct ctx *ctx, struct node *node, off_t offset, size_t n,
		     struct model_data *ret_data)
{
	cleanup(blob_unref) struct blob *blob = NULL;
	struct clone *clone = node_checkout(node)->clone;
	cleanup(fd) int fd = -1;
	uint64_t size;
	int r;

	if (node->size > CLONE_BIG) {
		uint64_t at = (uint64_t)offset, left;

		left = at < node->size ? node->size - at : 0;
		n = n < left ? n : (size_t)left;
		r = clone_blob_file(ctx, clone, &node->oid, at, n, &fd, &size);
		if (r == 0 && size != node->size)
			r = -EBADMSG;
		if (r < 0)
			return r;
		*ret_data = (struct model_data){
			.n = n, .fd = fd, .fd_offset = offset};
		fd = -1;
		return 0;
	}
	r = clone_read_blob(ctx, clone, &node->oid, &blob);
	if (r == -EFBIG || (r == 0 && blob_len(blob) != node->size))
		r = -EBADMSG;
	if (r == 0)
		model_slice(steal(&blob), offset, n, ret_data);
	return r;
}

static int fail_read(struct ctx *ctx, int r)
{
	if (r == -EFBIG)
		return ctx_fail(ctx, r,
				"This file is larger than the option big_file "
				"allows, or stored as more than 50 changes "
				"upon one another.");
	if (r == -ENOENT)
		return ctx_fail(ctx, -ESTALE,
				"This version of the file is no longer in the "
				"store; open it again.");
	if (r < 0 && !ctx->sentence[0])
		ctx_fail(ctx, r, "The file cannot be read from the cache: %s.",
			 strerror(-r));
	return r;
}

static int git_read(struct ctx *ctx, struct model *model, struct node *node,
		    off_t offset, size_t n, struct model_data *ret_data)
{
	int r;

	checkout_heard(model, node);
	checkout_note_read(tree_of(node));
	checkout_hydrate_note(ctx, model, node->parent, true);
	r = read_blob(ctx, node, offset, n, ret_data);
	if (r == -ENOENT) {
		r = checkout_look_read(ctx, model, tree_of(node), node);
		if (r >= 0)
			r = read_blob(ctx, node, offset, n, ret_data);
	}
	if (r == -EBADMSG) {
		/* The kernel was told the wrong size: the name gets another
		 * inode. */
		model_drop_child(model, node->parent, node->name);
		return ctx_fail(ctx, -EIO,
				"The size of this file was read from a damaged "
				"pack, which is mended: open it again.");
	}
	return fail_read(ctx, r);
}

static int git_readlink(struct ctx *ctx, struct model *model, struct node *node,
			struct blob **ret_target)
{
	int r;

	checkout_heard(model, node);
	r = clone_read_blob(ctx, node_checkout(node)->clone, &node->oid,
			    ret_target);
	if (r == -ENOENT) {
		r = checkout_look_read(ctx, model, tree_of(node), node);
		if (r >= 0)
			r = clone_read_blob(ctx, node_checkout(node)->clone,
					    &node->oid, ret_target);
	}
	/* When it was shown only its size was known. */
	if (r == 0 &&
	    memchr(blob_data(*ret_target), '\0', blob_len(*ret_target))) {
		*ret_target = blob_unref(*ret_target);
		return ctx_fail(ctx, -EIO,
				"The target of this symbolic link holds a "
				"NUL.");
	}
	return fail_read(ctx, r);
}

int checkout_found_default(struct model *model, struct node *repository,
			   struct found *ret_found)
{
	struct checkout *checkout = NULL;
	int r = checkout_new(model, repository, NULL, NULL, &checkout);

	if (r < 0)
		return r;
	checkout_found(checkout, node_mtime_ms(model->nodes, repository),
		       LONGEST_MS, ret_found);
	return 0;
}

/* Of files at a fixed commit. Followed refs go by git_refresh_path. */
static int git_refresh(struct ctx *, struct model *, struct node *dir,
		       struct node *file, struct buf *said)
{
	provider_say(said, "%s: a commit's, which never changes\n",
		     file ? file->name : dir->name);
	return 0;
}

const struct provider provider_tree = {
	.name = "tree",
	.kind = PROVIDER_CHECKOUT,
	.refresh = git_refresh,
	.is_at = checkout_fixed_is_at,
	.lookup = git_lookup,
	.open = git_open,
	.attr = git_attr,
	.ahead_listed = git_ahead_listed,
	.same_data = checkout_same,
	.hash_data = checkout_hash,
	.free_data = checkout_free_data,
};

const struct provider provider_git = {
	.name = "git",
	.refresh = git_refresh,
	.lookup = git_lookup,
	.open = git_open,
	.attr = git_attr,
	.read = git_read,
	.ahead = git_ahead,
	.ahead_listed = git_ahead_listed,
	.readlink = git_readlink,
};
