/*
 * base/digest: the door to nettle. Hashes as lower-case hex; and CRC-32, fast,
 * which finds what a disk has damaged but not what people have forged.
 */
#ifndef BASE_DIGEST_H
#define BASE_DIGEST_H

#include "base/defs.h"

void digest_sha1_hex(const void *data, size_t n, char out[static 41]);
/* SHA-1 of bytes that come in pieces; one of the ends may be called, once. */
struct digest_sha1;
struct digest_sha1 *digest_sha1_new(void);
void digest_sha1_add(struct digest_sha1 *, const void *data, size_t n);
void digest_sha1_end(struct digest_sha1 *, char out[static 41]);
void digest_sha1_end_bytes(struct digest_sha1 *,
			   unsigned char ret_digest[static 20]);
struct digest_sha1 *digest_sha1_free(struct digest_sha1 *);
DEFINE_CLEANUP(struct digest_sha1 *, digest_sha1_free);
/* SHA-256 of bytes that come in pieces; the end may be called once. */
#define DIGEST_SHA256_SIZE 32
struct digest_sha256;
struct digest_sha256 *digest_sha256_new(void);
void digest_sha256_add(struct digest_sha256 *, const void *data, size_t n);
void digest_sha256_end(struct digest_sha256 *,
		       unsigned char ret_digest[static DIGEST_SHA256_SIZE]);
struct digest_sha256 *digest_sha256_free(struct digest_sha256 *);
DEFINE_CLEANUP(struct digest_sha256 *, digest_sha256_free);
/* CRC-32. before: the CRC of the bytes before these, 0 at the start. */
uint32_t digest_crc32(uint32_t before, const void *data, size_t n);
void digest_hmac_sha256_hex(const void *key, size_t n_key, const void *data,
			    size_t n, char out[static 65]);
/* Takes as long whatever differs, so that nobody learns a byte of a signature
 * from how long it took. */
bool digest_equal(const void *a, const void *b, size_t n);
void digest_base64(const void *data, size_t n, char **ret_text); /* free */
/* Random bytes from the kernel. 0 or -errno. */
int digest_random(void *out, size_t n);

#endif
