/*
 * model/git/ahead: a walk reads the files of a directory in the order of its
 * listing, which is the tree's. So from the second file on those that follow
 * are given to the kernel: 16, then twice as many at each READ that comes all
 * the same, up to 256. A walk that sorts by inode (cp -r) has another order:
 * in a directory of few files any second READ will do, in a large one some that
 * rise by inode, and what follows begins anew at the first name when the last
 * one was given.
 *
 * Who went on so in a directory lists the next one in order to read it, too:
 * the files of some that follow are given when it has listed them, before their
 * first READ, and then it has to show again that it reads.
 *
 * A READ of what was given already says that the kernel has let go of it, or
 * that another walk begins: then all begins anew.
 */
#include "model/git/ahead.h"

#define TRAILS 64
#define WINDOW_LEAST 16
#define WINDOW_MOST 256
#define WINDOW_WALK 64 /* as if so many had been given */
/* More names than that: only a READ of what follows counts. */
#define SMALL_DIRECTORY 256
/* The kernel asks for a longer file in several READs. */
#define LONGEST (128 * KIB)
/* Whoever waits for the READ waits for this, too. */
#define BYTES_MOST (2 * MIB)
#define AT_ONCE 16
/* After so many directories that were read from their first file on it is a
 * walk. */
#define WALKED_LEAST 3
/* READs; of files that somebody picks, one of 5,040 runs would rise so long. */
#define RISING_LEAST 7
#define WALKERS 16
/* Directories that are given when they are listed: at first, at most. */
#define LISTINGS_LEAST 2
#define LISTINGS_MOST 64

/* A directory that is being read. Positions are those of the tree's entries. */
struct trail {
	uint64_t dir; /* its number; 0: none */
	struct oid oid;
	uint64_t used;     /* the table's count at that time */
	size_t window;     /* 0: one file was read */
	size_t next;       /* to be given */
	size_t left;       /* entries from there on, round to the first one */
	uint64_t ino;      /* of the last file that was read */
	unsigned n_rising; /* READs, the last ones, each of a higher inode */
	bool any_order;    /* of its READs */
};
/* A thread that read file after file. */
struct walker {
	int32_t caller; /* 0: none */
	uint64_t dir;   /* the last one in which it did */
	uint64_t used;
	unsigned n_granted, n_left; /* directories */
};
struct ahead {
	struct mutex lock;
	/* Under lock: */
	uint64_t n_uses;
	unsigned n_in_a_row; /* directories read from their first file on */
	struct trail trails[TRAILS];
	struct walker walkers[WALKERS];
};

struct ahead *ahead_new(void)
{
	struct ahead *a = mem_calloc(1, sizeof(*a));

	mutex_init(&a->lock);
	return a;
}

struct ahead *ahead_free(struct ahead *a)
{
	if (!a)
		return NULL;
	mutex_done(&a->lock);
	free(a);
	return NULL;
}

/* The directory's, or the one that was used longest ago, made its own. */
static struct trail *trail_of(struct ahead *a, const struct ahead_place *place)
	requires_lock(a->lock)
{
	struct trail *oldest = &a->trails[0], *t;

	for (t = a->trails; t < a->trails + TRAILS; t++) {
		if (t->dir == place->dir->ino &&
		    oid_equal(&t->oid, &place->oid))
			break;
		if (t->used < oldest->used)
			oldest = t;
	}
	if (t == a->trails + TRAILS) {
		t = oldest;
		*t = (struct trail){.dir = place->dir->ino, .oid = place->oid};
	}
	t->used = ++a->n_uses;
	return t;
}

/* The thread's, or NULL; with make, in place of that which was used longest
 * ago. */
static struct walker *walker_of(struct ahead *a, int32_t caller, bool make)
	requires_lock(a->lock)
{
	struct walker *oldest = &a->walkers[0], *w;

	for (w = a->walkers; w < a->walkers + WALKERS; w++) {
		if (w->caller == caller)
			return w;
		if (w->used < oldest->used)
			oldest = w;
	}
	if (!make)
		return NULL;
	*oldest = (struct walker){.caller = caller};
	return oldest;
}

/* It reads file after file in that directory. */
static void grant(struct ahead *a, int32_t caller, uint64_t dir)
	requires_lock(a->lock)
{
	struct walker *w = walker_of(a, caller, true);

	w->used = a->n_uses;
	if (w->dir != dir)
		w->n_granted = w->n_granted ? 2 * w->n_granted : LISTINGS_LEAST;
	if (w->n_granted > LISTINGS_MOST)
		w->n_granted = LISTINGS_MOST;
	w->n_left = w->n_granted;
	w->dir = dir;
}

/* Whether not only a READ of what follows counts. */
static bool is_any_order(struct trail *t, size_t n_entries, uint64_t ino)
{
	t->n_rising = ino > t->ino ? t->n_rising + 1 : 0;
	t->ino = ino;
	if (!t->any_order && t->n_rising >= RISING_LEAST) {
		t->any_order = true;
		t->left = 0;
	}
	return t->any_order || n_entries <= SMALL_DIRECTORY;
}

/* Whether a walk goes on here: the first READ in a directory will do. */
static bool begin_anew(struct ahead *a, struct trail *t, size_t at,
		       size_t n_entries, bool small, bool is_first)
	requires_lock(a->lock)
{
	a->n_in_a_row = is_first ? a->n_in_a_row + 1 : 0;
	t->window = a->n_in_a_row > WALKED_LEAST ? WINDOW_WALK : 0;
	t->next = (at + 1) % n_entries;
	t->left = small ? n_entries - 1 : n_entries - 1 - at;
	return t->window > 0;
}

/* A READ of the file at that position. */
struct ahead_read {
	int32_t caller;
	uint64_t ino;
	size_t at;
	bool is_first;
};

/* Positions to be given now: so many, from *from on, perhaps over the end. */
static size_t claim(struct ahead *a, const struct ahead_place *place,
		    const struct ahead_read *read, size_t *ret_from)
{
	size_t n_entries = place->list->n_entries, n = 0, gap, at = read->at;
	bool small, goes_on = true;
	struct trail *t;

	mutex_lock(&a->lock);
	t = trail_of(a, place);
	small = is_any_order(t, n_entries, read->ino);
	/* Directories and long files may be between two files. */
	gap = (at + n_entries - t->next) % n_entries;
	if (gap < (small ? 1 : WINDOW_LEAST) && gap < t->left) {
		t->next = (at + 1) % n_entries;
		t->left -= gap + 1;
	} else if (t->left == 0 || !small) {
		goes_on =
			begin_anew(a, t, at, n_entries, small, read->is_first);
	}
	if (goes_on) {
		grant(a, read->caller, place->dir->ino);
		t->window = t->window ? 2 * t->window : WINDOW_LEAST;
		if (t->window > WINDOW_MOST)
			t->window = WINDOW_MOST;
		n = t->window < t->left ? t->window : t->left;
		*ret_from = t->next;
		t->next = (t->next + n) % n_entries;
		t->left -= n;
	}
	mutex_unlock(&a->lock);
	return n;
}

/* The same for who has listed the directory, from the first one on. */
static size_t claim_listed(struct ahead *a, const struct ahead_place *place,
			   int32_t caller)
{
	size_t n_entries = place->list->n_entries, n = 0;
	struct walker *w;
	struct trail *t;

	mutex_lock(&a->lock);
	w = walker_of(a, caller, false);
	if (w && w->n_left) {
		w->n_left--;
		t = trail_of(a, place);
		n = n_entries < WINDOW_MOST ? n_entries : WINDOW_MOST;
		t->any_order = true;
		t->window = WINDOW_MOST;
		t->next = n % n_entries;
		t->left = n_entries - n;
	}
	mutex_unlock(&a->lock);
	return n;
}

/* The last n of what was claimed up to `next` were not given. */
static void give_back(struct ahead *a, const struct ahead_place *place,
		      size_t next, size_t n)
{
	size_t n_entries = place->list->n_entries;
	struct trail *t;

	mutex_lock(&a->lock);
	t = trail_of(a, place);
	if (t->next == next % n_entries) {
		t->next = (t->next + n_entries - n) % n_entries;
		t->left += n;
	}
	mutex_unlock(&a->lock);
}

/* Some files of which the kernel knows. */
struct batch {
	struct node *nodes[AT_ONCE];
	struct oid oids[AT_ONCE];
	struct blob *blobs[AT_ONCE];
	size_t n, n_bytes;
};

static bool is_file(const struct tree_entry *e)
{
	return e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE;
}

static void batch_add(struct model *model, const struct ahead_place *place,
		      const struct tree_entry *e, struct batch *b)
{
	struct node *node;

	if (!is_file(e))
		return;
	node = node_known_child(model->nodes, place->dir, e->name);
	/* Under that name there may be another version by now. */
	if (node && node->provider == place->files && node->size > 0 &&
	    node->size <= LONGEST && oid_equal(&node->oid, &e->oid)) {
		b->oids[b->n] = e->oid;
		b->nodes[b->n++] = steal(&node);
	}
	node_unref(model->nodes, node);
}

/* False: no more. */
static bool batch_give(struct ctx *ctx, struct model *model,
		       const struct ahead_place *place, struct batch *b,
		       model_give *give, void *arg)
{
	bool more = true;

	clone_peek_blobs(place->clone, b->oids, b->n, LONGEST, b->blobs);
	for (size_t i = 0; i < b->n; i++) {
		struct node *node = b->nodes[i];
		struct blob *blob = b->blobs[i];

		more = more && !ctx_is_cancelled(ctx);
		/* Of another length it is damaged: a READ will tell. */
		if (more && blob && blob_len(blob) == node->size) {
			b->n_bytes += blob_len(blob);
			more = give(arg, node->ino, blob);
		}
		blob_unref(blob);
		node_unref(model->nodes, node);
	}
	b->n = 0;
	return more && b->n_bytes < BYTES_MOST;
}

static bool is_first_file(const struct tree_list *list, size_t at)
{
	while (at > 0 && !is_file(tree_list_entry(list, at - 1)))
		at--;
	return at == 0;
}

/* n entries from there on, round to the first one, but for that at `but`. */
static void give_files(struct ctx *ctx, struct model *model,
		       const struct ahead_place *place, size_t from, size_t n,
		       size_t but, model_give *give, void *arg)
{
	const struct tree_list *list = place->list;
	struct batch batch = {.n = 0};
	bool more = true;
	size_t i;

	for (i = 0; more && i < n; i++) {
		size_t next = (from + i) % list->n_entries;

		if (next != but)
			batch_add(model, place, tree_list_entry(list, next),
				  &batch);
		if (batch.n == AT_ONCE || i + 1 == n)
			more = batch_give(ctx, model, place, &batch, give, arg);
	}
	if (i < n)
		give_back(model->ahead, place, from + n, n - i);
}

void ahead_of(struct ctx *ctx, struct model *model, const struct node *file,
	      const struct ahead_place *place, model_give *give, void *arg)
{
	const struct tree_list *list = place->list;
	struct ahead_read read = {.caller = ctx->caller, .ino = file->ino};
	size_t from = 0, n;

	read.at = tree_list_place(list, file->name);
	if (read.at == list->n_entries || file->size > LONGEST)
		return;
	read.is_first = is_first_file(list, read.at);
	n = claim(model->ahead, place, &read, &from);
	give_files(ctx, model, place, from, n, read.at, give, arg);
}

void ahead_listed(struct ctx *ctx, struct model *model,
		  const struct ahead_place *place, model_give *give, void *arg)
{
	size_t n_entries = place->list->n_entries, n;

	if (!n_entries || ctx->caller <= 0)
		return;
	n = claim_listed(model->ahead, place, ctx->caller);
	give_files(ctx, model, place, 0, n, n_entries, give, arg);
}
