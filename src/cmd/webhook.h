/*
 * cmd/webhook: refresh --webhook: the payload of a webhook on standard input.
 *
 * Owns whether the payload is believed: how long it is, who signed it. What it
 * says has changed is table/webhook's matter, what becomes of that the mount's.
 */
#ifndef CMD_WEBHOOK_H
#define CMD_WEBHOOK_H

#include "cmd/command.h"

/* Places are in the mounts that are told; none: all of this user's. What was
 * done there is printed. */
enum command_exit webhook_refresh(const struct command_line *,
				  const char *const *places, size_t n_places);

/* The payload is believed: signature is the value of X-Hub-Signature (NULL:
 * there was none) by the secret. 0; -EBADMSG: it is none; -EPERM: somebody else
 * made it. */
int webhook_check(const char *signature, const void *secret, size_t n_secret,
		  const void *payload, size_t n_payload);

#endif
