/*
 * wire/ssh, what ssh's words mean: one table, which is read from the top: the
 * words of a cause come before those of what follows from it.
 *
 * The words are OpenSSH's of the C locale, and those that a server's command
 * says, which arrive on the same standard error. They decide about sentences
 * and errnos alone.
 */
#include "ssh_private.h"

#include <ctype.h>

/* What "%s" of a sentence is. */
enum subject {
	HOST,  /* the place's */
	FILE_, /* the first '…' or "…" or path after the words */
	LINE,  /* the line of the words, cleaned */
	FIRST, /* the first line, cleaned */
};

static const struct words {
	const char *words;
	int errnum;
	enum ssh_kind kind;
	enum subject subject;
	const char *sentence;
	bool missing;
} table[] = {
	/* ---- the user's files ---- */
	{"Bad owner or permissions on ", EACCES, SSH_OTHER, FILE_,
	 "ssh does not read its configuration %s, which others may write: "
	 "chmod go-w it"},
	{"Bad configuration option", EINVAL, SSH_OTHER, LINE,
	 "ssh does not understand its configuration: %s"},
	{"no argument after keyword", EINVAL, SSH_OTHER, LINE,
	 "ssh does not understand its configuration: %s"},
	{"nsupported option", EINVAL, SSH_OTHER, LINE,
	 "ssh does not understand its configuration: %s"},

	/* ---- the host's key ---- */
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", EACCES, SSH_OTHER, HOST,
	 "the host key of %s is another than the one in your known_hosts: "
	 "somebody may be listening. If the service has announced a new key "
	 "(https://bitbucket.org/site/ssh), take the old one out with "
	 "ssh-keygen -R HOST (-R '[HOST]:PORT' where the port is not 22)"},
	{"marked as revoked", EACCES, SSH_OTHER, HOST,
	 "the host key of %s is marked as revoked in your known_hosts"},
	{"host key is known for", EACCES, SSH_HOST_KEY_UNKNOWN, HOST,
	 "the host key of %s is not in your known_hosts"},
	{"Host key verification failed", EACCES, SSH_HOST_KEY_UNKNOWN, HOST,
	 "the host key of %s is not in your known_hosts"},
	{"no matching host key type found", EPROTO, SSH_OTHER, HOST,
	 "ssh and %s have no type of host key in common"},
	{"Unable to negotiate with", EPROTO, SSH_OTHER, LINE,
	 "ssh and the server have no method in common: %s"},

	/* ---- the way there: what is on it says why ---- */
	{"Connection closed by remote host\r\nConnection closed by UNKNOWN "
	 "port",
	 ECONNRESET, SSH_NOT_CONNECTED, FIRST,
	 "the proxy of your ssh configuration does not get there: %s"},

	/* ---- our keys ---- */
	{"UNPROTECTED PRIVATE KEY FILE", EACCES, SSH_OTHER, FILE_,
	 "ssh does not use the key %s, which others can read: chmod 600 it"},
	{"are too open", EACCES, SSH_OTHER, FILE_,
	 "ssh does not use the key %s, which others can read: chmod 600 it"},
	{"bad permissions", EACCES, SSH_OTHER, FILE_,
	 "ssh does not use the key %s, which others can read: chmod 600 it"},
	{"agent refused operation", EACCES, SSH_OTHER, HOST,
	 "the agent does not sign for %s: it may be locked (ssh-add -X), or "
	 "wait for a touch of the key"},
	{"Too many authentication failures", EACCES, SSH_OTHER, HOST,
	 "%s was offered too many keys before the right one: name it by "
	 "IdentityFile and IdentitiesOnly yes in ~/.ssh/config"},
	{"Permission denied (", EACCES, SSH_KEY_REFUSED, HOST,
	 "%s takes none of your SSH keys"},

	/* ---- the network ---- */
	{"Could not resolve hostname", ENETUNREACH, SSH_OTHER, HOST,
	 "the name %s cannot be resolved"},
	{"Connection refused", ENETUNREACH, SSH_NOT_CONNECTED, HOST,
	 "%s refuses SSH connections (or a firewall does)"},
	{"No route to host", ENETUNREACH, SSH_NOT_CONNECTED, HOST,
	 "there is no route to %s"},
	{"Network is unreachable", ENETUNREACH, SSH_NOT_CONNECTED, HOST,
	 "there is no route to %s"},
	{"during banner exchange", ETIMEDOUT, SSH_NOT_CONNECTED, HOST,
	 "%s does not answer by SSH, though something connects"},
	{"Connection timed out", ETIMEDOUT, SSH_NOT_CONNECTED, HOST,
	 "no SSH connection to %s in time (a firewall may drop it)"},
	{"Operation timed out", ETIMEDOUT, SSH_NOT_CONNECTED, HOST,
	 "no SSH connection to %s in time (a firewall may drop it)"},
	{"banner line contains invalid", EPROTO, SSH_NOT_CONNECTED, HOST,
	 "what answers at %s is no SSH"},
	{"kex_exchange_identification", ECONNRESET, SSH_NOT_CONNECTED, HOST,
	 "%s hung up before it had said who it is"},
	{"not responding", ETIMEDOUT, SSH_OTHER, HOST,
	 "%s does not answer any more"},

	/* ---- the repository: no words that a banner for all may have ---- */
	{"epository access denied", ENOENT, SSH_OTHER, HOST,
	 "%s has no such repository, or hides it from your SSH key", true},
	{"epository not found", ENOENT, SSH_OTHER, HOST,
	 "%s has no such repository, or hides it from your SSH key", true},
	{"epository does not exist", ENOENT, SSH_OTHER, HOST,
	 "%s has no such repository, or hides it from your SSH key", true},
	{"either does not exist or you do not have access", ENOENT, SSH_OTHER,
	 HOST, "%s has no such repository, or hides it from your SSH key",
	 true},
	{"does not appear to be a git repository", ENOENT, SSH_OTHER, HOST,
	 "%s has no such repository", true},
	{"not a git repository", ENOENT, SSH_OTHER, HOST,
	 "%s has no such repository", true},
	{"llowlist", EACCES, SSH_OTHER, LINE,
	 "the service lets nobody in from this address: %s"},
	{"hitelist", EACCES, SSH_OTHER, LINE,
	 "the service lets nobody in from this address: %s"},
	{"rate limit", EDQUOT, SSH_OTHER, HOST,
	 "%s allows no more git requests for now"},
	{"oo many requests", EDQUOT, SSH_OTHER, HOST,
	 "%s allows no more git requests for now"},
	{"command not found", EPROTO, SSH_OTHER, HOST,
	 "there is no git-upload-pack at %s"},
	{"upload-pack: not found", EPROTO, SSH_OTHER, HOST,
	 "there is no git-upload-pack at %s"},

	/* ---- what follows from anything ---- */
	{"Connection closed by", ECONNRESET, SSH_OTHER, HOST, "%s hung up"},
	{"Connection reset by", ECONNRESET, SSH_OTHER, HOST, "%s hung up"},
	{"closed by remote host", ECONNRESET, SSH_OTHER, HOST, "%s hung up"},
	{"Broken pipe", ECONNRESET, SSH_OTHER, HOST, "%s hung up"},
};

/* "host:port" for people. */
static void name_of(const struct ssh_place *place, char *out, size_t size)
{
	if (place->port)
		snprintf(out, size, "%.100s:%u", place->host, place->port);
	else
		snprintf(out, size, "%.100s", place->host);
}

/* The line in which the words are, without what would command a terminal. */
static void line_of(const char *said, const char *at, char *out, size_t size)
{
	const char *begin = at;
	size_t n = 0;

	while (begin > said && begin[-1] != '\n')
		begin--;
	for (; *begin && *begin != '\n' && n + 1 < size; begin++)
		out[n++] = isprint((unsigned char)*begin) ? *begin : ' ';
	while (n && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
}

/* The first path in quotes, else the first path, from the words' line on. */
static void file_of(const char *said, const char *at, char *out, size_t size)
{
	const char *begin = at, *path;
	size_t n;

	while (begin > said && begin[-1] != '\n')
		begin--;
	path = strpbrk(begin, "'\"/");
	while (path && *path != '/' && path[1] != '/')
		path = strpbrk(path + 1, "'\"/");
	if (!path) {
		snprintf(out, size, "of yours");
		return;
	}
	n = *path == '/' ? strcspn(path, " :\r\n") : strcspn(++path, "'\"\r\n");
	line_of(path, path, out, n + 1 < size ? n + 1 : size);
}

static void last_line_of(const char *said, char *out, size_t size)
{
	size_t n = strlen(said);

	while (n && isspace((unsigned char)said[n - 1]))
		n--;
	line_of(said, said + (n ? n - 1 : 0), out, size);
}

void ssh_judge(const struct ssh_place *place, const char *said,
	       struct ssh_verdict *ret_verdict)
{
	struct ssh_verdict verdict = {SSH_UNKNOWN, -ECONNRESET, false, ""};
	const struct words *row = NULL;
	const char *at = NULL, *hole;
	char subject[250], host[120];

	for (size_t i = 0; !at && i < ARRAY_SIZE(table); i++) {
		row = &table[i];
		at = strstr(said, row->words);
	}
	name_of(place, host, sizeof(host));
	if (!at) {
		last_line_of(said, subject, sizeof(subject));
		snprintf(verdict.sentence, sizeof(verdict.sentence),
			 *subject ? "the SSH connection to %s ended: %s"
				  : "the SSH connection to %s ended",
			 host, subject);
		*ret_verdict = verdict;
		return;
	}
	if (row->subject == HOST)
		snprintf(subject, sizeof(subject), "%s", host);
	else if (row->subject == FILE_)
		file_of(said, at, subject, sizeof(subject));
	else
		line_of(said, row->subject == FIRST ? said : at, subject,
			sizeof(subject));
	hole = strstr(row->sentence, "%s");
	verdict.kind = row->kind;
	verdict.errnum = -row->errnum;
	verdict.missing = row->missing;
	snprintf(verdict.sentence, sizeof(verdict.sentence), "%.*s%s%s",
		 (int)(hole - row->sentence), row->sentence, subject,
		 hole + strlen("%s"));
	*ret_verdict = verdict;
}
