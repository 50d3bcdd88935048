/* model/node: identity, the kernel's counts, one node a name. */
#include "model/provider.h"

#include "base/hash.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <cmocka.h>

static const struct provider plain = {.name = "plain"};

static struct node_table *new_table(struct node **ret_root)
{
	const struct node_what root = {.provider = &plain, .mode = S_IFDIR};
	static struct listed_all *listings;
	struct node_table *table;

	if (!listings)
		listings = listed_all_new(0, 0);
	table = node_table_new(&root, listings);

	*ret_root = node_get(table, NODE_ROOT_INO);
	return table;
}

static struct node_what file(uint64_t version)
{
	return (struct node_what){
		.provider = &plain, .mode = NODE_FILE, .version = version};
}

static void same_content_same_number(void **state)
{
	struct node *root, *a, *b;
	struct node_table *table = new_table(&root);
	struct node_what what = file(1);
	uint64_t ino;

	(void)state;
	a = node_make(table, root, "a", &what, NULL, true);
	b = node_make(table, root, "a", &what, NULL, true);
	assert_ptr_equal(a, b);
	ino = a->ino;
	node_unref(table, a);
	node_unref(table, b);
	/* Forgotten whole: the number is computed, so it comes back. */
	node_forget(table, ino, 2);
	assert_null(node_get(table, ino));
	a = node_make(table, root, "a", &what, NULL, false);
	assert_int_equal(a->ino, ino);
	node_unref(table, a);
	assert_int_equal(node_count(table), 1);
	node_unref(table, root);
	node_table_free(table);
}

static void note_known(void *arg, const struct node *node)
{
	buf_printf(arg, "%s;", node->name);
}

/* What the kernel has of the model before is nothing of this one. */
static void another_generation_other_numbers(void **state)
{
	const struct node_what later = {
		.provider = &plain, .mode = S_IFDIR, .version = 1};
	cleanup(buf_done) struct buf known = BUF_INIT(0);
	struct listed_all *listings = listed_all_new(0, 0);
	struct node_table *second = node_table_new(&later, listings);
	struct node *root, *a, *b, *c;
	struct node_table *first = new_table(&root);
	struct node_what what = file(1);

	(void)state;
	a = node_make(first, root, "a", &what, NULL, true);
	c = node_make(first, root, "c", &what, NULL, false);
	node_unref(first, root);
	root = node_get(second, NODE_ROOT_INO);
	b = node_make(second, root, "a", &what, NULL, true);
	assert_int_not_equal(a->ino, b->ino);
	/* A number that is not its own says nothing. */
	node_forget(second, a->ino, 1);
	node_each_known(first, note_known, &known);
	assert_true(!strcmp(known.data, ";a;") || !strcmp(known.data, "a;;"));
	node_unref(first, a);
	node_unref(first, c);
	node_unref(second, b);
	node_unref(second, root);
	node_table_free(first);
	node_table_free(second);
	listed_all_free(listings);
}

static void new_content_new_number(void **state)
{
	struct node *root, *old, *fresh, *again;
	struct node_table *table = new_table(&root);
	struct node_what one = file(1), two = file(2);

	(void)state;
	old = node_make(table, root, "a", &one, NULL, true);
	fresh = node_make(table, root, "a", &two, NULL, true);
	assert_int_not_equal(old->ino, fresh->ino);
	/* Who reads the old one finishes it. */
	assert_false(node_is_linked(table, old));
	again = node_get(table, old->ino);
	assert_ptr_equal(again, old);
	node_unref(table, again);
	assert_int_equal(node_mtime_ms(table, fresh),
			 node_mtime_ms(table, old) + 1000);
	/* Content that comes back is younger than what was there between. */
	again = node_make(table, root, "a", &one, NULL, false);
	assert_ptr_not_equal(again, old);
	assert_int_not_equal(again->ino, old->ino);
	assert_int_equal(node_mtime_ms(table, again),
			 node_mtime_ms(table, fresh) + 1000);
	assert_false(node_is_linked(table, old));
	assert_false(node_is_linked(table, fresh));
	node_unref(table, again);
	node_unref(table, old);
	/* A name that was only told, with the same behind it, is the same. */
	again = node_make(table, root, "b", &one, NULL, true);
	node_unlink(table, again);
	old = node_make(table, root, "b", &one, NULL, true);
	assert_ptr_equal(again, old);
	node_unref(table, again);
	node_unref(table, old);
	node_unref(table, fresh);
	node_unref(table, root);
	node_table_free(table);
}

static void what_grows_tells_what_there_is(void **state)
{
	static const struct provider growing = {.name = "growing",
						.grows = true};
	struct node *root, *a, *b;
	struct node_table *table = new_table(&root);
	struct node_what what = {.provider = &growing,
				 .mode = S_IFREG | 0444,
				 .size = 7,
				 .mtime_ms = 1000};

	(void)state;
	a = node_make(table, root, "log", &what, NULL, true);
	assert_int_equal(node_size(table, a), 7);
	what.size = 28;
	what.mtime_ms = 5000;
	b = node_make(table, root, "log", &what, NULL, true);
	assert_ptr_equal(a, b);
	assert_int_equal(node_size(table, a), 28);
	node_grow(table, a, 36, 9000);
	/* A look that was overtaken takes nothing back. */
	node_unref(table, node_make(table, root, "log", &what, NULL, true));
	assert_int_equal(node_size(table, a), 36);
	assert_int_equal(node_mtime_ms(table, a), 9000);
	/* Nor one that had lost its name. */
	node_unlink(table, a);
	what.size = 40;
	b = node_make(table, root, "log", &what, NULL, false);
	assert_ptr_equal(a, b);
	assert_int_equal(node_size(table, a), 40);
	node_unref(table, b);
	node_unref(table, b);
	node_unref(table, a);
	node_unref(table, root);
	node_table_free(table);
}

static void directory_moves_and_stale_finds_are_refused(void **state)
{
	struct node *root, *dir, *child;
	struct node_table *table = new_table(&root);
	struct node_what what = {.provider = &plain, .mode = NODE_DIRECTORY};
	const struct oid first = {{1}}, second = {{2}};
	uint64_t ino;

	(void)state;
	what.oid = first;
	dir = node_make(table, root, "src", &what, NULL, true);
	ino = dir->ino;
	assert_false(node_move(table, dir, &second, &first, 0));
	assert_true(node_move(table, dir, &first, &second, 7000));
	assert_int_equal(node_mtime_ms(table, dir), 7000);
	what.oid = first;
	assert_null(node_make(table, dir, "x", &what, &first, true));
	child = node_make(table, dir, "x", &what, &second, true);
	assert_non_null(child);
	node_unref(table, child);
	node_unref(table, dir);
	/* A directory is the same whatever its object. */
	dir = node_make(table, root, "src", &what, NULL, false);
	assert_int_equal(dir->ino, ino);
	node_unref(table, dir);
	node_unref(table, root);
	node_table_free(table);
}

/* A directory that lost its name keeps what it showed, so it is another one
 * that comes back under the name with another object. */
static void a_directory_comes_back_as_it_was_or_anew(void **state)
{
	struct node *root, *old, *other, *again;
	struct node_table *table = new_table(&root);
	struct node_what what = {.provider = &plain, .mode = S_IFDIR};

	(void)state;
	what.oid.bytes[0] = 1;
	old = node_make(table, root, "d", &what, NULL, true);
	node_unlink(table, old);
	what.oid.bytes[0] = 2;
	other = node_make(table, root, "d", &what, NULL, true);
	assert_ptr_not_equal(other, old);
	assert_int_not_equal(other->ino, old->ino);
	assert_int_equal(node_oid(table, other).bytes[0], 2);
	assert_int_equal(node_oid(table, old).bytes[0], 1);
	node_unlink(table, other);
	what.oid.bytes[0] = 1;
	again = node_make(table, root, "d", &what, NULL, true);
	assert_ptr_equal(again, old);
	node_unref(table, again);
	node_unref(table, other);
	node_unref(table, old);
	node_unref(table, root);
	node_table_free(table);
}

static void children_hold_their_parents(void **state)
{
	struct node *root, *a, *b;
	struct node_table *table = new_table(&root);
	struct node_what dir = {.provider = &plain, .mode = NODE_DIRECTORY};
	struct buf path = BUF_INIT(0);
	uint64_t a_ino, b_ino;

	(void)state;
	a = node_make(table, root, "a", &dir, NULL, true);
	b = node_make(table, a, "b", &dir, NULL, true);
	node_path(b, &path);
	assert_string_equal(path.data, "a/b");
	buf_done(&path);
	a_ino = a->ino;
	b_ino = b->ino;
	node_unref(table, a);
	node_unref(table, b);
	node_forget(table, a_ino, 1);
	assert_int_equal(node_count(table), 3);
	node_forget(table, b_ino, 1);
	assert_int_equal(node_count(table), 1);
	node_unref(table, root);
	node_table_free(table);
}

/* What a listing tells is counted by the kernel and held by nobody else. */
static void what_is_told_is_the_kernels(void **state)
{
	struct node *root, *node;
	struct node_table *table = new_table(&root);
	struct node_what what = file(1);
	const struct oid other = {{1}};
	struct node_told told, again;

	(void)state;
	what.size = 7;
	what.mtime_ms = 1000;
	assert_false(node_tell(table, root, "a", &what, &other, &told));
	assert_int_equal(node_count(table), 1);
	assert_true(node_tell(table, root, "a", &what, NULL, &told));
	assert_true(node_tell(table, root, "a", &what, NULL, &again));
	assert_int_equal(again.ino, told.ino);
	assert_int_equal(again.size, told.size);
	assert_int_equal(told.mode, NODE_FILE);
	assert_int_equal(told.size, 7);
	assert_int_equal(told.mtime_ms, 1000);
	node = node_get(table, told.ino);
	assert_string_equal(node->name, "a");
	node_unref(table, node);
	/* One that could not be sent, then the kernel's own. */
	node_forget(table, told.ino, 1);
	assert_int_equal(node_count(table), 2);
	node_forget(table, told.ino, 1);
	assert_int_equal(node_count(table), 1);
	/* Another content: younger than what there was. */
	assert_true(node_tell(table, root, "a", &what, NULL, &told));
	what.version = 2;
	assert_true(node_tell(table, root, "a", &what, NULL, &again));
	assert_int_not_equal(again.ino, told.ino);
	assert_int_equal(again.mtime_ms, 2000);
	node_unref(table, root);
	node_table_free(table);
}

#define N_MANY 5000

static void count_one(void *arg, struct node *node)
{
	(void)node;
	++*(size_t *)arg;
}

/* The tables grow and shrink below whoever is found in them. */
static void of_many_each_is_found(void **state)
{
	static uint64_t inos[N_MANY];
	struct node *root, *node;
	struct node_table *table = new_table(&root);
	struct node_what what = file(1);
	struct node_told told;
	char name[32];
	size_t n = 0;

	(void)state;
	for (size_t i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "file-%zu", i);
		assert_true(node_tell(table, root, name, &what, NULL, &told));
		inos[i] = told.ino;
	}
	assert_int_equal(node_count(table), N_MANY + 1);
	node_each(table, &plain, count_one, &n);
	assert_int_equal(n, N_MANY + 1);
	for (size_t i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "file-%zu", i);
		node = node_child(table, root, name);
		assert_non_null(node);
		assert_int_equal(node->ino, inos[i]);
		node_unref(table, node);
		if (i % 100)
			node_forget(table, inos[i], 1);
	}
	assert_int_equal(node_count(table), N_MANY / 100 + 1);
	for (size_t i = 0; i < N_MANY; i++) {
		snprintf(name, sizeof(name), "file-%zu", i);
		node = node_get(table, inos[i]);
		assert_int_equal(node != NULL, i % 100 == 0);
		node_unref(table, node);
		node = node_child(table, root, name);
		assert_int_equal(node != NULL, i % 100 == 0);
		node_unref(table, node);
	}
	node_unref(table, root);
	node_table_free(table);
}

#define N_THREADS 8
#define N_ROUNDS 2000

struct racer {
	struct node_table *table;
	struct node *root;
};

static void race(void *arg)
{
	struct racer *r = arg;

	for (unsigned i = 0; i < N_ROUNDS; i++) {
		struct node_what what = file(i % 3);
		struct node *node =
			node_make(r->table, r->root, "x", &what, NULL, true);
		uint64_t ino = node->ino;

		node_unref(r->table, node);
		node_forget(r->table, ino, 1);
	}
}

static void threads_agree(void **state)
{
	struct thread *threads[N_THREADS];
	struct racer racer;

	(void)state;
	racer.table = new_table(&racer.root);
	for (size_t i = 0; i < N_THREADS; i++)
		assert_int_equal(
			thread_start("race", race, &racer, &threads[i]), 0);
	for (size_t i = 0; i < N_THREADS; i++)
		thread_join(threads[i]);
	assert_int_equal(node_count(racer.table), 1);
	node_unref(racer.table, racer.root);
	node_table_free(racer.table);
}

/* An item's name is its data here: the same wherever it is found. */
static bool is_same_item(const struct node_what *a, const struct node_what *b)
{
	return strcmp(a->data, b->data) == 0;
}

static uint64_t item_hash(const struct node_what *what, uint64_t seed)
{
	return hash_text(seed, what->data);
}

static bool item_roams(const struct node_what *what)
{
	return what->data != NULL;
}

static const struct provider items = {
	.name = "items",
	.roams = item_roams,
	.same_data = is_same_item,
	.hash_data = item_hash,
	.free_data = free,
};

static struct node_what item(const char *id)
{
	return (struct node_what){.provider = &items,
				  .mode = NODE_DIRECTORY,
				  .data = mem_strdup(id)};
}

static int64_t item_ms;

static struct node *make_item(struct node_table *table, struct node *dir,
			      const char *name, const char *id, bool kernel)
{
	struct node_what what = item(id);

	what.mtime_ms = item_ms;
	return node_make(table, dir, name, &what, NULL, kernel);
}

static void what_roams_keeps_its_number(void **state)
{
	struct node *root, *first, *second, *third, *child, *again;
	struct node_table *table = new_table(&root);
	struct node_what inside = file(1);
	uint64_t ino;

	(void)state;
	first = make_item(table, root, "7", "item 7", true);
	ino = first->ino;
	node_unref(table, make_item(table, root, "7", "item 7", true));
	node_forget(table, ino, 1);
	child = node_make(table, first, "info", &inside, NULL, true);
	/* Unlinked before it is found elsewhere, or not. */
	node_unlink(table, first);
	second = make_item(table, root, "merged 7", "item 7", true);
	assert_ptr_not_equal(second, first);
	assert_int_equal(second->ino, ino);
	assert_false(node_is_linked(table, first));
	again = node_get(table, ino);
	assert_ptr_equal(again, second);
	node_unref(table, again);
	/* An outdated list has it still: that one is another. */
	third = make_item(table, root, "7", "item 7", false);
	assert_int_not_equal(third->ino, ino);
	assert_true(node_is_linked(table, second));
	node_unref(table, third);
	item_ms++;
	third = make_item(table, root, "declined 7", "item 7", false);
	assert_int_equal(third->ino, ino);
	assert_false(node_is_linked(table, second));
	assert_null(node_child(table, root, "merged 7"));
	/* What is inside, cookies and listings go on. */
	again = node_make(table, third, "info", &inside, NULL, true);
	assert_ptr_equal(again, child);
	node_unref(table, again);
	assert_ptr_equal(node_book(table, first, true),
			 node_book(table, third, true));
	/* A reply that could not be sent, of a node that is retired. */
	node_forget(table, second->ino, 1);
	node_unref(table, first);
	node_unref(table, second);
	/* The kernel's one count is the third's. */
	node_forget(table, ino, 1);
	again = node_get(table, ino);
	assert_ptr_equal(again, third);
	node_unref(table, again);
	node_unref(table, third);
	assert_null(node_get(table, ino));
	node_forget(table, child->ino, 2);
	node_unref(table, child);
	assert_int_equal(node_count(table), 1);
	/* Another one of that name is another one; what is left is freed. */
	first = make_item(table, root, "7", "item 8", true);
	assert_int_not_equal(first->ino, ino);
	item_ms++;
	second = make_item(table, root, "merged 8", "item 8", true);
	assert_int_equal(second->ino, first->ino);
	node_unref(table, first);
	node_unref(table, second);
	node_unref(table, root);
	node_table_free(table);
}

/* The kernel, which gives back what it was told. */
struct kernel {
	struct node_table *table;
	_Atomic uint64_t ino;
	_Atomic unsigned n_told;
	atomic_bool ended;
};

static void give_back(void *arg)
{
	struct kernel *k = arg;

	while (!atomic_load(&k->ended))
		if (atomic_load(&k->n_told) > 0) {
			atomic_fetch_sub(&k->n_told, 1);
			node_forget(k->table, atomic_load(&k->ino), 1);
		}
}

static void forgets_race_with_what_roams(void **state)
{
	struct node *root;
	struct kernel k = {.table = new_table(&root)};
	struct thread *thread;

	(void)state;
	assert_int_equal(thread_start("kernel", give_back, &k, &thread), 0);
	for (unsigned i = 0; i < 100000; i++) {
		struct node_what what = item("7");
		struct node *node;

		/* The younger answer has it. */
		what.mtime_ms = i;
		node = node_make(k.table, root, i % 2 ? "7" : "merged", &what,
				 NULL, true);
		atomic_store(&k.ino, node->ino);
		node_unref(k.table, node);
		atomic_fetch_add(&k.n_told, 1);
	}
	atomic_store(&k.ended, true);
	thread_join(thread);
	node_unref(k.table, root);
	node_table_free(k.table);
}

/* Which checkout is never looked at here. */
static char nothing;
static struct checkout *const some_checkout = (struct checkout *)&nothing;

static struct node *tree_directory(struct node_table *table, struct node *root)
{
	const struct node_what what = {.provider = &plain,
				       .mode = NODE_DIRECTORY,
				       .checkout = some_checkout};

	return node_make(table, root, "tree", &what, NULL, false);
}

static struct node_what tree_file(unsigned i)
{
	return (struct node_what){.provider = &plain,
				  .mode = NODE_FILE,
				  .size = i,
				  .mtime_ms = 1000 * (int64_t)i,
				  .version = 1000 * (uint64_t)i,
				  .oid = {{(uint8_t)i, (uint8_t)(i >> 8)}},
				  .checkout = some_checkout};
}

static void a_file_of_a_tree_says_what_it_is(void **state)
{
	struct node *root, *dir, *node, *again;
	struct node_table *table = new_table(&root);
	struct node_what what = tree_file(5);

	(void)state;
	dir = tree_directory(table, root);
	node = node_make(table, dir, "file", &what, NULL, false);
	assert_int_equal(node_version(node), 5000);
	assert_ptr_equal(node_checkout(node), some_checkout);
	assert_ptr_equal(node_checkout(dir), some_checkout);
	assert_null(node_data(node));
	assert_null(node_resource_file(node));
	assert_int_equal(node_size(table, node), 5);
	again = node_make(table, dir, "file", &what, NULL, false);
	assert_ptr_equal(again, node);
	node_unref(table, again);
	what = tree_file(6);
	again = node_make(table, dir, "file", &what, NULL, false);
	assert_ptr_not_equal(again, node);
	/* Its time is git's, whatever was shown before. */
	assert_int_equal(node_mtime_ms(table, again), 6000);
	node_unref(table, again);
	node_unref(table, node);
	node_unref(table, dir);
	node_unref(table, root);
	node_table_free(table);
}

#define MANY 100000
#define NODE_BYTES 92   /* without the name */
#define KNOWN_BYTES 144 /* with a name of 27, the heads, malloc's own */

static size_t taken(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void a_file_of_a_tree_takes_little(void **state)
{
	struct node *root, *dir;
	struct node_table *table = new_table(&root);
	size_t before = taken(), after;
	uint64_t *inos = mem_calloc(MANY, sizeof(*inos));
	char name[32];

	(void)state;
	assert_true(offsetof(struct node, name) <= NODE_BYTES);
	dir = tree_directory(table, root);
	before = taken();
	for (unsigned i = 0; i < MANY; i++) {
		struct node_what what = tree_file(i);
		struct node_told told;

		snprintf(name, sizeof(name), "a-name-of-27-bytes--%07u", i);
		assert_true(node_tell(table, dir, name, &what, NULL, &told));
		inos[i] = told.ino;
	}
	after = taken();
	/* Sanitizers allocate by themselves, and tell nothing. */
	if (before > 0)
		assert_in_range((after - before) / MANY, 100, KNOWN_BYTES);
	for (unsigned i = 0; i < MANY; i++)
		node_forget(table, inos[i], 1);
	assert_int_equal(node_count(table), 2);
	if (before > 0)
		assert_in_range(taken(), before / 2, before + 16 * KIB);
	node_unref(table, dir);
	node_unref(table, root);
	node_table_free(table);
	free(inos);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(same_content_same_number),
		cmocka_unit_test(another_generation_other_numbers),
		cmocka_unit_test(what_roams_keeps_its_number),
		cmocka_unit_test(forgets_race_with_what_roams),
		cmocka_unit_test(new_content_new_number),
		cmocka_unit_test(what_grows_tells_what_there_is),
		cmocka_unit_test(directory_moves_and_stale_finds_are_refused),
		cmocka_unit_test(a_directory_comes_back_as_it_was_or_anew),
		cmocka_unit_test(children_hold_their_parents),
		cmocka_unit_test(what_is_told_is_the_kernels),
		cmocka_unit_test(of_many_each_is_found),
		cmocka_unit_test(threads_agree),
		cmocka_unit_test(a_file_of_a_tree_says_what_it_is),
		cmocka_unit_test(a_file_of_a_tree_takes_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
