/*
 * wire/pktline: git's framing (gitprotocol-common(5), "pkt-line Format").
 *
 * A packet is gathered whole before it is handed on, so that its reader can
 * treat it as a string; a pack is therefore copied once, 64 KiB at a time.
 */
#include "wire/pktline.h"

#define N_DIGITS 4u

void pktline_reader_init(struct pktline_reader *reader,
			 int (*packet)(void *, enum pktline_kind, const char *,
				       size_t),
			 void *arg)
{
	reader->packet = packet;
	reader->arg = arg;
	reader->n_have = 0;
	reader->n_want = 0;
}

static int parse_length(const char digits[static N_DIGITS], unsigned *ret)
{
	unsigned value = 0;

	for (unsigned i = 0; i < N_DIGITS; i++) {
		char c = digits[i];
		unsigned digit;

		if (c >= '0' && c <= '9')
			digit = (unsigned)(c - '0');
		else if (c >= 'a' && c <= 'f')
			digit = (unsigned)(c - 'a') + 10;
		else if (c >= 'A' && c <= 'F')
			digit = (unsigned)(c - 'A') + 10;
		else
			return -EPROTO;
		value = value * 16 + digit;
	}
	/* 0003 is not defined. */
	if (value == 3 || value > PKTLINE_MAX)
		return -EPROTO;
	*ret = value;
	return 0;
}

/* The four digits, or the whole packet, have come. */
static int take(struct pktline_reader *reader)
{
	static const enum pktline_kind specials[] = {
		PKTLINE_FLUSH, PKTLINE_DELIM, PKTLINE_RESPONSE_END};
	enum pktline_kind kind = PKTLINE_DATA;
	size_t n = 0;
	int r;

	if (!reader->n_want) {
		unsigned length;

		r = parse_length(reader->bytes, &length);
		if (r < 0)
			return r;
		if (length > N_DIGITS) {
			reader->n_want = length;
			return 0;
		}
		if (length < N_DIGITS)
			kind = specials[length];
	} else {
		n = reader->n_want - N_DIGITS;
	}
	reader->n_have = 0;
	reader->n_want = 0;
	reader->bytes[N_DIGITS + n] = '\0';
	r = reader->packet(reader->arg, kind, reader->bytes + N_DIGITS, n);
	return r < 0 ? r : 0;
}

int pktline_feed(struct pktline_reader *reader, const void *data, size_t n)
{
	const char *bytes = data;

	while (n) {
		unsigned goal = reader->n_want ? reader->n_want : N_DIGITS;
		size_t part = goal - reader->n_have;
		int r;

		if (part > n)
			part = n;
		memcpy(reader->bytes + reader->n_have, bytes, part);
		reader->n_have += (unsigned)part;
		bytes += part;
		n -= part;
		if (reader->n_have < goal)
			break;
		r = take(reader);
		if (r < 0)
			return r;
	}
	return 0;
}

int pktline_end(const struct pktline_reader *reader)
{
	return reader->n_have ? -EPROTO : 0;
}

int pktline_put(struct buf *out, const char *fmt, ...)
{
	size_t start = out->len;
	char digits[N_DIGITS + 1];
	va_list ap;
	int r;

	r = buf_puts(out, "0000");
	if (r < 0)
		return r;
	va_start(ap, fmt);
	r = buf_vprintf(out, fmt, ap);
	va_end(ap);
	if (r >= 0 && out->len - start > PKTLINE_MAX)
		r = out->failed = -EMSGSIZE;
	if (r < 0) {
		out->len = start;
		out->data[start] = '\0';
		return r;
	}
	snprintf(digits, sizeof(digits), "%04x", (unsigned)(out->len - start));
	memcpy(out->data + start, digits, N_DIGITS);
	return 0;
}

int pktline_flush(struct buf *out)
{
	return buf_puts(out, "0000");
}

int pktline_delim(struct buf *out)
{
	return buf_puts(out, "0001");
}
