/*
 * cmd/address/address inside: address_parts.c takes the text apart,
 * address_host.c judges the host, address_names.c has the names of the path,
 * address.c the rest.
 */
#ifndef CMD_ADDRESS_PRIVATE_H
#define CMD_ADDRESS_PRIVATE_H

#include "cmd/address/address.h"

#define ADDRESS_WEB "bitbucket.org"
#define ADDRESS_SSH_HOST "ssh." ADDRESS_WEB

/* The text, taken apart; all of it the reader's own copies. */
struct address_parts {
	char *scheme; /* "https"; NULL: none is written */
	char *user, *host, *port;
	char *path; /* what follows the host, without query */
	char *query;
	bool colon; /* host:path */
};
void address_parts_done(struct address_parts *);
DEFINE_CLEANUP_DONE(struct address_parts, address_parts_done);

/* The word of a text that is likeliest an address, without quotes; free it. */
char *address_word(const char *text);
/* False: it is a name of a workspace, with or without a repository. What is
 * wrong is said, for a secret is taken out here. */
bool address_take_apart(const char *text, struct address_parts *,
			struct address *);

#define ADDRESS_SEGMENTS_MAX 16

/* What is between the slashes; how many. The path is written to. */
size_t address_split(char *path, char *segments[static ADDRESS_SEGMENTS_MAX]);
/* The first two as workspace and repository, and what is wrong with them. */
void address_name_both(char *const *segments, size_t n, struct address *);

/* "bitbucket.org" of "https://bitbucket.org", ":8080" stays; free it. */
char *address_host_of(const char *url);
bool address_is_host(const struct address_parts *, const char *url);
void address_judge_host(const struct address_parts *,
			const struct address_place *, bool by_ssh,
			struct address *);

/* The sentence, unless there is one. */
void address_say(char **place, const char *fmt, ...) printf_like(2, 3);

#endif
