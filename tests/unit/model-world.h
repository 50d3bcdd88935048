/*
 * The world of the tests of model/: a whole model, as cmd/mount puts it
 * together, on a Bitbucket of answers that the test sets; and what the kernel
 * would do: look names up, read, list. Braces are left out of paths: a uuid is
 * the slug in braces, so the test says "/repositories/acme/widgets".
 */
#ifndef TESTS_MODEL_WORLD_H
#define TESTS_MODEL_WORLD_H

/* A test takes what it needs. */
#pragma GCC diagnostic ignored "-Wunused-function"

#include "model/provider.h"

#include "base/clock.h"
#include "base/file.h"
#include "content/stream.h"
#include "tiny-server.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WALL INT64_C(1790000000000)
#define MINUTE (INT64_C(60) * 1000)

struct world_answer {
	char *path, *body; /* path without braces; with a query or not */
	long status;
};

struct world {
	struct tiny *tiny;
	struct http *http;
	struct budget *budget;
	struct credential *credential;
	struct bitbucket *bitbucket;
	char dir[64];
	struct cache *cache;
	struct spool *spool;
	struct read_through *source;
	struct documents *documents;
	struct stream_set *streams;
	struct clone_set *clones;
	struct ctx_group *group;
	struct model *model;
	char sentence[512]; /* of the last failure */
	struct mutex lock;
	/* Under lock: */
	struct world_answer answers[64];
	size_t n_answers;
	struct buf asked; /* paths, a line each */
	struct buf told; /* what the kernel was told: "1/name ", "1:listing " */
};

/* ---- the service ---- */

/* Decoded, and without braces. */
static char *world_path(const char *path)
{
	char *text = mem_calloc(1, strlen(path) + 1), *to = text;
	unsigned byte;

	while (*path) {
		if (*path == '%' && sscanf(path + 1, "%2x", &byte) == 1) {
			*to = (char)byte;
			path += 3;
		} else {
			*to = *path++;
		}
		to += !strchr("{}", *to);
	}
	*to = '\0';
	return text;
}

/* What the service answers from now on; status 200. */
static void world_says(struct world *w, const char *path, const char *body)
{
	size_t i = 0;

	mutex_lock(&w->lock);
	while (i < w->n_answers && strcmp(w->answers[i].path, path))
		i++;
	check(i < ARRAY_SIZE(w->answers));
	if (i == w->n_answers)
		w->answers[w->n_answers++].path = mem_strdup(path);
	free(w->answers[i].body);
	w->answers[i].body = mem_strdup(body);
	w->answers[i].status = 200;
	mutex_unlock(&w->lock);
}

static void world_refuses(struct world *w, const char *path, long status)
{
	world_says(w, path,
		   "{\"type\":\"error\",\"error\":{\"message\":\"No\"}}");
	mutex_lock(&w->lock);
	for (size_t i = 0; i < w->n_answers; i++)
		if (!strcmp(w->answers[i].path, path))
			w->answers[i].status = status;
	mutex_unlock(&w->lock);
}

static const struct world_answer *world_answer(const struct world *w,
					       const char *path)
{
	size_t n = strcspn(path, "?");

	for (size_t i = 0; i < w->n_answers; i++)
		if (!strcmp(w->answers[i].path, path))
			return &w->answers[i];
	for (size_t i = 0; i < w->n_answers; i++)
		if (strlen(w->answers[i].path) == n &&
		    !strncmp(w->answers[i].path, path, n))
			return &w->answers[i];
	return NULL;
}

/* A log is asked for from an offset on. */
static void world_send(struct tiny_connection *c,
		       const struct tiny_request *request, long status,
		       const char *body)
{
	const char *range = tiny_header(request, "Range");
	size_t n = strlen(body), from = 0, to = n;
	unsigned long long first, last;
	cleanup(free) char *head = NULL;
	cleanup(free) char *piece = NULL;
	int n_bounds = range ? sscanf(range, "bytes=%llu-%llu", &first, &last)
			     : 0;

	if (status == 200 && n_bounds > 0) {
		from = first < n ? (size_t)first : n;
		to = n_bounds > 1 && last + 1 < n ? (size_t)last + 1 : n;
		status = from < n ? 206 : 416;
		piece = from < n ? mem_asprintf("%zu-%zu", from, to - 1)
				 : mem_strdup("*");
		head = mem_asprintf("HTTP/1.1 %ld X\r\nContent-Range: bytes "
				    "%s/%zu\r\nContent-Length: %zu\r\n\r\n",
				    status, piece, n, to - from);
		free(piece);
	} else {
		head = mem_asprintf("HTTP/1.1 %ld X\r\nContent-Type: "
				    "application/json\r\nContent-Length: "
				    "%zu\r\n\r\n",
				    status, n);
	}
	piece = mem_dup0(body + from, to - from);
	tiny_say(c, head);
	tiny_say(c, piece);
}

static bool world_serve(struct tiny_connection *c,
			const struct tiny_request *request, void *arg)
{
	struct world *w = arg;
	cleanup(free) char *path = world_path(request->path);
	cleanup(free) char *body = NULL;
	const struct world_answer *answer;
	long status;

	mutex_lock(&w->lock);
	buf_printf(&w->asked, "%s\n", path);
	answer = world_answer(w, path);
	status = answer ? answer->status : 404;
	body = mem_strdup(answer ? answer->body : "{}");
	mutex_unlock(&w->lock);
	world_send(c, request, status, body);
	return true;
}

/* How often the service was asked for a path (a part of it will do). */
static unsigned world_asked(struct world *w, const char *part)
{
	unsigned n = 0;

	mutex_lock(&w->lock);
	for (const char *at = w->asked.data; at && (at = strstr(at, part));
	     at++)
		n++;
	mutex_unlock(&w->lock);
	return n;
}

/* Repositories widgets-00, widgets-01 … of the workspace acme. */
static void world_has_repositories(struct world *w, const char *const *names)
{
	cleanup(buf_done) struct buf list = BUF_INIT(0);

	buf_puts(&list, "{\"values\":[");
	for (size_t i = 0; names[i]; i++) {
		cleanup(free) char *one = mem_asprintf(
			"{\"slug\":\"%s\",\"full_name\":\"acme/%s\","
			"\"uuid\":\"{%s}\",\"name\":\"%s\",\"has_issues\":true,"
			"\"workspace\":{\"slug\":\"acme\",\"uuid\":\"{acme}\"},"
			"\"updated_on\":\"2026-01-02T03:04:05+00:00\"}",
			names[i], names[i], names[i], names[i]);
		cleanup(free) char *path =
			mem_asprintf("/repositories/acme/%s", names[i]);

		world_says(w, path, one);
		buf_printf(&list, "%s%s", i ? "," : "", one);
	}
	buf_puts(&list, "]}");
	world_says(w, "/repositories/acme", list.data);
}

/* ---- the kernel ---- */

static void world_told_entry(void *arg, uint64_t parent_ino, const char *name)
{
	struct world *w = arg;

	mutex_lock(&w->lock);
	buf_printf(&w->told, "%s%s ", parent_ino == NODE_ROOT_INO ? "/" : "",
		   name);
	mutex_unlock(&w->lock);
}

static void world_told_inode(void *arg, uint64_t ino, bool content)
{
	struct world *w = arg;

	mutex_lock(&w->lock);
	buf_printf(&w->told, "%s%s ", ino == NODE_ROOT_INO ? "/:" : ":",
		   content ? "content" : "attributes");
	mutex_unlock(&w->lock);
}

/* What the kernel was told since this was asked last. */
static char *world_told(struct world *w)
{
	char *told;

	mutex_lock(&w->lock);
	told = mem_strdup(w->told.len ? w->told.data : "");
	buf_clear(&w->told);
	mutex_unlock(&w->lock);
	return told;
}

static int world_look(struct world *w, const char *path,
		      struct model_entry *ret_entry)
{
	struct model_entry entry = {.ino = NODE_ROOT_INO};
	char name[256];
	struct ctx ctx;
	int r = 0;

	ctx_init(&ctx, NULL, 60000);
	while (r == 0 && *path) {
		size_t n = strcspn(path, "/");

		memcpy(name, path, n);
		name[n] = '\0';
		path += n + (path[n] == '/');
		r = model_lookup(&ctx, w->model, entry.ino, name, &entry);
		if (r == 0 && !entry.ino)
			r = -ENOENT;
	}
	snprintf(w->sentence, sizeof(w->sentence), "%s", ctx.sentence);
	ctx_done(&ctx);
	*ret_entry = entry;
	return r;
}

/* 0, or the errno of looking the path up. */
static int world_stat(struct world *w, const char *path)
{
	struct model_entry entry;

	return world_look(w, path, &entry);
}

/* Where a symbolic link leads; or "-ERRNO". */
static char *world_link(struct world *w, const char *path)
{
	struct blob *blob = NULL;
	struct model_entry entry;
	struct ctx ctx;
	char *text;
	int r = world_look(w, path, &entry);

	ctx_init(&ctx, NULL, 60000);
	if (r == 0)
		r = model_readlink(&ctx, w->model, entry.ino, &blob);
	ctx_done(&ctx);
	text = r < 0 ? mem_asprintf("%d", r) : mem_strdup(blob_data(blob));
	blob_unref(blob);
	return text;
}

/* The bytes of a file, of its true size; or "-ERRNO". */
static char *world_cat(struct world *w, const char *path)
{
	struct model_data data = {.fd = -1};
	struct model_entry entry;
	struct ctx ctx;
	char *text;
	ssize_t n;
	int r = world_look(w, path, &entry);

	ctx_init(&ctx, NULL, 60000);
	if (r == 0)
		r = model_read(&ctx, w->model, entry.ino, 0, 1 << 20, &data);
	ctx_done(&ctx);
	if (r < 0)
		return mem_asprintf("%d", r);
	if (data.fd < 0) {
		text = mem_dup0(blob_data(data.blob) + data.offset, data.n);
	} else {
		text = mem_calloc(1, data.n + 1);
		n = pread(data.fd, text, data.n, data.fd_offset);
		check(n == (ssize_t)data.n);
		close(data.fd);
	}
	if (strlen(text) != (size_t)entry.attr.st.st_size)
		fail_msg("%s: %zu bytes, not %lld", path, strlen(text),
			 (long long)entry.attr.st.st_size);
	blob_unref(data.blob);
	return text;
}

static bool world_emit(void *arg, const char *name, uint64_t cookie,
		       mode_t type, const struct model_entry *entry)
{
	struct buf *out = arg;

	(void)cookie;
	(void)entry;
	if (strcmp(name, ".") && strcmp(name, ".."))
		buf_printf(out, "%s%s ", name, S_ISDIR(type) ? "/" : "");
	return true;
}

/* "a b/ " in the order of the listing; or "-ERRNO". */
static char *world_ls(struct world *w, const char *path)
{
	struct buf out = BUF_INIT(0);
	struct model_opened opened;
	struct model_entry entry;
	struct ctx ctx;
	int r = world_look(w, path, &entry);

	if (r < 0)
		return mem_asprintf("%d", r);
	ctx_init(&ctx, NULL, 60000);
	r = model_opendir(&ctx, w->model, entry.ino, &opened);
	if (r == 0) {
		model_readdir(&ctx, w->model, opened.opened, 0, true,
			      world_emit, &out);
		model_closedir(w->model, opened.opened);
	}
	ctx_done(&ctx);
	if (r < 0)
		buf_printf(&out, "%d", r);
	return out.len ? buf_steal(&out, NULL) : mem_strdup("");
}

/* Frees what it is given. */
static void world_expect(char *is, const char *want, int line)
{
	if (strcmp(is, want))
		fail_msg("line %d: \"%s\", not \"%s\"", line, is, want);
	free(is);
}
#define expect(is, want) world_expect(is, want, __LINE__)

static void world_expect_in(char *is, const char *part, int line)
{
	if (!strstr(is, part))
		fail_msg("line %d: no \"%s\" in \"%s\"", line, part, is);
	free(is);
}
#define expect_in(is, part) world_expect_in(is, part, __LINE__)

/* ---- the world ---- */

static void world_open_stores(struct world *w)
{
	const struct http_config http = {.user_agent = "test"};
	cleanup(free) char *spool = mem_asprintf("%s/spool", w->dir);
	const char *why;

	check(!http_new(&http, &w->http));
	w->budget = budget_new(NULL);
	check(!credential_new("ada@example.com", NULL, "ATATsecret",
			      &w->credential, &why));
	check(!bitbucket_new(w->tiny->url, w->credential, w->http, w->budget,
			     &w->bitbucket));
	check(!cache_open(w->dir, &w->cache));
	check(!spool_open(spool, 0, &w->spool));
	w->source = read_through_new(w->cache);
}

static void world_open_content(struct world *w)
{
	const struct documents_config documents = {
		.bitbucket = w->bitbucket,
		.cache = w->cache,
		.source = w->source,
		.credential = w->credential,
		.history = 100,
	};
	const struct stream_set_config streams = {
		.bitbucket = w->bitbucket,
		.http = w->http,
		.spool = w->spool,
	};
	cleanup(free) char *git = mem_asprintf("%s/git", w->dir);

	w->documents = documents_new(&documents);
	w->streams = stream_set_new(&streams);
	check(!clone_set_new(
		&(struct clone_set_config){.dir = git,
					   .git_url = w->tiny->url,
					   .credential = w->credential,
					   .http = w->http,
					   .cache = w->cache},
		&w->clones));
}

static void world_open_model(struct world *w)
{
	const struct model_config config = {
		.documents = w->documents,
		.streams = w->streams,
		.source = w->source,
		.clones = w->clones,
		.budget = w->budget,
		.api_http = w->http,
		.group = w->group,
		.account = "ada@example.com",
		.api_url = "https://api.example.com/2.0",
		.cache_dir = "/cache",
		.mountpoint = "/mnt",
	};

	check(!model_new(&config, &w->model));
	/* Changes are told; the worker is the test's to start (world_start). */
	w->model->kernel = (struct model_kernel){
		.entry = world_told_entry,
		.inode = world_told_inode,
		.arg = w,
	};
	w->model->started = true;
}

/* Time stands still; acme is a workspace, widgets its repository. */
static int world_set_up(void **state)
{
	static const char *const widgets[] = {"widgets", NULL};
	struct world *w = mem_calloc(1, sizeof(*w));

	clock_fake(1000000, WALL);
	mutex_init(&w->lock);
	w->asked = w->told = (struct buf)BUF_INIT(0);
	snprintf(w->dir, sizeof(w->dir), "/tmp/test-model-XXXXXX");
	check(mkdtemp(w->dir));
	w->tiny = tiny_new(world_serve, w);
	w->group = ctx_group_new(100);
	world_open_stores(w);
	world_open_content(w);
	world_open_model(w);
	world_says(w, "/user", "{\"display_name\":\"Ada\"}");
	world_says(w, "/user/workspaces",
		   "{\"values\":[{\"workspace\":{\"slug\":\"acme\","
		   "\"uuid\":\"{acme}\"}}]}");
	world_has_repositories(w, widgets);
	*state = w;
	return 0;
}

/* The model's workers run from now on. */
static void world_start(struct world *w)
{
	const struct model_kernel kernel = w->model->kernel;

	check(!model_start(w->model, &kernel));
}

static int world_tear_down(void **state)
{
	struct world *w = *state;

	ctx_group_cancel(w->group);
	model_stop(w->model);
	clone_set_cancel(w->clones);
	stream_set_cancel(w->streams);
	model_free(w->model);
	stream_set_free(w->streams);
	clone_set_free(w->clones);
	documents_free(w->documents);
	read_through_free(w->source);
	spool_close(w->spool);
	cache_close(w->cache);
	bitbucket_free(w->bitbucket);
	http_free(w->http);
	tiny_free(w->tiny);
	budget_free(w->budget);
	credential_free(w->credential);
	ctx_group_free(w->group);
	check(!file_remove_tree(w->dir));
	for (size_t i = 0; i < w->n_answers; i++) {
		free(w->answers[i].path);
		free(w->answers[i].body);
	}
	buf_done(&w->asked);
	buf_done(&w->told);
	mutex_done(&w->lock);
	free(w);
	clock_real();
	return 0;
}

#define T(name) \
	cmocka_unit_test_setup_teardown(name, world_set_up, world_tear_down)

#endif
