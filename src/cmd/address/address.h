/*
 * cmd/address/address: the address of a workspace or repository, in whichever
 * form somebody has it (a line of git clone or curl, too), and what is wrong
 * with it.
 *
 * Must never ask anybody.
 */
#ifndef CMD_ADDRESS_H
#define CMD_ADDRESS_H

#include "base/mem.h"

enum address_form {
	ADDRESS_NAME,  /* workspace/repository, or a workspace */
	ADDRESS_CLONE, /* https://bitbucket.org/workspace/repository.git */
	ADDRESS_PAGE,  /* what the browser shows */
	ADDRESS_SSH,   /* git@ssh.bitbucket.org:…, ssh://… */
	ADDRESS_API,   /* below api_url */
};

/* Where the addresses are of. */
struct address_place {
	const char *git_url, *api_url; /* as configured */
};

struct address {
	enum address_form form;
	char *word; /* the address alone; it may have a secret */
	char *workspace, *repository; /* NULL: it names none */
	/* One sentence each, with what to do; NULL: nothing. An address that
	 * is wrong may name a workspace and a repository all the same. */
	char *wrong, *odd;
};
/* No sentence has a secret that was in the address. */
void address_read(const char *text, const struct address_place *,
		  struct address *ret_address);
void address_done(struct address *);
DEFINE_CLEANUP_DONE(struct address, address_done);

/* "an address of the API" */
const char *address_form_name(enum address_form);

#endif
