/*
 * base/digest: the only file that sees nettle, and zlib for its CRC.
 */
#include "base/digest.h"

#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/sha1.h>
#include <sys/random.h>
#include <unistd.h>
#include <zlib.h>

#define PIECE ((size_t)256 << 10) /* of a file that is hashed */

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

/* -ENODATA at the end. */
static ssize_t read_piece(int fd, uint64_t offset, void *data, size_t n)
{
	ssize_t done;

	do
		done = pread(fd, data, n, (off_t)offset);
	while (done < 0 && errno == EINTR);
	if (done < 0)
		return -errno;
	return done == 0 ? -ENODATA : done;
}

int digest_sha1_file(const struct ctx *ctx, const void *head, size_t n_head,
		     int fd, uint64_t offset, uint64_t n,
		     unsigned char ret_digest[static 20])
{
	cleanup(free) unsigned char *piece = xmalloc(PIECE);
	struct sha1_ctx sha1;

	sha1_init(&sha1);
	sha1_update(&sha1, n_head, head);
	while (n > 0) {
		ssize_t done =
			ctx_is_cancelled(ctx)
				? -EINTR
				: read_piece(fd, offset, piece,
					     n < PIECE ? (size_t)n : PIECE);

		if (done < 0)
			return (int)done;
		sha1_update(&sha1, (size_t)done, piece);
		offset += (uint64_t)done;
		n -= (uint64_t)done;
	}
	sha1_digest(&sha1, SHA1_DIGEST_SIZE, ret_digest);
	return 0;
}

struct digest_sha1 {
	struct sha1_ctx sha1;
};

struct digest_sha1 *digest_sha1_new(void)
{
	struct digest_sha1 *d = xcalloc(1, sizeof(*d));

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

struct digest_sha1 *digest_sha1_free(struct digest_sha1 *d)
{
	free(d);
	return NULL;
}

uint32_t digest_crc32(uint32_t before, const void *data, size_t n)
{
	return (uint32_t)crc32_z(before, data, n);
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
	/* It holds what is derived from the key. */
	explicit_bzero(&hmac, sizeof(hmac));
}

void digest_base64(const void *data, size_t n, char **ret_text)
{
	check(n < SIZE_MAX / 2);
	size_t len = BASE64_ENCODE_RAW_LENGTH(n);
	char *text = xmalloc(len + 1);

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
