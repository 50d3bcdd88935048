/*
 * bitbucketfs help [COMMAND | options]. What can be set is told
 * from the table of settings; completions ask `help options` for it.
 */
#include "cmd/command.h"
#include "setup/config.h"
#include "base/suggest.h"

#include "base/mem.h"

#define WIDTH 79
#define N_NAME 20

static const char general[] =
	"Usage: bitbucketfs [options] [[SOURCE] MOUNTPOINT]\n"
	"       bitbucketfs COMMAND [MOUNTPOINT | PATH]\n"
	"\n"
	"Mounts Bitbucket Cloud at MOUNTPOINT (default: ~/bitbucket), read-"
	"only.\n"
	"SOURCE is what mount(8) and fstab(5) put first; it is ignored.\n"
	"\n"
	"Commands:\n"
	"  mount [[SOURCE] MOUNTPOINT]  the same as without a command\n"
	"  status [--watch] [PATH]      what your mounts are doing\n"
	"  list [--json]                your mounts, a line each\n"
	"  umount [--lazy] [MOUNTPOINT] takes the mount away, and its daemon\n"
	"  fetch PATH… | --stop         brings all of it, and says how far\n"
	"  refresh PATH…                asks again for what is there\n"
	"  cache [--json]               what takes how much of the disk\n"
	"  cache keep | drop PATH…      what is never evicted; what goes now\n"
	"  login [--with-token]         signs in: takes a token, and keeps it\n"
	"  logout [--all]               forgets it, and what was cached\n"
	"  api [--raw] PATH [-q QUERY]  what the service answers to a GET\n"
	"  curl PATH [-q QUERY]         the line of curl for it\n"
	"  whoami [--json]              whose credential it is\n"
	"  credential get | --install   gives it to git, for its clones\n"
	"  service install [PROFILE]    mounts at every login, by systemd\n"
	"  doctor [ADDRESS] [--json]    what is wrong, and what to do\n"
	"  open [-n] [PATH | KEY]       shows its page in the browser\n"
	"  path URL                     which place a page is of\n"
	"  help [COMMAND]               this text; that of a command\n"
	"  help options                 what -o can set, a line each\n"
	"  version                      the version\n"
	"\n"
	"Options:\n"
	"  -f, --foreground  stay in the foreground, log to standard error\n"
	"  -d, --debug       the same, with every step\n"
	"  -o OPT,OPT…       ";
static const char general_end[] =
	"\n"
	"                    and what mount(8) and fstab(5) say to others\n"
	"  -h, --help        this text; after a command, that of the command\n"
	"  -V, --version     the version\n"
	"\n"
	"Signing in: bitbucketfs login. Or BITBUCKETFS_EMAIL and "
	"BITBUCKETFS_TOKEN in\n"
	"the environment, or email and token, or token_command = pass show "
	"bitbucket, in\n"
	"~/.config/bitbucketfs/config (chmod 600). See bitbucketfs(1) for "
	"everything,\n"
	"bitbucketfs(7) for what is in the mount.\n";
static const char of_mount[] =
	"Usage: bitbucketfs [mount] [-f] [-d] [-o OPT,OPT…] [[SOURCE] "
	"MOUNTPOINT]\n"
	"\n"
	"Mounts Bitbucket at MOUNTPOINT (default: ~/bitbucket), and goes to "
	"the\n"
	"background when the mount answers. SOURCE is ignored.\n"
	"\n"
	"  -f, --foreground  stay in the foreground, log to standard error\n"
	"  -d, --debug       the same, with every step\n"
	"  -o OPT,OPT…       any of these\n"
	"\n";
static const char of_mount_end[] =
	"\n"
	"Each of them can also stand in ~/.config/bitbucketfs/config (ttl = "
	"5m) and in\n"
	"the environment (BITBUCKETFS_TTL=5m). The command line is stronger "
	"than the\n"
	"environment, and that than the file; there a [profile work] is "
	"stronger than\n"
	"what stands above it (-o profile=work). token and token_command are "
	"no options.\n";
static const char of_status[] =
	"Usage: bitbucketfs status [--json] [--watch] [-o profile=NAME] "
	"[PATH]\n"
	"\n"
	"What the mounts of this user say of themselves: requests left of the "
	"hour and\n"
	"when it is full again, account, cache, what is being fetched, "
	"problems by kind.\n"
	"With PATH: the mount that it is in; of a repository also how much of "
	"it is at\n"
	"hand, and how old, and its LFS objects: how many, how large, how much "
	"is here.\n"
	"No request.\n"
	"\n"
	"  --json   for programs: status.json of each\n"
	"  --watch  again and again, until Ctrl-C; into a pipe what changed\n"
	"\n"
	"Exits with 1 when a mount is dead or does not answer, with 3 when "
	"there is none.\n";
static const char of_list[] =
	"Usage: bitbucketfs list [--json]\n"
	"\n"
	"The mounts of this user, a line each, with tabs: mount point, "
	"account, profile,\n"
	"process, version. Exits with 3 when there is none.\n"
	"\n"
	"  --json  the same for programs\n";
static const char of_umount[] =
	"Usage: bitbucketfs umount [--lazy] [-o profile=NAME] [MOUNTPOINT]\n"
	"\n"
	"Takes the mount at MOUNTPOINT (default: ~/bitbucket) away, and waits "
	"until its\n"
	"daemon has ended. One that is in use stays, and it is said by whom.\n"
	"\n"
	"  --lazy  takes it from its place all the same; the daemon ends when "
	"nobody\n"
	"          uses it any more\n";
static const char of_fetch[] =
	"Usage: bitbucketfs fetch [--yes] PATH…\n"
	"       bitbucketfs fetch --lfs PATH…\n"
	"       bitbucketfs fetch --stop [PATH…]\n"
	"\n"
	"Brings all of a place of a mount: the files of a tree (acme/widgets/"
	"tree, a\n"
	"branch, a tag, a commit), the lists of a repository, or of a whole "
	"workspace,\n"
	"which asks first. It leaves to others what walks leave of the hour, "
	"and waits.\n"
	"Ctrl-C stops it; the same command goes on from there.\n"
	"\n"
	"  --yes   of a workspace, without a question\n"
	"  --lfs   of files in a tree the content that is in LFS, and it "
	"alone\n"
	"  --stop  stops what runs, or what runs at PATH and below\n";
static const char of_refresh[] =
	"Usage: bitbucketfs refresh PATH…\n"
	"       bitbucketfs refresh -o profile=NAME\n"
	"       bitbucketfs refresh --webhook [--event=KEY] "
	"[--secret-file=FILE "
	"--signature=VALUE]\n"
	"                           [PATH…] <PAYLOAD\n"
	"\n"
	"Asks the service again for places of mounts, by their names there "
	"(~/bitbucket/\n"
	"acme/widgets, or . in it), and says what changed; without one for "
	"the workspaces\n"
	"of the mount that is configured. Exits with 1 when "
	"something\n"
	"could not be asked for, with 3 when a PATH is in no mount.\n"
	"\n"
	"  --webhook           what the payload of a webhook on standard input "
	"names, in\n"
	"                      the mounts of the PATHs (default: all of "
	"yours)\n"
	"  --event=KEY         its header X-Event-Key\n"
	"  --signature=VALUE   its header X-Hub-Signature\n"
	"  --secret-file=FILE  the webhook's secret, in a file of mode 0600: "
	"what is not\n"
	"                      signed by it changes nothing\n";
static const char of_cache[] =
	"Usage: bitbucketfs cache [--json] [-o OPT,OPT…]\n"
	"       bitbucketfs cache keep | unkeep | drop PATH…\n"
	"\n"
	"Prints what the cache takes of the disk, a line a repository, and "
	"what "
	"it may\n"
	"take (-o cache_size). It asks the service nothing, and needs no "
	"mount.\n"
	"\n"
	"PATH is a repository or a workspace: ~/bitbucket/acme/widgets, "
	"acme/widgets.\n"
	"\n"
	"  keep    nothing of it is evicted any more\n"
	"  unkeep  it may be again\n"
	"  drop    its files, downloads and logs go now; what is in use stays\n"
	"  --json  the same for programs\n";
static const char of_login[] =
	"Usage: bitbucketfs login [-o OPT,OPT…]\n"
	"       bitbucketfs login --with-token [--email=ADDRESS | "
	"--username=NAME] <FILE\n"
	"       bitbucketfs login --oauth | --oauth-client\n"
	"\n"
	"Asks for a token, says where one is made, tries it at the API and at "
	"git, and\n"
	"keeps it for the mounts of this user: in the desktop's keyring, else "
	"in a file\n"
	"that nobody else can read. What was refused is not kept.\n"
	"\n"
	"  --with-token      reads the token from standard input\n"
	"  --email=ADDRESS   that of the Atlassian account, for an API token\n"
	"  --username=NAME   for a password\n"
	"  --in-file         keeps it in a file, not in the desktop's keyring\n"
	"  --oauth           by a browser, with an OAuth consumer of your own\n"
	"  --oauth-client    such a consumer by itself, if it is private\n"
	"\n"
	"Exits with 4 when the service refuses it.\n"
	"\n"
	"  login --check     what the sign-in that there is may see, a scope a "
	"line\n";
static const char of_logout[] =
	"Usage: bitbucketfs logout [--keep-cache]\n"
	"       bitbucketfs logout --all [--config]\n"
	"\n"
	"Removes what login keeps, and what is cached for that account. Mounts "
	"that are\n"
	"there go on anonymously.\n"
	"\n"
	"  --keep-cache  leaves the cache; mounts go on from it\n"
	"  --all         removes all sign-ins and all that is cached of this "
	"user\n"
	"  --config      and the configuration\n";
static const char of_api[] =
	"Usage: bitbucketfs api [--raw] [-o OPT,OPT…] PATH [-q QUERY]\n"
	"\n"
	"Prints the answer to a GET below api_url, signed in as the mount is, "
	"as JSON;\n"
	"a list with all its pages in one. PATH is /user, "
	"repositories/acme?role=member,\n"
	"or a whole URL. It needs no mount; the requests count in the same "
	"hour.\n"
	"\n"
	"  --raw     the bytes as they come: one page, a text\n"
	"  -q QUERY  adds q=QUERY, encoded: 'state=\"OPEN\"'\n"
	"\n"
	"Exits with 4 when one has to sign in (again) first.\n";
static const char of_curl[] =
	"Usage: bitbucketfs curl [-o OPT,OPT…] PATH [-q QUERY]\n"
	"\n"
	"Prints the line of curl, for sh and bash, that does what api --raw "
	"does. It\n"
	"reads the secret from the terminal, without echo, and shows it to "
	"nobody.\n"
	"Nothing is asked.\n"
	"\n"
	"  -q QUERY  adds q=QUERY, encoded\n";
static const char of_whoami[] =
	"Usage: bitbucketfs whoami [--json] [-o OPT,OPT…]\n"
	"\n"
	"Asks the service whose the configured credential is, and says of "
	"which kind it\n"
	"is, where it comes from and how many requests are left. One "
	"request; none\n"
	"where nobody is signed in.\n"
	"\n"
	"  --json  the same for programs\n"
	"\n"
	"Exits with 4 when the credential is refused.\n";
static const char of_credential[] =
	"Usage: bitbucketfs credential [-o OPT,OPT…] --install | --uninstall\n"
	"       bitbucketfs credential get | store | erase\n"
	"\n"
	"The configured credential for git's own clones, pulls and pushes, as "
	"a helper of\n"
	"gitcredentials(7): get answers for the host of git_url alone; store "
	"and erase do\n"
	"nothing.\n"
	"\n"
	"  --install    sets it in git's global configuration\n"
	"  --uninstall  takes it out again\n";
static const char of_service[] =
	"Usage: bitbucketfs service install | remove | status [PROFILE]\n"
	"\n"
	"Bitbucket at every login, by a unit of systemd's for this user: "
	"bitbucketfs@\n"
	"PROFILE.service, of @default without a profile. It knows the "
	"configuration file,\n"
	"not this environment.\n"
	"\n"
	"  install  enables and starts it\n"
	"  remove   ends and disables it\n"
	"  status   whether it runs, and comes at login; exits with 3 when it "
	"does not run\n";
static const char of_doctor[] =
	"Usage: bitbucketfs doctor [ADDRESS] [--json] [-o OPT,OPT…]\n"
	"\n"
	"Looks at what a mount needs, a line each: ok, warning or error, and "
	"what to do:\n"
	"this machine, the configuration, the credential, the network, the "
	"cache, mounts.\n"
	"ADDRESS, in any form (https://…, git@…, a page, acme/widgets), is "
	"looked at, too.\n"
	"It changes nothing, and takes at most five requests.\n"
	"\n"
	"  --json  the same for programs\n"
	"\n"
	"Exits with 1 when there is an error.\n";
static const char of_open[] =
	"Usage: bitbucketfs open [-n] [-o OPT,OPT…] [PATH | KEY]\n"
	"\n"
	"Shows the page of a place in the browser (xdg-open), or prints its "
	"address where\n"
	"there is no display. PATH (default: the working directory) is a path "
	"in a mount,\n"
	"or acme/widgets/pullrequests/12 from anywhere; FILE:12 and FILE:12-20 "
	"are lines.\n"
	"KEY, as in WID-12, is an issue of Jira, below jira_url. The service "
	"is not asked.\n"
	"\n"
	"  -n, --print  prints the address alone\n";
static const char of_path[] =
	"Usage: bitbucketfs path [-o OPT,OPT…] URL\n"
	"       bitbucketfs path [-o OPT,OPT…] --submodule PATH\n"
	"\n"
	"Prints the place in the mount that an address is of: a page, a clone "
	"address, an\n"
	"address of the API. Lines of a file follow it as :12-20. The service "
	"is not asked.\n"
	"\n"
	"  --submodule  of the submodule that PATH is, or is in: its address, "
	"its commit,\n"
	"               and the place of its files\n";
static const char of_help[] = "Usage: bitbucketfs help [COMMAND | options]\n"
			      "       bitbucketfs COMMAND --help\n";
static const char of_version[] = "Usage: bitbucketfs version\n";

/* "name=VALUE" as it is written after -o. */
static char *written(const struct config_setting *setting)
{
	return setting->value
		       ? mem_asprintf("%s=%s", setting->name, setting->value)
		       : mem_strdup(setting->name);
}

/* All of them in a paragraph, as far in as the text before it. */
static void add_names(struct buf *out)
{
	const struct config_setting *setting;
	size_t column = N_NAME;

	for (size_t i = 0; (setting = config_setting(i)); i++) {
		cleanup(free) char *name = written(setting);
		size_t n = strlen(name);

		if (!config_is_option(setting))
			continue;
		if (column + 1 + n > WIDTH) {
			buf_printf(out, "\n%*s", N_NAME, "");
			column = N_NAME;
		} else if (column > N_NAME) {
			buf_putc(out, ' ');
			column++;
		}
		buf_puts(out, name);
		column += n;
	}
}

static void add_lines(struct buf *out)
{
	const struct config_setting *setting;

	for (size_t i = 0; (setting = config_setting(i)); i++) {
		cleanup(free) char *name = written(setting);

		if (config_is_option(setting))
			buf_printf(out, "%-*s %s\n", N_NAME, name,
				   setting->what);
	}
}

static const struct {
	const char *name, *text, *end;
	void (*add)(struct buf *);
} topics[] = {
	{"mount", of_mount, of_mount_end, add_lines},
	{"status", of_status, NULL, NULL},
	{"umount", of_umount, NULL, NULL},
	{"list", of_list, NULL, NULL},
	{"fetch", of_fetch, NULL, NULL},
	{"refresh", of_refresh, NULL, NULL},
	{"cache", of_cache, NULL, NULL},
	{"login", of_login, NULL, NULL},
	{"logout", of_logout, NULL, NULL},
	{"api", of_api, NULL, NULL},
	{"curl", of_curl, NULL, NULL},
	{"whoami", of_whoami, NULL, NULL},
	{"credential", of_credential, NULL, NULL},
	{"service", of_service, NULL, NULL},
	{"doctor", of_doctor, NULL, NULL},
	{"open", of_open, NULL, NULL},
	{"path", of_path, NULL, NULL},
	{"help", of_help, NULL, NULL},
	{"version", of_version, NULL, NULL},
	{"options", "", NULL, add_lines},
};

static enum command_exit print(const char *text, void (*add)(struct buf *),
			       const char *end)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);

	buf_puts(&out, text);
	if (add)
		add(&out);
	buf_puts(&out, end ? end : "");
	return command_print(out.data, out.len);
}

enum command_exit help_command(const struct command_line *line)
{
	const char *name = line->n_operands ? line->operands[0] : NULL;
	struct suggest suggest = {.word = name};
	cleanup(free) char *meant = NULL;

	if (!name)
		return print(general, add_names, general_end);
	for (size_t i = 0; i < ARRAY_SIZE(topics); i++) {
		if (!strcmp(topics[i].name, name))
			return print(topics[i].text, topics[i].add,
				     topics[i].end);
		suggest_try(&suggest, topics[i].name);
	}
	meant = suggest_words(&suggest);
	return command_usage("there is no command '%s'%s", name, meant);
}
