/*
 * wire/link over HTTP, and upload_pack over it to a real git: the tiny server
 * runs git-upload-pack(1) as a CGI would. What comes is given to
 * git-index-pack(1) and compared with the repository it came from.
 */
#include "link-world.h"

/* ---- The client's side --------------------------------------------------- */

struct fixture {
	struct world world;
	struct http *http;
	struct ctx ctx;
	struct link *link;
	struct upload_pack_caps caps;
	struct upload_pack *up;
	struct upload_pack_refs refs;
	FILE *pack, *shallow;
	size_t n_pack;
	struct buf progress;
};

static int set_up(void **state)
{
	struct http_config config = {.user_agent = "not this one"};
	struct fixture *f = mem_calloc(1, sizeof(*f));

	f->world.v2 = true;
	f->world.tiny = tiny_new(answer, &f->world);
	f->world.other = tiny_new(answer, &f->world);
	assert_int_equal(http_new(&config, &f->http), 0);
	ctx_init(&f->ctx, NULL, 60000);
	*state = f;
	return 0;
}

static void hang_up(struct fixture *f)
{
	f->up = upload_pack_free(f->up);
	f->link = link_free(f->link);
	upload_pack_refs_done(&f->refs);
}

static int tear_down(void **state)
{
	struct fixture *f = *state;

	hang_up(f);
	buf_done(&f->progress);
	ctx_done(&f->ctx);
	http_free(f->http);
	tiny_free(f->world.tiny);
	tiny_free(f->world.other);
	free(f);
	return 0;
}

/* One that never changes: test-http-authorize.c has others. */
static int authorize(void *arg, struct ctx *ctx, struct http_authorization *ret)
{
	(void)arg;
	(void)ctx;
	ret->value = mem_strdup(AUTH);
	return 0;
}

static void heard(void *arg, struct ctx *ctx,
		  const struct http_authorization *sent,
		  const struct http_response *response)
{
	(void)arg;
	(void)ctx;
	(void)response;
	assert_string_equal(sent->value, AUTH);
}

static int renew(void *arg, struct ctx *ctx,
		 const struct http_authorization *refused)
{
	(void)arg;
	(void)ctx;
	(void)refused;
	return 0;
}

static const struct http_authorizer authorizer = {authorize, heard, renew,
						  NULL};

/* A conversation with scratch/name, or with what another server shows. */
static void call(struct fixture *f, const char *name)
{
	cleanup(free) char *url =
		mem_asprintf("%s/%s", f->world.tiny->url, name);

	hang_up(f);
	assert_int_equal(link_http_new(f->http, url, &authorizer, &f->link), 0);
	assert_int_equal(upload_pack_new(f->link, &f->caps, &f->up), 0);
}

static int write_pack(void *arg, const void *data, size_t n)
{
	struct fixture *f = arg;

	f->n_pack += n;
	return fwrite(data, 1, n, f->pack) == n ? 0 : -EIO;
}

static void write_shallow(void *arg, const char *oid)
{
	struct fixture *f = arg;

	fprintf(f->shallow, "%s\n", oid);
}

static void write_progress(void *arg, const char *text, size_t n)
{
	struct fixture *f = arg;

	buf_add(&f->progress, text, n);
}

static FILE *scratch_file(const char *name)
{
	cleanup(free) char *path = mem_asprintf("%s/%s", scratch, name);
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	return file;
}

static int fetch(struct fixture *f, const char *want, const char *have,
		 unsigned depth, const char *filter, bool progress)
{
	const char *const wants[] = {want, NULL};
	const char *const haves[] = {have, NULL};
	struct upload_pack_fetch request = {
		.wants = wants,
		.haves = haves,
		.depth = depth,
		.filter = filter,
		.pack = write_pack,
		.shallow = write_shallow,
		.progress = progress ? write_progress : NULL,
		.arg = f,
	};
	int r;

	f->n_pack = 0;
	f->pack = scratch_file("pack");
	f->shallow = scratch_file("shallow");
	r = upload_pack_fetch(&f->ctx, f->up, &request);
	fclose(f->pack);
	fclose(f->shallow);
	return r;
}

static const struct upload_pack_ref *find(const struct fixture *f,
					  const char *name)
{
	for (size_t i = 0; i < f->refs.n_refs; i++)
		if (!strcmp(f->refs.refs[i].name, name))
			return &f->refs.refs[i];
	return NULL;
}

/* What came becomes a repository: whole, and with the same tree. */
static const char compare_got[] =
	"set -e; cd \"$SCRATCH\"; rm -rf got.git; git init -q --bare got.git\n"
	"test ! -s shallow || cp shallow got.git/shallow\n"
	"git -C got.git index-pack --stdin < pack > /dev/null\n"
	"git -C full.git rev-parse main > got.git/refs/heads/main\n"
	"git -C got.git fsck --full --strict 2>&1 | grep -v '^notice' >&2 ||:\n"
	"git -C got.git fsck --full --strict > /dev/null 2>&1\n"
	"git -C full.git archive main > a; git -C got.git archive main > b\n"
	"cmp a b\n";

#define NEEDS_GIT()             \
	do {                    \
		if (!has_git)   \
			skip(); \
	} while (0)

/* ---- Real conversations -------------------------------------------------- */

static void check_refs(struct fixture *f)
{
	static const char *const prefixes[] = {"HEAD", "refs/heads/",
					       "refs/tags/", NULL};
	char oid[64];

	upload_pack_refs_done(&f->refs);
	assert_int_equal(
		upload_pack_ls_refs(&f->ctx, f->up, prefixes, &f->refs), 0);
	assert_int_equal(f->refs.n_refs, 4);
	ask("git -C full.git rev-parse main", oid, sizeof(oid));
	assert_string_equal(find(f, "HEAD")->oid, oid);
	assert_string_equal(find(f, "HEAD")->target, "refs/heads/main");
	assert_string_equal(find(f, "refs/heads/main")->oid, oid);
	ask("git -C full.git rev-parse feature/x", oid, sizeof(oid));
	assert_string_equal(find(f, "refs/heads/feature/x")->oid, oid);
	assert_string_equal(find(f, "refs/heads/feature/x")->peeled, "");
	ask("git -C full.git rev-parse v1", oid, sizeof(oid));
	assert_string_equal(find(f, "refs/tags/v1")->oid, oid);
	ask("git -C full.git rev-parse v1^0", oid, sizeof(oid));
	assert_string_equal(find(f, "refs/tags/v1")->peeled, oid);
}

static void check_clones(struct fixture *f)
{
	char oid[41];

	call(f, "full.git");
	check_refs(f);
	memcpy(oid, find(f, "HEAD")->oid, sizeof(oid));
	assert_int_equal(fetch(f, oid, NULL, 1, NULL, false), 0);
	assert_int_equal(shell(compare_got), 0);
	assert_int_equal(shell("grep -q . $SCRATCH/shallow"), 0);
	assert_int_equal(shell("test $(git -C $SCRATCH/got.git rev-list "
			       "main | wc -l) = 1"),
			 0);
	/* All history, and what the server says meanwhile. */
	assert_int_equal(fetch(f, oid, NULL, 0, NULL, true), 0);
	assert_int_equal(shell(compare_got), 0);
	assert_int_equal(shell("test ! -s $SCRATCH/shallow"), 0);
	assert_int_equal(shell("test $(git -C $SCRATCH/got.git rev-list "
			       "main | wc -l) = 3"),
			 0);
	assert_non_null(f->progress.data);
	assert_non_null(strstr(f->progress.data, "Counting objects"));
}

static void test_clone_v2(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	check_clones(f);
	assert_true(f->caps.known && f->caps.v2 && f->caps.shallow);
	assert_false(f->caps.filter);
	/* Advertisement, refs, two packs; the next time without the first. */
	assert_int_equal(tiny_n_requests(f->world.tiny), 4);
	call(f, "full.git");
	check_refs(f);
	assert_int_equal(tiny_n_requests(f->world.tiny), 5);
}

static void test_clone_v0(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	f->world.v2 = false;
	check_clones(f);
	assert_false(f->caps.known || f->caps.v2);
	assert_int_equal(tiny_n_requests(f->world.tiny), 3);
	assert_null(tiny_header(tiny_got(f->world.tiny, 1), "Git-Protocol"));
}

static void test_headers(void **state)
{
	struct fixture *f = *state;
	const struct tiny_request *get, *post;

	NEEDS_GIT();
	call(f, "full.git//");
	check_refs(f);
	get = tiny_got(f->world.tiny, 0);
	post = tiny_got(f->world.tiny, 1);
	assert_string_equal(get->path,
			    "/full.git/info/refs?service=git-upload-pack");
	assert_string_equal(tiny_header(get, "Authorization"), AUTH);
	assert_string_equal(tiny_header(get, "User-Agent"),
			    "git/2.0 (bitbucketfs " VERSION ")");
	assert_string_equal(tiny_header(get, "Git-Protocol"), "version=2");
	assert_string_equal(post->path, "/full.git/git-upload-pack");
	assert_string_equal(tiny_header(post, "Authorization"), AUTH);
	assert_string_equal(tiny_header(post, "User-Agent"),
			    "git/2.0 (bitbucketfs " VERSION ")");
	assert_string_equal(tiny_header(post, "Git-Protocol"), "version=2");
	assert_string_equal(tiny_header(post, "Content-Type"),
			    "application/x-git-upload-pack-request");
	assert_int_equal(post->connection, get->connection);
}

static void check_filter(struct fixture *f, const char *repository, bool blobs)
{
	char oid[64];

	call(f, repository);
	ask("git -C full.git rev-parse main", oid, sizeof(oid));
	assert_int_equal(fetch(f, oid, NULL, 1, "blob:none", false), 0);
	assert_int_equal(
		shell("set -e; cd $SCRATCH; rm -rf got.git\n"
		      "git init -q --bare got.git; cp shallow got.git\n"
		      "git -C got.git index-pack --stdin < pack > /dev/null\n"),
		0);
	assert_int_equal(
		shell("cd $SCRATCH; git -C got.git cat-file -e "
		      "$(git -C full.git rev-parse main:top) 2> /dev/null"),
		blobs ? 0 : 1);
	assert_int_equal(shell("cd $SCRATCH; git -C got.git cat-file -e "
			       "$(git -C full.git rev-parse main:dir1/deep)"),
			 0);
}

static void test_filter_where_it_is_offered(void **state)
{
	struct fixture *f = *state;
	char blob[64];

	NEEDS_GIT();
	check_filter(f, "filter.git", false);
	assert_true(f->caps.filter);
	/* A blob alone can be had then. */
	ask("git -C full.git rev-parse main:top", blob, sizeof(blob));
	assert_int_equal(fetch(f, blob, NULL, 0, NULL, false), 0);
	assert_int_equal(
		shell("set -e; cd $SCRATCH\n"
		      "git -C got.git index-pack --stdin < pack > /dev/null\n"
		      "test \"$(git -C got.git cat-file blob "
		      "$(git -C full.git rev-parse main:top))\" = 'all 3'"),
		0);
	f->world.v2 = false;
	check_filter(f, "filter.git", false);
}

static void test_filter_where_it_is_not(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	check_filter(f, "full.git", true);
	/* A memory that is wrong of this repository: asked again, once. */
	assert_true(upload_pack_caps_parse("v2 shallow filter", &f->caps));
	check_filter(f, "full.git", true);
	assert_int_equal(tiny_n_requests(f->world.tiny), 5);
	assert_false(f->caps.filter);
	/* And a server that has v2 no more. */
	f->world.v2 = false;
	check_filter(f, "full.git", true);
	assert_false(f->caps.known);
}

static void check_haves(struct fixture *f)
{
	char oid[64], have[64];
	size_t n_all;

	call(f, "full.git");
	ask("git -C full.git rev-parse main", oid, sizeof(oid));
	ask("git -C full.git rev-parse main~1", have, sizeof(have));
	assert_int_equal(fetch(f, oid, NULL, 0, NULL, false), 0);
	n_all = f->n_pack;
	assert_int_equal(fetch(f, oid, have, 0, NULL, false), 0);
	assert_true(f->n_pack < n_all);
	/* What it does not know is no help and no harm. */
	memset(have, '1', 40);
	assert_int_equal(fetch(f, oid, have, 0, NULL, false), 0);
	assert_int_equal(shell(compare_got), 0);
}

static void test_haves(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	check_haves(f);
	f->world.v2 = false;
	f->caps.known = false;
	check_haves(f);
}

static void test_empty_repository(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	call(f, "empty.git");
	assert_int_equal(upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			 0);
	assert_int_equal(f->refs.n_refs, 1);
	assert_string_equal(f->refs.refs[0].name, "HEAD");
	assert_string_equal(f->refs.refs[0].oid, "");
	assert_string_equal(f->refs.refs[0].target, "refs/heads/main");
	f->world.v2 = false;
	f->caps.known = false;
	call(f, "empty.git");
	assert_int_equal(upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			 0);
	assert_int_equal(f->refs.n_refs, 0);
}

static void test_sha256_repository(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	for (int i = 0; i < 3; i++) {
		/* Not remembered; remembered of a neighbour; v0. */
		memset(&f->caps, 0, sizeof(f->caps));
		if (i == 1)
			assert_true(upload_pack_caps_parse(
				"v2 shallow object_format", &f->caps));
		f->world.v2 = i != 2;
		call(f, "sha256.git");
		assert_int_equal(
			upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			-EOPNOTSUPP);
		assert_non_null(strstr(f->ctx.sentence, "SHA-256"));
		assert_false(f->caps.known);
	}
}

static void test_what_is_no_tip(void **state)
{
	struct fixture *f = *state;
	char parent[64];

	NEEDS_GIT();
	ask("git -C full.git rev-parse feature/x~1^{tree}", parent,
	    sizeof(parent));
	/* v2 gives anything. */
	call(f, "full.git");
	assert_int_equal(fetch(f, parent, NULL, 0, NULL, false), 0);
	memset(parent, '1', 40);
	assert_int_equal(fetch(f, parent, NULL, 0, NULL, false), -ENOENT);
	assert_non_null(strstr(f->ctx.sentence, "not our ref"));
	/* v0 only what it says it gives. */
	f->world.v2 = false;
	f->caps.known = false;
	ask("git -C full.git rev-parse feature/x~1^{tree}", parent,
	    sizeof(parent));
	call(f, "full.git");
	assert_int_equal(fetch(f, parent, NULL, 0, NULL, false), -EIO);
	assert_non_null(strstr(f->ctx.sentence, "old protocol"));
	call(f, "any.git");
	assert_int_equal(fetch(f, parent, NULL, 0, NULL, false), 0);
	assert_true(f->n_pack > 0);
}

static void test_a_cut_pack_is_never_whole(void **state)
{
	struct fixture *f = *state;
	char oid[64];
	size_t n_whole;

	NEEDS_GIT();
	ask("git -C full.git rev-parse main", oid, sizeof(oid));
	for (int v2 = 0; v2 < 2; v2++) {
		f->world.v2 = v2;
		f->caps.known = false;
		f->world.cut_at = 0;
		call(f, "full.git");
		assert_int_equal(fetch(f, oid, NULL, 1, NULL, false), 0);
		n_whole = f->n_pack;
		for (size_t cut = 5; cut < n_whole; cut += n_whole / 7) {
			/* The chunks end properly: only git's own end lacks. */
			f->world.cut_at = cut;
			assert_int_equal(fetch(f, oid, NULL, 1, NULL, false),
					 -EPROTO);
		}
	}
}

/* ---- Refusals ------------------------------------------------------------ */

static void test_statuses(void **state)
{
	static const struct {
		long status;
		int errnum;
		const char *type, *body, *sentence;
	} cases[] = {
		{401, -EACCES, NULL, NULL, "credentials"},
		{403, -EACCES, "text/plain", "No right\n\tat all",
		 ": No right"},
		{404, -ENOENT, NULL, "<html>", "no such repository"},
		{410, -ENOENT, NULL, NULL, "(410)"},
		{429, -EDQUOT, NULL, NULL, "no more git requests"},
		{500, -EIO, NULL, NULL, "(500)"},
		{503, -EIO, "text/plain; charset=utf-8", "busy\033[1m",
		 "busy [1m"},
		{555, -EIO, NULL, NULL, "(555)"},
		{400, -EPROTO, NULL, NULL, "(400)"},
		{302, -EPROTO, NULL, NULL, "(302)"},
		{200, -EPROTO, "text/html", "<html>", "text/html"},
		{200, -EPROTO, "application/x-git-upload-pack-advertisements",
		 "0000", "smart protocol"},
	};
	struct fixture *f = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		f->world.status = cases[i].status;
		f->world.type = cases[i].type;
		f->world.body = cases[i].body;
		call(f, "repo.git");
		assert_int_equal(
			upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			cases[i].errnum);
		if (!strstr(f->ctx.sentence, cases[i].sentence))
			fail_msg("%ld: %s", cases[i].status, f->ctx.sentence);
		assert_null(strstr(f->ctx.sentence, "dGVzd"));
		/* The same for a request that needs no advertisement. */
		assert_true(upload_pack_caps_parse("v2", &f->caps));
		assert_int_equal(
			upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			cases[i].errnum);
		f->caps.known = false;
	}
}

static void test_a_repository_that_moved(void **state)
{
	struct fixture *f = *state;

	NEEDS_GIT();
	f->world.moved = true;
	call(f, "old/full.git");
	check_refs(f);
	assert_int_equal(tiny_n_requests(f->world.tiny), 1);
	assert_int_equal(tiny_n_requests(f->world.other), 2);
	/* The credential stayed at home. */
	assert_non_null(
		tiny_header(tiny_got(f->world.tiny, 0), "Authorization"));
	for (unsigned i = 0; i < 2; i++)
		assert_null(tiny_header(tiny_got(f->world.other, i),
					"Authorization"));
	/* With a memory: its POST is refused, and it finds the way. */
	call(f, "old/full.git");
	check_refs(f);
	assert_int_equal(tiny_n_requests(f->world.tiny), 3);
	assert_int_equal(tiny_n_requests(f->world.other), 4);
}

/* Within its host, once, and where no advertisement led already. */
static void test_looking_for_one_that_moved(void **state)
{
	struct fixture *f = *state;
	cleanup(free) char *there = NULL;

	NEEDS_GIT();
	call(f, "full.git");
	check_refs(f);
	call(f, "gone.git");
	f->world.status = 404;
	assert_int_equal(upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			 -ENOENT);
	assert_true(f->link->missing);
	assert_int_equal(f->link->ops->look_for(&f->ctx, f->link), 0);
	f->world.status = 0;
	/* Another host is not gone to, nor asked again. */
	f->world.moved = true;
	call(f, "old/full.git");
	assert_int_equal(f->link->ops->look_for(&f->ctx, f->link), 0);
	assert_int_equal(tiny_n_requests(f->world.other), 0);
	f->world.at_home = true;
	assert_int_equal(f->link->ops->look_for(&f->ctx, f->link), 0);
	call(f, "old/full.git");
	assert_int_equal(upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			 -ENOENT);
	assert_int_equal(f->link->ops->look_for(&f->ctx, f->link), 1);
	there = mem_asprintf("%s/full.git", f->world.tiny->url);
	assert_string_equal(f->link->url, there);
	check_refs(f);
	assert_false(f->link->missing);
}

static void test_cancelled(void **state)
{
	struct fixture *f = *state;

	call(f, "full.git");
	ctx_cancel(&f->ctx);
	assert_int_equal(upload_pack_ls_refs(&f->ctx, f->up, NULL, &f->refs),
			 -EINTR);
	assert_int_equal(tiny_n_requests(f->world.tiny), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_clone_v2),
		TEST(test_clone_v0),
		TEST(test_headers),
		TEST(test_filter_where_it_is_offered),
		TEST(test_filter_where_it_is_not),
		TEST(test_haves),
		TEST(test_empty_repository),
		TEST(test_sha256_repository),
		TEST(test_what_is_no_tip),
		TEST(test_a_cut_pack_is_never_whole),
		TEST(test_statuses),
		TEST(test_a_repository_that_moved),
		TEST(test_looking_for_one_that_moved),
		TEST(test_cancelled),
	};

	return cmocka_run_group_tests(tests, make_scratch, drop_scratch);
}
