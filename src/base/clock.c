/*
 * base/clock: the three clocks, real or standing still for a test, and the
 * times that the service writes.
 */
#include "base/clock.h"

#include <stdatomic.h>
#include <time.h>

#define DAY_S (24 * 3600)

static atomic_bool faked;
static _Atomic int64_t fake_mono, fake_boot, fake_wall;

static int64_t now_ms(clockid_t id)
{
	struct timespec t;

	check(clock_gettime(id, &t) == 0);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_mono_ms(void)
{
	return atomic_load(&faked) ? atomic_load(&fake_mono)
				   : now_ms(CLOCK_MONOTONIC);
}

int64_t clock_boot_ms(void)
{
	return atomic_load(&faked) ? atomic_load(&fake_boot)
				   : now_ms(CLOCK_BOOTTIME);
}

int64_t clock_wall_ms(void)
{
	return atomic_load(&faked) ? atomic_load(&fake_wall)
				   : now_ms(CLOCK_REALTIME);
}

void clock_fake(int64_t mono_ms, int64_t wall_ms)
{
	atomic_store(&fake_mono, mono_ms);
	atomic_store(&fake_boot, mono_ms);
	atomic_store(&fake_wall, wall_ms);
	atomic_store(&faked, true);
}

void clock_advance(int64_t ms)
{
	atomic_fetch_add(&fake_mono, ms);
	clock_suspend(ms);
}

void clock_suspend(int64_t ms)
{
	atomic_fetch_add(&fake_boot, ms);
	atomic_fetch_add(&fake_wall, ms);
}

void clock_real(void)
{
	atomic_store(&faked, false);
}

/* Days since 1970-01-01 in the Gregorian calendar, counted in years that begin
 * with March, so that the leap day is the last of its year. */
static int64_t days_of(int64_t year, int64_t month, int64_t day)
{
	year -= month <= 2;
	int64_t era = (year >= 0 ? year : year - 399) / 400;
	int64_t of_era = year - era * 400;
	int64_t of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;

	return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 +
	       of_year - 719468;
}

static int days_in(int year, int month)
{
	static const int days[] = {31, 28, 31, 30, 31, 30,
				   31, 31, 30, 31, 30, 31};

	if (month == 2 &&
	    ((year % 4 == 0 && year % 100 != 0) || year % 400 == 0))
		return 29;
	return days[month - 1];
}

/* Reads exactly n digits; after anything else *at is NULL, with which the
 * readers after this one do nothing. */
static int digits(const char **at, int n)
{
	int value = 0;

	for (int i = 0; *at && i < n; i++) {
		char c = (*at)[i];
		if (c < '0' || c > '9') {
			*at = NULL;
			return 0;
		}
		value = value * 10 + (c - '0');
	}
	if (*at)
		*at += n;
	return value;
}

static void expect(const char **at, char c)
{
	if (*at)
		*at = **at == c ? *at + 1 : NULL;
}

/* "Z", "+05:30", "-0800", "+02" or nothing: seconds east of Greenwich. */
static int offset_s(const char **at)
{
	if (!*at || !**at)
		return 0;
	if (**at == 'Z' || **at == 'z') {
		(*at)++;
		return 0;
	}
	int sign = **at == '-' ? -1 : 1;
	expect(at, sign < 0 ? '-' : '+');
	int hours = digits(at, 2), minutes = 0;
	if (*at && **at == ':')
		(*at)++;
	else if (*at && !**at)
		goto out;
	minutes = digits(at, 2);
out:
	if (hours > 23 || minutes > 59)
		*at = NULL;
	return sign * (hours * 3600 + minutes * 60);
}

int clock_parse_iso8601(const char *text, int64_t *ret_wall_ms)
{
	const char *at = text;
	int second = 0, ms = 0;

	int year = digits(&at, 4);
	expect(&at, '-');
	int month = digits(&at, 2);
	expect(&at, '-');
	int day = digits(&at, 2);
	if (at && *at == ' ')
		at++;
	else
		expect(&at, 'T');
	int hour = digits(&at, 2);
	expect(&at, ':');
	int minute = digits(&at, 2);
	if (at && *at == ':') {
		at++;
		second = digits(&at, 2);
		if (at && *at == '.') {
			at++;
			if (*at < '0' || *at > '9')
				return -EINVAL;
			for (int unit = 100; *at >= '0' && *at <= '9'; at++) {
				ms += (*at - '0') * unit;
				unit /= 10;
			}
		}
	}
	int east = offset_s(&at);

	if (!at || *at || month < 1 || month > 12 || day < 1 ||
	    day > days_in(year, month) || hour > 23 || minute > 59 ||
	    second > 60)
		return -EINVAL;
	int64_t seconds = days_of(year, month, day) * DAY_S + hour * 3600 +
			  minute * 60 + second - east;
	*ret_wall_ms = seconds * 1000 + ms;
	return 0;
}

char *clock_format_iso8601(int64_t wall_ms, char out[static 24])
{
	/* The form has four digits for the year: later ones would lose their
	 * first. */
	const int64_t first = days_of(0, 1, 1) * DAY_S;
	const int64_t last = days_of(10000, 1, 1) * DAY_S - 1;
	int64_t seconds = wall_ms / 1000 - (wall_ms % 1000 < 0);
	struct tm tm;

	if (seconds < first)
		seconds = first;
	if (seconds > last)
		seconds = last;
	time_t t = seconds;
	check(gmtime_r(&t, &tm));
	/* Not strftime: it writes the year 999 with three digits. */
	snprintf(out, 24, "%04u-%02u-%02uT%02u:%02u:%02uZ",
		 (unsigned)(tm.tm_year + 1900) % 10000,
		 (unsigned)(tm.tm_mon + 1) % 100, (unsigned)tm.tm_mday % 100,
		 (unsigned)tm.tm_hour % 100, (unsigned)tm.tm_min % 100,
		 (unsigned)tm.tm_sec % 100);
	return out;
}
