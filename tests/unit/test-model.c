/*
 * model/model, model/model_dir, model/provider: what every request has in
 * common, on providers that do as the test says.
 */
#include "model/absent.h"
#include "model/provider.h"

#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <sys/prctl.h>
#include <unistd.h>

#include <cmocka.h>

static int lookup(struct ctx *ctx, struct model *model, struct node *dir,
		  const char *name, struct found *ret_found);
static int open_dir(struct ctx *ctx, struct model *model, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing);
static int read_file(struct ctx *ctx, struct model *model, struct node *node,
		     off_t offset, size_t n, struct model_data *ret_data);

static const struct provider of_dir = {.lookup = lookup, .open = open_dir};
static const struct provider of_file = {.read = read_file};
static const struct provider of_nothing = {.open = provider_open_nothing};

static struct scene {
	struct model model;
	struct ctx ctx;
	struct buf told;
	/* What the provider does: */
	int fails; /* with this, and this sentence */
	const char *sentence;
	const char *names; /* of the directory, a letter each */
	int64_t left_ms;
	unsigned n_lookups, n_opens;
	bool has_pins; /* names can be said while the listing is pinned */
	int pin_fails;
	unsigned n_pins;
	unsigned n_moved; /* so many lookups find the directory moved */
	uint64_t version; /* of every file */
} scene;

static int lookup(struct ctx *ctx, struct model *model, struct node *dir,
		  const char *name, struct found *ret_found)
{
	(void)model;
	(void)dir;
	scene.n_lookups++;
	if (scene.fails && scene.sentence)
		return ctx_fail(ctx, scene.fails, "%s", scene.sentence);
	if (scene.fails)
		return scene.fails;
	ret_found->left_ms = 3000;
	if (!strchr(scene.names, name[0]))
		return 0;
	ret_found->what.provider = name[0] == 'd' ? &of_dir : &of_file;
	ret_found->what.mode = name[0] == 'd'   ? NODE_DIRECTORY
			       : name[0] == 'l' ? NODE_LINK
						: NODE_FILE;
	ret_found->what.size = 1000;
	ret_found->what.mtime_ms = 5678;
	ret_found->what.version = scene.version;
	if (scene.n_moved) {
		scene.n_moved--;
		ret_found->checked = true;
		ret_found->expect.bytes[0] = 7;
	}
	return 0;
}

static bool name_found(struct dirlist_piece *piece,
		       const struct dirlist_name *name, struct found *ret_found)
{
	return lookup(piece->ctx, piece->model, piece->dir, name->name,
		      ret_found) == 0;
}

static void name_at(const struct dirlist *l, size_t i, struct dirlist_name *ret)
{
	assert_non_null(l->pin);
	*ret = l->names[i];
}

static int pin_names(struct dirlist_piece *piece, void **ret_pin)
{
	(void)piece;
	*ret_pin = &scene;
	scene.n_pins++;
	return scene.pin_fails;
}

static void unpin_names(void *pin)
{
	assert_ptr_equal(pin, &scene);
}

static const struct dirlist_ops ops_names = {.found = name_found};
static const struct dirlist_ops ops_pinned = {.found = name_found,
					      .at = name_at,
					      .pin = pin_names,
					      .unpin = unpin_names};

static int open_dir(struct ctx *ctx, struct model *model, struct node *dir,
		    struct dirlist *newest, struct dirlist **ret_listing)
{
	struct dirlist *l;
	uint64_t cookie = 0;

	(void)ctx;
	(void)model;
	(void)dir;
	(void)newest;
	scene.n_opens++;
	if (scene.fails)
		return scene.fails;
	l = dirlist_new(scene.has_pins ? &ops_pinned : &ops_names, NULL, 0);
	l->n_pin = scene.has_pins;
	for (const char *name = scene.names; *name; name++)
		dirlist_add_taken(l, mem_dup0(name, 1), ++cookie, S_IFREG, 0);
	*ret_listing = dirlist_seal(l, scene.left_ms);
	return 0;
}

static int read_file(struct ctx *ctx, struct model *model, struct node *node,
		     off_t offset, size_t n, struct model_data *ret_data)
{
	(void)ctx;
	(void)model;
	(void)node;
	return scene.fails ? scene.fails
			   : model_slice(blob_new("0123456789", 10), offset, n,
					 ret_data);
}

static void told_entry(void *arg, uint64_t parent_ino, const char *name)
{
	(void)arg;
	(void)parent_ino;
	buf_printf(&scene.told, "%s ", name);
}

static void told_inode(void *arg, uint64_t ino, bool content)
{
	(void)arg;
	(void)ino;
	buf_puts(&scene.told, content ? "content " : "attributes ");
}

static int set_up(void **state)
{
	const struct node_what root = {.provider = &of_dir,
				       .mode = NODE_DIRECTORY};

	(void)state;
	clock_fake(1000000, INT64_C(1790000000000));
	scene = (struct scene){.told = BUF_INIT(0), .names = "abd"};
	scene.model.listings = listed_all_new(0, 0);
	scene.model.nodes = node_table_new(&root, scene.model.listings);
	scene.model.problems = problems_new();
	scene.model.absent = absent_new();
	scene.model.kernel =
		(struct model_kernel){.entry = told_entry, .inode = told_inode};
	scene.model.started = true;
	scene.model.config.umask = 027;
	ctx_init(&scene.ctx, NULL, -1);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	ctx_done(&scene.ctx);
	node_table_free(scene.model.nodes);
	listed_all_free(scene.model.listings);
	problems_free(scene.model.problems);
	absent_free(scene.model.absent);
	buf_done(&scene.told);
	clock_real();
	return 0;
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

static struct model_entry look(const char *name, int want)
{
	struct model_entry entry = {0};

	scene.ctx.sentence[0] = '\0';
	assert_int_equal(model_lookup(&scene.ctx, &scene.model, NODE_ROOT_INO,
				      name, &entry),
			 want);
	return entry;
}

/* ---- looking up ---- */

static void a_name_has_attributes(void **state)
{
	struct model_entry a = look("a", 0), none = look("x", 0);

	(void)state;
	assert_true(a.ino > 1);
	assert_true(a.entry_timeout == 3);
	assert_true(a.attr.attr_timeout == 3);
	assert_int_equal(a.attr.st.st_mode, S_IFREG | 0640);
	assert_int_equal(a.attr.st.st_size, 1000);
	assert_int_equal(a.attr.st.st_blocks, 2);
	assert_int_equal(a.attr.st.st_mtim.tv_sec, 5);
	assert_int_equal(a.attr.st.st_mtim.tv_nsec, 678000000);
	/* Of a link umask is not heard. */
	scene.names = "l";
	assert_int_equal(look("l", 0).attr.st.st_mode, S_IFLNK | 0777);
	/* Known not to be there, for as long. */
	assert_int_equal(none.ino, 0);
	assert_true(none.entry_timeout == 3);
}

static void what_was_not_there_is_told_at_a_sign_in(void **state)
{
	(void)state;
	look("x", 0);
	look("a", 0);
	look("x", 0);
	model_signed_out(&scene.model, true);
	assert_int_equal(scene.told.len, 0);
	model_signed_out(&scene.model, false);
	assert_string_equal(scene.told.data, "x ");
	model_signed_out(&scene.model, false);
	assert_string_equal(scene.told.data, "x ");
	/* The oldest are forgotten. */
	buf_clear(&scene.told);
	for (int i = 0; i < 257; i++) {
		char name[16];

		snprintf(name, sizeof(name), "x%d", i);
		look(name, 0);
	}
	model_signed_out(&scene.model, false);
	assert_null(strstr(scene.told.data, "x0 "));
	assert_non_null(strstr(scene.told.data, "x1 "));
	assert_non_null(strstr(scene.told.data, "x256 "));
}

static void what_cannot_be_asked(void **state)
{
	struct model_entry entry;
	char name[300];

	(void)state;
	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	look(name, -ENAMETOOLONG);
	name[255] = '\0';
	look(name, 0);
	assert_int_equal(
		model_lookup(&scene.ctx, &scene.model, 12345, "a", &entry),
		-ESTALE);
	assert_int_equal(model_lookup(&scene.ctx, &scene.model,
				      look("a", 0).ino, "b", &entry),
			 -ENOTDIR);
}

/* The directory got another object while the name was looked up: the name of
 * the old one must not come back. */
static void a_directory_that_moved_is_asked_again(void **state)
{
	(void)state;
	scene.n_moved = 2;
	assert_true(look("a", 0).ino > 1);
	assert_int_equal(scene.n_lookups, 3);
}

static void expect_problem(const char *name, int fails, const char *sentence,
			   int want, const char *line)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);

	scene.fails = fails;
	scene.sentence = sentence;
	look(name, want);
	problems_tail(scene.model.problems, 1, &text);
	if (line)
		assert_non_null(strstr(text.len ? text.data : "", line));
	else
		assert_int_equal(text.len, 0);
}

static void what_failed_is_recorded(void **state)
{
	(void)state;
	expect_problem("a", -ENOENT, NULL, -ENOENT, NULL);
	expect_problem("a", -EINTR, NULL, -EINTR, NULL);
	expect_problem("a", -ESTALE, NULL, -ESTALE, NULL);
	expect_problem("a", -EACCES, NULL, -EACCES, "\ta\tEACCES\tPermission");
	/* The service has not got what was promised. */
	expect_problem("a", -ENOENT, "It is gone.", -ENOENT,
		       "\ta\tENOENT\tIt is gone.");
	/* A server's fault, however it shows. */
	expect_problem("a", -EPROTO, "Odd.", -EIO, "\ta\tEIO\tOdd.");
	expect_problem("b", -EBADMSG, "Bad.", -EIO, "\tb\tEIO\tBad.");
	expect_problem("c", -ECONNRESET, "Cut.", -EIO, "\tc\tEIO\tCut.");
}

/* model_resolve: as the kernel would, but nothing is counted as the kernel's.
 */
static void a_path_is_resolved(void **state)
{
	struct node *root = node_get(scene.model.nodes, NODE_ROOT_INO), *node;

	(void)state;
	assert_int_equal(
		model_resolve(&scene.ctx, &scene.model, root, "d/d/a", &node),
		0);
	assert_string_equal(node->name, "a");
	assert_int_equal(node_count(scene.model.nodes), 4);
	node_unref(scene.model.nodes, node);
	assert_int_equal(node_count(scene.model.nodes), 1);
	assert_int_equal(
		model_resolve(&scene.ctx, &scene.model, root, "d/x/a", &node),
		-ENOENT);
	assert_int_equal(
		model_resolve(&scene.ctx, &scene.model, root, "a/b", &node),
		-ENOTDIR);
	assert_int_equal(
		model_resolve(&scene.ctx, &scene.model, root, "", &node), 0);
	assert_ptr_equal(node, root);
	node_unref(scene.model.nodes, node);
	node_unref(scene.model.nodes, root);
	assert_int_equal(node_count(scene.model.nodes), 1);
}

/* ---- reading ---- */

static void expect_read(off_t offset, size_t n, const char *want)
{
	struct model_data data;

	assert_int_equal(model_read(&scene.ctx, &scene.model, look("a", 0).ino,
				    offset, n, &data),
			 0);
	assert_int_equal(data.n, strlen(want));
	assert_int_equal(data.fd, -1);
	assert_memory_equal(blob_data(data.blob) + data.offset, want, data.n);
	blob_unref(data.blob);
}

static void a_piece_is_read(void **state)
{
	struct model_data data;

	(void)state;
	expect_read(0, 100, "0123456789");
	expect_read(3, 4, "3456");
	expect_read(8, 4, "89");
	expect_read(10, 4, "");
	expect_read(1000, 4, "");
	expect_read(-1, 4, "");
	assert_int_equal(model_read(&scene.ctx, &scene.model, NODE_ROOT_INO, 0,
				    1, &data),
			 -EISDIR);
	assert_int_equal(
		model_read(&scene.ctx, &scene.model, 12345, 0, 1, &data),
		-ESTALE);
}

/* ---- telling ---- */

static void a_dropped_child_is_told(void **state)
{
	struct node *root = node_get(scene.model.nodes, NODE_ROOT_INO);
	uint64_t ino = look("a", 0).ino;

	(void)state;
	model_drop_child(&scene.model, root, "a");
	model_drop_child(&scene.model, root, "never");
	assert_string_equal(scene.told.data, "a never ");
	assert_null(node_child(scene.model.nodes, root, "a"));
	/* Before it is started nobody is told. */
	scene.model.started = false;
	model_changed_entry(&scene.model, root, "b");
	model_changed_inode(&scene.model, root, false);
	assert_string_equal(scene.told.data, "a never ");
	model_forget(&scene.model, ino, 1);
	node_unref(scene.model.nodes, root);
}

/* ---- directories ---- */

static struct opened *open_root(int want)
{
	struct model_opened opened = {0};

	assert_int_equal(
		model_opendir(&scene.ctx, &scene.model, NODE_ROOT_INO, &opened),
		want);
	return opened.opened;
}

static void expect_error(int fails, int want)
{
	scene.fails = fails;
	open_root(want);
	assert_true(model_opens_with(want));
}

/* The kernel takes ENOSYS for a word about the whole mount and repeats after
 * ESTALE; programs take ENOENT for a deleted directory. */
static void few_errnos_come_out_of_opendir(void **state)
{
	(void)state;
	expect_error(-ENOENT, -ENODATA);
	expect_error(-ESTALE, -ENODATA);
	expect_error(-ENOSYS, -EIO);
	expect_error(-EPROTO, -EIO);
	expect_error(-EACCES, -EACCES);
	expect_error(-EDQUOT, -EDQUOT);
	expect_error(-ETIMEDOUT, -ETIMEDOUT);
	assert_false(model_opens_with(-ENOSYS));
	assert_false(model_opens_with(-ENOENT));
}

static void a_listing_is_brought_once_in_its_time(void **state)
{
	struct node *root = node_get(scene.model.nodes, NODE_ROOT_INO);

	(void)state;
	scene.left_ms = 10000;
	assert_false(model_was_opened(&scene.model, root));
	model_closedir(&scene.model, open_root(0));
	model_closedir(&scene.model, open_root(0));
	assert_true(model_was_opened(&scene.model, root));
	assert_int_equal(scene.n_opens, 1);
	clock_advance(10001);
	model_closedir(&scene.model, open_root(0));
	assert_int_equal(scene.n_opens, 2);
	/* Or until it is outdated. */
	model_changed_inode(&scene.model, root, false);
	model_closedir(&scene.model, open_root(0));
	assert_int_equal(scene.n_opens, 2);
	model_changed_inode(&scene.model, root, true);
	model_closedir(&scene.model, open_root(0));
	assert_int_equal(scene.n_opens, 3);
	node_unref(scene.model.nodes, root);
}

struct listing {
	struct buf names; /* "+": with attributes */
	unsigned room;
	uint64_t last;
};

static bool emit(void *arg, const char *name, uint64_t cookie, mode_t type,
		 const struct model_entry *entry)
{
	struct listing *l = arg;

	(void)type;
	if (!l->room)
		return false;
	l->room--;
	assert_true(cookie > l->last);
	l->last = cookie;
	buf_printf(&l->names, "%s%s ", name, entry->ino ? "+" : "");
	return true;
}

static void expect_names(struct opened *opened, struct listing *l,
			 uint64_t after, unsigned room, const char *want)
{
	l->room = room;
	buf_clear(&l->names);
	model_readdir(&scene.ctx, &scene.model, opened, after, true, emit, l);
	assert_string_equal(l->names.len ? l->names.data : "", want);
}

/* Whatever the kernel's copy is good for: it may lose that while the directory
 * is open, and READDIR can neither wait nor fail. */
static void what_is_open_can_be_read(void **state)
{
	struct listing l = {.names = BUF_INIT(0)};
	struct model_opened opened;
	struct opened *first;

	(void)state;
	scene.has_pins = true;
	scene.left_ms = INT64_C(3600000);
	first = open_root(0);
	expect_names(first, &l, 0, 100, ". .. a+ b+ d+ ");
	expect_names(first, &l, l.last, 100, "");
	model_closedir(&scene.model, first);
	clock_advance(120000);
	assert_false(listed_all_expire(scene.model.listings));
	scene.pin_fails = -EIO;
	open_root(-EIO);
	scene.pin_fails = 0;
	assert_int_equal(
		model_opendir(&scene.ctx, &scene.model, NODE_ROOT_INO, &opened),
		0);
	assert_true(opened.keep_copy);
	assert_int_equal(scene.n_opens, 1);
	assert_int_equal(scene.n_pins, 3);
	scene.pin_fails = -EIO;
	clock_advance(120000);
	assert_false(listed_all_expire(scene.model.listings));
	l.last = 0;
	expect_names(opened.opened, &l, 0, 100, ". .. a+ b+ d+ ");
	assert_int_equal(scene.n_pins, 3);
	model_closedir(&scene.model, opened.opened);
	buf_done(&l.names);
}

/* What had no room is not counted as the kernel's. */
static void names_come_in_pieces(void **state)
{
	struct listing l = {.names = BUF_INIT(0)};
	struct opened *opened = open_root(0);

	(void)state;
	expect_names(opened, &l, 0, 1, ". ");
	expect_names(opened, &l, l.last, 2, ".. a+ ");
	assert_int_equal(node_count(scene.model.nodes), 2);
	expect_names(opened, &l, l.last, 100, "b+ d+ ");
	expect_names(opened, &l, l.last, 100, "");
	assert_int_equal(node_count(scene.model.nodes), 4);
	model_closedir(&scene.model, opened);
	buf_done(&l.names);
}

/* The play in model_readdir. */
static void an_older_listing_tells_names_alone(void **state)
{
	struct listing l = {.names = BUF_INIT(0)};
	struct opened *older = open_root(0), *newer;

	(void)state;
	scene.names = "abc";
	newer = open_root(0);
	expect_names(older, &l, 0, 100, ". .. a b d ");
	l.last = 0;
	expect_names(newer, &l, 0, 100, ". .. a+ b+ c+ ");
	model_closedir(&scene.model, older);
	model_closedir(&scene.model, newer);
	buf_done(&l.names);
}

/* df opens what it is asked about, and must not wait for a network. */
static void df_is_told_nothing(void **state)
{
	struct listing l = {.names = BUF_INIT(0)};
	struct opened *opened;
	char name[16];

	(void)state;
	prctl(PR_GET_NAME, name);
	prctl(PR_SET_NAME, "df");
	scene.ctx.caller = getpid();
	opened = open_root(0);
	prctl(PR_SET_NAME, name);
	assert_int_equal(scene.n_opens, 0);
	expect_names(opened, &l, 0, 100, ". .. ");
	model_closedir(&scene.model, opened);
	/* Nobody else is shown that. */
	l.last = 0;
	opened = open_root(0);
	expect_names(opened, &l, 0, 100, ". .. a+ b+ d+ ");
	model_closedir(&scene.model, opened);
	buf_done(&l.names);
}

/* ---- helpers of providers ---- */

static void a_directory_may_list_nothing(void **state)
{
	struct dirlist *first = NULL, *second = NULL;

	(void)state;
	assert_int_equal(
		of_nothing.open(&scene.ctx, &scene.model, NULL, NULL, &first),
		0);
	assert_int_equal(first->n_names, 0);
	assert_int_equal(
		of_nothing.open(&scene.ctx, &scene.model, NULL, first, &second),
		0);
	assert_ptr_equal(first, second);
	dirlist_unref(first);
	dirlist_unref(second);
}

static void people_are_told_if_they_asked(void **state)
{
	cleanup(buf_done) struct buf said = BUF_INIT(0);

	(void)state;
	provider_say(NULL, "%d\n", 1);
	provider_say(&said, "%d\n", 2);
	assert_string_equal(said.data, "2\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(a_name_has_attributes),
		T(what_was_not_there_is_told_at_a_sign_in),
		T(what_cannot_be_asked),
		T(a_directory_that_moved_is_asked_again),
		T(what_failed_is_recorded),
		T(a_path_is_resolved),
		T(a_piece_is_read),
		T(a_dropped_child_is_told),
		T(few_errnos_come_out_of_opendir),
		T(a_listing_is_brought_once_in_its_time),
		T(names_come_in_pieces),
		T(what_is_open_can_be_read),
		T(an_older_listing_tells_names_alone),
		T(df_is_told_nothing),
		T(a_directory_may_list_nothing),
		T(people_are_told_if_they_asked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
