/*
 * bitbucketfs [mount] [SOURCE] [MOUNTPOINT]: builds the object graph from the
 * bottom up, mounts, and takes it down in reverse.
 *
 * Invariant: what may start threads (curl, libgit2, clones, the session) comes
 * after the fork; what may be wrong in the command line, the configuration and
 * the mount point is said before it.
 */
#include "cmd/command.h"
#include "cmd/mount/daemon.h"
#include "cmd/mount/lifeline.h"
#include "cmd/mount/live.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/refusal.h"
#include "setup/token_command.h"
#include "cmd/mount/verdict.h"

#include "base/file.h"
#include "base/log.h"
#include "base/notify.h"
#include "fs/session.h"
#include "wire/ssh.h"

#include <fcntl.h>
#include <unistd.h>

#define ALONE_MS (10 * 1000)

/* In the order in which it is built. */
struct program {
	char *mountpoint;
	struct ssh *ssh;  /* NULL: nothing is fetched by it */
	struct live live; /* its graph */
	char *account;    /* credential_label at the beginning */
	struct session *session;
	int lifeline; /* -1: none */
	struct control *control;
	struct verdict verdict;
	int ready_fd; /* -1 in the foreground */
	int log_fd;   /* of log_file; -1: none */
	int notify;   /* of the service manager; -1: none */
};

static enum command_exit find_mountpoint(struct program *p,
					 const struct command_line *line)
{
	const char *given = line->n_operands
				    ? line->operands[line->n_operands - 1]
				    : p->live.graph->remote.config.mountpoint;
	int r;

	if (given && !*given)
		return command_usage("the mount point is empty");
	r = preflight_path(given, &p->mountpoint);
	if (!r)
		return COMMAND_OK;
	if (!given)
		command_say("HOME is not set, so the mount point must be "
			    "named");
	else
		command_say("the mount point %s does not exist (%s)", given,
			    strerror(-r));
	return COMMAND_FAILED;
}

/* A program in the mount would be read by the mount that waits for it. */
static int check_command(const struct program *p, char why[static 512])
{
	cleanup(token_command_free) char **argv = NULL;

	if (token_command_split(p->live.graph->remote.config.token_command,
				&argv) ||
	    *argv[0] != '/')
		return 0;
	return preflight_below(p->mountpoint, "the program of token_command",
			       argv[0], why);
}

static int check_control(const struct program *p, char why[static 512])
{
	int r = 0;

	for (size_t i = 0; !r && i < CONTROL_PLACES; i++) {
		cleanup(free) char *place = control_place(i);

		if (place)
			r = preflight_below(p->mountpoint,
					    "the directory of the mounts' "
					    "sockets",
					    place, why);
	}
	return r;
}

static bool uses_ssh(const struct config *config)
{
	return config->ssh_url ||
	       (config->git_fallback && ssh_is_url(config->git_fallback));
}

/* An agent that is looked for at each connection. */
static int check_agents(const struct program *p, char why[static 512])
{
	const struct config *config = &p->live.graph->remote.config;
	const char *own = getenv("SSH_AUTH_SOCK");
	int r = 0;

	if (config->ssh_agent)
		r = preflight_below(p->mountpoint, "the ssh_agent",
				    config->ssh_agent, why);
	if (!r && uses_ssh(config) && own && *own == '/')
		r = preflight_below(p->mountpoint,
				    "the agent's socket (SSH_AUTH_SOCK)", own,
				    why);
	return r;
}

/* Every path that this process may look at while the mount is there. */
static int check_below(const struct program *p, char why[static 512])
{
	cleanup(free) char *home = NULL;
	cleanup(free) char *config = NULL;
	const char *tmp = getenv("TMPDIR");
	int r = preflight_below(p->mountpoint, "the cache directory",
				p->live.graph->remote.config.cache_dir, why);

	if (!r &&
	    !file_xdg_path(FILE_XDG_CONFIG, "bitbucketfs/config", &config))
		r = preflight_below(p->mountpoint, "the configuration file",
				    config, why);
	if (!r && p->live.graph->remote.config.ca_file)
		r = preflight_below(p->mountpoint, "the ca_file",
				    p->live.graph->remote.config.ca_file, why);
	if (!r && p->live.graph->remote.config.token_command)
		r = check_command(p, why);
	if (!r)
		r = check_agents(p, why);
	if (!r && p->live.graph->remote.config.log_file)
		r = preflight_below(p->mountpoint, "the log_file",
				    p->live.graph->remote.config.log_file, why);
	if (!r && !file_home_path("", &home))
		r = preflight_below(p->mountpoint, "the home directory", home,
				    why);
	if (!r && tmp && tmp[0] == '/')
		r = preflight_below(p->mountpoint,
				    "the directory for temporary files", tmp,
				    why);
	return r ? r : check_control(p, why);
}

static void say_verdict(void *arg, int errnum, const char *sentence)
{
	struct program *p = arg;

	verdict_say(&p->verdict, errnum, sentence);
	if (errnum)
		notify_send(p->notify, "STATUS=At %s. As it began: %s",
			    p->mountpoint, sentence);
}

static void say_mounted(const struct program *p)
{
	const struct remote *remote = &p->live.graph->remote;
	char *const *named = remote->config.workspaces;
	/* Nothing is wrong with an empty directory, and nobody finds out why.
	 */
	bool is_empty = (!named || !named[0]) &&
			credential_kind(remote->credential) ==
				CREDENTIAL_ANONYMOUS;

	log_info("%s is mounted at %s%s", p->account, p->mountpoint,
		 is_empty ? ", and has no workspace to list: bitbucketfs "
			    "login, or name public ones with workspaces="
			  : "");
}

/* From now on nobody sees standard error. */
static void leave_terminal(void *arg)
{
	struct program *p = arg;

	if (p->log_fd >= 0)
		log_to_fd(p->log_fd, LOG_LEVEL_INFO);
	else
		log_to_syslog(LOG_LEVEL_INFO);
	say_mounted(p);
	daemon_ready(p->ready_fd);
}

static int find_device(const struct program *p, dev_t *ret_device)
{
	cleanup(preflight_place_done) struct preflight_place place = {0};
	int r = preflight_place(p->mountpoint, &place);

	if (r)
		return r;
	*ret_device = place.device;
	return place.what == PREFLIGHT_OURS ? 0 : -ENOENT;
}

/* Without it umount cannot wait for our end; that is no reason to end now. */
static void hold_lifeline(struct program *p)
{
	dev_t device;
	int r = find_device(p, &device);

	if (!r)
		r = lifeline_hold(device);
	p->lifeline = r < 0 ? -1 : r;
	if (r < 0)
		log_warn("umount will not be able to wait for the end: %s",
			 strerror(-r));
}

/* Without it nobody can tell the mount anything; it does what it can. */
static void serve_control(struct program *p)
{
	struct control_config config = {
		.commands = live_commands,
		.arg = &p->live,
		.mountpoint = p->mountpoint,
	};
	int r = find_device(p, &config.device);

	p->live.ssh = p->ssh;
	p->live.session = p->session;
	p->live.mountpoint = p->mountpoint;
	if (!r)
		r = control_serve(&config, &p->control);
	if (r)
		log_warn("this mount cannot be told of a new sign-in: %s",
			 strerror(-r));
}

/* The mount answers. */
static void ready(void *arg)
{
	struct program *p = arg;
	bool is_checked_behind = p->live.graph->is_checked_behind;

	/* From then on the graph may be replaced. */
	serve_control(p);
	if (p->ready_fd >= 0)
		verdict_await(&p->verdict, is_checked_behind, leave_terminal,
			      p);
	else
		say_mounted(p);
	notify_send(p->notify, "READY=1");
}

/*
 * Between the look at the mount point and mount(2) another daemon may have
 * come, and the second of two would cover the first:
 * 1. A and B look: nothing is mounted there.
 * 2. A mounts. B mounts, upon A, which nobody reaches any more.
 * So one of this user looks again and mounts at a time. (Where there is no
 * place for the lock it goes without.)
 */
static int look_again(const struct program *p)
{
	char why[512] = "";

	if (preflight_mounted(p->mountpoint) == PREFLIGHT_NOTHING ||
	    !preflight_check(p->mountpoint, false, why))
		return 0;
	command_say("%s", why);
	return -EBUSY;
}

static int mount_session(struct program *p, const struct session_config *config)
{
	cleanup(free) char *words = NULL;
	cleanup(free) char *sentence = NULL;
	struct refusal refusal;
	int alone = control_alone(ALONE_MS), r = look_again(p);

	if (r) {
		file_close(alone);
		return r;
	}
	refusal_listen(&refusal);
	r = session_new(config, &p->session);
	if (!r)
		r = session_mount(p->session);
	file_close(alone);
	words = refusal_heard(&refusal);
	if (r) {
		sentence = refusal_sentence(p->mountpoint, words, -r);
		command_say("%s", sentence);
	} else if (*words && config->debug) {
		log_debug("%s", words);
	} else if (*words) {
		log_warn("%s", words);
	}
	return r;
}

static int mount_and_serve(struct program *p, bool debug)
{
	cleanup(free) char *fsname = mem_asprintf("bitbucket:%s", p->account);
	struct session_config session = {
		.model = p->live.graph->model,
		.group = p->live.graph->group,
		.mountpoint = p->mountpoint,
		.fsname = fsname,
		.options = (const char *const *)
				   p->live.graph->remote.config.fuse_options,
		.debug = debug,
		.ready = ready,
		.ready_arg = p,
	};
	struct model_kernel kernel;
	int r = mount_session(p, &session);

	if (r)
		return r;
	session_kernel(p->session, &kernel);
	r = model_start(p->live.graph->model, &kernel);
	if (r)
		return command_could_not("the mount cannot be started", r);
	hold_lifeline(p);
	r = session_loop(p->session);
	notify_send(p->notify, "STOPPING=1\nSTATUS=Ending");
	lifeline_let_go(p->lifeline);
	if (r)
		log_error("the mount ended: %s", strerror(-r));
	return r;
}

/* In reverse. Whoever still waits for the network is told to stop first. */
static void take_down(struct program *p)
{
	p->control = control_end(p->control);
	graph_stop(p->live.graph);
	p->session = session_free(p->session);
	verdict_done(&p->verdict);
	graph_listen(NULL);
	live_done(&p->live);
	p->ssh = ssh_free(p->ssh);
	command_tell(-1);
	p->notify = file_close(p->notify);
	free(p->account);
	free(p->mountpoint);
	p->mountpoint = NULL;
}

static int build_ssh(struct program *p)
{
	const struct config *config = &p->live.graph->remote.config;
	const struct ssh_config ssh = {.agent = config->ssh_agent,
				       .fallback = config->ssh_fallback};
	int r;

	if (!uses_ssh(config))
		return 0;
	r = ssh_new(&ssh, &p->ssh);
	return r ? command_could_not("SSH cannot be used", r) : 0;
}

static int run(struct program *p, const struct command_line *line)
{
	struct graph_config config = {
		.mountpoint = p->mountpoint,
		.checked = say_verdict,
		.checked_arg = p,
	};
	int r;

	daemon_harden();
	r = build_ssh(p);
	if (r)
		return r;
	config.ssh = p->ssh;
	r = graph_build(p->live.graph, &config);
	if (r)
		return r;
	graph_listen(p->live.graph);
	p->account =
		mem_strdup(credential_label(p->live.graph->remote.credential));
	return mount_and_serve(p, line->debug);
}

/* After the fork, which closes all that is open. O_NONBLOCK: who is slow to
 * read it does not make the mount wait. */
static enum command_exit open_log(struct program *p)
{
	p->log_fd = open(p->live.graph->remote.config.log_file,
			 O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY |
				 O_NONBLOCK,
			 0600);
	if (p->log_fd >= 0)
		return COMMAND_OK;
	command_say("log_file %s cannot be written: %s",
		    p->live.graph->remote.config.log_file, strerror(errno));
	return COMMAND_USAGE;
}

/* In the background nobody waits for more than the end of the parent. */
static void find_manager(struct program *p)
{
	int r = notify_open();

	p->notify = r < 0 ? -1 : r;
	/* The journal may lose whose the words of a short-lived process are. */
	command_tell(p->notify);
	if (r < 0 && r != -ENOENT)
		log_warn("the service manager cannot be told that the mount is "
			 "there (NOTIFY_SOCKET): %s",
			 strerror(-r));
}

static enum command_exit start(struct program *p,
			       const struct command_line *line)
{
	enum log_level most = line->debug ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;

	if (!line->foreground) {
		p->ready_fd = daemon_fork();
		if (p->ready_fd < 0) {
			command_could_not("going to the background failed",
					  p->ready_fd);
			return COMMAND_FAILED;
		}
	}
	if (p->live.graph->remote.config.log_file && open_log(p) != COMMAND_OK)
		return COMMAND_USAGE;
	if (line->foreground) {
		/* Before what the check of the credential has to say, which may
		 * be quicker than the mount. */
		notify_send(p->notify, "STATUS=At %s", p->mountpoint);
		log_to_fd(p->log_fd >= 0 ? p->log_fd : STDERR_FILENO, most);
	}
	if (!run(p, line))
		return COMMAND_OK;
	/* Who starts it again would be refused again. */
	return remote_end(&p->live.graph->remote,
			  p->live.graph->remote.account.is_refused ? 401 : 0);
}

enum command_exit mount_command(const struct command_line *line)
{
	struct program program = {
		.lifeline = -1, .ready_fd = -1, .log_fd = -1, .notify = -1};
	enum command_exit end;
	char why[512] = "";

	live_init(&program.live);
	program.live.graph = mem_calloc(1, sizeof(*program.live.graph));
	verdict_init(&program.verdict);
	log_to_stderr(LOG_LEVEL_WARN);
	if (line->foreground)
		find_manager(&program);
	end = remote_configure(&program.live.graph->remote, line);
	if (end == COMMAND_OK)
		end = find_mountpoint(&program, line);
	if (end == COMMAND_OK &&
	    (preflight_check(program.mountpoint, line->n_operands == 0, why) ||
	     check_below(&program, why))) {
		command_say("%s", why);
		end = COMMAND_FAILED;
	}
	if (end == COMMAND_OK)
		end = start(&program, line);
	take_down(&program);
	return end;
}
