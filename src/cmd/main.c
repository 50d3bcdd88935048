/*
 * bitbucketfs: the command line, and the table of commands.
 */
#include "cmd/command.h"

#include "base/file.h"

#include <fcntl.h>
#include <sched.h>
#include <unistd.h>

#define LINE_MAX_OPTIONS 256

static const char help_text[] =
	"Usage: bitbucketfs [options] [SOURCE] [MOUNTPOINT]\n"
	"       bitbucketfs COMMAND [MOUNTPOINT]\n"
	"\n"
	"Mounts Bitbucket Cloud at MOUNTPOINT (default: ~/bitbucket), read-"
	"only.\n"
	"SOURCE is what mount(8) and fstab(5) put first; any text will do.\n"
	"\n"
	"Commands:\n"
	"  mount [SOURCE] [MOUNTPOINT]  the same as without a command\n"
	"  status [MOUNTPOINT]          what the mount says about itself\n"
	"  umount [--lazy] [MOUNTPOINT] takes the mount away, and its daemon\n"
	"  help, version                this text; the version\n"
	"\n"
	"Options:\n"
	"  -f            stay in the foreground, log to standard error\n"
	"  -d            debug: -f, with every step\n"
	"  -o OPT,OPT…   api_url=URL git_url=URL workspaces=A:B cache_dir=DIR\n"
	"                ttl=TIME trees=N walk=N history=N listed=N\n"
	"                big_file=SIZE uid=ID gid=ID umask=MASK; allow_other "
	"and\n"
	"                other options of FUSE and mount(8)\n"
	"  -h, --help    this text\n"
	"  -V, --version the version\n"
	"\n"
	"Signing in: BITBUCKETFS_EMAIL and BITBUCKETFS_TOKEN in the "
	"environment, or\n"
	"email and token in ~/.config/bitbucketfs/config (chmod 600). See\n"
	"bitbucketfs(1) for everything, bitbucketfs(7) for what is in the "
	"mount.\n";

static enum command_exit print(const char *text)
{
	if (fputs(text, stdout) == EOF || fflush(stdout)) {
		command_say("the output could not be written: %s",
			    strerror(errno));
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

static enum command_exit command_help(const struct command_line *line)
{
	(void)line;
	return print(help_text);
}

static enum command_exit command_version(const struct command_line *line)
{
	(void)line;
	return print("bitbucketfs " VERSION "\n");
}

static const struct command {
	const char *name;
	command_run *run;
	bool mounts; /* takes -f, -d, -o */
} commands[] = {
	{"mount", mount_command, true},      {"status", status_command, false},
	{"umount", umount_command, false},   {"help", command_help, false},
	{"version", command_version, false},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

struct parse {
	struct command_line line;
	const struct command *instead; /* --help, --version */
	bool has_mount_options;
	bool helper; /* called by mount(8), as mount.bitbucketfs */
	bool fake;   /* mount -f */
	const char *namespace;
};

static int parse_long(struct parse *parse, const char *arg)
{
	if (!strcmp(arg, "--help"))
		parse->instead = find_command("help");
	else if (!strcmp(arg, "--version"))
		parse->instead = find_command("version");
	else if (!strcmp(arg, "--lazy"))
		parse->line.lazy = true;
	else
		return command_usage("there is no option %.*s",
				     (int)strcspn(arg, "="), arg);
	return 0;
}

/* One argument of short options; *next is the argument after it, or NULL, and
 * is set to NULL when it was used up. */
static int parse_short(struct parse *parse, const char *arg, const char **next)
{
	for (arg++; *arg; arg++) {
		const char *value;

		switch (*arg) {
		case 'f':
			if (parse->helper)
				parse->fake = true;
			else
				parse->line.foreground = true;
			parse->has_mount_options = true;
			break;
		case 'd':
			parse->line.foreground = true;
			parse->line.debug = true;
			parse->has_mount_options = true;
			break;
		case 'h':
			parse->instead = find_command("help");
			break;
		case 'V':
			parse->instead = find_command("version");
			break;
		case 's':
			if (parse->helper)
				parse->line.sloppy = true;
			else
				command_say("-s (one thread, in other programs "
					    "of FUSE) is ignored: one reader "
					    "that waits would stop all others");
			break;
		/* What mount(8) tells its helpers and is no matter here: no
		 * mtab, verbose, read-only, read-write. */
		case 'n':
		case 'v':
		case 'r':
		case 'w':
			break;
		case 'N':
			if (!parse->helper)
				return command_usage("there is no option -N");
			__attribute__((fallthrough));
		case 'o':
		case 't':
			value = arg[1] ? arg + 1 : *next;
			if (!value)
				return command_usage("-%c needs a value", *arg);
			if (!arg[1])
				*next = NULL;
			if (*arg == 'N')
				parse->namespace = value;
			if (*arg != 'o')
				return 0;
			parse->has_mount_options = true;
			if (parse->line.n_options == LINE_MAX_OPTIONS)
				return command_usage("more than %d times -o",
						     LINE_MAX_OPTIONS);
			parse->line.options[parse->line.n_options++] = value;
			return 0;
		default:
			return command_usage("there is no option -%c", *arg);
		}
	}
	return 0;
}

static int parse_arguments(struct parse *parse, int argc, char **argv)
{
	bool only_operands = false;

	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool had_next = next != NULL;
		int r = 0;

		if (only_operands || argv[i][0] != '-' || !argv[i][1])
			parse->line.operands[parse->line.n_operands++] =
				argv[i];
		else if (!strcmp(argv[i], "--"))
			only_operands = true;
		else if (argv[i][1] == '-')
			r = parse_long(parse, argv[i]);
		else
			r = parse_short(parse, argv[i], &next);
		if (r)
			return r;
		if (had_next && !next)
			i++;
	}
	return 0;
}

/* A missing one of the three standard descriptors would be taken by the next
 * open(), and messages would go into the cache. */
static void hold_standard_descriptors(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR); /* inherited on purpose */
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd > STDERR_FILENO)
		close(fd);
}

/* As mount(8) finds it: mount.bitbucketfs, mount.fuse.bitbucketfs. */
static bool is_helper(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	return name && !strncmp(slash ? slash + 1 : name, "mount.", 6);
}

/* mount -N: a path, or the number of a process. */
static int enter_namespace(const char *name)
{
	cleanup(free) char *path =
		strchr(name, '/') ? mem_strdup(name)
				  : mem_asprintf("/proc/%s/ns/mnt", name);
	cleanup(fd) int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNS)) {
		command_say("the mount namespace %s cannot be entered: %s",
			    path, strerror(errno));
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}

/* SOURCE DIR, in which a word that is a command's name is none. */
static enum command_exit run_helper(struct parse *parse)
{
	int r;

	if (parse->line.n_operands != 2)
		return command_usage(
			"mount(8) gives its helpers a SOURCE and a "
			"MOUNTPOINT");
	r = parse->namespace ? enter_namespace(parse->namespace) : 0;
	if (r || parse->fake)
		return (enum command_exit)r;
	parse->line.named = true;
	return mount_command(&parse->line);
}

int main(int argc, char **argv)
{
	cleanup(free) const char **options =
		mem_calloc(LINE_MAX_OPTIONS, sizeof(*options));
	cleanup(free) const char **operands =
		mem_calloc((size_t)argc + 1, sizeof(*operands));
	struct parse parse = {
		.line = {.options = options, .operands = operands},
		.helper = is_helper(argc ? argv[0] : NULL),
	};
	const struct command *command;
	int r;

	hold_standard_descriptors();
	r = parse_arguments(&parse, argc, argv);
	if (r)
		return r;
	if (parse.instead)
		return (int)parse.instead->run(&parse.line);
	if (parse.helper)
		return (int)run_helper(&parse);
	command = parse.line.n_operands ? find_command(operands[0]) : NULL;
	if (command) {
		parse.line.named = true;
		parse.line.operands++;
		parse.line.n_operands--;
		if (!command->mounts && parse.has_mount_options)
			return (int)command_usage("%s takes no -f, -d or -o",
						  command->name);
		if (parse.line.lazy && command->run != umount_command)
			return (int)command_usage("%s takes no --lazy",
						  command->name);
		return (int)command->run(&parse.line);
	}
	if (parse.line.lazy)
		return (int)command_usage("only umount takes --lazy");
	return (int)mount_command(&parse.line);
}
