/*
 * cmd/command: what a command of the program is. main.c has the table.
 */
#ifndef CMD_COMMAND_H
#define CMD_COMMAND_H

#include "base/defs.h"

enum command_exit {
	COMMAND_OK = 0,
	COMMAND_FAILED = 1, /* it could not be done */
	COMMAND_USAGE = 2,  /* it was asked for wrongly; configuration */
};

/* The command line, taken apart. Strings are those of argv. */
struct command_line {
	bool foreground, debug, sloppy, lazy;
	const char **options; /* each -o */
	size_t n_options;
	const char **operands; /* without the command's name */
	size_t n_operands;
	bool named; /* the command was given by its name */
};
typedef enum command_exit command_run(const struct command_line *);

command_run mount_command;
command_run status_command;
command_run umount_command;

/* "bitbucketfs: <sentence>" to stderr, with secrets taken out. */
void command_say(const char *fmt, ...) printf_like(1, 2);
/* The sentence and "Try 'bitbucketfs --help'." */
enum command_exit command_usage(const char *fmt, ...) printf_like(1, 2);

#endif
