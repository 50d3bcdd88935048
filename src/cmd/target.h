/*
 * cmd/target: what a person names of the API, made a path below api_url.
 *
 * Must never know who asks for it.
 */
#ifndef CMD_TARGET_H
#define CMD_TARGET_H

#include "cmd/command.h"

/*
 * given: with or without a "/" and api_url's own path ("/2.0") before it, with
 * or without a query, or a whole URL below api_url; q: the value of one more
 * parameter, or NULL. is_list: with the longest pages. The caller's to free.
 * COMMAND_USAGE when its sentence was said: it is of another host, or leads out
 * of api_url.
 */
enum command_exit target_path(const char *api_url, const char *given,
			      const char *q, bool is_list, char **ret_path);

#endif
