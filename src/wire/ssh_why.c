/*
 * wire/ssh, what else can be found out when a key is refused: the host's
 * (ssh_host_key.c), and ours, of which ssh does not say in BatchMode that it
 * wanted a passphrase.
 *
 * This starts more programs, so what was found out holds for a while: who adds
 * a line or a key is let in by ssh and never comes here.
 */
#include "ssh_private.h"

#include "base/clock.h"
#include "base/file.h"

#include <stdarg.h>
#include <unistd.h>

#define HOLDS_MS 10000
#define KEYS_PAGE "https://bitbucket.org/account/settings/ssh-keys/"

/* A path may be longer than there is room: the end is cut. */
static void say(struct ssh_verdict *verdict, const char *fmt, ...)
	printf_like(2, 3);
static void say(struct ssh_verdict *verdict, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(verdict->sentence, sizeof(verdict->sentence), fmt, ap);
	va_end(ap);
}

/* The first of the user's key files that is there, and whether it is one that
 * needs a passphrase; NULL: none is there. */
static char *find_key(struct ctx *ctx, const char *settings,
		      bool *ret_encrypted)
{
	static const char name[] = "identityfile ";
	char *first = NULL;

	*ret_encrypted = false;
	for (const char *at = settings; at; at = strchr(at, '\n')) {
		cleanup(free) char *file = NULL;
		cleanup(free) char *path = NULL;

		at += *at == '\n';
		if (strncmp(at, name, sizeof(name) - 1))
			continue;
		at += sizeof(name) - 1;
		file = mem_dup0(at, strcspn(at, "\n"));
		if (strncmp(file, "~/", 2))
			path = mem_strdup(file);
		else if (file_home_path(file + 2, &path))
			continue;
		if (access(path, F_OK))
			continue;
		if (ssh_is_encrypted(ctx, path)) {
			*ret_encrypted = true;
			free(first);
			return steal(&path);
		}
		if (!first)
			first = steal(&path);
	}
	return first;
}

static void find_out_key(struct ctx *ctx, struct ssh *ssh,
			 const struct ssh_place *place,
			 struct ssh_verdict *verdict)
{
	cleanup(free) char *settings = ssh_settings(ctx, place);
	cleanup(free) char *agent = ssh_agent_find(ctx, ssh);
	bool encrypted = false;
	cleanup(free) char *key = settings ? find_key(ctx, settings, &encrypted)
					   : NULL;

	if (encrypted && !agent)
		say(verdict,
		    "%.60s takes none of your SSH keys: %.150s has a "
		    "passphrase, and no agent is known here that has it: "
		    "eval \"$(ssh-agent)\"; ssh-add %.150s (and "
		    "ssh_agent, if the agent is not found)",
		    place->host, key, key);
	else if (encrypted)
		say(verdict,
		    "%.60s takes none of your SSH keys: %.150s has a "
		    "passphrase, and the agent has not got it, or the "
		    "account has not: ssh-add %.150s",
		    place->host, key, key);
	else if (key)
		say(verdict,
		    "%.60s takes none of your SSH keys (%.150s): add its "
		    "public half to the account, at " KEYS_PAGE,
		    place->host, key);
	else if (settings && !agent)
		say(verdict,
		    "%.60s takes none of your SSH keys, for there is "
		    "none, and no agent: ssh-keygen -t ed25519 makes one; "
		    "its public half goes to " KEYS_PAGE,
		    place->host);
	else
		say(verdict,
		    "%.60s takes none of the agent's SSH keys (ssh-add -l "
		    "lists them): add a public half to the account, "
		    "at " KEYS_PAGE,
		    place->host);
}

/* ---- once in a while ---- */

static bool recall(struct ssh *ssh, const char *key,
		   struct ssh_verdict *verdict)
{
	bool holds;

	mutex_lock(&ssh->lock);
	holds = ssh->why && !strcmp(ssh->why_key, key) &&
		ssh->why_until > clock_mono_ms();
	if (holds)
		snprintf(verdict->sentence, sizeof(verdict->sentence), "%s",
			 ssh->why);
	mutex_unlock(&ssh->lock);
	return holds;
}

static void remember(struct ssh *ssh, const char *key, const char *why)
{
	char *old_key, *old;

	mutex_lock(&ssh->lock);
	old_key = ssh->why_key;
	old = ssh->why;
	ssh->why_key = mem_strdup(key);
	ssh->why = mem_strdup(why);
	ssh->why_until = clock_mono_ms() + HOLDS_MS;
	mutex_unlock(&ssh->lock);
	free(old_key);
	free(old);
}

void ssh_find_out(struct ctx *ctx, struct ssh *ssh,
		  const struct ssh_place *place, struct ssh_verdict *verdict)
{
	bool is_host = verdict->kind == SSH_HOST_KEY_UNKNOWN;
	cleanup(free) char *key = NULL;

	if (!is_host && verdict->kind != SSH_KEY_REFUSED)
		return;
	key = mem_asprintf("%d %s %u", verdict->kind, place->host, place->port);
	if (recall(ssh, key, verdict))
		return;
	if (is_host)
		ssh_find_out_host_key(ctx, place, verdict);
	else
		find_out_key(ctx, ssh, place, verdict);
	remember(ssh, key, verdict->sentence);
}
