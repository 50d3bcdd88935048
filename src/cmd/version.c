/*
 * bitbucketfs version.
 */
#include "cmd/command.h"

enum command_exit version_command(const struct command_line *)
{
	static const char text[] = "bitbucketfs " VERSION "\n";

	return command_print(text, sizeof(text) - 1);
}
