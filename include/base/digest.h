/*
 * base/digest: the door to nettle. Hashes as lower-case hex.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/defs.h"

void digest_sha1_hex(const void *data, size_t n, char out[static 41]);
void digest_hmac_sha256_hex(const void *key, size_t n_key, const void *data,
			    size_t n, char out[static 65]);
void digest_base64(const void *data, size_t n, char **ret_text); /* free */
/* Random bytes from the kernel. 0 or -errno. */
int digest_random(void *out, size_t n);

#endif
