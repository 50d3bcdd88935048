/*
 * bitbucketfs service install | remove | status [PROFILE]: Bitbucket at every
 * login, by a unit of systemd's.
 *
 * A unit knows the configuration file and nothing of this environment, so the
 * file alone is read here, too.
 */
#include "cmd/command.h"
#include "cmd/mount/preflight.h"
#include "cmd/remote.h"

#include "setup/units.h"

#include <pwd.h>
#include <unistd.h>

extern char **environ;

#define JOURNAL "journalctl --user -n 20 -u "

struct service {
	char *profile; /* NULL: none */
	char *unit;
	char *variable; /* set here, and not for the unit; NULL: none */
	struct ctx ctx; /* of what systemctl says */
	struct buf state;
};

static enum command_exit failed(const struct service *s, const char *what)
{
	command_say("%s could not be %s: %s", s->unit, what, s->ctx.sentence);
	return COMMAND_FAILED;
}

static enum command_exit no_manager(const struct service *s)
{
	command_say("systemd runs nothing for this user here (%s). Without it "
		    "bitbucketfs in ~/.profile mounts at login, or a line of "
		    "fstab: none MOUNTPOINT bitbucketfs noauto,user 0 0",
		    s->ctx.sentence);
	return COMMAND_FAILED;
}

static bool is(const struct service *s, const char *name, const char *value)
{
	cleanup(free) char *said = units_value(&s->state, name);

	return !strcmp(said, value);
}

static bool look(struct service *s)
{
	buf_clear(&s->state);
	return !units_look(&s->ctx, s->unit, &s->state);
}

/* 0 or -errno with the sentence. */
static int tell(struct service *s, const char *word, const char *more)
{
	const char *words[] = {"--quiet", word, more, NULL, NULL};

	words[more ? 3 : 2] = s->unit;
	return units_tell(&s->ctx, words, NULL);
}

static int reload(struct service *s)
{
	static const char *const words[] = {"daemon-reload", NULL};

	return units_tell(&s->ctx, words, NULL);
}

/* ---- install ---- */

static enum command_exit mountpoint_of(const char *profile, char **ret_path)
{
	struct remote remote = {0};
	enum command_exit end =
		remote_read_profile(&remote, NULL, profile ? profile : "");

	if (end == COMMAND_OK &&
	    preflight_path(remote.config.mountpoint, ret_path)) {
		command_say("the mount point %s does not exist",
			    remote.config.mountpoint ? remote.config.mountpoint
						     : "~/bitbucket");
		end = COMMAND_FAILED;
	}
	remote_done(&remote);
	return end;
}

/* Whichever of the two comes second at a login would fail. */
static enum command_exit check_other(const struct service *s, const char *path,
				     const char *other)
{
	cleanup(free) char *unit = units_name(other);
	cleanup(free) char *its = NULL;

	if (!strcmp(unit, s->unit) || !units_is_wanted(unit) ||
	    mountpoint_of(other, &its) != COMMAND_OK || strcmp(its, path) != 0)
		return COMMAND_OK;
	command_say(
		"%s mounts at %s already: give this profile a mountpoint of "
		"its own",
		unit, path);
	return COMMAND_FAILED;
}

static enum command_exit check_others(const struct service *s, const char *path)
{
	struct remote remote = {0};
	enum command_exit end = remote_read_profile(&remote, NULL, "");

	if (end == COMMAND_OK)
		end = check_other(s, path, NULL);
	for (char **p = remote.config.profiles; p && *p; p++)
		if (end == COMMAND_OK)
			end = check_other(s, path, *p);
	remote_done(&remote);
	return end;
}

/* Said here, where somebody reads it, and not in the journal. */
static enum command_exit check_place(const struct service *s, const char *path)
{
	char why[512];

	if (is(s, "ActiveState", "active") || !preflight_check(path, true, why))
		return COMMAND_OK;
	command_say("%s", why);
	return COMMAND_FAILED;
}

/* Before the configuration is read, which takes secrets out. */
static char *find_variable(void)
{
	for (char **e = environ; *e; e++)
		if (!strncmp(*e, "BITBUCKETFS_", strlen("BITBUCKETFS_")))
			return mem_dup0(*e, strcspn(*e, "="));
	return NULL;
}

/* The unit's file, where there is none yet, or one of ours. */
static enum command_exit write_unit(struct service *s, struct buf *out)
{
	cleanup(free) char *path = NULL;
	int r;

	if (!is(s, "LoadState", "not-found"))
		return COMMAND_OK;
	r = units_write(&path);
	if (r) {
		command_could_not("the unit cannot be written", r);
		return COMMAND_FAILED;
	}
	buf_printf(out, "Written: %s\n", path);
	if (reload(s))
		return failed(s, "loaded");
	return COMMAND_OK;
}

/* As the program itself ended: with a configuration that is wrong, or because
 * one has to sign in first. */
static enum command_exit not_started(struct service *s)
{
	cleanup(free) char *status = NULL;
	cleanup(free) char *words = NULL;

	if (!look(s))
		return failed(s, "started");
	words = units_value(&s->state, "StatusText");
	command_say("%s did not start: %s%s", s->unit,
		    *words ? words : "why is in its journal, " JOURNAL,
		    *words ? "" : s->unit);
	status = units_value(&s->state, "ExecMainStatus");
	return !strcmp(status, "2")   ? COMMAND_USAGE
	       : !strcmp(status, "4") ? COMMAND_SIGN_IN
				      : COMMAND_FAILED;
}

static bool lingers(const char **ret_name)
{
	const struct passwd *me = getpwuid(getuid());
	cleanup(free) char *path = NULL;

	*ret_name = me ? me->pw_name : "";
	path = mem_asprintf("/var/lib/systemd/linger/%s", *ret_name);
	return me && !access(path, F_OK);
}

static enum command_exit start(struct service *s, const char *path,
			       struct buf *out)
{
	const char *name;
	enum command_exit end = write_unit(s, out);

	if (end != COMMAND_OK)
		return end;
	if (tell(s, "enable", NULL))
		return failed(s, "enabled");
	if (tell(s, "start", NULL))
		return not_started(s);
	buf_printf(out, "%s: %s is mounted, and will be at every login.\n",
		   s->unit, path);
	if (!lingers(&name))
		buf_printf(out,
			   "It ends with the last session of %s; loginctl "
			   "enable-linger keeps it, from boot on.\n",
			   name);
	return COMMAND_OK;
}

static enum command_exit install(struct service *s)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	cleanup(free) char *path = NULL;
	enum command_exit end = mountpoint_of(s->profile, &path);

	if (end != COMMAND_OK)
		return end;
	if (units_manager(&s->ctx) || !look(s))
		return no_manager(s);
	end = check_others(s, path);
	if (end == COMMAND_OK)
		end = check_place(s, path);
	if (end != COMMAND_OK)
		return end;
	if (s->variable)
		command_say("%s is set here and not for the unit, which reads "
			    "the configuration file",
			    s->variable);
	end = start(s, path, &out);
	(void)command_print(out.data ? out.data : "", out.len);
	return end;
}

/* ---- remove ---- */

static enum command_exit remove_it(struct service *s)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	cleanup(free) char *path = NULL;
	bool wanted = units_is_wanted(s->unit);
	int r;

	if (units_manager(&s->ctx) || !look(s))
		return no_manager(s);
	if (!wanted && is(s, "ActiveState", "inactive"))
		buf_printf(&out, "%s was not installed.\n", s->unit);
	else if (tell(s, "disable", "--now"))
		return failed(s, "removed");
	else
		buf_printf(&out, "%s is ended, and comes at no login.\n",
			   s->unit);
	r = units_unwrite(&path);
	if (r && r != -EEXIST)
		command_could_not("the unit's file stays", r);
	if (path)
		buf_printf(&out, "Removed: %s\n", path);
	if (path && reload(s))
		return failed(s, "forgotten");
	return command_print(out.data, out.len);
}

/* ---- status ---- */

static void add_value(const struct service *s, struct buf *out,
		      const char *head, const char *name)
{
	cleanup(free) char *value = units_value(&s->state, name);

	if (*value)
		buf_printf(out, "%s%s\n", head, value);
}

static void add_state(const struct service *s, struct buf *out)
{
	cleanup(free) char *state = units_value(&s->state, "ActiveState");
	cleanup(free) char *result = units_value(&s->state, "Result");
	cleanup(free) char *status = units_value(&s->state, "ExecMainStatus");

	cleanup(free) char *words = NULL;

	buf_printf(out, "now: %s\n", state);
	if (!strcmp(state, "failed")) {
		words = units_value(&s->state, "StatusText");
		buf_printf(out, "%s, exit status %s: %s%s\n", result, status,
			   *words ? words : JOURNAL, *words ? "" : s->unit);
	} else if (strcmp(state, "inactive") != 0) {
		add_value(s, out, "", "StatusText");
		add_value(s, out, "since: ", "ActiveEnterTimestamp");
	}
}

/* 3 as of systemctl status: it does not run. */
static enum command_exit status(struct service *s)
{
	cleanup(buf_done) struct buf out = BUF_INIT(64 * KIB);
	enum command_exit end;
	const char *name;

	if (units_manager(&s->ctx) || !look(s))
		return no_manager(s);
	buf_printf(&out, "%s\n", s->unit);
	add_state(s, &out);
	buf_printf(&out, "at login: %s\n",
		   units_is_wanted(s->unit) ? "yes" : "no");
	buf_printf(&out, "from boot on: %s\n",
		   lingers(&name) ? "yes" : "no (loginctl enable-linger)");
	if (is(s, "LoadState", "not-found"))
		buf_puts(&out, "unit: none (bitbucketfs service install)\n");
	else
		add_value(s, &out, "unit: ", "FragmentPath");
	end = command_print(out.data, out.len);
	if (end != COMMAND_OK)
		return end;
	return is(s, "ActiveState", "active") ? COMMAND_OK
					      : COMMAND_NOT_MOUNTED;
}

/* ---- the command ---- */

static const struct {
	const char *name;
	enum command_exit (*run)(struct service *);
} verbs[] = {
	{"install", install},
	{"remove", remove_it},
	{"status", status},
};

/* The operand, else the one that is configured. */
static enum command_exit find_profile(struct service *s,
				      const struct command_line *line)
{
	struct remote remote = {0};
	enum command_exit end;
	const char *problem;

	if (line->n_operands > 1) {
		problem = config_profile_problem(line->operands[1]);
		if (problem)
			return command_usage("the name of a profile %s",
					     problem);
		s->profile = mem_strdup(line->operands[1]);
		return COMMAND_OK;
	}
	end = remote_read_config(&remote, line);
	if (end == COMMAND_OK)
		s->profile = steal(&remote.config.profile);
	remote_done(&remote);
	return end;
}

enum command_exit service_command(const struct command_line *line)
{
	struct service s = {.variable = find_variable(),
			    .state = BUF_INIT(64 * KIB)};
	enum command_exit end = COMMAND_OK;
	size_t i = 0;

	while (i < ARRAY_SIZE(verbs) &&
	       (!line->n_operands ||
		strcmp(line->operands[0], verbs[i].name) != 0))
		i++;
	if (i == ARRAY_SIZE(verbs))
		return command_usage(
			"service takes install, remove or status%s%s%s",
			line->n_operands ? ", and not '" : "",
			line->n_operands ? line->operands[0] : "",
			line->n_operands ? "'" : "");
	end = find_profile(&s, line);
	s.unit = units_name(s.profile);
	ctx_init(&s.ctx, NULL, -1);
	if (end == COMMAND_OK)
		end = verbs[i].run(&s);
	ctx_done(&s.ctx);
	buf_done(&s.state);
	free(s.variable);
	free(s.unit);
	free(s.profile);
	return end;
}
