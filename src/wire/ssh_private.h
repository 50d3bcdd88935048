/*
 * wire/ssh, inside: what its files share: ssh.c (the connections that are
 * kept), ssh_run.c (the door: what is run, and how), ssh_talk.c (bytes to and
 * from it), ssh_agent.c, ssh_place.c (addresses), ssh_says.c (the table of what
 * ssh says), ssh_why.c and ssh_host_key.c (what else can be found out after a
 * failure), ssh_try.c (whether one is let in),
 * ssh_lfs.c (where objects of LFS are).
 */
#ifndef WIRE_SSH_PRIVATE_H
#define WIRE_SSH_PRIVATE_H

#include "base/program.h"
#include "wire/ssh.h"

/* What the server says first, kept for who takes over a connection of v2. */
#define SSH_GREETING_MAX (8 * KIB)
/* Of what ssh and the server's commands say; the end. */
#define SSH_SAID_MAX (16 * KIB)

/* One ssh: a repository's git-upload-pack behind it. Of one caller at a time,
 * or of the set that keeps it. */
struct ssh_connection {
	struct program program;
	char *key;        /* of the repository: place, path, whose */
	const void *only; /* who alone may have it again; NULL: anybody */
	int64_t since_ms; /* begun: clock_boot_ms */
	int64_t until_ms; /* of the set: clock_boot_ms */
	struct buf said;  /* on standard error */
	struct buf greeting;
	bool greets; /* its bytes are taken down as the greeting */
	struct ssh_connection *next; /* of the set */
};
struct ssh_connection *ssh_connection_free(struct ssh_connection *);
DEFINE_CLEANUP(struct ssh_connection *, ssh_connection_free);

struct ssh {
	/* Fixed. */
	char *agent, *fallback;
	struct thread *thread;

	struct mutex lock;
	struct cond work, looked;
	/* Under it. */
	bool stop;
	bool looking;                /* kept is elsewhere, for a moment */
	struct ssh_connection *kept; /* the one kept last is the first */
	uint64_t n_sessions;
	char *last_agent;        /* of ssh_use_agent; NULL */
	int64_t fall_back_until; /* the fallback first; clock_mono_ms */
	/* What was found out about a failure, and until when it holds. */
	char *why_key, *why;
	int64_t why_until;
};

/* ---- ssh.c ---- */

/* One that is alive, and for anybody or for `only`; NULL. */
struct ssh_connection *ssh_take(struct ssh *, const char *key,
				const void *only);
/* For who asks next, until its time is over. */
void ssh_keep(struct ssh *, struct ssh_connection *);
void ssh_forget(struct ssh *, const void *only); /* those of `only` */
void ssh_count_session(struct ssh *);
bool ssh_falls_back_first(struct ssh *);
void ssh_note_fallback(struct ssh *, bool falls_back);

/* ---- ssh_run.c ---- */

/* "ws/repo.git" at the place. -errno with its sentence. */
int ssh_connect(struct ctx *, struct ssh *, const struct ssh_place *,
		const char *path, struct ssh_connection **ret_connection);
/* `ssh -T` to its end; what it said on standard error is added. 0 or as
 * program_run. */
int ssh_sign_in(struct ctx *, struct ssh *, const struct ssh_place *,
		int64_t timeout_ms, struct buf *said, int *ret_status);
/* A command of the server's and its arguments, the first of which is a path
 * there, to its end. 0 or as program_run. */
int ssh_run(struct ctx *, struct ssh *, const struct ssh_place *,
	    const char *command, const char *path, const char *argument,
	    int64_t timeout_ms, struct buf *out, struct buf *said,
	    int *ret_status);
/* The fallback's place, if the place has one; false: none. */
bool ssh_fallback_place(const struct ssh *, const struct ssh_place *,
			struct ssh_place *ret_place);
/* One of OpenSSH's programs, to its end. What it printed; NULL: it failed. */
char *ssh_scan_keys(struct ctx *, const char *host, const char *port);
/* Of lines of known_hosts: the fingerprint of each. */
char *ssh_fingerprints(struct ctx *, const char *lines);
/* `ssh -G`: the settings that hold for the place. */
char *ssh_settings(struct ctx *, const struct ssh_place *);
/* Whether the key of that file needs a passphrase. */
bool ssh_is_encrypted(struct ctx *, const char *file);

/* ---- ssh_place.c ---- */

/* The server would take them for a path, and for no option. */
bool ssh_can_be_asked_for(const char *workspace, const char *slug);

/* ---- ssh_agent.c ---- */

/* Where an agent listens now; NULL: none is known. Free it. */
char *ssh_agent_find(struct ctx *, struct ssh *);

/* ---- ssh_talk.c ---- */

/*
 * Sends the request (n may be 0) and hands what comes to the sink until
 * *ended. 0; 1 when the program's output ended before, and what it said is in
 * the connection; the sink's errno, -EINTR, -ETIMEDOUT with sentences. Only
 * after 0 the connection can be used again.
 */
int ssh_talk(struct ctx *, struct ssh_connection *, const void *request,
	     size_t n, const struct http_sink *, const bool *ended,
	     bool *ret_answered);
/* Nothing is to be read, and nobody hung up. */
bool ssh_is_quiet(const struct ssh_connection *);

/* ---- ssh_says.c ---- */

enum ssh_kind {
	SSH_UNKNOWN,       /* no line of the table */
	SSH_NOT_CONNECTED, /* another port may do */
	SSH_HOST_KEY_UNKNOWN,
	SSH_KEY_REFUSED,
	SSH_OTHER,
};
struct ssh_verdict {
	enum ssh_kind kind;
	int errnum; /* < 0 */
	bool missing;
	char sentence[500];
};
/* What was said on standard error, by ssh or by the server. */
void ssh_judge(const struct ssh_place *, const char *said,
	       struct ssh_verdict *ret_verdict);

/* ---- ssh_why.c ---- */

/* For a host's unknown key and a refused key more is found out, once in a
 * while: the sentence grows. */
void ssh_find_out(struct ctx *, struct ssh *, const struct ssh_place *,
		  struct ssh_verdict *);

/* ---- ssh_host_key.c ---- */

void ssh_find_out_host_key(struct ctx *, const struct ssh_place *,
			   struct ssh_verdict *);
/* Of the lines of known_hosts and those of ssh-keygen -l: the sentence. A line
 * for which there is no room is not shown, but how to have it. */
void ssh_say_host_key(const struct ssh_place *, const char *lines,
		      const char *fingerprints, char *out, size_t size);

#endif
