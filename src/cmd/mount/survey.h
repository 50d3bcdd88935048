/*
 * cmd/mount/survey: all mounts of this user, and what each says of itself;
 * those that are dead or hang are named, and hold up nobody.
 */
#ifndef CMD_SURVEY_H
#define CMD_SURVEY_H

#include "cmd/mount/inside.h"

#include "base/json.h"

struct survey_mount {
	char *place;
	dev_t device;
	struct json *status; /* model_status; NULL: it did not answer */
	char *why;           /* then: a sentence without the program's name */
};
struct survey {
	struct survey_mount *mounts;
	size_t n;
};
/* Of all of them, or of the one that `only` is in; where that names a
 * repository, its status has what is at hand of it. Costs no request. Takes
 * SURVEY_MS where a mount hangs. */
#define SURVEY_MS 2000
void survey_take(const struct inside *only, struct survey *ret);
void survey_done(struct survey *);
DEFINE_CLEANUP_DONE(struct survey, survey_done);

#endif
