/*
 * store/tree_list: what is shown of a tree object, whoever wrote it.
 */
#include "store/tree_list.h"

#include "corpora.h"

#include <limits.h>

static size_t count_raw(const char *data, size_t n)
{
	size_t n_entries = 0;

	for (size_t at = 0; at < n; n_entries++) {
		const char *nul = memchr(data + at, '\0', n - at);

		at = (size_t)(nul - data) + 21;
	}
	return n_entries;
}

/* What must be true of every list, however it came about. */
static void check_list(const struct tree_list *l)
{
	assert_true(l->left_out[sizeof(l->left_out) - 1] == '\0');
	assert_int_equal(l->n_left_out > 0, l->left_out[0] != '\0');
	for (size_t i = 0; i < l->n_entries; i++) {
		const char *name = tree_list_entry(l, i)->name;

		assert_true(name[0] != '\0' && strlen(name) <= NAME_MAX);
		assert_null(strchr(name, '/'));
		assert_true(strcmp(name, ".") && strcmp(name, ".."));
		assert_true(strcasecmp(name, ".git") != 0);
		assert_ptr_equal(tree_list_find(l, name),
				 tree_list_entry(l, i));
	}
	for (const char *p = l->left_out; *p; p++)
		assert_true(*p >= 0x20 && *p < 0x7f);
	assert_null(tree_list_find(l, ""));
	assert_int_equal(tree_list_place(l, "no such name"), l->n_entries);
	assert_null(tree_list_find(l, "no such name"));
}

static void each_file(const char *name, const char *data, size_t n, bool ok)
{
	struct tree_list *l = NULL;
	int r = tree_list_parse(data, n, &l);

	if (r != (ok ? 0 : -EBADMSG))
		fail_msg("%s: %d", name, r);
	if (!ok) {
		assert_null(l);
		return;
	}
	check_list(l);
	assert_int_equal(l->n_entries + l->n_left_out, count_raw(data, n));
	tree_list_unref(l);
}

static void test_corpora(void **state)
{
	(void)state;
	assert_true(corpora_each("tree/ok", NULL, each_file, true) > 15);
	assert_true(corpora_each("tree/should-fail", NULL, each_file, false) >
		    10);
}

/* Every file with every byte changed and cut at every place: no crash, and a
 * list, if it is one, that holds. */
static void each_mutation(const char *name, const char *data, size_t n, bool ok)
{
	static const char bytes[] = {'\0', ' ', '/', '.', '7', '8', '\xff'};
	cleanup(free) char *copy = mem_dup0(data, n);
	struct tree_list *l;

	(void)name;
	(void)ok;
	if (n > 2000)
		return;
	for (size_t i = 0; i < n; i++) {
		cleanup(free) char *cut = mem_dup0(data, i);

		if (tree_list_parse(cut, i, &l) == 0) {
			check_list(l);
			tree_list_unref(l);
		}
		for (size_t j = 0; j < sizeof(bytes); j++) {
			copy[i] = bytes[j];
			if (tree_list_parse(copy, n, &l) == 0) {
				check_list(l);
				tree_list_unref(l);
			}
			copy[i] = data[i];
		}
	}
}

static void test_mutations(void **state)
{
	(void)state;
	corpora_each("tree/ok", NULL, each_mutation, true);
	corpora_each("tree/should-fail", NULL, each_mutation, false);
}

static void add(struct buf *out, const char *mode, const char *name, char oid)
{
	char bytes[20];

	memset(bytes, oid, sizeof(bytes));
	buf_printf(out, "%s %s%c", mode, name, '\0');
	buf_add(out, bytes, sizeof(bytes));
}

static struct tree_list *parse(struct buf *raw)
{
	struct tree_list *l = NULL;

	assert_int_equal(raw->failed, 0);
	assert_int_equal(tree_list_parse(raw->data, raw->len, &l), 0);
	check_list(l);
	return l;
}

static void test_kinds(void **state)
{
	static const struct {
		const char *mode;
		enum tree_kind kind;
	} cases[] = {
		{"100644", TREE_FILE},       {"100664", TREE_FILE},
		{"100600", TREE_FILE},       {"100755", TREE_EXECUTABLE},
		{"100775", TREE_EXECUTABLE}, {"100700", TREE_EXECUTABLE},
		{"120000", TREE_SYMLINK},    {"40000", TREE_DIRECTORY},
		{"040000", TREE_DIRECTORY},  {"160000", TREE_SUBMODULE},
		{"000000100644", TREE_FILE},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(buf_done) struct buf raw = BUF_INIT(0);
		cleanup(tree_list_unref) struct tree_list *l = NULL;

		add(&raw, cases[i].mode, "name", 'x');
		l = parse(&raw);
		assert_int_equal(tree_list_entry(l, 0)->kind, cases[i].kind);
		assert_memory_equal(tree_list_entry(l, 0)->oid.bytes,
				    "xxxxxxxxxxxxxxxxxxxx", 20);
	}
}

static void test_first_of_equal_names(void **state)
{
	cleanup(buf_done) struct buf raw = BUF_INIT(0);
	cleanup(tree_list_unref) struct tree_list *l = NULL;

	(void)state;
	/* git's own order puts the directory after "a.b". */
	add(&raw, "100644", "a", '1');
	add(&raw, "100644", "a.b", '2');
	add(&raw, "40000", "a", '3');
	add(&raw, "100644", "a", '4');
	add(&raw, "100644", "b", '5');
	l = parse(&raw);
	assert_int_equal(l->n_entries, 3);
	assert_int_equal(l->n_left_out, 2);
	assert_int_equal(tree_list_find(l, "a")->oid.bytes[0], '1');
	assert_string_equal(tree_list_entry(l, 0)->name, "a");
	assert_string_equal(tree_list_entry(l, 1)->name, "a.b");
	assert_string_equal(tree_list_entry(l, 2)->name, "b");
	assert_string_equal(l->left_out, "'a' comes twice; 'a' comes twice");
}

static void test_order_is_kept(void **state)
{
	cleanup(buf_done) struct buf raw = BUF_INIT(0);
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	static const char *const names[] = {"a-b", "a", "a0", "z", "b"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		add(&raw, i == 1 ? "40000" : "100644", names[i], 'x');
	l = parse(&raw);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_string_equal(tree_list_entry(l, i)->name, names[i]);
}

static void test_left_out_sentence(void **state)
{
	cleanup(buf_done) struct buf raw = BUF_INIT(0);
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	char name[300];

	(void)state;
	memset(name, '\n', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	add(&raw, "100644", "a/b", 'x');
	add(&raw, "100644", "..", 'x');
	add(&raw, "100644", ".GIT", 'x');
	add(&raw, "100644", name, 'x');
	l = parse(&raw);
	assert_int_equal(l->n_entries, 0);
	assert_int_equal(l->n_left_out, 4);
	assert_non_null(strstr(l->left_out,
			       "'a/b' holds a slash; '..' is no name; "
			       "'.GIT' is forbidden by git; '\\x0a\\x0a"));
	assert_non_null(strstr(l->left_out, "...' is longer than 255 bytes"));
}

static void test_many(void **state)
{
	cleanup(buf_done) struct buf raw = BUF_INIT(0);
	cleanup(tree_list_unref) struct tree_list *l = NULL;
	char name[32];

	(void)state;
	for (unsigned i = 0; i < 20000; i++) {
		/* 7919 is a prime: every number once, in no order. */
		snprintf(name, sizeof(name), "%05u", i * 7919 % 20000);
		add(&raw, "100644", name, 'x');
	}
	l = parse(&raw);
	assert_int_equal(l->n_entries, 20000);
	assert_int_equal(l->n_left_out, 0);
	/* An object's id, a kind, the name; twice a place, for order is none.
	 */
	assert_int_equal(tree_list_size(l),
			 sizeof(*l) + 20000 * (20 + 1 + 6 + 4 + 4));
}

static void test_too_large(void **state)
{
	struct tree_list *l = NULL;

	(void)state;
	/* Never read: the size alone decides. */
	assert_int_equal(tree_list_parse("", TREE_MAX_BYTES + 1, &l), -EFBIG);
	assert_null(l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_corpora),
		cmocka_unit_test(test_mutations),
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_first_of_equal_names),
		cmocka_unit_test(test_order_is_kept),
		cmocka_unit_test(test_left_out_sentence),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_too_large),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
