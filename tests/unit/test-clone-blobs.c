/*
 * clone/blobs: files that a filter left out, brought when they are read: many
 * in few requests, and nobody held up by what others want.
 */
#include "clone-world.h"

#define N_FILES 50

/* file-00 … file-49, of a server that leaves blobs out. */
static void make_files_of(struct world *w, const char *slug)
{
	cleanup(free) char *configure = mem_asprintf(
		"cd root/acme/%s.git && git config uploadpack.allowFilter true "
		"&& git config uploadpack.allowAnySHA1InWant true",
		slug);

	make_repository(w, slug);
	push(w, slug, T0,
	     "for i in $(seq 10 59); do seq $i 300 >file-$i; done; head -c "
	     "9000000 /dev/zero >large-1; tr '\\0' x <large-1 >large-2");
	run_at(w, T0, configure);
}

static void make_files(struct world *w)
{
	make_files_of(w, "one");
}

struct files {
	struct clone *clone;
	struct clone_head head;
	struct tree_list *list;
};

static bool count_all(void *arg, const struct clone_progress *)
{
	++*(unsigned *)arg;
	return true;
}

/* What comes behind the first look has come, too. */
static void await_rest(struct world *w, const char *slug,
		       const struct oid *commit)
{
	char hex[41];
	cleanup(free) char *mark = mem_asprintf(
		"%s/cache/git/%s-uuid.git/refs/bitbucketfs/trees/%s", w->dir,
		slug, oid_hex(commit, hex));
	unsigned n = 1;

	while (n || access(mark, F_OK) < 0) {
		n = 0;
		clone_set_running(w->mount.clones, count_all, &n);
		usleep(1000);
	}
}

/* How many fetches there were until then. */
static unsigned n_looks;

static struct files look_into(struct world *w, const char *slug)
{
	struct files f = {.clone = open_clone(w, slug)};

	assert_int_equal(get_now(f.clone, &f.head), 0);
	await_rest(w, slug, &f.head.commit);
	n_looks = git_server_counts(&w->server).fetches;
	assert_int_equal(clone_read_tree(NULL, f.clone, &f.head.tree, &f.list),
			 0);
	return f;
}

static struct files look(struct world *w)
{
	return look_into(w, "one");
}

static struct oid named(const struct files *f, const char *name)
{
	const struct tree_entry *e = tree_list_find(f->list, name);

	assert_non_null(e);
	return e->oid;
}

static struct oid numbered(const struct files *f, unsigned i)
{
	char name[32];

	snprintf(name, sizeof(name), "file-%u", i + 10);
	return named(f, name);
}

struct reader {
	struct thread *thread;
	struct clone *clone;
	struct oid commit;
	struct clone_need need;
	struct ctx ctx;
	int result;
	struct blob *blob;
};

static void read_it(void *arg)
{
	struct reader *r = arg;
	uint64_t size;

	r->result =
		clone_bring(&r->ctx, r->clone, &r->commit, &r->need, NULL, 0);
	if (r->result > 0)
		r->result =
			clone_blob_size(NULL, r->clone, &r->need.oid, &size);
	if (r->result == 0 && size <= CLONE_BIG)
		r->result =
			clone_read_blob(NULL, r->clone, &r->need.oid, &r->blob);
}

static void reader_start(struct reader *r, const struct files *f,
			 struct oid oid, enum ctx_class who)
{
	*r = (struct reader){
		.clone = f->clone,
		.commit = f->head.commit,
		.need = {.kind = CLONE_NEED_BLOB, .oid = oid},
	};
	ctx_init(&r->ctx, NULL, -1);
	r->ctx.who = who;
	check(!thread_start("reader", read_it, r, &r->thread));
}

static int reader_end(struct reader *r)
{
	r->thread = thread_join(r->thread);
	ctx_done(&r->ctx);
	r->blob = blob_unref(r->blob);
	return r->result;
}

static bool count_one(void *arg, const struct clone_progress *p)
{
	*(unsigned *)arg += p->waiting;
	return true;
}

/* So many jobs wait for a connection. */
static void await_waiting(struct world *w, unsigned n)
{
	unsigned is = 0;

	while (is < n) {
		is = 0;
		clone_set_running(w->mount.clones, count_one, &is);
		usleep(1000);
	}
}

static void test_fifty_at_once(void **state)
{
	struct world *w = *state;
	struct reader readers[N_FILES];
	struct files f;

	make_files(w);
	f = look(w);
	git_server_hold(&w->server, 2);
	for (unsigned i = 0; i < 2; i++) {
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
		git_server_await_held(&w->server, i + 1);
	}
	for (unsigned i = 2; i < N_FILES; i++)
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
	await_waiting(w, N_FILES - 2);
	git_server_hold(&w->server, 0);
	for (unsigned i = 0; i < N_FILES; i++)
		assert_int_equal(reader_end(&readers[i]), 0);
	assert_counts(w, 1, 1, n_looks + 3);
	tree_list_unref(f.list);
	assert_sound(w, "one");
}

/* They come in one request with one that is read; reading them waits for that
 * and asks for nothing. */
static void test_what_is_next(void **state)
{
	struct world *w = *state;
	struct reader first, second, third;
	struct oid also[8];
	struct files f;

	make_files(w);
	f = look(w);
	for (unsigned i = 0; i < ARRAY_SIZE(also); i++)
		also[i] = numbered(&f, i + 1);
	git_server_hold(&w->server, 1);
	first = (struct reader){
		.clone = f.clone,
		.commit = f.head.commit,
		.need = {.kind = CLONE_NEED_BLOB,
			 .oid = numbered(&f, 0),
			 .also = also,
			 .n_also = ARRAY_SIZE(also)},
	};
	ctx_init(&first.ctx, NULL, -1);
	check(!thread_start("reader", read_it, &first, &first.thread));
	git_server_await_held(&w->server, 1);
	reader_start(&second, &f, also[3], CTX_PERSON);
	await_waiting(w, 1);
	git_server_hold(&w->server, 0);
	assert_int_equal(reader_end(&first), 0);
	assert_int_equal(reader_end(&second), 0);
	reader_start(&third, &f, also[7], CTX_PERSON);
	assert_int_equal(reader_end(&third), 0);
	assert_counts(w, 1, 1, n_looks + 1);
	tree_list_unref(f.list);
}

/* A Ctrl-C ends one reader's wait and not the other's; the batch is broken off
 * with the last. */
static void test_some_leave(void **state)
{
	struct world *w = *state;
	struct reader readers[4];
	struct files f;

	make_files(w);
	f = look(w);
	git_server_hold(&w->server, 2);
	for (unsigned i = 0; i < 2; i++) {
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
		git_server_await_held(&w->server, i + 1);
	}
	for (unsigned i = 2; i < 4; i++)
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
	await_waiting(w, 2);
	/* One that waits for a connection, and one of whose batch half came. */
	ctx_cancel(&readers[2].ctx);
	assert_int_equal(reader_end(&readers[2]), -EINTR);
	ctx_cancel(&readers[0].ctx);
	assert_int_equal(reader_end(&readers[0]), -EINTR);
	/* Now there is a connection for this one. */
	assert_int_equal(reader_end(&readers[3]), 0);
	git_server_hold(&w->server, 0);
	assert_int_equal(reader_end(&readers[1]), 0);
	tree_list_unref(f.list);
	assert_sound(w, "one");
}

/* One that the server lacks does not fail those that are in a batch with it. */
static void test_one_is_lacking(void **state)
{
	struct world *w = *state;
	struct reader readers[6];
	struct oid lacking;
	struct files f;

	make_files(w);
	f = look(w);
	check(!oid_parse("1234567890123456789012345678901234567890", &lacking));
	git_server_hold(&w->server, 2);
	for (unsigned i = 0; i < 2; i++) {
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
		git_server_await_held(&w->server, i + 1);
	}
	for (unsigned i = 2; i < 5; i++)
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
	reader_start(&readers[5], &f, lacking, CTX_PERSON);
	await_waiting(w, 4);
	git_server_hold(&w->server, 0);
	for (unsigned i = 0; i < 5; i++)
		assert_int_equal(reader_end(&readers[i]), 0);
	assert_true(reader_end(&readers[5]) < 0);
	tree_list_unref(f.list);
	assert_sound(w, "one");
}

/* Two large files, of which the second waits for the first: a small one comes
 * beside. */
static void test_large_ones(void **state)
{
	struct world *w = *state;
	struct clone_need all = {.kind = CLONE_NEED_ALL};
	struct reader large[2], small;
	cleanup(free) char *store =
		mem_asprintf("%s/cache/git/one-uuid.git", w->dir);
	uint64_t freed = 0;
	struct files f;
	struct ctx ctx;

	make_files(w);
	f = look(w);
	/* So that sizes are known. */
	ctx_init(&ctx, NULL, -1);
	assert_int_equal(
		clone_bring(&ctx, f.clone, &f.head.commit, &all, NULL, 0), 1);
	assert_int_equal(objects_evict(&ctx, store,
				       clock_wall_ms() + INT64_C(3600000),
				       &freed),
			 0);
	ctx_done(&ctx);
	assert_true(freed > 0);
	git_server_hold(&w->server, 1);
	reader_start(&large[0], &f, named(&f, "large-1"), CTX_PERSON);
	git_server_await_held(&w->server, 1);
	reader_start(&large[1], &f, named(&f, "large-2"), CTX_PERSON);
	await_waiting(w, 1);
	reader_start(&small, &f, numbered(&f, 0), CTX_REFRESH);
	assert_int_equal(reader_end(&small), 0);
	git_server_hold(&w->server, 0);
	assert_int_equal(reader_end(&large[0]), 0);
	assert_int_equal(reader_end(&large[1]), 0);
	tree_list_unref(f.list);
	assert_sound(w, "one");
}

/* Large files of three repositories, of which the third waits, so that there
 * are workers for what is quick. */
static void test_large_ones_leave_workers(void **state)
{
	static const char *const slugs[] = {"one", "two", "three"};
	struct world *w = *state;
	struct reader large[3], small;
	struct files f[3];

	for (size_t i = 0; i < ARRAY_SIZE(slugs); i++) {
		cleanup(objects_close) struct objects *store = NULL;
		cleanup(free) char *path = mem_asprintf(
			"%s/cache/git/%s-uuid.git", w->dir, slugs[i]);
		struct objects_size size = {.size = 9000000};

		make_files_of(w, slugs[i]);
		f[i] = look_into(w, slugs[i]);
		size.oid = named(&f[i], "large-1");
		assert_int_equal(objects_open(path, &store), 0);
		assert_int_equal(objects_note_sizes(store, &size, 1), 0);
	}
	git_server_hold(&w->server, 3);
	for (size_t i = 0; i < 3; i++)
		reader_start(&large[i], &f[i], named(&f[i], "large-1"),
			     CTX_PERSON);
	git_server_await_held(&w->server, 2);
	await_waiting(w, 1);
	/* The two stay where they are, and the next one is not held. */
	git_server_hold(&w->server, 1);
	reader_start(&small, &f[2], numbered(&f[2], 0), CTX_REFRESH);
	assert_int_equal(reader_end(&small), 0);
	git_server_hold(&w->server, 0);
	for (size_t i = 0; i < 3; i++) {
		assert_int_equal(reader_end(&large[i]), 0);
		tree_list_unref(f[i].list);
	}
}

/* ---- one that the store cannot take ---- */

/* The first pack of several objects, and the first of one after it. */
static struct {
	atomic_bool armed;
	atomic_uint n;
} refused;

int __real_objects_pack_commit(struct ctx *, struct objects_pack *,
			       const char *const *shallow, size_t n);
int __wrap_objects_pack_commit(struct ctx *, struct objects_pack *,
			       const char *const *shallow, size_t n);
int __wrap_objects_pack_commit(struct ctx *ctx, struct objects_pack *p,
			       const char *const *shallow, size_t n)
{
	unsigned n_refused = atomic_load(&refused.n);
	struct objects_progress is;

	objects_pack_progress(p, &is);
	if (!atomic_load(&refused.armed) || n_refused > 1 ||
	    (is.n_objects_total > 1) != (n_refused == 0))
		return __real_objects_pack_commit(ctx, p, shallow, n);
	atomic_fetch_add(&refused.n, 1);
	objects_pack_drop(p);
	return -EFBIG;
}

/* As a change of another one it may be too large: those that came with it are
 * asked for again, each by itself, and it alone fails. */
static void test_one_is_too_large(void **state)
{
	struct world *w = *state;
	struct reader readers[6];
	unsigned n_failed = 0;
	struct files f;

	make_files(w);
	f = look(w);
	git_server_hold(&w->server, 2);
	for (unsigned i = 0; i < 6; i++) {
		reader_start(&readers[i], &f, numbered(&f, i), CTX_PERSON);
		if (i < 2)
			git_server_await_held(&w->server, i + 1);
	}
	await_waiting(w, 4);
	atomic_store(&refused.armed, true);
	git_server_hold(&w->server, 0);
	for (unsigned i = 0; i < 6; i++) {
		int r = reader_end(&readers[i]);

		assert_true(r == 0 || r == -EFBIG);
		n_failed += r < 0;
	}
	atomic_store(&refused.armed, false);
	assert_int_equal(atomic_load(&refused.n), 2);
	assert_int_equal(n_failed, 1);
	tree_list_unref(f.list);
	assert_sound(w, "one");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_fifty_at_once),
		test(test_what_is_next),
		test(test_some_leave),
		test(test_one_is_lacking),
		test(test_large_ones),
		test(test_large_ones_leave_workers),
		test(test_one_is_too_large),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
