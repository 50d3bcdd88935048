/*
 * cmd/address/curl_line: a line of curl as somebody typed it, and what people
 * get wrong in it.
 */
#ifndef CMD_CURL_LINE_H
#define CMD_CURL_LINE_H

#include "base/mem.h"

bool curl_line_is(const char *text);
/* Its URL, without quotes ("" where it has none); free it. *ret_wrong (free
 * it): a sentence without a secret of the line; NULL: nothing is wrong. */
char *curl_line_read(const char *text, char **ret_wrong);

#endif
