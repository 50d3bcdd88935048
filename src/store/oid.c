/*
 * store/oid: object names as hexadecimal digits.
 */
#include "store/oid.h"

#include <errno.h>

const struct oid oid_none;

char *oid_hex(const struct oid *oid, char out[static 41])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < sizeof(oid->bytes); i++) {
		out[2 * i] = digits[oid->bytes[i] >> 4];
		out[2 * i + 1] = digits[oid->bytes[i] & 15];
	}
	out[40] = '\0';
	return out;
}

static int digit_of(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return -1;
}

int oid_parse(const char *hex, struct oid *ret_oid)
{
	struct oid oid;

	for (size_t i = 0; i < sizeof(oid.bytes); i++) {
		int high = digit_of(hex[2 * i]), low;

		if (high < 0)
			return -EINVAL;
		low = digit_of(hex[2 * i + 1]);
		if (low < 0)
			return -EINVAL;
		oid.bytes[i] = (unsigned char)(high << 4 | low);
	}
	if (hex[2 * sizeof(oid.bytes)] != '\0')
		return -EINVAL;
	*ret_oid = oid;
	return 0;
}
