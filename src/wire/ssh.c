/*
 * wire/ssh: the connections that are kept.
 *
 * A connection costs a process here and one at the server, and half a second on
 * the way; so the one of a conversation that is over is kept for the next with
 * the same repository, but not for long, and not many: the one kept longest
 * goes. It is a repository's, not a name's: the server does not look at the
 * name again, nor at who may. What a server hangs up meanwhile is found out
 * within a second, so that no dead process stays.
 */
#include "ssh_private.h"

#include "base/clock.h"

#define KEPT_MOST 4
#define KEPT_MS 20000
#define LOOK_MS 1000
#define FALL_BACK_MS (5 * 60 * 1000)

struct wanted {
	const char *key;
	const void *only;
};

static bool is_wanted(const struct ssh_connection *c,
		      const struct wanted *wanted)
{
	return c->only ? c->only == wanted->only
		       : wanted->key && !strcmp(c->key, wanted->key);
}

static struct ssh_connection *take(struct ssh *ssh, const struct wanted *wanted)
{
	struct ssh_connection **at, *c;

	mutex_lock(&ssh->lock);
	while (ssh->looking)
		cond_wait(&ssh->looked, &ssh->lock);
	at = &ssh->kept;
	while (*at && !is_wanted(*at, wanted))
		at = &(*at)->next;
	c = *at;
	if (c)
		*at = steal(&c->next);
	mutex_unlock(&ssh->lock);
	return c;
}

/* After a suspend the way to the server is another one, and nobody would say
 * so. */
static bool is_good(const struct ssh_connection *c)
{
	return c->until_ms > clock_boot_ms() && ssh_is_quiet(c);
}

struct ssh_connection *ssh_take(struct ssh *ssh, const char *key,
				const void *only)
{
	const struct wanted wanted = {key, only};
	struct ssh_connection *c;

	while ((c = take(ssh, &wanted)) && !is_good(c))
		ssh_connection_free(c);
	return c;
}

void ssh_forget(struct ssh *ssh, const void *only)
{
	const struct wanted wanted = {NULL, only};

	ssh_connection_free(take(ssh, &wanted));
}

/* Those beyond the bound, which have been kept longest. */
static struct ssh_connection *cut(struct ssh *ssh) requires_lock(ssh->lock)
{
	struct ssh_connection **at = &ssh->kept;

	for (unsigned n = 0; *at && n < KEPT_MOST; n++)
		at = &(*at)->next;
	return steal(at);
}

static void free_all(struct ssh_connection *c)
{
	while (c) {
		struct ssh_connection *next = c->next;

		ssh_connection_free(c);
		c = next;
	}
}

void ssh_keep(struct ssh *ssh, struct ssh_connection *c)
{
	struct ssh_connection *oldest;

	/* What others go on with was let in not long ago: nobody is asked
	 * again whether he may. */
	c->until_ms = (c->only ? clock_boot_ms() : c->since_ms) + KEPT_MS;
	mutex_lock(&ssh->lock);
	c->next = ssh->kept;
	ssh->kept = c;
	oldest = cut(ssh);
	cond_signal(&ssh->work);
	mutex_unlock(&ssh->lock);
	free_all(oldest);
}

/* ---- their end ---- */

/* Looks at those that are kept, outside of the lock: who wants one meanwhile
 * waits these few microseconds, else he would make another session. */
static void look_through(struct ssh *ssh)
{
	struct ssh_connection *c, *all, *good = NULL, **end = &good,
					*bad = NULL, **bad_end = &bad;

	mutex_lock(&ssh->lock);
	all = steal(&ssh->kept);
	ssh->looking = true;
	mutex_unlock(&ssh->lock);
	while ((c = all)) {
		struct ssh_connection ***at = is_good(c) ? &end : &bad_end;

		all = steal(&c->next);
		**at = c;
		*at = &c->next;
	}
	mutex_lock(&ssh->lock);
	for (end = &ssh->kept; *end;)
		end = &(*end)->next;
	*end = good;
	*bad_end = cut(ssh);
	ssh->looking = false;
	cond_broadcast(&ssh->looked);
	mutex_unlock(&ssh->lock);
	free_all(bad);
}

static void run(void *arg)
{
	struct ssh *ssh = arg;
	bool stop = false;

	while (!stop) {
		int64_t until_ms;

		mutex_lock(&ssh->lock);
		while (!ssh->stop && !ssh->kept)
			cond_wait(&ssh->work, &ssh->lock);
		until_ms = clock_mono_ms() + LOOK_MS;
		/* Each one that is kept signals. */
		while (!ssh->stop &&
		       cond_wait_until(&ssh->work, &ssh->lock, until_ms))
			;
		stop = ssh->stop;
		mutex_unlock(&ssh->lock);
		if (!stop)
			look_through(ssh);
	}
}

/* ---- the set ---- */

int ssh_new(const struct ssh_config *config, struct ssh **ret_ssh)
{
	cleanup(ssh_free) struct ssh *ssh = mem_calloc(1, sizeof(*ssh));
	int r;

	mutex_init(&ssh->lock);
	cond_init(&ssh->work);
	cond_init(&ssh->looked);
	if (config->agent)
		ssh->agent = mem_strdup(config->agent);
	if (config->fallback)
		ssh->fallback = mem_strdup(config->fallback);
	r = thread_start("ssh", run, ssh, &ssh->thread);
	if (r < 0)
		return r;
	*ret_ssh = steal(&ssh);
	return 0;
}

struct ssh *ssh_free(struct ssh *ssh)
{
	if (!ssh)
		return NULL;
	mutex_lock(&ssh->lock);
	ssh->stop = true;
	cond_signal(&ssh->work);
	mutex_unlock(&ssh->lock);
	thread_join(ssh->thread);
	free_all(ssh->kept);
	mutex_done(&ssh->lock);
	cond_done(&ssh->work);
	cond_done(&ssh->looked);
	free(ssh->agent);
	free(ssh->fallback);
	free(ssh->last_agent);
	free(ssh->why_key);
	free(ssh->why);
	free(ssh);
	return NULL;
}

void ssh_use_agent(struct ssh *ssh, const char *socket)
{
	char *old, *mine = mem_strdup(socket);

	mutex_lock(&ssh->lock);
	old = ssh->last_agent;
	ssh->last_agent = mine;
	/* What was found out without it is not said any more. */
	if (!old || strcmp(old, mine))
		ssh->why_until = 0;
	mutex_unlock(&ssh->lock);
	free(old);
}

uint64_t ssh_n_sessions(struct ssh *ssh)
{
	uint64_t n;

	if (!ssh)
		return 0;
	mutex_lock(&ssh->lock);
	n = ssh->n_sessions;
	mutex_unlock(&ssh->lock);
	return n;
}

void ssh_count_session(struct ssh *ssh)
{
	mutex_lock(&ssh->lock);
	ssh->n_sessions++;
	mutex_unlock(&ssh->lock);
}

bool ssh_falls_back_first(struct ssh *ssh)
{
	bool first;

	mutex_lock(&ssh->lock);
	first = ssh->fall_back_until > clock_mono_ms();
	mutex_unlock(&ssh->lock);
	return first;
}

void ssh_note_fallback(struct ssh *ssh, bool falls_back)
{
	mutex_lock(&ssh->lock);
	ssh->fall_back_until = falls_back ? clock_mono_ms() + FALL_BACK_MS : 0;
	mutex_unlock(&ssh->lock);
}
