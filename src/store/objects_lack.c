/*
 * What a commit leads to that is not here. Its trees are walked as git names
 * them, each once; what another commit has too is here all the same.
 *
 * The handle looks for packs at the beginning alone: a look for each object
 * that is missing would take seconds. What comes meanwhile is reported missing.
 */
#include "objects_private.h"

#include "base/map.h"

#include <git2.h>

/* Trees upon one another, of a hostile repository. */
#define TODO_MOST (16 * 1024 * 1024)

struct seen {
	struct oid oid;
	UT_hash_handle hh;
};
struct lack {
	struct ctx *ctx;
	struct objects_handle *h;
	struct objects_lacking *found;
	size_t room;
	struct seen *seen; /* trees */
	struct oid *todo;
	size_t n_todo, todo_room;
};

static bool is_here(const struct lack *l, const struct oid *oid)
{
	git_oid id;

	git_oid_fromraw(&id, oid->bytes);
	return git_odb_exists_ext(l->h->odb, &id, GIT_ODB_LOOKUP_NO_REFRESH);
}

static void visit_tree(struct lack *l, const struct oid *oid)
{
	struct seen *seen;

	HASH_FIND(hh, l->seen, oid, sizeof(*oid), seen);
	if (seen || l->n_todo == TODO_MOST)
		return;
	seen = mem_calloc(1, sizeof(*seen));
	seen->oid = *oid;
	HASH_ADD(hh, l->seen, oid, sizeof(seen->oid), seen);
	mem_grow(l->todo, l->n_todo, l->todo_room);
	l->todo[l->n_todo++] = *oid;
}

static void visit_blob(struct lack *l, const struct oid *oid)
{
	l->found->n_blobs++;
	if (is_here(l, oid))
		return;
	mem_grow(l->found->missing, l->found->n_missing, l->room);
	l->found->missing[l->found->n_missing++] = *oid;
}

static void visit_entries(struct lack *l, const char *at, size_t n)
{
	const char *end = at + n, *mode;
	struct oid oid;

	while (objects_next_entry(&at, end, &mode, &oid)) {
		if (mode[0] == '4')
			visit_tree(l, &oid);
		else if (mode[0] == '1' && mode[1] != '6')
			visit_blob(l, &oid);
	}
}

static void read_tree(struct lack *l, const struct oid *oid)
{
	git_odb_object *raw = NULL;
	git_oid id;

	git_oid_fromraw(&id, oid->bytes);
	if (!is_here(l, oid) || git_odb_read(&raw, l->h->odb, &id) < 0) {
		l->found->n_trees_missing++;
		return;
	}
	if (git_odb_object_type(raw) == GIT_OBJECT_TREE)
		visit_entries(l, git_odb_object_data(raw),
			      git_odb_object_size(raw));
	git_odb_object_free(raw);
}

static void done(struct lack *l)
{
	struct seen *seen, *next;

	HASH_ITER (hh, l->seen, seen, next) {
		HASH_DEL(l->seen, seen);
		free(seen);
	}
	free(l->todo);
}

int objects_lacking(struct ctx *ctx, struct objects *o, const struct oid *tree,
		    struct objects_lacking *ret)
{
	cleanup(objects_lacking_done) struct objects_lacking found = {0};
	struct lack l = {.ctx = ctx, .found = &found};
	int r;

	/* Packs that another process took in are seen too. */
	objects_packs_changed(o);
	r = objects_take(o, &l.h);
	if (r < 0)
		return r;
	visit_tree(&l, tree);
	while (l.n_todo && !ctx_is_cancelled(ctx)) {
		const struct oid oid = l.todo[--l.n_todo];

		read_tree(&l, &oid);
	}
	objects_give(o, l.h);
	done(&l);
	if (ctx_is_cancelled(ctx))
		return -EINTR;
	*ret = found;
	found = (struct objects_lacking){0};
	return 0;
}

void objects_lacking_done(struct objects_lacking *l)
{
	free(l->missing);
	*l = (struct objects_lacking){0};
}
