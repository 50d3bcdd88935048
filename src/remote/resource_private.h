/*
 * remote/resource, inside: what the files of the table share.
 */
#ifndef REMOTE_RESOURCE_PRIVATE_H
#define REMOTE_RESOURCE_PRIVATE_H

#include "remote/resource.h"

#define MINUTE_S 60
#define HOUR_S 3600
#define DAY_S (24 * HOUR_S)

/* People, in every place where the API has them. */
#define PERSON(at) at ".nickname|" at ".display_name|" at ".uuid"

#define REPOSITORY "/repositories/{ws}/{repo}"
#define PULLREQUESTS               \
	REPOSITORY "/pullrequests" \
		   "?pagelen=50&fields=%2Bvalues.reviewers,%2Bvalues.participants"
#define PULLREQUEST REPOSITORY "/pullrequests/{1}"

/* The rows of a repository, each in its file. */
extern const struct resource_column resource_pullrequest_columns[];
extern const struct resource_items resource_pullrequest_items;
extern const struct resource resource_pullrequest_states[];
extern const struct resource resource_network_rows[];

/* Names that are numbers: pull requests, pipelines. At most 18 digits, no
 * leading zero. */
bool resource_is_number(const char *name);

#endif
