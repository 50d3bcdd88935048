/*
 * base/suggest: which of the words that there are somebody may have meant.
 */
#ifndef BASE_SUGGEST_H
#define BASE_SUGGEST_H

#include "base/defs.h"

struct suggest {
	const char *word; /* as it was written */
	const char *best; /* NULL: none is near */
	unsigned distance;
};
/* Of those that are tried the nearest is the best: at most one slip (a letter
 * more, less, another or two swapped) for three letters of the word. */
void suggest_try(struct suggest *, const char *candidate);
/* ": did you mean BEST?", or "". */
char *suggest_words(const struct suggest *);

#endif
