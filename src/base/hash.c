/* base/hash: FNV-1a. See the header. */
#include "base/hash.h"

#define PRIME UINT64_C(0x100000001b3)

uint64_t hash_bytes(uint64_t hash, const void *data, size_t n)
{
	const unsigned char *p = data;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ p[i]) * PRIME;
	return hash;
}

uint64_t hash_text(uint64_t hash, const char *text)
{
	for (const char *s = text; *s; s++)
		hash = (hash ^ (unsigned char)*s) * PRIME;
	return hash;
}
