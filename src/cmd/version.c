/*
 * bitbucketfs version.
 */
#include "cmd/command.h"

enum command_exit version_command(const struct command_line *line)
{
	static const char text[] = "bitbucketfs " VERSION "\n";

	(void)line;
	return command_print(text, sizeof(text) - 1);
}
