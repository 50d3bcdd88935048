/*
 * content/stream, one exchange with the source of a stream: its answer is held
 * against what is known of the stream before bytes of it are taken, so that a
 * file is never put together of two versions.
 */
#include "content/stream_private.h"

#include <inttypes.h>

struct checked {
	struct ctx *ctx;
	struct stream *stream;
	const struct stream_sink *sink;
};

/* A length that the source did not say is the stream's. */
static int check_head(struct ctx *ctx, struct stream *s,
		      struct stream_head *head)
{
	int64_t size;
	bool is_other;

	mutex_lock(&s->streams->lock);
	size = s->size;
	/* Of bytes that are known it does not matter how they are called. */
	is_other = !s->growing && !s->truth && *s->tag && *head->tag &&
		   strcmp(s->tag, head->tag) != 0;
	if (!s->growing && !*s->tag)
		memcpy(s->tag, head->tag, sizeof(head->tag));
	mutex_unlock(&s->streams->lock);
	if (is_other)
		return ctx_fail(ctx, -EIO,
				"%s was replaced by another one while it was "
				"read.",
				s->source->name);
	if (s->truth && head->total >= 0 && size != head->total)
		return ctx_fail(ctx, -EIO,
				"%s has %" PRId64
				" bytes, but whoever keeps it says %" PRId64
				".",
				s->source->name, size, head->total);
	if (size >= 0 && head->total >= 0 && size != head->total)
		return ctx_fail(ctx, -EIO,
				"Bitbucket says that %s has %" PRId64
				" bytes, but it has %" PRId64 ".",
				s->source->name, size, head->total);
	if (head->total < 0)
		head->total = size;
	return 0;
}

static int begin(void *arg, const struct stream_head *head)
{
	struct checked *checked = arg;
	struct stream_head mine = *head;
	int r = 0;

	if (head->span != STREAM_SPAN_NONE)
		r = check_head(checked->ctx, checked->stream, &mine);
	return r < 0 ? r : checked->sink->begin(checked->sink->arg, &mine);
}

static int take(void *arg, const void *data, size_t n)
{
	struct checked *checked = arg;

	return checked->sink->take(checked->sink->arg, data, n);
}

int stream_exchange(struct ctx *ctx, struct stream *s,
		    const struct stream_range *range,
		    const struct stream_sink *sink)
{
	struct checked checked = {ctx, s, sink};
	const struct stream_sink through = {begin, take, &checked};

	ctx->sentence[0] = '\0';
	return s->source->ops->get(ctx, s->source, range, &through);
}
