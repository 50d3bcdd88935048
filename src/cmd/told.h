/*
 * cmd/told: what a mount says of itself, for people.
 *
 * Must never know where it comes from.
 */
#ifndef CMD_TOLD_H
#define CMD_TOLD_H

#include "base/json.h"
#include "base/terminal.h"

/* Adds the lines of one mount: what is left of the hour first. status is that
 * of model_status. Times are those of here, to the minute. */
void told_text(const struct json *status, const struct terminal *,
	       struct buf *out);
/* The line of the fetch of that path, for while it is awaited; false: none
 * runs.
 */
bool told_fetch(const struct json *status, const char *path,
		const struct terminal *, struct buf *out);

#endif
