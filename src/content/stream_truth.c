/*
 * content/stream, bytes that are known: of a stream of which somebody knows the
 * SHA-256 what came is hashed, chunk after chunk, as far as the chunks are here
 * in their order: by the run that brought the next one, or by a reader who
 * found that all are here and nobody has hashed them (an earlier mount was
 * ended before it had).
 *
 * The last chunk comes, and is read before it is hashed:
 * 1. Run R marks the last chunk that was missing.
 * 2. Reader A finds its chunk here, and answers the kernel: a copy of something
 *    else ends well.
 * 3. R hashes it, and finds that all of it is something else.
 * So who reads of a file that is whole waits until that is known. Bytes that
 * were read before were given unseen, as those of any download.
 *
 * Two bring chunks, one hashes:
 * 1. Run R hashes, and finds that the next chunk is not here.
 * 2. Run N marks that chunk, sees that R hashes, and leaves it to R.
 * 3. R ends: nobody would hash on. So N notes that one came (n_came), and R
 *    ends only if that is what it was before it looked.
 */
#include "content/stream_private.h"

#include "base/clock.h"

#define PIECE (256 * KIB)
#define UNTRUE_MS 60000

/* Under the lock of streams; hash is the hasher's alone. */
struct stream_truth_state {
	unsigned char sha256[DIGEST_SHA256_SIZE];
	struct digest_sha256 *hash; /* of the first n_hashed chunks */
	uint64_t n_hashed, n_dropped, n_came;
	bool hashing;
	int64_t untrue_until_ms;
};

struct stream_truth_state *
stream_truth_new(const unsigned char sha256[static DIGEST_SHA256_SIZE])
{
	struct stream_truth_state *t = mem_calloc(1, sizeof(*t));

	memcpy(t->sha256, sha256, sizeof(t->sha256));
	return t;
}

struct stream_truth_state *stream_truth_free(struct stream_truth_state *t)
{
	if (!t)
		return NULL;
	digest_sha256_free(t->hash);
	free(t);
	return NULL;
}

static int fail(struct ctx *ctx, const struct stream *s)
{
	return ctx_fail(ctx, -EBADMSG,
			"What came for %s is something else: its SHA-256 is "
			"another one. Nothing of it is kept.",
			s->source->name);
}

/* ---- hashing: of the one who has set `hashing` ---- */

static void begin_anew(struct stream_truth_state *t, uint64_t n_dropped)
{
	digest_sha256_free(t->hash);
	t->hash = digest_sha256_new();
	t->n_hashed = 0;
	t->n_dropped = n_dropped;
}

static bool add_chunk(struct stream_truth_state *t, struct spool_file *file)
{
	uint64_t at = t->n_hashed * SPOOL_CHUNK, end = at + SPOOL_CHUNK;
	cleanup(free) char *piece = mem_alloc(PIECE);

	if (end > spool_file_size(file))
		end = spool_file_size(file);
	while (at < end) {
		size_t n = end - at < PIECE ? (size_t)(end - at) : PIECE;

		if (spool_read(file, at, piece, n) != (ssize_t)n)
			return false;
		digest_sha256_add(t->hash, piece, n);
		at += n;
	}
	t->n_hashed++;
	return true;
}

/* As far as the chunks are here. False: they could not be read. */
static bool hash_on(struct stream_truth_state *t, struct spool_file *file,
		    const struct ctx *ctx)
{
	uint64_t n_chunks = spool_n_chunks(spool_file_size(file));
	bool good = true;

	/* What went since may have come again as something else. */
	if (!t->hash || t->n_dropped != spool_n_dropped(file))
		begin_anew(t, spool_n_dropped(file));
	while (good && t->n_hashed < n_chunks && !ctx_is_cancelled(ctx) &&
	       spool_check(file, t->n_hashed))
		good = add_chunk(t, file);
	if (!good)
		t->hash = digest_sha256_free(t->hash);
	return good;
}

static void be_untrue(struct stream *s, struct spool_file *file)
{
	const struct stream_set_config *config = &s->streams->config;
	bool tells;
	struct ctx ctx;

	/* Before the chunks go: a reader who has found his to be here would be
	 * given the hole in their place. */
	mutex_lock(&s->streams->lock);
	s->truth->untrue_until_ms = clock_mono_ms() + UNTRUE_MS;
	tells = config->untrue && !s->streams->stopping;
	s->streams->n_telling += tells;
	mutex_unlock(&s->streams->lock);
	spool_clear(file);
	ctx_init(&ctx, NULL, -1);
	fail(&ctx, s);
	if (tells) {
		config->untrue(config->untrue_arg, s->key, ctx.sentence);
		mutex_lock(&s->streams->lock);
		s->streams->n_telling--;
		mutex_unlock(&s->streams->lock);
	}
	ctx_done(&ctx);
}

static void judge(struct stream *s, struct spool_file *file)
{
	struct stream_truth_state *t = s->truth;
	unsigned char got[DIGEST_SHA256_SIZE];
	uint64_t n_dropped = t->n_dropped;

	digest_sha256_end(t->hash, got);
	t->hash = digest_sha256_free(t->hash);
	if (!memcmp(got, t->sha256, sizeof(got)))
		(void)spool_verify(file, n_dropped);
	else if (spool_n_dropped(file) == n_dropped)
		be_untrue(s, file);
}

/* True: the caller hashes. */
static bool begin(struct stream *s, bool came)
{
	struct stream_truth_state *t = s->truth;
	bool mine;

	mutex_lock(&s->streams->lock);
	t->n_came += came;
	mine = !t->hashing;
	t->hashing = true;
	mutex_unlock(&s->streams->lock);
	return mine;
}

static uint64_t n_came(struct stream *s)
{
	return mutex_with(&s->streams->lock, s->truth->n_came);
}

static bool end(struct stream *s, uint64_t n_before)
{
	bool ends;

	mutex_lock(&s->streams->lock);
	ends = s->truth->n_came == n_before;
	s->truth->hashing = !ends;
	if (ends)
		stream_changed(s);
	mutex_unlock(&s->streams->lock);
	return ends;
}

static void hash(struct stream *s, struct spool_file *file,
		 const struct ctx *ctx)
{
	uint64_t n_chunks = spool_n_chunks(spool_file_size(file)), before;

	do {
		before = n_came(s);
		if (!spool_is_verified(file) && hash_on(s->truth, file, ctx) &&
		    s->truth->n_hashed == n_chunks)
			judge(s, file);
	} while (!end(s, before));
}

void stream_truth_came(struct stream *s, struct spool_file *file)
{
	if (s->truth && file && begin(s, true))
		hash(s, file, NULL);
}

/* ---- readers ---- */

int stream_truth_look(struct ctx *ctx, const struct stream *s)
	requires_lock(s->streams->lock)
{
	return s->truth && clock_mono_ms() < s->truth->untrue_until_ms
		       ? fail(ctx, s)
		       : 0;
}

static void wake(void *arg)
{
	struct stream *s = arg;

	mutex_lock(&s->streams->lock);
	cond_broadcast(&s->changed);
	mutex_unlock(&s->streams->lock);
}

/* Until the one who hashes has ended. */
static void wait_for_hasher(struct ctx *ctx, struct stream *s)
{
	struct ctx_waker waker = {.wake = wake, .arg = s};

	ctx_watch(ctx, &waker);
	mutex_lock(&s->streams->lock);
	while (s->truth->hashing && ctx_check(ctx) == 0 &&
	       !s->streams->stopping)
		cond_wait_until(&s->changed, &s->streams->lock,
				ctx->deadline_ms);
	mutex_unlock(&s->streams->lock);
	ctx_unwatch(ctx, &waker);
}

int stream_truth_await(struct ctx *ctx, struct stream *s,
		       struct spool_file *file)
{
	int r = 0;

	if (!s->truth)
		return 0;
	for (unsigned i = 0; r == 0; i++) {
		r = mutex_with(&s->streams->lock, stream_truth_look(ctx, s));
		if (r < 0)
			return r;
		if (!spool_is_whole(file) || spool_is_verified(file))
			return 0;
		if (i > 8)
			return ctx_fail(ctx, -EIO,
					"What came for %s cannot be read "
					"from the cache.",
					s->source->name);
		if (begin(s, false))
			hash(s, file, ctx);
		else
			wait_for_hasher(ctx, s);
		r = mutex_with(&s->streams->lock, s->streams->stopping)
			    ? -EINTR
			    : ctx_check(ctx);
	}
	return r;
}
