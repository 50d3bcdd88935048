/*
 * model/stream/stream_node: what all nodes whose bytes are a stream have in
 * common.
 */
#include "model/stream/streams.h"

#include "base/hash.h"
#include "content/stream.h"

int stream_node_read(struct ctx *ctx, struct stream *stream, off_t offset,
		     size_t n, struct model_data *ret_data)
{
	size_t got = 0;
	int fd = -1, r;

	r = stream_read(ctx, stream, (uint64_t)offset, n, &fd, &got);
	/* The stream was here when its inode was made: ENOENT would be wrong.
	 */
	if (r == -ENOENT)
		r = -ESTALE;
	if (r < 0)
		return r;
	*ret_data = (struct model_data){
		.fd = fd,
		.fd_offset = offset,
		.n = got,
	};
	return 0;
}

uint64_t stream_node_hash(const struct stream *stream, uint64_t seed)
{
	return hash_text(seed, stream_key(stream));
}
