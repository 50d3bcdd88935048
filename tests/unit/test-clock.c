/*
 * base/clock: clocks that stand still for a test, and the service's times.
 */
#include "base/clock.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static void real_clocks_go_on(void **state)
{
	(void)state;
	int64_t mono = clock_mono_ms(), boot = clock_boot_ms();

	assert_true(mono > 0);
	assert_true(boot >= mono);
	assert_true(clock_wall_ms() > INT64_C(1700000000000));
	while (clock_mono_ms() == mono)
		;
	assert_true(clock_mono_ms() > mono);
	assert_true(clock_boot_ms() > boot);
}

static void fake_clocks_stand_still(void **state)
{
	(void)state;
	clock_fake(1000, 5000);
	assert_int_equal(clock_mono_ms(), 1000);
	assert_int_equal(clock_boot_ms(), 1000);
	assert_int_equal(clock_wall_ms(), 5000);
	clock_advance(250);
	assert_int_equal(clock_mono_ms(), 1250);
	assert_int_equal(clock_boot_ms(), 1250);
	assert_int_equal(clock_wall_ms(), 5250);
	clock_suspend(1000);
	assert_int_equal(clock_mono_ms(), 1250);
	assert_int_equal(clock_boot_ms(), 2250);
	assert_int_equal(clock_wall_ms(), 6250);
	clock_real();
	assert_true(clock_wall_ms() > INT64_C(1700000000000));
}

static void reads_the_services_times(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t ms;
	} ok[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"1970-01-01T00:00:00", 0},
		{"1970-01-01 00:00:00", 0},
		{"1970-01-01T00:00Z", 0},
		{"1969-12-31T23:59:59.999Z", -1},
		{"2018-12-02T06:49:58.468988+00:00", 1543733398468},
		{"2018-12-02T06:49:58.468988123Z", 1543733398468},
		{"2018-12-02T06:49:58+00:00", 1543733398000},
		{"2018-12-02T06:49:58.5Z", 1543733398500},
		{"2018-12-02T12:19:58+05:30", 1543733398000},
		{"2018-12-01T22:49:58-0800", 1543733398000},
		{"2018-12-02T08:49:58+02", 1543733398000},
		{"2000-02-29T00:00:00Z", 951782400000},
		{"2024-12-31T23:59:60Z", 1735689600000},
		{"0001-01-01T00:00:00Z", -62135596800000},
		{"9999-12-31T23:59:59Z", 253402300799000},
	};
	static const char *const bad[] = {
		"",
		"2018",
		"2018-12-02",
		"2018-12-02T",
		"2018-12-02T06",
		"2018-12-02T06:4",
		"2018-13-02T06:49:58Z",
		"2018-00-02T06:49:58Z",
		"2018-12-00T06:49:58Z",
		"2018-12-32T06:49:58Z",
		"2018-11-31T06:49:58Z",
		"1900-02-29T00:00:00Z",
		"2018-12-02T24:00:00Z",
		"2018-12-02T06:60:00Z",
		"2018-12-02T06:49:61Z",
		"2018-12-02T06:49:58.Z",
		"2018-12-02T06:49:58ZZ",
		"2018-12-02T06:49:58+",
		"2018-12-02T06:49:58+1",
		"2018-12-02T06:49:58+24:00",
		"2018-12-02T06:49:58+05:60",
		"2018-12-02T06:49:58 +05:30",
		" 2018-12-02T06:49:58Z",
		"-018-12-02T06:49:58Z",
		"2018/12/02T06:49:58Z",
	};

	for (size_t i = 0; i < ARRAY_SIZE(ok); i++) {
		int64_t ms = -7;
		if (clock_parse_iso8601(ok[i].text, &ms) || ms != ok[i].ms)
			fail_msg("%s: %lld", ok[i].text, (long long)ms);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		int64_t ms = -7;
		if (clock_parse_iso8601(bad[i], &ms) != -EINVAL || ms != -7)
			fail_msg("%s: %lld", bad[i], (long long)ms);
	}
}

static void writes_what_it_reads(void **state)
{
	(void)state;
	char out[24];
	int64_t ms;

	assert_string_equal(clock_format_iso8601(1543733398999, out),
			    "2018-12-02T06:49:58Z");
	assert_string_equal(clock_format_iso8601(-1, out),
			    "1969-12-31T23:59:59Z");
	assert_string_equal(clock_format_iso8601(INT64_MAX, out),
			    "9999-12-31T23:59:59Z");
	assert_string_equal(clock_format_iso8601(INT64_MIN, out),
			    "0000-01-01T00:00:00Z");
	/* Every day and some seconds of 800 years, across the leap rules. */
	for (int64_t day = -146097; day < 146097; day++) {
		int64_t want = (day * 86400 + (day & 0xffff)) * 1000;
		clock_format_iso8601(want, out);
		assert_int_equal(clock_parse_iso8601(out, &ms), 0);
		assert_int_equal(ms, want);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(real_clocks_go_on),
		cmocka_unit_test(fake_clocks_stand_still),
		cmocka_unit_test(reads_the_services_times),
		cmocka_unit_test(writes_what_it_reads),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
