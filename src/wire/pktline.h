/*
 * wire/pktline: git's framing (gitprotocol-common(5), "pkt-line Format").
 *
 * Must never know what a packet says.
 */
#ifndef WIRE_PKTLINE_H
#define WIRE_PKTLINE_H

#include "base/mem.h"

#define PKTLINE_MAX 65520 /* with its four digits of length */

enum pktline_kind {
	PKTLINE_DATA,         /* "0004" too: data of length 0 */
	PKTLINE_FLUSH,        /* 0000 */
	PKTLINE_DELIM,        /* 0001 */
	PKTLINE_RESPONSE_END, /* 0002 */
};

/*
 * An incremental reader: bytes in as they come, whole packets out. The packet's
 * bytes are borrowed for the call and NUL-terminated; a final LF is not taken
 * off. -EPROTO on a length that cannot be; what the callback returns, if
 * negative, ends the feeding with it.
 */
struct pktline_reader {
	int (*packet)(void *arg, enum pktline_kind kind, const char *data,
		      size_t n);
	void *arg;
	unsigned n_have; /* bytes of the current packet gathered */
	unsigned n_want; /* its length, 0 while the digits come */
	char bytes[PKTLINE_MAX + 1];
};
void pktline_reader_init(struct pktline_reader *,
			 int (*packet)(void *, enum pktline_kind, const char *,
				       size_t),
			 void *arg);
int pktline_feed(struct pktline_reader *, const void *data, size_t n);
/* 0 at a packet's boundary, -EPROTO inside one (the answer was cut). */
int pktline_end(const struct pktline_reader *);

int pktline_put(struct buf *out, const char *fmt, ...) printf_like(2, 3);
int pktline_flush(struct buf *out);
int pktline_delim(struct buf *out);

#endif
