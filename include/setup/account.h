/*
 * setup/account: whose cache this is.
 *
 * Owns the layout above a cache directory: cache_dir/<host>/<account>, the map
 * that finds the account of a credential without a network, and the one request
 * with which a credential is checked that was never seen here. Must never know
 * what is in the cache.
 */
#ifndef SETUP_ACCOUNT_H
#define SETUP_ACCOUNT_H

#include "base/ctx.h"
#include "api/bitbucket.h"

struct account {
	char *host_dir; /* cache_dir/<host>, with _<port> when it has one */
	char *identity; /* credential_identity: what the map is asked for */
	char *dir;      /* NULL: not known yet */
	/* The checked answer of /user, to be put into the cache: it costs
	 * nothing again. NULL: there was none. */
	char *user_json;
	size_t n_user_json;
	char user_etag[128];
	bool is_refused; /* account_sign_in failed by a 401 */
	bool is_held;    /* by hold, a descriptor of dir */
	int hold;
};
void account_done(struct account *);
DEFINE_CLEANUP_DONE(struct account, account_done);

/* Looks the credential up in the map; dir stays NULL if it was never seen here
 * or its cache is gone. Makes directories, 0700, and the key of the map. 0 or
 * -errno with the sentence. Waits for nothing but the credential's source. */
int account_find(struct ctx *, struct account *, const char *cache_dir,
		 const char *api_url, const struct credential *,
		 char why[static 1024]);
/* Asks the service once whether the credential is good (anonymously: not at
 * all), names the account, makes its directory and, where the service took the
 * credential, remembers it in the map. A notice of what is odd but no reason to
 * stop is left in note, or "". */
int account_sign_in(struct ctx *, struct account *, struct bitbucket *,
		    const struct credential *, const char *api_url,
		    char *const *workspaces, char why[static 1024],
		    char note[static 512]);
/* From now until account_done its directory is not removed by others; one that
 * was just removed is made again. 0 or -errno. */
int account_hold(struct account *);
/* Removes what is cached for the account that account_find found, and its line
 * of the map. 0 or -errno; -EBUSY: it is held, by a mount or a command. */
int account_remove(const struct account *);
/* The same of all accounts of all hosts and profiles below a cache directory,
 * and the directory, if nothing else is in it. What this program has not made
 * stays. -EBUSY: one of them is held, and all are there still. Who is killed in
 * the middle leaves accounts that are whole or gone, and can run it again. each
 * is told of what is gone, in words where that is not all of a directory. */
int account_remove_all(const char *cache_dir,
		       void (*each)(void *arg, const char *path), void *arg);
/* The directory of each account of a host that has a cache, whoever it is of; a
 * negative errno of each ends it. 0 or -errno. */
int account_each(const char *cache_dir, const char *api_url,
		 int (*each)(void *arg, const char *dir), void *arg);
/* While the descriptor is open that directory is not removed. -EBUSY: somebody
 * removes it; -errno. */
int account_use(const char *dir, int *ret_fd);
/* Whether there is a cache of that host. */
bool account_is_there(const char *cache_dir, const char *api_url);
/* The name of a host's directory: "api.bitbucket.org", "127.0.0.1_8080". */
char *account_host_name(const char *api_url);

#endif
