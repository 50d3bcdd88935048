/*
 * cmd/doctor/report: what was found, a line each.
 *
 * Owns the levels and how they are shown. Must never know what is looked at.
 */
#ifndef CMD_DOCTOR_REPORT_H
#define CMD_DOCTOR_REPORT_H

#include "base/json.h"

enum report_level {
	REPORT_OK,
	REPORT_WARNING, /* something does not work, or will not one day */
	REPORT_ERROR,   /* what was asked for does not work */
};

struct report_line {
	const char *name; /* of the check: stable, for programs; static */
	enum report_level level;
	char *text; /* one sentence, and what to do */
};
/* One thread's; begins as {0}. */
struct report {
	struct report_line *lines;
	size_t n_lines;
};
void report_done(struct report *);
DEFINE_CLEANUP_DONE(struct report, report_done);

/* Adds a line; secrets are taken out, and what a terminal would obey. */
void report_add(struct report *, const char *name, enum report_level,
		const char *fmt, ...) printf_like(4, 5);
/* Adds words to the first line of that name, if there is one. */
void report_append(struct report *, const char *name, const char *words);
/* Makes a warning of an error of that name. */
void report_soften(struct report *, const char *name);
/* The lines of another one, which is empty afterwards. */
void report_take(struct report *, struct report *from);

bool report_has(const struct report *, const char *name);
/* The worst of that name's lines. */
enum report_level report_level_of(const struct report *, const char *name);
enum report_level report_worst(const struct report *);
/* "ok", "warning", "error" */
const char *report_level_name(enum report_level);
/* A line each, and one that counts them. */
void report_text(const struct report *, struct buf *out);
/* The same as the member "checks" of an object. */
void report_json(const struct report *, struct json *object);

#endif
