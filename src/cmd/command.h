/*
 * cmd/command: what a command of the program is, the table of them, and how
 * they speak.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/mem.h"

enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1,      /* it could not be done */
	COMMAND_USAGE = 2,       /* it was asked for wrongly; configuration */
	COMMAND_NOT_MOUNTED = 3, /* there is nothing to tell the status of */
	COMMAND_SIGN_IN = 4,     /* without a (good) credential it is refused */
};

/* The command line, taken apart. Strings are those of argv. */
struct command_line {
	bool foreground, debug, sloppy, lazy, raw, json, install, uninstall;
	bool with_token, check, in_file, keep_cache, all, config;
	bool oauth, oauth_client, print;
	bool watch, stop, yes, lfs, webhook, submodule;
	const char *email, *username; /* --email, --username; NULL: not said */
	const char *query;            /* -q; NULL: none */
	/* --event, --signature, --secret-file; NULL: not said */
	const char *event, *signature, *secret_file;
	const char **options; /* each -o */
	size_t n_options;
	const char **operands; /* without the command's name */
	size_t n_operands;
};
typedef enum command_exit command_run(const struct command_line *);

command_run mount_command;
command_run status_command;
command_run umount_command;
command_run list_command;
command_run fetch_command;
command_run refresh_command;
command_run cache_command;
command_run service_command;
command_run login_command;
command_run logout_command;
command_run api_command;
command_run curl_command;
command_run whoami_command;
command_run credential_command;
command_run doctor_command;
command_run open_command;
command_run path_command;
command_run help_command;
command_run version_command;

/* "bitbucketfs: <sentence>" to stderr, with secrets taken out. */
void command_say(const char *fmt, ...) printf_like(1, 2);
/* What this thread says goes there, a line each, until NULL says that it is
 * said again. */
void command_listen(struct buf *);
/* What is said is the status, too, that the service manager at that descriptor
 * (notify_open) shows of this process; -1: it is not. */
void command_tell(int manager);
/* The same; COMMAND_USAGE. */
enum command_exit command_usage(const char *fmt, ...) printf_like(1, 2);
/* The same of a negative errno, with what it means; returns it. */
int command_could_not(const char *what, int r);
/* To stdout, or a sentence about why not; none about who reads no further
 * (head). */
enum command_exit command_print(const char *text, size_t n);

#endif
