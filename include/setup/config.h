/*
 * setup/config: what the user wants, from three places: mount options, the
 * environment, the configuration file (in this precedence), else defaults.
 *
 * Owns the names of the settings and what values they may have; one table, so
 * that each can be given in each of the places. Must never know what the
 * settings do. Secrets are the token and what a proxy's URL may have before its
 * host; they come from the environment or the file, never from an option. The
 * token is wiped as soon as the credential is made of it.
 */
#ifndef SETUP_CONFIG_H
#define SETUP_CONFIG_H

#include "base/mem.h"

#include <sys/types.h>

#define CONFIG_API_URL "https://api.bitbucket.org/2.0"
#define CONFIG_GIT_URL "https://bitbucket.org"
/* The profile of that name is none, where the file has no section of it: a unit
 * of systemd's has to be an instance of something. */
#define CONFIG_NO_PROFILE "default"
#define CONFIG_FILE_MAX (64 * KIB)
#define CONFIG_UNBOUNDED UINT64_MAX

struct config {
	/* Whose section of the file is used; NULL: none. */
	char *profile;
	bool is_profile_chosen; /* by config_choose_profile */
	char **profiles;        /* all of the file; NULL-terminated; or NULL */
	char *file;             /* that was read, or would have been; or NULL */
	/* The credential's parts; NULL: not given. Setting an e-mail or user
	 * name hides both names of the places below. */
	char *email, *username, *token;
	/* A token was given as nothing: anonymous, whatever login keeps. */
	bool is_anonymous;
	char *token_command; /* prints the token; NULL: not given */
	/* The OAuth consumer; the token, without a name beside it, is its
	 * secret; NULL: none. And where its callback is. */
	char *oauth_client_id;
	unsigned oauth_port;
	char *oauth_url; /* where it is known, without a final slash */
	/* Whence the token is: "environment", a file's path; NULL: none. */
	char *token_from;
	char *api_url, *git_url; /* without a final slash */
	char *git_fallback;      /* likewise; NULL: none */
	char *own_url; /* the git host of api_url's service, likewise */
	/* By SSH, in place of git_url, which then is the service's own; NULL:
	 * by git_url. */
	char *ssh_url;
	char *ssh_fallback; /* "host:port", "off"; NULL: the service's */
	char *ssh_agent;    /* a socket, absolute; NULL: none is named */
	enum config_transport {
		CONFIG_TRANSPORT_OPEN, /* as git_url says, else HTTPS */
		CONFIG_TRANSPORT_HTTPS,
		CONFIG_TRANSPORT_SSH,
	} transport;
	/* Of ssh_url or git_url: it is not the git host of api_url's service;
	 * and of git_fallback: it is, so it may see the credential. */
	bool is_mirror, fallback_is_own;
	char *cache_dir;     /* absolute; of a profile, its own */
	char *mountpoint;    /* absolute; NULL: ~/bitbucket */
	char *ca_file;       /* absolute; NULL: the system's alone */
	char *proxy;         /* a URL; NULL: as the environment says */
	char *log_file;      /* absolute; NULL: syslog */
	char *jira_url;      /* without a final slash; NULL: not given */
	bool tells_requests; /* the log has a line for each */
	char **workspaces;   /* NULL-terminated; NULL: none */
	char **indexers;     /* likewise; NULL: nothing was said of them */
	int64_t ttl_ms;
	unsigned trees, walk;
	unsigned history;  /* items of a long list that its indexes have */
	unsigned listed;   /* of them, those that its directory lists */
	uint64_t big_file; /* bytes of a file of a tree, at most */
	/* Bytes of a tree that are brought before anybody asked for them, at
	 * most. 0: none; CONFIG_UNBOUNDED: all. */
	uint64_t hydrate;
	/* Bytes of one object of LFS that is brought for who walks, at most.
	 * 0: such a file is its pointer; CONFIG_UNBOUNDED: any number. */
	uint64_t lfs;
	/* Bytes of an account's cache, at most. 0: nothing was said, so it
	 * follows from the disk; CONFIG_UNBOUNDED: it may fill the disk. */
	uint64_t cache_size;
	/* What a submodule is. */
	enum config_submodules {
		CONFIG_SUBMODULES_OFF,  /* an empty directory */
		CONFIG_SUBMODULES_LINK, /* a link to its files, if they have a
					 * place here */
		CONFIG_SUBMODULES_TREE, /* a directory of its files */
	} submodules;
	/* Whose everything in the mount is (default: who mounts), and the bits
	 * of the modes that are taken away (default: none). */
	uid_t uid;
	gid_t gid;
	mode_t umask;
	/* Options for libfuse, in the order given; NULL-terminated; NULL:
	 * none. Without those that the mount sets itself. */
	char **fuse_options;
	size_t n_fuse_options;
	/* After a failure: one sentence for people, naming the place. It has no
	 * value of a setting that may be a secret. */
	char why[1024];
};

/* A line of the table of settings. */
struct config_setting {
	/* As an option (-o name=), as a key of the file and, in capitals after
	 * BITBUCKETFS_, in the environment. */
	const char *name;
	const char *value; /* what it is set to, for people; NULL: true */
	const char *what;  /* the same in some words */
	int (*set)(struct config *, const struct config_setting *,
		   const char *value);
	size_t at; /* of its member in struct config, where one function sets
		    * several */
	uint64_t most;
	enum {
		CONFIG_PLAIN,
		CONFIG_NAME,   /* given as nothing hides those below */
		CONFIG_SECRET, /* the same, and no option */
		CONFIG_PROXY,  /* secret where it has a user in it */
		/* What is run: no option, which others may have written (an
		 * fstab, a map of autofs); nor in a file that they can. */
		CONFIG_COMMAND,
		CONFIG_PROFILE, /* which section of the file is used */
	} kind;
};
static inline bool config_is_option(const struct config_setting *setting)
{
	return setting->kind != CONFIG_SECRET &&
	       setting->kind != CONFIG_COMMAND;
}
/* In the order of the manual; NULL: no more. */
const struct config_setting *config_setting(size_t i);

/* Every setting at its default; cache_dir is left NULL until config_finish. */
void config_init(struct config *);
void config_done(struct config *); /* wipes the token */
DEFINE_CLEANUP_DONE(struct config, config_done);

/*
 * Which profile is used, of the texts of -o, else of the environment; before
 * the file is read, whose general part may name one, too. Broken options are
 * not judged yet. 0 or -EINVAL with the sentence.
 */
int config_choose_profile(struct config *, const char *const *options,
			  size_t n_options);

/* What is wrong with the name of a profile; NULL: nothing. */
const char *config_profile_problem(const char *name);
/* That profile, or none (""), whatever the others say: before the file is read,
 * and again before config_finish. */
void config_use_profile(struct config *, const char *name);

/* All of these return 0, or -EINVAL (or what reading a file gave) with the
 * sentence in why. Later calls win over earlier ones. */

/* The bytes of a configuration file; name is for the sentences, which have the
 * line and the column of what is wrong. What the section of the profile says
 * wins over the general part above all sections; the values of other sections
 * are not judged. ret_secret says whether any of them has a token or a proxy's
 * password. */
int config_parse(struct config *, const char *name, const char *bytes, size_t n,
		 bool *ret_secret);
/* That file; a missing one is fine. One with a secret that the group or others
 * can read is refused, and one with a token_command that anybody else can
 * write. */
int config_read_file(struct config *, const char *path);
/* BITBUCKETFS_*. Values that may be secrets are overwritten where they stand,
 * in the memory that /proc/PID/environ shows, and then unset. */
int config_read_environment(struct config *);
/* The text of one -o: comma-separated, "\," is a comma. sloppy: unknown ones
 * are passed over, as mount -s asks. */
int config_read_options(struct config *, const char *text, bool sloppy);
/* Defaults that follow from the rest, and what only the whole can say: that a
 * profile is one of the file, and a credential goes over plain http to loopback
 * addresses only. */
int config_finish(struct config *);
/* What config_finish says where there is a token: a credential that came from
 * elsewhere goes over plain http to loopback addresses only, too. */
int config_check_cleartext(struct config *);
/* The key of an OAuth consumer that somebody typed. 0 or -EINVAL. */
int config_give_consumer(struct config *, const char *key);
/* Overwrites the token and forgets it. */
void config_wipe_token(struct config *);

#endif
