/*
 * base/clock: time, in milliseconds, that a test can set.
 *
 * Must never know what is timed.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include "base/defs.h"

int64_t clock_mono_ms(void); /* CLOCK_MONOTONIC: stands still in suspend */
int64_t clock_boot_ms(void); /* CLOCK_BOOTTIME: goes on in suspend */
int64_t clock_wall_ms(void); /* since the epoch */

/* Tests only: from now on all three stand still at these values until
 * clock_advance or clock_real. Condition variables wait in real time. */
void clock_fake(int64_t mono_ms, int64_t wall_ms);
void clock_advance(int64_t ms);
void clock_suspend(int64_t ms); /* boot and wall advance, mono does not */
void clock_real(void);

/* "2018-12-02T06:49:58.468988+00:00", with or without fraction, "Z" or an
 * offset or nothing (UTC): milliseconds since the epoch. Seconds and the
 * minutes of the offset may be missing, "T" may be a blank. -EINVAL. */
int clock_parse_iso8601(const char *text, int64_t *ret_wall_ms);
/* "2026-11-24T06:49:58Z"; returns out. Years beyond 0 to 9999 become the first
 * or last second of those. */
char *clock_format_iso8601(int64_t wall_ms, char out[static 24]);

#endif
