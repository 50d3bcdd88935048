/*
 * wire/ssh: the door to the system's ssh(1): where a repository is by SSH, the
 * processes that reach it, and what it means when they fail.
 *
 * Owns the connections (one for a repository's conversation, a few kept a
 * little while for the next one with the same repository), the agent's socket,
 * and the sentences. The user's configuration, keys and known_hosts are ssh's
 * to read, and the user's to write. Nobody is ever asked anything (BatchMode).
 * Must never know a token, or what git says.
 */
#ifndef WIRE_SSH_H
#define WIRE_SSH_H

#include "wire/link.h"

#define SSH_HOST "ssh.bitbucket.org"
/* What answers at port 443, for networks that let nothing else out. */
#define SSH_FALLBACK "altssh.bitbucket.org:443"

/* ---- where ---- */

struct ssh_place {
	char *user, *host;
	unsigned port; /* 0: as the user's configuration says, else 22 */
	char *prefix;  /* of repositories' paths, "/srv/git/"; "" */
};
void ssh_place_done(struct ssh_place *);
DEFINE_CLEANUP_DONE(struct ssh_place, ssh_place_done);
/* "ssh://git@host:22/prefix" or "git@host:prefix"; without a user it is git's.
 * bitbucket.org, which answers no SSH any more, and altssh without a port are
 * SSH_HOST. NULL, or what is wrong, as the end of a sentence (static). */
const char *ssh_place_parse(const char *text, struct ssh_place *ret_place);
bool ssh_is_here(const char *url); /* its host is this machine */
bool ssh_is_url(const char *text); /* meant to be one of the two forms */
/* The first of the two forms, without a final slash; free it. */
char *ssh_place_url(const struct ssh_place *);

/* ---- the connections of a mount ---- */

struct ssh_config {
	const char *agent; /* the first socket to try; NULL: none */
	/* "host:port", where the other does not connect; "off": nowhere; NULL:
	 * SSH_FALLBACK, for SSH_HOST alone. */
	const char *fallback;
};
struct ssh;
/* After the last fork: starts a thread. */
int ssh_new(const struct ssh_config *, struct ssh **ret_ssh);
struct ssh *ssh_free(struct ssh *); /* when no link is left */
DEFINE_CLEANUP(struct ssh *, ssh_free);
/* The agent of who spoke to this mount last, found by the next connection; from
 * any thread. */
void ssh_use_agent(struct ssh *, const char *socket);
/* Sessions that were begun: what the service counts. NULL: 0. */
uint64_t ssh_n_sessions(struct ssh *);

/*
 * Signs in at the place of the url (falls_back: at its fallback) and out again,
 * as `ssh -T` does. 0: it lets us in; -EOPNOTSUPP: it has no fallback; else as
 * below, with the sentence. Waits timeout_ms for ssh, then a little for more of
 * the sentence.
 */
int ssh_try(struct ctx *, struct ssh *, const char *url, bool falls_back,
	    int64_t timeout_ms);

/* What `git-lfs-authenticate workspace/slug.git download` prints there, which
 * is secret; its errors are those of a link. */
int ssh_authenticate_lfs(struct ctx *, struct ssh *, const char *url,
			 const char *workspace, const char *slug,
			 struct buf *out);

/*
 * A link (wire/link.h) to the git-upload-pack of workspace/slug.git there.
 * whose is what has that name (a uuid): a connection that is kept stays with
 * the repository it was made to, and after a rename is nobody else's. Its
 * errors, besides those of a cancelled ctx: -ENETUNREACH no route, name or
 * connection · -ETIMEDOUT · -ECONNRESET broken off · -EACCES the host's key or
 * ours is refused · -ENOENT no such repository (missing is set) · -EDQUOT ·
 * -EPROTO no git there · -EIO no ssh on this machine; each with its
 * sentence. A text that no path can have is -ENAMETOOLONG. All is copied but
 * ssh.
 */
int link_ssh_new(struct ssh *, const char *url, const char *whose,
		 const char *workspace, const char *slug,
		 struct link **ret_link);

#endif
