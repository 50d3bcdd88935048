/*
 * cmd/mount/reach: asks twice: whether anybody is there, and then what is to be
 * asked, which may take minutes.
 */
#include "cmd/mount/reach.h"
#include "cmd/mount/preflight.h"

char *reach_why(const char *path, int r, int timeout_ms)
{
	int seen = r;

	/* There is no socket: its daemon is gone, or could not make one. Or it
	 * went while it was asked. */
	if (r == -ECONNREFUSED || r == -ECONNRESET)
		seen = preflight_answers(path, timeout_ms);
	/* It is just going: what waited for it then is broken off. */
	if (r == -ECONNRESET && seen && seen != -ETIMEDOUT)
		seen = preflight_answers(path, timeout_ms);
	if (r == -ECONNREFUSED || seen == -ENOTCONN || seen == -ETIMEDOUT)
		r = seen;
	if (r == -ENOTCONN)
		return mem_asprintf("the mount at %s is dead (its daemon is "
				    "gone): mounting there again cleans it up",
				    path);
	if (r == -ETIMEDOUT)
		return mem_asprintf("the mount at %s does not answer: "
				    "bitbucketfs umount '%s' takes it away",
				    path, path);
	return mem_asprintf("the mount at %s cannot be told anything (%s)",
			    path,
			    r ? strerror(-r) : "its daemon has no socket");
}

enum command_exit reach_ask(const char *path, dev_t device,
			    const char *const *words, int timeout_ms,
			    struct control_answer *ret)
{
	static const char *const hello[] = {"hello", NULL};
	cleanup(control_answer_done) struct control_answer answer = {0};
	int r = control_ask(device, hello, REACH_MS, &answer);

	if (!r)
		r = control_ask(device, words, timeout_ms, ret);
	if (r) {
		cleanup(free) char *why = reach_why(path, r, REACH_MS);

		command_say("%s", why);
		return COMMAND_FAILED;
	}
	return COMMAND_OK;
}
