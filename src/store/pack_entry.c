/*
 * An entry of a pack is a header and deflated bytes: what the header says.
 */
#include "pack_private.h"

#include <unistd.h>

#define ENTRY_HEAD 64 /* no header of an entry is longer */

/* By how many bytes the base begins before the delta: git's encoding of
 * offsets, in which no number has two forms. */
static int parse_distance(const unsigned char *head, size_t *at,
			  uint64_t *ret_distance)
{
	unsigned char c = head[(*at)++];
	uint64_t distance = c & 127;

	while (c & 128) {
		if (*at == ENTRY_HEAD || distance >= UINT64_MAX >> 8)
			return -EBADMSG;
		c = head[(*at)++];
		distance = ((distance + 1) << 7) | (c & 127);
	}
	*ret_distance = distance;
	return 0;
}

static int parse_entry(const unsigned char *head, uint64_t offset,
		       struct pack_entry *e)
{
	size_t at = 0;
	unsigned char c = head[at++];
	uint64_t distance;
	int r;

	e->type = (c >> 4) & 7;
	e->size = c & 15;
	for (unsigned shift = 4; c & 128; shift += 7) {
		if (shift > 56)
			return -EBADMSG;
		c = head[at++];
		e->size |= (uint64_t)(c & 127) << shift;
	}
	if (e->type == PACK_OFS_DELTA) {
		r = parse_distance(head, &at, &distance);
		if (r < 0 || distance == 0 || distance >= offset)
			return -EBADMSG;
		e->base_offset = offset - distance;
	} else if (e->type == PACK_REF_DELTA) {
		memcpy(e->base_oid.bytes, head + at, OID_BYTES);
		at += OID_BYTES;
	}
	e->data = offset + at;
	return 0;
}

int pack_read_entry(const struct pack *p, uint64_t offset,
		    struct pack_entry *ret_entry)
{
	unsigned char head[ENTRY_HEAD] = {0};
	uint64_t left = p->size - offset;
	struct pack_entry e = {.pack = p};
	int r = pack_check_offset(p, offset);

	if (r == 0)
		r = pack_read_at(p->fd, head,
				 left < sizeof(head) ? left : ENTRY_HEAD,
				 offset);
	if (r == 0)
		r = parse_entry(head, offset, &e);
	if (r == 0)
		*ret_entry = e;
	return r;
}
