/*
 * base/terminal: text for people, as wide as where it is shown.
 *
 * Must never know what is said.
 */
#ifndef BASE_TERMINAL_H
#define BASE_TERMINAL_H

#include "base/mem.h"

struct terminal {
	bool is_terminal;
	/* Codes that move and colour may be sent: it is a terminal, not a dumb
	 * one, and NO_COLOR is not set. */
	bool has_codes;
	bool has_utf8;          /* the locale's */
	unsigned columns, rows; /* of no terminal: 0, there is no end */
};
/* What the descriptor is now: it may be resized. */
void terminal_look(int fd, struct terminal *ret);

/* How much of all is done, in so many columns at most; of "[###...]" where
 * there is no UTF-8. */
void terminal_bar(const struct terminal *, uint64_t done, uint64_t all,
		  unsigned columns, struct buf *out);
/*
 * Adds lines of text, each folded at blanks so that none is wider than the
 * terminal; what is left over of a line is so far in. A word that is wider is
 * broken. Without UTF-8 a character beyond ASCII is a "?" at a terminal. Where
 * there is no terminal nothing changes.
 */
void terminal_fold(const struct terminal *, const char *text, unsigned indent,
		   struct buf *out);
/* "1,234,567" */
char *terminal_number(uint64_t n, char out[static 32]);
/* "08:04", of another day "2026-11-30 08:04": the time here. */
char *terminal_time(int64_t wall_ms, char out[static 24]);

#endif
