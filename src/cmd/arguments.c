/*
 * cmd/arguments: options may stand anywhere; the first operand that is a
 * command's name is the command, and what is left is for that command.
 */
#include "cmd/arguments.h"
#include "setup/config.h"
#include "base/suggest.h"

#include "base/mem.h"

#include <ctype.h>
#include <unistd.h>

#define OPTIONS_MAX 256

static const struct command commands[] = {
	{"mount", mount_command, 2, "a SOURCE and a MOUNTPOINT",
	 .mounts = true},
	{"status", status_command, 1, "one PATH", .options = true, .json = true,
	 .watch = true},
	{"list", list_command, 0, "no operand", .json = true},
	{"umount", umount_command, 1, "one MOUNTPOINT", .options = true,
	 .lazy = true},
	{"fetch", fetch_command, SIZE_MAX, "PATHs", .stop = true, .yes = true,
	 .lfs = true},
	{"refresh", refresh_command, SIZE_MAX, "PATHs", .options = true,
	 .webhook = true},
	{"cache", cache_command, SIZE_MAX, "PATHs", .options = true,
	 .json = true},
	{"login", login_command, 0, "no operand", .options = true,
	 .names = true, .with_token = true, .check = true, .in_file = true,
	 .oauth = true, .oauth_client = true},
	{"logout", logout_command, 0, "no operand", .options = true,
	 .keep_cache = true, .all = true, .config = true},
	{"api", api_command, 1, "one PATH", .options = true, .query = true,
	 .raw = true},
	{"curl", curl_command, 1, "one PATH", .options = true, .query = true},
	{"whoami", whoami_command, 0, "no operand", .options = true,
	 .json = true},
	{"credential", credential_command, 1, "one of get, store and erase",
	 .options = true, .install = true, .uninstall = true},
	{"service", service_command, 2,
	 "one of install, remove and status, and a PROFILE"},
	{"doctor", doctor_command, 1, "one ADDRESS", .options = true,
	 .json = true},
	{"open", open_command, 1, "one PATH or KEY", .options = true,
	 .print = true},
	{"path", path_command, 1, "one URL or PATH", .options = true,
	 .submodule = true},
	{"help", help_command, 1, "one COMMAND"},
	{"version", version_command, 0, "no operand"},
};

static const struct command *find_command(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

/* "mount, status, …" */
static char *all_commands(void)
{
	struct buf out = BUF_INIT(0);

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		buf_printf(&out, "%s%s", i ? ", " : "", commands[i].name);
	return buf_steal(&out, NULL);
}

static char *meant_command(const char *name)
{
	struct suggest suggest = {.word = name};

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++)
		suggest_try(&suggest, commands[i].name);
	return suggest_words(&suggest);
}

struct parse {
	struct arguments *to;
	bool help, version;
	char of_mount; /* an option that only mounting takes; 0: none */
};

#define FLAG(member)                              \
	0, offsetof(struct command_line, member), \
		offsetof(struct command, member)

static const struct {
	const char *name;
	char letter; /* 0: it has none, but a member in both of these */
	size_t in_line, in_command;
} long_options[] = {
	{"--foreground", 'f', 0, 0},
	{"--debug", 'd', 0, 0},
	{"--help", 'h', 0, 0},
	{"--version", 'V', 0, 0},
	{"--lazy", FLAG(lazy)},
	{"--raw", FLAG(raw)},
	{"--json", FLAG(json)},
	{"--install", FLAG(install)},
	{"--uninstall", FLAG(uninstall)},
	{"--with-token", FLAG(with_token)},
	{"--oauth", FLAG(oauth)},
	{"--oauth-client", FLAG(oauth_client)},
	{"--check", FLAG(check)},
	{"--in-file", FLAG(in_file)},
	{"--keep-cache", FLAG(keep_cache)},
	{"--all", FLAG(all)},
	{"--config", FLAG(config)},
	{"--webhook", FLAG(webhook)},
	{"--print", FLAG(print)},
	{"--watch", FLAG(watch)},
	{"--stop", FLAG(stop)},
	{"--yes", FLAG(yes)},
	{"--lfs", FLAG(lfs)},
	{"--submodule", FLAG(submodule)},
};

#define VALUE(member, taken) \
	offsetof(struct command_line, member), offsetof(struct command, taken)

/* --name=VALUE and --name VALUE. */
static const struct {
	const char *name;
	size_t in_line, in_command;
} long_values[] = {
	{"--email", VALUE(email, names)},
	{"--username", VALUE(username, names)},
	{"--event", VALUE(event, webhook)},
	{"--signature", VALUE(signature, webhook)},
	{"--secret-file", VALUE(secret_file, webhook)},
};

static const char *value_of(const struct command_line *line, size_t i)
{
	return *(const char *const *)((const char *)line +
				      long_values[i].in_line);
}

static enum command_exit no_option(const char *arg, size_t n)
{
	cleanup(free) char *name = mem_dup0(arg, n);
	cleanup(free) char *meant = NULL;
	struct suggest suggest = {.word = name};
	const struct config_setting *setting;

	for (size_t i = 0; i < ARRAY_SIZE(long_options); i++) {
		if (!strcmp(long_options[i].name, name))
			return command_usage("%s takes no value", name);
		suggest_try(&suggest, long_options[i].name);
	}
	for (size_t i = 0; (setting = config_setting(i)); i++)
		if (config_is_option(setting) &&
		    !strcmp(setting->name, name + 2))
			return command_usage(
				"there is no option %s: write "
				"-o %s%s%s",
				name, setting->name, setting->value ? "=" : "",
				setting->value ? setting->value : "");
	meant = suggest_words(&suggest);
	return command_usage("there is no option %s%s", name, meant);
}

static int parse_letter(struct parse *parse, char letter)
{
	struct arguments *to = parse->to;

	switch (letter) {
	case 'f':
		if (to->helper)
			to->fake = true;
		else
			to->line.foreground = true;
		break;
	case 'd':
		to->line.foreground = to->line.debug = true;
		break;
	case 'h':
		parse->help = true;
		return 0;
	case 'V':
		parse->version = true;
		return 0;
	case 's':
		if (to->helper)
			to->line.sloppy = true;
		else
			command_say("-s (one thread, in other programs of "
				    "FUSE) is ignored: one reader that waits "
				    "would stop all others");
		break;
	/* What mount(8) tells its helpers and is no matter here: no mtab,
	 * verbose, read-only, read-write. */
	case 'n':
	case 'v':
	case 'r':
	case 'w':
		break;
	default:
		return command_usage("there is no option -%c", letter);
	}
	parse->of_mount = letter;
	return 0;
}

/* 1: it is none of them. */
static int parse_long_value(struct parse *parse, const char *arg,
			    const char **next)
{
	size_t n = strcspn(arg, "=");

	for (size_t i = 0; i < ARRAY_SIZE(long_values); i++) {
		const char *value = arg[n] ? arg + n + 1 : *next;

		if (strlen(long_values[i].name) != n ||
		    strncmp(long_values[i].name, arg, n) != 0)
			continue;
		if (!value)
			return command_usage("%s needs a value", arg);
		if (!arg[n])
			*next = NULL;
		*(const char **)((char *)&parse->to->line +
				 long_values[i].in_line) = value;
		return 0;
	}
	return 1;
}

static int parse_long(struct parse *parse, const char *arg, const char **next)
{
	int r = parse_long_value(parse, arg, next);

	if (r <= 0 || r == COMMAND_USAGE)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(long_options); i++) {
		if (strcmp(long_options[i].name, arg) != 0)
			continue;
		if (long_options[i].letter)
			return parse_letter(parse, long_options[i].letter);
		*(bool *)((char *)&parse->to->line + long_options[i].in_line) =
			true;
		return 0;
	}
	return (int)no_option(arg, strcspn(arg, "="));
}

static int parse_value(struct parse *parse, char letter, const char *value)
{
	struct command_line *line = &parse->to->line;

	if (letter == 'q') {
		line->query = value;
		return 0;
	}
	if (letter != 'o')
		parse->of_mount = letter;
	if (letter == 'N')
		parse->to->namespace = value;
	if (letter != 'o')
		return 0;
	if (line->n_options == OPTIONS_MAX)
		return command_usage("more than %d times -o", OPTIONS_MAX);
	line->options[line->n_options++] = value;
	return 0;
}

/* One argument of short options; *next is the argument after it, or NULL, and
 * is set to NULL when it was used up. */
static int parse_short(struct parse *parse, const char *arg, const char **next)
{
	int r = 0;

	for (arg++; !r && *arg; arg++) {
		const char *value = arg[1] ? arg + 1 : *next;

		if (!strchr("otq", *arg) &&
		    (*arg != 'N' || !parse->to->helper)) {
			r = parse_letter(parse, *arg);
			continue;
		}
		if (!value)
			return command_usage("-%c needs a value", *arg);
		if (!arg[1])
			*next = NULL;
		return parse_value(parse, *arg, value);
	}
	return r;
}

static int parse_all(struct parse *parse, int argc, char **argv)
{
	struct command_line *line = &parse->to->line;
	bool only_operands = false;

	for (int i = 1; i < argc; i++) {
		const char *next = i + 1 < argc ? argv[i + 1] : NULL;
		bool had_next = next != NULL;
		int r = 0;

		if (only_operands || argv[i][0] != '-' || !argv[i][1])
			line->operands[line->n_operands++] = argv[i];
		else if (!strcmp(argv[i], "--"))
			only_operands = true;
		else if (argv[i][1] == '-')
			r = parse_long(parse, argv[i], &next);
		else
			r = parse_short(parse, argv[i], &next);
		if (r)
			return r;
		if (had_next && !next)
			i++;
	}
	return 0;
}

/* ---- which command ---- */

/* As mount(8) finds it: mount.bitbucketfs, mount.fuse.bitbucketfs. */
static bool is_helper(const char *name)
{
	const char *slash = name ? strrchr(name, '/') : NULL;

	return name && !strncmp(slash ? slash + 1 : name, "mount.", 6);
}

static bool is_word(const char *text)
{
	for (const char *c = text; *c; c++)
		if (!isalpha((unsigned char)*c) && (c == text || *c != '-'))
			return false;
	return *text;
}

/* Not by lstat(), for which a mount that hangs there would be asked. */
static bool is_absent(const char *path)
{
	char c;

	return readlink(path, &c, 1) < 0 && errno == ENOENT;
}

/* A word in the place of a command that is none. As a mount point it has to be
 * a directory. As a SOURCE any text will do, but a person has no reason to
 * write one: what mount(8) passes on comes with options, or by a helper's name,
 * and only a word that is near to a command's is no SOURCE there either. */
static enum command_exit check_word(const struct command_line *line)
{
	static const char *const sources[] = {"none", "bitbucket",
					      "bitbucketfs"};
	const char *word = line->operands[0];
	cleanup(free) char *meant = meant_command(word);
	cleanup(free) char *all = all_commands();

	if (!is_word(word) || (line->n_operands > 2 && !*meant))
		return COMMAND_OK;
	if (line->n_operands == 1) {
		if (!is_absent(word))
			return COMMAND_OK;
		return command_usage("'%s' is neither a command (%s) nor a "
				     "directory to mount at%s",
				     word, all, meant);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sources); i++)
		if (!strcmp(word, sources[i]))
			return COMMAND_OK;
	if (line->n_options && !*meant)
		return COMMAND_OK;
	return command_usage("there is no command '%s' (a SOURCE of that name "
			     "goes after the word mount)%s",
			     word, meant);
}

/* Takes the command's name off the operands. */
static void take_name(struct arguments *to)
{
	to->command = to->line.n_operands ? find_command(to->line.operands[0])
					  : NULL;
	if (!to->command)
		return;
	to->line.operands++;
	to->line.n_operands--;
}

static enum command_exit check_command(const struct parse *parse)
{
	const struct command *command = parse->to->command;
	const struct command_line *line = &parse->to->line;

	if (!command->mounts && !command->options && line->n_options)
		return command_usage("%s takes no -o", command->name);
	if (!command->mounts && parse->of_mount)
		return command_usage("%s takes no -%c, which is for mounting",
				     command->name, parse->of_mount);
	for (size_t i = 0; i < ARRAY_SIZE(long_options); i++)
		if (!long_options[i].letter &&
		    *(const bool *)((const char *)line +
				    long_options[i].in_line) &&
		    !*(const bool *)((const char *)command +
				     long_options[i].in_command))
			return command_usage("%s takes no %s", command->name,
					     long_options[i].name);
	for (size_t i = 0; i < ARRAY_SIZE(long_values); i++)
		if (value_of(line, i) &&
		    !*(const bool *)((const char *)command +
				     long_values[i].in_command))
			return command_usage("%s takes no %s", command->name,
					     long_values[i].name);
	if (line->query && !command->query)
		return command_usage("%s takes no -q", command->name);
	if (line->n_operands > command->n_operands)
		return command_usage("%s takes %s%s, and '%s' is more",
				     command->name, command->takes,
				     command->n_operands ? " at most" : "",
				     line->operands[command->n_operands]);
	return COMMAND_OK;
}

/* --help after a command, or after what would be mounted at, is about that. */
static void ask_for_help(struct arguments *to, const char *first)
{
	static const char *topic[1];

	take_name(to);
	topic[0] = to->command ? to->command->name
		   : first && is_word(first) && is_absent(first) ? first
								 : "mount";
	to->line.operands = topic;
	to->line.n_operands = first ? 1 : 0;
	to->command = find_command("help");
}

enum command_exit arguments_read(int argc, char **argv, struct arguments *to)
{
	struct parse parse = {.to = to};
	const char *first;
	int r;

	*to = (struct arguments){.helper = is_helper(argc ? argv[0] : NULL)};
	to->all = mem_calloc((size_t)argc + 1, sizeof(*to->all));
	to->line.operands = to->all;
	to->line.options = mem_calloc(OPTIONS_MAX, sizeof(*to->line.options));
	r = parse_all(&parse, argc, argv);
	if (r)
		return (enum command_exit)r;
	first = to->line.n_operands ? to->line.operands[0] : NULL;
	if (parse.help) {
		ask_for_help(to, first);
		return COMMAND_OK;
	}
	if (parse.version)
		to->command = find_command("version");
	else if (!to->helper)
		take_name(to);
	if (!to->command) {
		to->command = find_command("mount");
		if (first && !to->helper && check_word(&to->line) != COMMAND_OK)
			return COMMAND_USAGE;
	}
	/* mount(8) means something else by it. */
	if (parse.of_mount == 'n' && to->command->print) {
		parse.of_mount = 0;
		to->line.print = true;
	}
	return check_command(&parse);
}

void arguments_done(struct arguments *arguments)
{
	free(arguments->line.options);
	free(arguments->all);
}
