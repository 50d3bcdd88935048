/*
 * content/stream, what runs: for who looks how far it is.
 */
#include "content/stream_private.h"

/* Counting chunks is done without the lock: a film has thousands. */
#define SHOWN_MOST 16

static uint64_t count(struct spool_file *file)
{
	uint64_t size = spool_file_size(file), n = 0;
	uint64_t n_chunks = spool_n_chunks(size);

	for (uint64_t i = 0; i < n_chunks; i++)
		n += spool_has(file, i);
	n *= SPOOL_CHUNK;
	return n < size ? n : size;
}

/* References to them; their files and streams stay. */
static size_t collect(struct stream_set *all, struct stream **streams,
		      struct spool_file **files)
{
	struct stream *s, *next;
	size_t n = 0;

	mutex_lock(&all->lock);
	HASH_ITER (hh, all->table, s, next) {
		if (n == SHOWN_MOST || !s->runs || !s->file || s->growing)
			continue;
		refcount_take(&s->refcount);
		streams[n] = s;
		files[n++] = spool_file_ref(s->file);
	}
	mutex_unlock(&all->lock);
	return n;
}

void stream_set_running(struct stream_set *all,
			void (*each)(void *arg, const struct stream_progress *),
			void *arg)
{
	struct stream *streams[SHOWN_MOST];
	struct spool_file *files[SHOWN_MOST];
	size_t n = collect(all, streams, files);

	for (size_t i = 0; i < n; i++) {
		const struct stream_progress progress = {
			.what = streams[i]->source->name,
			.n_bytes = count(files[i]),
			.size = spool_file_size(files[i]),
		};

		each(arg, &progress);
		spool_file_unref(files[i]);
		stream_unref(streams[i]);
	}
}
