/*
 * setup/token_command: the secret that a program prints, as in
 * token_command = pass show bitbucket.
 *
 * Owns how a line becomes an argument vector, and what a program's output must
 * be to be a secret: one line. No shell reads the line. Must never know what
 * the secret is for. No sentence has anything of the output.
 */
#ifndef SETUP_TOKEN_COMMAND_H
#define SETUP_TOKEN_COMMAND_H

#include "base/ctx.h"
#include "api/credential.h"

#define TOKEN_COMMAND_MAX (64 * KIB) /* bytes of a secret */
#define TOKEN_COMMAND_MS (60 * 1000)

/* Words between blanks; '…' keeps all in it, "…" all but \" and \\, a backslash
 * elsewhere the byte after it. NULL and a vector with at least one word, which
 * ends with NULL (free each and it); or what is wrong, as the end of a sentence
 * (static). A program is a name without a slash or an absolute path: the mount
 * leaves the directory of its start. */
const char *token_command_split(const char *text, char ***ret_argv);
void token_command_free(char **argv);
DEFINE_CLEANUP(char **, token_command_free);

/*
 * Runs it, for at most timeout_ms, and gives what it printed without the line's
 * end: wipe it (text_wipe). at_start: it has standard error and, if we are in
 * the foreground of one, the terminal; otherwise neither, and a session of its
 * own. -EACCES and a sentence where there is no secret in the end, -EINTR and
 * -ETIMEDOUT as ctx_check; the program is killed where it still runs, with its
 * process group where that is not ours.
 */
int token_command_run(struct ctx *, char *const *argv, bool at_start,
		      int64_t timeout_ms, char **ret_secret);

/* Runs the command once, at the start, and makes a source of it, which runs it
 * again for another secret when one was refused. What was refused once is not
 * given again for another one. As token_command_run. */
int token_source_new(struct ctx *, const char *email, const char *username,
		     const char *command, struct credential_source *ret);

#endif
