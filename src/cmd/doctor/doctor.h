/*
 * cmd/doctor/doctor: what the checks share, and what each of them is.
 *
 * A check runs on a thread of its own beside the others, looks at one thing and
 * adds its lines. It changes nothing, and asks nobody for a secret. One that
 * does not look at its ctx (a file system that hangs) is given up.
 */
#ifndef CMD_DOCTOR_DOCTOR_H
#define CMD_DOCTOR_DOCTOR_H

#include "cmd/address/address.h"
#include "cmd/doctor/report.h"
#include "cmd/remote.h"

/* What a check may take, ctx's deadline. So much later what does not look at
 * that is cancelled, and what is not back as much later again is left behind.
 */
#define DOCTOR_CHECK_MS 4500
#define DOCTOR_GRACE_MS 300

/* A way to git's part of the service. */
enum doctor_way {
	DOCTOR_HTTPS,
	DOCTOR_SSH,
	DOCTOR_SSH_443, /* of ssh_fallback */
	DOCTOR_WAYS,
};
enum doctor_passes {
	DOCTOR_UNKNOWN,
	DOCTOR_BLOCKED, /* the network does not let it through */
	DOCTOR_PASSES,  /* it answers; what it says is another matter */
};

struct doctor {
	struct remote remote;   /* without account and cache */
	bool is_configured;     /* the configuration could be read */
	bool has_credential;    /* or nobody is signed in */
	const char *given;      /* ADDRESS; NULL: none */
	struct address address; /* of given, where it is configured */
	bool wants_ssh;         /* what was asked for goes by SSH */
	struct http *http;      /* for what has no credential, and git */
	atomic_uint n_requests; /* to the API */
	bool cache_is_sound;    /* of doctor_check_cache: all of it, or none */
	struct mutex lock;
	enum doctor_passes ways[DOCTOR_WAYS] under_lock;
};
void doctor_set_way(struct doctor *, enum doctor_way, enum doctor_passes);
/* Of a way that is blocked, that another one is not. SSH that passes at the
 * port of ssh_fallback alone is a warning: a mount works. */
void doctor_compare_ways(struct doctor *, struct report *);

/* "environment", a file, "token_command" */
const char *doctor_credential_from(const struct doctor *);
/* allow_other or allow_root is configured. */
bool doctor_allows_others(const struct doctor *);

typedef void doctor_check(struct ctx *, struct doctor *, struct report *);
doctor_check doctor_check_kernel;
doctor_check doctor_check_device;
doctor_check doctor_check_fusermount;
doctor_check doctor_check_allow_other;
doctor_check doctor_check_versions;
doctor_check doctor_check_cache;
doctor_check doctor_check_space;
doctor_check doctor_check_mounts;
doctor_check doctor_check_namespaces;
doctor_check doctor_check_plocate;
doctor_check doctor_check_tracker;
doctor_check doctor_check_baloo;
doctor_check doctor_check_service;
doctor_check doctor_check_git;
doctor_check doctor_check_ssh;
doctor_check doctor_check_ssh_443;
doctor_check doctor_check_curl;
/* Of an address whose repository is there. */
doctor_check doctor_check_clone;
doctor_check doctor_check_clone_ssh;
/* A line about http_perform's failure, of which ctx has the sentence. */
void doctor_add_unreachable(struct report *, const char *name,
			    const struct ctx *, int errnum);

#endif
