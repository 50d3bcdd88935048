/*
 * cmd/arguments: the command line, taken apart, as far as it can be judged
 * without knowing what a command does.
 */
#ifndef CMD_ARGUMENTS_H
#define CMD_ARGUMENTS_H

#include "cmd/command.h"

struct command {
	const char *name;
	command_run *run;
	size_t n_operands; /* it takes at most */
	const char *takes; /* what these are, for people */
	bool mounts;       /* takes what mount(8) says, -f, -d, -o */
	bool options;      /* takes -o, to know what is configured */
	bool lazy;         /* takes --lazy */
	bool query;        /* takes -q */
	bool raw;          /* takes --raw */
	bool json;         /* takes --json */
	bool install;      /* takes --install */
	bool uninstall;    /* takes --uninstall */
	bool names;        /* takes --email and --username */
	/* takes the option of that name */
	bool with_token, check, in_file, keep_cache, all, config;
	bool oauth, oauth_client, print;
	bool watch, stop, yes, lfs, submodule;
	bool webhook; /* and --event, --signature and --secret-file */
};
struct arguments {
	struct command_line line;
	const struct command *command;
	bool helper;           /* called by mount(8), as mount.bitbucketfs */
	bool fake;             /* mount -f */
	const char *namespace; /* mount -N */
	const char **all;      /* the operands with the command's name */
};
/* COMMAND_OK, or COMMAND_USAGE when its sentence was said. Strings stay argv's;
 * free with arguments_done. */
enum command_exit arguments_read(int argc, char **argv,
				 struct arguments *ret_arguments);
void arguments_done(struct arguments *);
DEFINE_CLEANUP_DONE(struct arguments, arguments_done);

#endif
