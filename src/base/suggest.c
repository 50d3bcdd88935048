/*
 * base/suggest: the distance of Damerau and Levenshtein, in which letters that
 * were swapped are swapped once. Small letters and capitals are the same.
 */
#include "base/suggest.h"

#include "base/mem.h"

#include <ctype.h>

#define WORD_MAX 31

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Both at most WORD_MAX long. */
static unsigned distance(const char *a, const char *b)
{
	unsigned d[WORD_MAX + 1][WORD_MAX + 1];
	size_t n_a = strlen(a), n_b = strlen(b);

	for (size_t i = 0; i <= n_a; i++)
		for (size_t j = 0; j <= n_b; j++) {
			int from = i ? tolower((unsigned char)a[i - 1]) : 0;
			int to = j ? tolower((unsigned char)b[j - 1]) : 0;

			if (!i || !j) {
				d[i][j] = (unsigned)(i + j);
				continue;
			}
			d[i][j] = least(d[i - 1][j - 1] + (from != to),
					least(d[i - 1][j], d[i][j - 1]) + 1);
			if (i > 1 && j > 1 &&
			    from == tolower((unsigned char)b[j - 2]) &&
			    to == tolower((unsigned char)a[i - 2]))
				d[i][j] = least(d[i][j], d[i - 2][j - 2] + 1);
		}
	return d[n_a][n_b];
}

void suggest_try(struct suggest *suggest, const char *candidate)
{
	size_t n = strlen(suggest->word);
	unsigned far;

	if (n > WORD_MAX || strlen(candidate) > WORD_MAX)
		return;
	far = distance(suggest->word, candidate);
	if (far > (n < 3 ? 1 : n / 3) ||
	    (suggest->best && far >= suggest->distance))
		return;
	suggest->best = candidate;
	suggest->distance = far;
}

char *suggest_words(const struct suggest *suggest)
{
	return suggest->best ? mem_asprintf(": did you mean %s?", suggest->best)
			     : mem_strdup("");
}
