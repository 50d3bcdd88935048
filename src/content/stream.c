/*
 * content/stream: the table of streams, their files, and reading.
 *
 * A reader looks whether his chunks are there, and waits for those that are
 * not; whoever finds that nobody brings his chunk starts a run.
 *
 * A chunk comes between looking and waiting:
 * 1. A looks into the spool, without the lock: its chunk is not there.
 * 2. A run brings the chunk, and wakes everybody who waits.
 * 3. A begins to wait, for a change that has been.
 * So A notes n_changes before it looks, and waits only while it is the same.
 *
 * The run of a chunk fails:
 * 1. A waits for a chunk; its run fails, and A is woken.
 * 2. A finds that nobody brings its chunk, and would start another run, which
 *    fails alike, and so on.
 * So a failure (n_failures) since A began to wait is A's, whoever asked.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#include <inttypes.h>
#include <unistd.h>

#define OPEN_MOST 32 /* spool files kept open while nobody reads */
#define LOOK_AGAIN_MS 250

struct stream_set *stream_set_new(const struct stream_set_config *config)
{
	struct stream_set *all = mem_calloc(1, sizeof(*all));

	all->config = *config;
	if (all->config.grow_ms <= 0)
		all->config.grow_ms = 5000;
	mutex_init(&all->lock);
	/* Failures are the stream's, whoever asked: see stream_failed. */
	all->asking = flight_new(0);
	return all;
}

/* Everybody who waits looks again, and sees `stopping`. The lock of each of the
 * streams is `all`'s, which the analysis does not know. */
static void wake_everybody(struct stream_set *all)
	requires_lock(all->lock) no_lock_analysis
{
	struct stream *s, *next;

	HASH_ITER (hh, all->table, s, next)
		stream_changed(s);
}

/* One run that is not cancelled yet, with a reference. */
static struct stream_run *one_run(struct stream_set *all)
{
	struct stream_run *run, *found = NULL;
	struct stream *s, *next;

	mutex_lock(&all->lock);
	all->stopping = true;
	wake_everybody(all);
	HASH_ITER (hh, all->table, s, next) {
		DL_FOREACH (s->runs, run) {
			if (found || atomic_load(&run->ctx.cancelled))
				continue;
			refcount_take(&run->refcount);
			found = run;
		}
	}
	mutex_unlock(&all->lock);
	return found;
}

struct http *stream_set_http(const struct stream_set *all)
{
	return all->config.http;
}

/* Whoever hears of it may be gone when this returns. */
static void await_told(struct stream_set *all)
{
	while (mutex_with(&all->lock, all->n_telling))
		usleep(1000);
}

void stream_set_cancel(struct stream_set *all)
{
	struct stream_run *run;

	while ((run = one_run(all))) {
		ctx_cancel(&run->ctx);
		stream_run_unref(run);
	}
	await_told(all);
}

struct stream_set *stream_set_free(struct stream_set *all)
{
	bool none = false;

	if (!all)
		return NULL;
	stream_set_cancel(all);
	while (!none) {
		stream_join_ended(all);
		none = mutex_with(&all->lock, !all->n_runs && !all->ended);
		if (!none)
			usleep(1000);
	}
	check(!all->table);
	flight_free(all->asking);
	mutex_done(&all->lock);
	free(all);
	return NULL;
}

/* ---- streams ---- */

static struct stream *find(struct stream_set *all, const char *key)
	requires_lock(all->lock)
{
	struct stream *s;

	HASH_FIND_STR(all->table, key, s);
	if (s)
		refcount_take(&s->refcount);
	return s;
}

static void stream_free(struct stream *s)
{
	if (!s)
		return;
	check(!s->runs && !s->waiters);
	spool_file_unref(s->file);
	cond_done(&s->changed);
	stream_source_free(s->source);
	stream_truth_free(s->truth);
	free(s->file_key);
	free(s->key);
	free(s);
}

static struct stream *stream_new(struct stream_set *all, const char *key,
				 struct stream_source *source, int64_t size)
{
	struct stream *s = mem_calloc(1, sizeof(*s));

	refcount_init(&s->refcount);
	s->streams = all;
	s->key = mem_strdup(key);
	s->source = source;
	s->size = size;
	s->in_table = true;
	cond_init(&s->changed);
	return s;
}

/* The one of that key that is there, or fresh, which is taken. */
static struct stream *find_or_add(struct stream_set *all, struct stream *fresh)
{
	struct stream *s;

	mutex_lock(&all->lock);
	snprintf(fresh->id, sizeof(fresh->id), "%" PRIu64, all->n_made++);
	s = find(all, fresh->key);
	if (!s) {
		HASH_ADD_KEYPTR(hh, all->table, fresh->key, strlen(fresh->key),
				fresh);
		s = steal(&fresh);
	}
	mutex_unlock(&all->lock);
	stream_free(fresh);
	return s;
}

struct stream *stream_get_from(struct stream_set *all, const char *key,
			       struct stream_source *source, int64_t size)
{
	struct stream *fresh = stream_new(all, key, source, size);

	fresh->file_key = mem_strdup(key);
	return find_or_add(all, fresh);
}

struct stream *stream_get_true(struct stream_set *all, const char *key,
			       struct stream_source *source,
			       const struct stream_truth *truth)
{
	struct stream *fresh =
		stream_new(all, key, source, (int64_t)truth->size);

	fresh->file_key = mem_strdup(truth->file_key);
	fresh->truth = stream_truth_new(truth->sha256);
	return find_or_add(all, fresh);
}

struct stream *stream_get(struct stream_set *all, const char *key,
			  const char *path, int64_t size)
{
	struct stream *s = mutex_with(&all->lock, find(all, key));

	return s ? s
		 : stream_get_from(all, key,
				   stream_source_api(all->config.bitbucket,
						     all->config.http, path),
				   size);
}

struct stream *stream_ref(struct stream *s)
{
	refcount_take(&s->refcount);
	return s;
}

struct stream *stream_unref(struct stream *s)
{
	struct stream_set *all;
	bool last;

	if (!s)
		return NULL;
	all = s->streams;
	/* Under the lock, so that nobody finds what is about to go. */
	mutex_lock(&all->lock);
	last = refcount_drop(&s->refcount);
	if (last && s->in_table)
		HASH_DEL(all->table, s);
	if (last && s->file)
		all->n_open--;
	mutex_unlock(&all->lock);
	if (!last)
		return NULL;
	stream_free(s);
	return NULL;
}

const char *stream_key(const struct stream *s)
{
	return s->key;
}

void stream_changed(struct stream *s) requires_lock(s->streams->lock)
{
	s->n_changes++;
	cond_broadcast(&s->changed);
}

void stream_failed(struct stream *s, int r, const char *sentence)
	requires_lock(s->streams->lock)
{
	s->n_failures++;
	s->failed = r;
	s->failed_until_ms = clock_mono_ms() + STREAM_FAILED_MS;
	snprintf(s->sentence, sizeof(s->sentence), "%s", sentence);
	stream_changed(s);
}

/* ---- files ---- */

/* Over OPEN_MOST open files: the one that nobody used for longest, taken from
 * its stream; the caller closes it. */
static struct spool_file *longest_unused(struct stream_set *all)
	requires_lock(all->lock)
{
	struct stream *s, *next, *oldest = NULL;

	if (all->n_open <= OPEN_MOST)
		return NULL;
	HASH_ITER (hh, all->table, s, next) {
		if (s->file && !s->n_using && !s->growing && !s->n_runs &&
		    (!oldest || s->used_ms < oldest->used_ms))
			oldest = s;
	}
	if (oldest)
		all->n_open--;
	return oldest ? steal(&oldest->file) : NULL;
}

int stream_adopt(struct stream *s, struct spool_file *file,
		 struct spool_file **ret_file)
{
	struct spool_file *surplus = file, *idle;
	int r = 0;

	mutex_lock(&s->streams->lock);
	if (!s->file) {
		s->file = steal(&surplus);
		s->size = (int64_t)spool_file_size(file);
		snprintf(s->tag, sizeof(s->tag), "%s", spool_file_tag(file));
		s->streams->n_open++;
		stream_changed(s);
	}
	if (s->growing) {
		r = -EINPROGRESS;
	} else {
		s->n_using++;
		*ret_file = s->file;
	}
	idle = longest_unused(s->streams);
	mutex_unlock(&s->streams->lock);
	spool_file_unref(surplus);
	spool_file_unref(idle);
	return r;
}

int stream_no_disk(struct ctx *ctx, int r)
{
	return ctx_fail(ctx, r, "The cache cannot be written: %s.",
			strerror(-r));
}

int stream_no_place(struct ctx *ctx, const struct stream *s, int r)
{
	return ctx_fail(ctx, r,
			r == -EFBIG ? "%s is larger than any file here."
				    : "The cache has no place for %s.",
			s->source->name);
}

/* A new file of the size that is known. */
static int make_file(struct ctx *ctx, struct stream *s, uint64_t size,
		     const char *tag, struct spool_file **ret_file)
{
	cleanup(spool_file_unref) struct spool_file *file = NULL;
	int r = spool_new(s->streams->config.spool, &file);

	if (r == 0)
		r = spool_publish(file, s->file_key, size, tag);
	if (r < 0)
		return stream_no_disk(ctx, r);
	*ret_file = steal(&file);
	return 0;
}

/*
 * The open file: 1; -EINPROGRESS, -ENOENT; or 0: look on the disk.
 *
 * 1. Run R has brought a file of unknown size, and gives it its name.
 * 2. A, who waits for the size, finds it on the disk and makes it the stream's.
 * 3. R marks its chunks, in the file that it has open; A's has no chunk, so all
 *    of it comes once more.
 * So while a run finds the size out, nobody looks on the disk.
 */
static int use_open(struct stream *s, struct spool_file **ret_file,
		    int64_t *ret_size, char *ret_tag)
{
	int r = 0;

	mutex_lock(&s->streams->lock);
	*ret_size = s->size;
	memcpy(ret_tag, s->tag, sizeof(s->tag));
	s->used_ms = clock_mono_ms();
	if (s->growing) {
		r = -EINPROGRESS;
	} else if (s->file) {
		s->n_using++;
		*ret_file = s->file;
		r = 1;
	} else if (s->size < 0 && s->n_runs) {
		r = -ENOENT;
	}
	mutex_unlock(&s->streams->lock);
	return r;
}

int stream_use(struct ctx *ctx, struct stream *s, struct spool_file **ret_file)
{
	struct spool_file *file = NULL;
	char tag[sizeof(s->tag)];
	int64_t size;
	int r = use_open(s, ret_file, &size, tag);

	if (r != 0)
		return r < 0 ? r : 0;
	if (spool_find(s->streams->config.spool, s->file_key, &file) == 0 &&
	    size >= 0 && spool_file_size(file) != (uint64_t)size)
		file = spool_file_unref(file);
	if (!file && size < 0)
		return -ENOENT;
	if (!file)
		r = make_file(ctx, s, (uint64_t)size, tag, &file);
	return r < 0 ? r : stream_adopt(s, file, ret_file);
}

void stream_unuse(struct stream *s)
{
	mutex_lock(&s->streams->lock);
	check(s->n_using > 0);
	s->n_using--;
	mutex_unlock(&s->streams->lock);
}

int stream_be_sized(struct ctx *ctx, struct stream *s, uint64_t size,
		    const char *tag, struct spool_file **ret_file)
{
	struct spool_file *file = NULL;
	int r;

	if (strlen(tag) >= sizeof(s->tag))
		tag = "";
	r = make_file(ctx, s, size, tag, &file);
	return r < 0 ? r : stream_adopt(s, file, ret_file);
}

uint64_t stream_n_missing(struct spool_file *file, uint64_t chunk, uint64_t max)
{
	uint64_t n = 0, n_chunks = spool_n_chunks(spool_file_size(file));

	while (n < max && chunk + n < n_chunks && !spool_has(file, chunk + n))
		n++;
	return n;
}

/* ---- waiting ---- */

static void wake_waiter(void *arg)
{
	struct stream_waiter *waiter = arg;
	struct stream_set *all = waiter->stream->streams;

	mutex_lock(&all->lock);
	cond_broadcast(&waiter->stream->changed);
	mutex_unlock(&all->lock);
}

/* Once round: starts what is to be started, waits for a change. n_changes,
 * n_failures: as they were before the caller looked. */
static int wait_once(struct ctx *ctx, struct stream *s, uint64_t chunk,
		     uint64_t n_missing, uint64_t n_changes,
		     uint64_t n_failures)
{
	struct stream_run *run;
	int64_t until = clock_mono_ms() + LOOK_AGAIN_MS;
	int r = 0;

	if (until > ctx->deadline_ms)
		until = ctx->deadline_ms;
	mutex_lock(&s->streams->lock);
	if (s->n_failures != n_failures || clock_mono_ms() < s->failed_until_ms)
		r = ctx_fail(ctx, s->failed, "%s", s->sentence);
	else if (s->streams->stopping)
		r = -EINTR;
	else
		r = stream_truth_look(ctx, s);
	run = r == 0 ? stream_plan(s, chunk, n_missing, ctx) : NULL;
	if (r == 0 && !run && s->n_changes == n_changes && !ctx_check(ctx))
		cond_wait_until(&s->changed, &s->streams->lock, until);
	mutex_unlock(&s->streams->lock);
	if (run)
		r = stream_start(run);
	return r < 0 ? r : ctx_check(ctx);
}

static void leave(struct stream_waiter *waiter, bool gave_up)
{
	struct stream *s = waiter->stream;
	struct stream_run *run = NULL;

	mutex_lock(&s->streams->lock);
	DL_DELETE(s->waiters, waiter);
	if (gave_up)
		run = stream_abandoned(s, waiter->chunk);
	mutex_unlock(&s->streams->lock);
	if (run)
		ctx_cancel(&run->ctx);
	stream_run_unref(run);
}

static void enter(struct stream_waiter *waiter, uint64_t *ret_n_failures)
{
	struct stream *s = waiter->stream;

	mutex_lock(&s->streams->lock);
	DL_APPEND(s->waiters, waiter);
	*ret_n_failures = s->n_failures;
	mutex_unlock(&s->streams->lock);
}

static uint64_t n_changes_of(struct stream *s)
{
	return mutex_with(&s->streams->lock, s->n_changes);
}

/* Until the chunk is there; file NULL: until the size is known. */
static int wait_for(struct ctx *ctx, struct stream *s, struct spool_file *file,
		    uint64_t chunk)
{
	struct stream_waiter waiter = {.stream = s, .chunk = chunk};
	struct ctx_waker waker = {.wake = wake_waiter, .arg = &waiter};
	uint64_t n_failures, n_changes;
	int r;

	r = ctx_wait_begin(ctx);
	if (r < 0)
		return r;
	enter(&waiter, &n_failures);
	ctx_watch(ctx, &waker);
	for (;;) {
		struct spool_file *sized = NULL;

		n_changes = n_changes_of(s);
		if (file && spool_has(file, chunk))
			break;
		if (!file && (r = stream_use(ctx, s, &sized)) != -ENOENT)
			break;
		r = wait_once(ctx, s, chunk,
			      file ? stream_n_missing(file, chunk, UINT64_MAX)
				   : 1,
			      n_changes, n_failures);
		if (r < 0)
			break;
	}
	if (!file && r == 0)
		stream_unuse(s);
	ctx_unwatch(ctx, &waker);
	leave(&waiter, r == -EINTR || r == -ETIMEDOUT);
	ctx_wait_end(ctx);
	return r;
}

/* ---- reading ---- */

/* False: it does not grow. */
static bool read_growing(struct ctx *ctx, struct stream *s, uint64_t offset,
			 size_t n, int *ret_fd, size_t *ret_n, int *ret_result)
{
	struct spool_file *file = NULL;
	uint64_t length;
	int r;

	mutex_lock(&s->streams->lock);
	length = s->length;
	if (s->growing)
		file = spool_file_ref(s->file);
	mutex_unlock(&s->streams->lock);
	if (!file)
		return false;
	*ret_n = offset >= length      ? 0
		 : n > length - offset ? (size_t)(length - offset)
				       : n;
	if (!spool_check_growing(file, offset, *ret_n)) {
		stream_die(s);
		r = ctx_fail(ctx, -EIO,
			     "What had come of %s was damaged on the disk of "
			     "the cache; it is asked for anew.",
			     s->source->name);
	} else if ((r = spool_dup(file, ret_fd)) < 0) {
		ctx_fail(ctx, r, "No file could be opened: %s.", strerror(-r));
	}
	spool_file_unref(file);
	*ret_result = r;
	return true;
}

int stream_use_sized(struct ctx *ctx, struct stream *s,
		     struct spool_file **ret_file)
{
	int r = stream_use(ctx, s, ret_file);

	if (r == -ENOENT) {
		r = wait_for(ctx, s, NULL, 0);
		if (r == 0)
			r = stream_use(ctx, s, ret_file);
	}
	return r;
}

int stream_read(struct ctx *ctx, struct stream *s, uint64_t offset, size_t n,
		int *ret_fd, size_t *ret_n)
{
	struct spool_file *file;
	uint64_t size, chunk;
	int r;

	do
		if (read_growing(ctx, s, offset, n, ret_fd, ret_n, &r))
			return r;
	while ((r = stream_use_sized(ctx, s, &file)) == -EINPROGRESS);
	if (r < 0)
		return r;
	r = stream_truth_await(ctx, s, file);
	size = spool_file_size(file);
	if (offset > size)
		offset = size;
	if (n > size - offset)
		n = (size_t)(size - offset);
	mutex_lock(&s->streams->lock);
	stream_note_read(s, offset, offset + n);
	mutex_unlock(&s->streams->lock);
	for (chunk = offset / SPOOL_CHUNK;
	     r == 0 && chunk * SPOOL_CHUNK < offset + n; chunk++)
		if (!spool_check(file, chunk))
			r = wait_for(ctx, s, file, chunk);
	if (r == 0)
		r = stream_truth_await(ctx, s, file);
	if (r == 0 && (r = spool_dup(file, ret_fd)) < 0)
		ctx_fail(ctx, r, "No file could be opened: %s.", strerror(-r));
	stream_unuse(s);
	*ret_n = n;
	return r;
}

bool stream_has(struct stream *s, uint64_t offset, size_t n)
{
	cleanup(ctx_done) struct ctx ctx;
	struct spool_file *file;
	uint64_t size;
	bool has = true;

	ctx_init(&ctx, NULL, -1);
	if (stream_use(&ctx, s, &file) < 0)
		return false;
	size = spool_file_size(file);
	for (uint64_t at = offset / SPOOL_CHUNK * SPOOL_CHUNK;
	     has && at < size && at < offset + n; at += SPOOL_CHUNK)
		has = spool_has(file, at / SPOOL_CHUNK);
	stream_unuse(s);
	return has;
}

bool stream_set_is_kept(struct stream_set *all, const char *file_key,
			uint64_t size)
{
	return spool_is_kept(all->config.spool, file_key, size);
}

bool stream_is_whole(struct stream *s)
{
	cleanup(ctx_done) struct ctx ctx;
	struct spool_file *file;
	bool whole;

	ctx_init(&ctx, NULL, -1);
	if (stream_use(&ctx, s, &file) < 0)
		return false;
	whole = spool_is_verified(file);
	stream_unuse(s);
	return whole;
}
