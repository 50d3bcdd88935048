/*
 * wire/ssh, a host's unknown key: which one it is, whether it is one that has
 * been published, and the line for known_hosts, which is the user's to write.
 */
#include "ssh_private.h"

#include <strings.h>

/* Atlassian's, since 2023-06-20 ("ssh-host-key-changes"). */
static const char *const published[] = {
	"SHA256:ybgmFkzwOSotHTHLJgHO0QN8L0xErw6vd0VhFA9m3SM",
	"SHA256:FC73VB6C4OQLSCrjEayhMp9UMxS97caD/Yyi2bhW/J0",
};

/* The first line that has that word, without its end; "": none. A comment is
 * what the server calls itself: it may be anything. */
static void find_line(const char *lines, const char *word, char *out,
		      size_t size)
{
	size_t n;

	*out = '\0';
	for (; *lines; lines += n + (lines[n] == '\n')) {
		n = strcspn(lines, "\n");
		if (*lines == '#' || !memmem(lines, n, word, strlen(word)))
			continue;
		snprintf(out, size, "%.*s", (int)strcspn(lines, "\r\n"), lines);
		break;
	}
	for (char *c = out; *c; c++)
		if ((unsigned char)*c < ' ' || (unsigned char)*c > '~')
			*c = '?';
}

static bool is_bitbucket(const char *host)
{
	static const char domain[] = ".bitbucket.org";
	size_t n = strlen(host);

	return n >= sizeof(domain) - 1 &&
	       !strcasecmp(host + n - (sizeof(domain) - 1), domain);
}

static bool is_published(const char *fingerprint)
{
	for (size_t i = 0; i < ARRAY_SIZE(published); i++)
		if (!strcmp(published[i], fingerprint))
			return true;
	return false;
}

/* A line that was cut would be another key. */
static void say_what_to_add(const struct ssh_place *place, const char *line,
			    char *out, size_t size)
{
	if (strlen(line) < size - sizeof("the line "))
		snprintf(out, size, "the line %s", line);
	else
		snprintf(out, size,
			 "what ssh-keyscan -t rsa -p %u %.60s prints",
			 place->port ? place->port : 22, place->host);
}

void ssh_say_host_key(const struct ssh_place *place, const char *lines,
		      const char *fingerprints, char *out, size_t size)
{
	static const struct {
		const char *name, *type;
	} types[] = {{"(ED25519)", " ssh-ed25519 "},
		     {"(ECDSA)", " ecdsa-sha2-"},
		     {"(RSA)", " ssh-rsa "}};
	char line[2048] = "", said[300] = "", fingerprint[64] = "", add[250];
	const char *at;

	for (size_t i = 0; !(*line && *said) && i < ARRAY_SIZE(types); i++) {
		find_line(lines, types[i].type, line, sizeof(line));
		find_line(fingerprints, types[i].name, said, sizeof(said));
	}
	at = strstr(said, "SHA256:");
	if (!*line || !at)
		return;
	snprintf(fingerprint, sizeof(fingerprint), "%.*s",
		 (int)strcspn(at, " "), at);
	say_what_to_add(place, line, add, sizeof(add));
	if (is_published(fingerprint))
		snprintf(out, size,
			 "the host key of %.60s is not in your known_hosts; it "
			 "is %s, which Atlassian has published: add to "
			 "~/.ssh/known_hosts %s",
			 place->host, fingerprint, add);
	else if (is_bitbucket(place->host))
		snprintf(
			out, size,
			"the host key of %.60s is not in your known_hosts, and "
			"it is %s, which is NOT one that Atlassian has "
			"published: somebody may be listening. Compare with "
			"https://bitbucket.org/site/ssh",
			place->host, fingerprint);
	else
		snprintf(out, size,
			 "the host key of %.60s is not in your known_hosts; it "
			 "is %s: if whoever runs that host says so, too, add "
			 "to ~/.ssh/known_hosts %s",
			 place->host, fingerprint, add);
}

/* ---- which host that is ---- */

/* Of `ssh -G`; NULL: not set. Free it. */
static char *setting(const char *settings, const char *name)
{
	size_t n = strlen(name);

	for (const char *at = settings; at; at = strchr(at, '\n')) {
		at += *at == '\n';
		if (!strncmp(at, name, n) && at[n] == ' ')
			return mem_dup0(at + n + 1, strcspn(at + n + 1, "\n"));
	}
	return NULL;
}

static bool is_set(const char *settings, const char *name)
{
	cleanup(free) char *value = setting(settings, name);

	return value && strcasecmp(value, "none");
}

/* Nobody but ssh knows then whose key it is, and under which name: that of a
 * host on the way may be the unknown one, and the host itself cannot be asked.
 */
static bool goes_another_way(const char *settings)
{
	return is_set(settings, "proxyjump") ||
	       is_set(settings, "proxycommand") ||
	       is_set(settings, "hostkeyalias");
}

static void say_another_way(const struct ssh_place *place,
			    struct ssh_verdict *verdict)
{
	char no_prefix[] = "";
	const struct ssh_place top = {place->user, place->host, place->port,
				      no_prefix};
	cleanup(free) char *url = ssh_place_url(&top);

	snprintf(verdict->sentence, sizeof(verdict->sentence),
		 "the host key of %.60s, or of a host on the way there, is not "
		 "in your known_hosts: ssh -T %.150s shows it, and asks",
		 place->host, url);
}

/* The host and port that are asked are those of the user's configuration. */
void ssh_find_out_host_key(struct ctx *ctx, const struct ssh_place *place,
			   struct ssh_verdict *verdict)
{
	cleanup(free) char *settings = ssh_settings(ctx, place);
	cleanup(free) char *port = setting(settings, "port");
	cleanup(ssh_place_done) struct ssh_place real = {
		.host = setting(settings, "hostname")};
	cleanup(free) char *lines = NULL;
	cleanup(free) char *fingerprints = NULL;

	if (!port || !real.host)
		return;
	if (goes_another_way(settings)) {
		say_another_way(place, verdict);
		return;
	}
	real.port = (unsigned)strtoul(port, NULL, 10);
	lines = ssh_scan_keys(ctx, real.host, port);
	fingerprints = lines ? ssh_fingerprints(ctx, lines) : NULL;
	if (fingerprints)
		ssh_say_host_key(&real, lines, fingerprints, verdict->sentence,
				 sizeof(verdict->sentence));
}
