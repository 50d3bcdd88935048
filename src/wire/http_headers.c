/*
 * wire/http, the answer's head: lines in, struct http_response out.
 *
 * A header is a stranger's text. One that is too long to be kept whole is not
 * kept at all (half an ETag is another ETag); a number that cannot be parsed
 * counts as not said.
 */
#include "http_private.h"

#include "base/clock.h"

#include <ctype.h>
#include <strings.h>
#include <time.h>

#define ERROR_BODY_MAX (64 * KIB)
/* x-ratelimit-reset is seconds left or a moment, by the capture
 * (src/api/README.md, 7); a number above this is a moment. */
#define LEAST_EPOCH_S INT64_C(1000000000)
#define LONGEST_WAIT_S (INT64_C(366) * 24 * 3600)

void http_response_forget(struct http_response *response)
{
	response->etag[0] = '\0';
	response->content_type[0] = '\0';
	response->location[0] = '\0';
	response->date_ms = -1;
	response->retry_after_s = -1;
	response->rate_limit = -1;
	response->rate_remaining = -1;
	response->rate_reset_s = -1;
	response->rate_near_limit = false;
	response->content_length = -1;
	response->range_first = -1;
	response->range_total = -1;
}

void http_response_init(struct http_response *response)
{
	memset(response, 0, sizeof(*response));
	http_response_forget(response);
}

void http_response_done(struct http_response *response)
{
	free(response->error_body);
	response->error_body = NULL;
	response->n_error_body = 0;
}

bool http_response_error_body(struct http_response *response, const void *data,
			      size_t n)
{
	size_t space = ERROR_BODY_MAX - response->n_error_body;
	bool fits = n <= space;

	if (!fits)
		n = space;
	response->error_body = mem_realloc(response->error_body,
					   response->n_error_body + n + 1);
	memcpy(response->error_body + response->n_error_body, data, n);
	response->n_error_body += n;
	response->error_body[response->n_error_body] = '\0';
	return fits;
}

/* The whole number at the beginning ("60, 60;w=3600" is 60); -1: there is none.
 */
static int64_t leading_number(const char *value)
{
	int64_t number = 0;
	const char *s = value;

	for (; *s >= '0' && *s <= '9'; s++) {
		if (s - value >= 18)
			return -1;
		number = number * 10 + (*s - '0');
	}
	if (s == value || isalpha((unsigned char)*s) || *s == '-')
		return -1;
	return number;
}

/* The number that ends at `end`; -1: it is not one. */
static int64_t range_number(const char *text, const char *end)
{
	int64_t number = 0;

	if (text == end || end - text > 18)
		return -1;
	for (; text < end; text++) {
		if (*text < '0' || *text > '9')
			return -1;
		number = number * 10 + (*text - '0');
	}
	return number;
}

static int month_of(const char *name)
{
	static const char names[][4] = {"Jan", "Feb", "Mar", "Apr",
					"May", "Jun", "Jul", "Aug",
					"Sep", "Oct", "Nov", "Dec"};

	for (unsigned i = 0; i < ARRAY_SIZE(names); i++)
		if (!strcasecmp(name, names[i]))
			return (int)i;
	return -1;
}

/* RFC 9110 §5.6.7: the preferred form and the two obsolete ones. Not strptime,
 * whose names of months are the locale's. */
static bool parse_http_date(const char *text, int64_t *ret_wall_s)
{
	struct tm tm = {.tm_isdst = 0};
	char month[4];
	char rest[4] = "";
	int year;

	if (sscanf(text, "%*3[A-Za-z], %2d %3[A-Za-z] %4d %2d:%2d:%2d %3s",
		   &tm.tm_mday, month, &year, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, rest) == 7 ||
	    sscanf(text, "%*[A-Za-z], %2d-%3[A-Za-z]-%4d %2d:%2d:%2d %3s",
		   &tm.tm_mday, month, &year, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, rest) == 7) {
		if (strcmp(rest, "GMT"))
			return false;
		/* Two digits mean the year that is less than fifty years away.
		 */
		if (year < 100)
			year += year < 70 ? 2000 : 1900;
	} else if (sscanf(text, "%*3[A-Za-z] %3[A-Za-z] %2d %2d:%2d:%2d %4d",
			  month, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
			  &tm.tm_sec, &year) != 6) {
		return false;
	}
	tm.tm_mon = month_of(month);
	tm.tm_year = year - 1900;
	if (tm.tm_mon < 0 || year < 1970 || tm.tm_mday < 1 || tm.tm_mday > 31 ||
	    tm.tm_hour < 0 || tm.tm_hour > 23 || tm.tm_min < 0 ||
	    tm.tm_min > 59 || tm.tm_sec < 0 || tm.tm_sec > 60)
		return false;
	*ret_wall_s = (int64_t)timegm(&tm);
	return true;
}

static int64_t seconds_until(int64_t wall_s)
{
	int64_t left = wall_s - clock_wall_ms() / 1000;

	return left < 0 ? 0 : left;
}

static int64_t parse_retry_after(const char *value)
{
	int64_t seconds, wall_s;

	if (parse_http_date(value, &wall_s)) {
		seconds = seconds_until(wall_s);
	} else {
		seconds = leading_number(value);
		if (seconds < 0)
			return -1;
	}
	return seconds < LONGEST_WAIT_S ? seconds : LONGEST_WAIT_S;
}

static int64_t parse_date(const char *value)
{
	int64_t wall_s;

	return parse_http_date(value, &wall_s) ? wall_s * 1000 : -1;
}

static int64_t parse_reset(const char *value)
{
	int64_t seconds = leading_number(value);

	if (seconds >= LEAST_EPOCH_S)
		seconds = seconds_until(seconds);
	return seconds < LONGEST_WAIT_S ? seconds : LONGEST_WAIT_S;
}

/* RFC 9110 §14.4: "bytes 0-99/1234", with a star for a range or a length that
 * is not told. A range that contradicts itself counts as not said. */
static void parse_content_range(struct http_response *response,
				const char *value)
{
	int64_t first = -1, last = -1, total;
	const char *slash = strchr(value, '/');

	if (strncasecmp(value, "bytes ", 6) || !slash)
		return;
	value += 6 + strspn(value + 6, " ");
	total = slash[1] == '*' ? -1 : leading_number(slash + 1);
	if (*value != '*') {
		const char *dash = memchr(value, '-', (size_t)(slash - value));

		first = dash ? range_number(value, dash) : -1;
		last = dash ? range_number(dash + 1, slash) : -1;
		if (first < 0 || last < first || (total >= 0 && last >= total))
			return;
	}
	response->range_first = first;
	response->range_total = total;
}

static void keep(char *out, size_t size, const char *value)
{
	size_t n = strlen(value);

	if (n < size)
		memcpy(out, value, n + 1);
	else
		out[0] = '\0';
}

void http_response_header(struct http_response *response, const char *line,
			  size_t n)
{
	cleanup(free) char *name = NULL;
	char *value, *end;

	/* As a C string it would end at a NUL: another name, another value. */
	if (memchr(line, '\0', n))
		return;
	name = mem_dup0(line, n);
	value = strchr(name, ':');
	if (!value)
		return;
	*value++ = '\0';
	value += strspn(value, " \t");
	end = value + strlen(value);
	while (end > value && strchr(" \t\r\n", end[-1]))
		*--end = '\0';

	if (!strcasecmp(name, "etag"))
		keep(response->etag, sizeof(response->etag), value);
	else if (!strcasecmp(name, "content-type"))
		keep(response->content_type, sizeof(response->content_type),
		     value);
	else if (!strcasecmp(name, "content-range"))
		parse_content_range(response, value);
	else if (!strcasecmp(name, "date"))
		response->date_ms = parse_date(value);
	else if (!strcasecmp(name, "retry-after"))
		response->retry_after_s = parse_retry_after(value);
	else if (!strcasecmp(name, "x-ratelimit-limit"))
		response->rate_limit = leading_number(value);
	else if (!strcasecmp(name, "x-ratelimit-remaining"))
		response->rate_remaining = leading_number(value);
	else if (!strcasecmp(name, "x-ratelimit-reset"))
		response->rate_reset_s = parse_reset(value);
	else if (!strcasecmp(name, "x-ratelimit-nearlimit"))
		response->rate_near_limit = !strcasecmp(value, "true");
}
