/*
 * store/pack_delta: two sizes, then operations: a byte with the highest bit
 * says which bytes of an offset and a length in the base follow, another one
 * how many bytes are to be inserted.
 */
#include "store/pack_delta.h"

static bool read_size(struct pack_delta *d, size_t *ret_size)
{
	size_t size = 0;

	for (unsigned shift = 0; shift < 32 && d->at < d->end; shift += 7) {
		unsigned char c = *d->at++;

		size |= (size_t)(c & 127) << shift;
		if (!(c & 128)) {
			*ret_size = size;
			return true;
		}
	}
	return false;
}

bool pack_delta_open(const unsigned char *bytes, size_t n,
		     struct pack_delta *ret_delta)
{
	*ret_delta = (struct pack_delta){.at = bytes, .end = bytes + n};
	return read_size(ret_delta, &ret_delta->base_size) &&
	       read_size(ret_delta, &ret_delta->size);
}

/* Where in the base, and how much. */
static bool read_copy(struct pack_delta *d, unsigned op, size_t *ret_offset,
		      size_t *ret_n)
{
	size_t offset = 0, n = 0;

	for (unsigned i = 0; i < 7; i++) {
		if (!(op & (1U << i)))
			continue;
		if (d->at == d->end)
			return false;
		if (i < 4)
			offset |= (size_t)*d->at++ << (8 * i);
		else
			n |= (size_t)*d->at++ << (8 * (i - 4));
	}
	*ret_offset = offset;
	*ret_n = n ? n : 0x10000;
	return offset <= d->base_size && *ret_n <= d->base_size - offset;
}

bool pack_delta_apply(struct pack_delta *d, const unsigned char *base,
		      unsigned char *target)
{
	size_t left = d->size;

	while (d->at < d->end) {
		unsigned op = *d->at++;
		const unsigned char *from = d->at;
		size_t offset, n = op;

		if (op & 128) {
			if (!read_copy(d, op, &offset, &n))
				return false;
			from = base + offset;
		} else {
			if (op == 0 || n > (size_t)(d->end - d->at))
				return false;
			d->at += n;
		}
		if (n > left)
			return false;
		memcpy(target, from, n);
		target += n;
		left -= n;
	}
	return left == 0;
}
