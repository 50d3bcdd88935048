/*
 * What commits lead to: those that were read lately, of which all stays as it
 * is, and the rest that refs lead to.
 */
#include "objects_evict_private.h"

#include <git2.h>

struct evict_member *objects_evict_find(struct evict_member *set,
					const struct oid *oid)
{
	struct evict_member *m;

	HASH_FIND(hh, set, oid, sizeof(*oid), m);
	return m;
}

static bool add(struct evict_member **set, const struct oid *oid,
		enum evict_kind kind)
{
	struct evict_member *m;

	if (objects_evict_find(*set, oid))
		return false;
	m = mem_calloc(1, sizeof(*m));
	m->oid = *oid;
	m->kind = kind;
	HASH_ADD(hh, *set, oid, sizeof(m->oid), m);
	return true;
}

static void clear(struct evict_member **set)
{
	struct evict_member *m, *next;

	HASH_ITER (hh, *set, m, next) {
		HASH_DEL(*set, m);
		free(m);
	}
}

/* Oids that are still to be read. */
struct pending {
	struct oid *items;
	size_t n, room;
};

static void visit(struct eviction *e, struct evict_member **set,
		  struct pending *todo, const struct oid *oid,
		  enum evict_kind kind)
{
	bool leads_on = kind == EVICT_COMMIT || kind == EVICT_TREE;

	/* What stays as it is needs nothing of what is kept of the rest. */
	if (set == &e->rest && objects_evict_find(e->warm, oid))
		return;
	if (!add(set, oid, kind) || !leads_on)
		return;
	mem_grow(todo->items, todo->n, todo->room);
	todo->items[todo->n++] = *oid;
}

/* "100644 .gitattributes". */
static bool is_attributes(const char *entry)
{
	const char *name = strchr(entry, ' ');

	return name && strcmp(name + 1, ".gitattributes") == 0;
}

static void visit_tree(struct eviction *e, struct evict_member **set,
		       struct pending *todo, const char *at, size_t n)
{
	const char *end = at + n, *mode;
	struct oid oid;

	while (objects_next_entry(&at, end, &mode, &oid)) {
		if (mode[0] == '4')
			visit(e, set, todo, &oid, EVICT_TREE);
		else if (mode[0] == '1' && mode[1] == '2')
			visit(e, set, todo, &oid, EVICT_LINK);
		else if (mode[0] == '1' && mode[1] == '0')
			visit(e, set, todo, &oid,
			      is_attributes(mode) ? EVICT_ATTRIBUTES
						  : EVICT_BLOB);
	}
}

/* "tree <40 digits>\n" … */
static void visit_commit(struct eviction *e, struct evict_member **set,
			 struct pending *todo, const char *at, size_t n)
{
	cleanup(free) char *hex = NULL;
	struct oid tree;

	if (n < 46 || strncmp(at, "tree ", 5) != 0)
		return;
	hex = mem_dup0(at + 5, 40);
	if (oid_parse(hex, &tree) == 0)
		visit(e, set, todo, &tree, EVICT_TREE);
}

/* What is missing is fetched by whoever looks for it, as it would be without
 * us. */
static int walk(struct eviction *e, struct evict_member **set,
		const struct oid *commit)
{
	struct pending todo = {0};

	visit(e, set, &todo, commit, EVICT_COMMIT);
	while (todo.n && !ctx_is_cancelled(e->ctx)) {
		struct oid oid = todo.items[--todo.n];
		git_odb_object *raw = NULL;
		git_oid id;

		git_oid_fromraw(&id, oid.bytes);
		if (git_odb_read(&raw, e->h->odb, &id) < 0)
			continue;
		if (git_odb_object_type(raw) == GIT_OBJECT_TREE)
			visit_tree(e, set, &todo, git_odb_object_data(raw),
				   git_odb_object_size(raw));
		else if (git_odb_object_type(raw) == GIT_OBJECT_COMMIT)
			visit_commit(e, set, &todo, git_odb_object_data(raw),
				     git_odb_object_size(raw));
		git_odb_object_free(raw);
	}
	free(todo.items);
	return ctx_is_cancelled(e->ctx) ? -EINTR : 0;
}

/* ---- commits that were read lately, and others ---- */

/* Of those that are so much here: they are warm, or cold. */
static int part(struct eviction *e, enum objects_presence presence)
{
	struct oid *commits = NULL;
	size_t n = 0;
	int r = objects_marked(e->o, presence, SIZE_MAX, &commits, &n);

	for (size_t i = 0; r == 0 && i < n; i++) {
		if (e->is_of_parts ||
		    objects_read_ms(e->o, &commits[i]) >= e->before_ms) {
			r = walk(e, &e->warm, &commits[i]);
		} else if (presence == OBJECTS_COMPLETE) {
			mem_grow(e->cold, e->n_cold, e->room_cold);
			e->cold[e->n_cold++] = commits[i];
		}
	}
	free(commits);
	return r;
}

/* Also of a commit that came without its blobs those stay that were brought for
 * who reads it now; but for its parts: then who reads them has them brought
 * again. */
static int walk_warm(struct eviction *e)
{
	int r = part(e, OBJECTS_COMPLETE);

	return r < 0 || e->is_of_parts ? r : part(e, OBJECTS_TREES);
}

struct targets {
	struct oid *items;
	size_t n, room;
	struct git_repository *repo;
};

static int add_target(const char *name, void *arg)
{
	struct targets *t = arg;
	git_oid id;

	if (git_reference_name_to_id(&id, t->repo, name) < 0)
		return 0;
	mem_grow(t->items, t->n, t->room);
	memcpy(t->items[t->n++].bytes, id.id, OID_BYTES);
	return 0;
}

/* All that refs lead to, marks among them: otherwise git would find a ref
 * without its commit. */
static int walk_rest(struct eviction *e)
{
	struct targets t = {.repo = e->h->repo};
	int r = objects_errno(git_reference_foreach_glob(e->h->repo, "refs/*",
							 add_target, &t));

	for (size_t i = 0; r == 0 && i < t.n; i++)
		r = walk(e, &e->rest, &t.items[i]);
	free(t.items);
	return r;
}

int objects_evict_reach(struct eviction *e)
{
	int r = walk_warm(e);

	return r < 0 ? r : walk_rest(e);
}

void objects_evict_reach_done(struct eviction *e)
{
	clear(&e->warm);
	clear(&e->rest);
	free(e->cold);
}
