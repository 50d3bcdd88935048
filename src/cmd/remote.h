/*
 * cmd/remote: the service as an account sees it, of what is configured: what a
 * command needs that asks it, with a mount or without.
 *
 * Owns who builds what of http, credential, budget, bitbucket and the cache in
 * which the budget's ledger is. Must never know what is asked.
 */
#ifndef CMD_REMOTE_H
#define CMD_REMOTE_H

#include "setup/account.h"
#include "cmd/command.h"
#include "setup/config.h"

#include "api/budget.h"
#include "store/cache.h"

/* In the order in which it is built; begins as {0}. */
struct remote {
	struct config config;
	/* The credential is what login keeps, or nobody's until it keeps one:
	 * a running mount may take another. */
	bool is_kept;
	struct ctx_group *group; /* of what is asked; NULL: none */
	struct credential *credential;
	struct oauth_source
		*oauth; /* the credential's; NULL: of another kind */
	struct http *api_http;
	struct budget *budget;
	struct bitbucket *bitbucket;
	struct account account;
	struct cache *cache;
	char note[512]; /* of remote_sign_in: what is odd; "": nothing */
};
/* In reverse; what was not built is passed over. The ledger is written. */
void remote_done(struct remote *);

/* All of them say on standard error why they failed. In this order: */

/* The two parts of remote_configure, for who may need no credential. */
enum command_exit remote_read_config(struct remote *,
				     const struct command_line *);
enum command_exit remote_read_credential(struct remote *);
/* As remote_read_config, of that profile ("": of none), whatever else is said
 * of profiles. Without a command line: what the file says, and it alone. */
enum command_exit remote_read_profile(struct remote *,
				      const struct command_line *,
				      const char *profile);
/* What is secret in it and is no credential is kept out of the log. */
void remote_redact(const struct config *);
/* For a command about a mount: the operand, else what is configured. The
 * caller's to free; NULL: the default. */
enum command_exit remote_mountpoint(const struct command_line *,
				    char **ret_path);
/* Of file, environment and -o; runs the token_command. No thread, no network.
 */
enum command_exit remote_configure(struct remote *,
				   const struct command_line *);
/* A client of the configured ca_file and proxy. 0 or -errno. */
int remote_new_http(const struct remote *, unsigned n_connections,
		    struct http **ret_http);
/* After daemon_fork, for curl may start threads. 0 or -errno. */
int remote_build(struct remote *);
/* Whose cache it is; with one request when this credential is new here, which
 * is what *ret_known denies. 0 or -errno. */
int remote_sign_in(struct remote *, bool *ret_known);
/* Its cache, and in it the budget's ledger. 0 or -errno. */
int remote_open_cache(struct remote *);
/* Both of these. */
enum command_exit remote_enter(struct remote *, bool *ret_known);
/* All of it, for a command that asks the service and is no daemon; what is
 * wrong is said. */
enum command_exit remote_open(struct remote *, bool *ret_known);

/* How a command ends whose request failed with that status (0: it had none):
 * COMMAND_SIGN_IN where a good credential would have helped. */
enum command_exit remote_end(const struct remote *, long status);

#endif
