/*
 * base/digest: the only file that sees nettle, and libdeflate (without it zlib,
 * which takes several times as long) for its CRC.
 */
#include "base/digest.h"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <sys/random.h>
#include <unistd.h>

#ifdef HAVE_LIBDEFLATE
#include <libdeflate.h>
#else
#include <zlib.h>
#endif

static void hex(const uint8_t *bytes, size_t n, char *out)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		out[2 * i] = digits[bytes[i] >> 4];
		out[2 * i + 1] = digits[bytes[i] & 15];
	}
	out[2 * n] = '\0';
}

void digest_sha1_hex(const void *data, size_t n, char out[static 41])
{
	struct sha1_ctx sha1;
	uint8_t digest[SHA1_DIGEST_SIZE];

	sha1_init(&sha1);
	sha1_update(&sha1, n, data);
	sha1_digest(&sha1, sizeof(digest), digest);
	hex(digest, sizeof(digest), out);
}

struct digest_sha1 {
	struct sha1_ctx sha1;
};

struct digest_sha1 *digest_sha1_new(void)
{
	struct digest_sha1 *d = mem_calloc(1, sizeof(*d));

	sha1_init(&d->sha1);
	return d;
}

void digest_sha1_add(struct digest_sha1 *d, const void *data, size_t n)
{
	sha1_update(&d->sha1, n, data);
}

void digest_sha1_end(struct digest_sha1 *d, char out[static 41])
{
	uint8_t digest[SHA1_DIGEST_SIZE];

	sha1_digest(&d->sha1, sizeof(digest), digest);
	hex(digest, sizeof(digest), out);
}

void digest_sha1_end_bytes(struct digest_sha1 *d,
			   unsigned char ret_digest[static 20])
{
	sha1_digest(&d->sha1, SHA1_DIGEST_SIZE, ret_digest);
}

struct digest_sha1 *digest_sha1_free(struct digest_sha1 *d)
{
	free(d);
	return NULL;
}

struct digest_sha256 {
	struct sha256_ctx sha256;
};

struct digest_sha256 *digest_sha256_new(void)
{
	struct digest_sha256 *d = mem_calloc(1, sizeof(*d));

	sha256_init(&d->sha256);
	return d;
}

void digest_sha256_add(struct digest_sha256 *d, const void *data, size_t n)
{
	sha256_update(&d->sha256, n, data);
}

void digest_sha256_end(struct digest_sha256 *d,
		       unsigned char ret_digest[static DIGEST_SHA256_SIZE])
{
	sha256_digest(&d->sha256, DIGEST_SHA256_SIZE, ret_digest);
}

struct digest_sha256 *digest_sha256_free(struct digest_sha256 *d)
{
	free(d);
	return NULL;
}

uint32_t digest_crc32(uint32_t before, const void *data, size_t n)
{
#ifdef HAVE_LIBDEFLATE
	return libdeflate_crc32(before, data, n);
#else
	return (uint32_t)crc32_z(before, data, n);
#endif
}

void digest_hmac_sha256_hex(const void *key, size_t n_key, const void *data,
			    size_t n, char out[static 65])
{
	struct hmac_sha256_ctx hmac;
	uint8_t digest[SHA256_DIGEST_SIZE];

	hmac_sha256_set_key(&hmac, n_key, key);
	hmac_sha256_update(&hmac, n, data);
	hmac_sha256_digest(&hmac, sizeof(digest), digest);
	hex(digest, sizeof(digest), out);
	/* Somebody who reads the state could forge with it, as with the key
	 * from which it is made. */
	explicit_bzero(&hmac, sizeof(hmac));
}

bool digest_equal(const void *a, const void *b, size_t n)
{
	return memeql_sec(a, b, n);
}

void digest_base64(const void *data, size_t n, char **ret_text)
{
	check(n < SIZE_MAX / 2);
	size_t len = BASE64_ENCODE_RAW_LENGTH(n);
	char *text = mem_alloc(len + 1);

	base64_encode_raw(text, n, data);
	text[len] = '\0';
	*ret_text = text;
}

int digest_random(void *out, size_t n)
{
	char *at = out;

	while (n) {
		ssize_t got = getrandom(at, n, 0);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		at += got;
		n -= (size_t)got;
	}
	return 0;
}
