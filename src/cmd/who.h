/*
 * cmd/who: whose credential it is, asked of the service, not of the cache: by
 * one request, anonymously by none.
 */
#ifndef CMD_WHO_H
#define CMD_WHO_H

#include "cmd/remote.h"

#include "base/json.h"

/* After remote_build: remote_enter, and what the service says; *ret_answer
 * stays NULL where there is nothing that can be asked. What is wrong is said;
 * what is odd is in remote->note. */
enum command_exit who_ask(struct remote *, struct json **ret_answer);
/* All that is known then, as whoami --json has it. The answer may be NULL. */
struct json *who_told(const struct remote *, const struct json *answer);

#endif
