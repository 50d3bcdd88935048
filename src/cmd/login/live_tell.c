/*
 * cmd/mount/live: the side of the commands.
 */
#include "cmd/mount/live.h"

/* The daemon has 20 s of its own for the first, which asks the service. */
#define SIGNED_IN_MS (25 * 1000)
#define SIGNED_OUT_MS (15 * 1000)

struct telling {
	struct buf *out;
	size_t n_failed;
};

static void told(void *arg, const struct control_answer *answer)
{
	struct telling *t = arg;

	if (answer->errnum == -ENXIO)
		return;
	if (!answer->errnum) {
		buf_printf(t->out, "The mount at %s %s.\n", answer->mountpoint,
			   answer->text);
		return;
	}
	/* -EPERM: it is another account's, or not login's, and stays. */
	t->n_failed += answer->errnum != -EPERM;
	if (answer->mountpoint)
		command_say("the mount at %s stays as it was: %s",
			    answer->mountpoint,
			    *answer->text ? answer->text
					  : strerror(-answer->errnum));
	else
		command_say("a mount of yours did not answer (%s): unmount it "
			    "(bitbucketfs umount)",
			    strerror(-answer->errnum));
}

static size_t tell(const struct config *config, const char *command,
		   const char *how, int timeout_ms, struct buf *out)
{
	struct telling t = {.out = out};
	const char *const words[] = {command,
				     config->profile ? config->profile : "",
				     config->api_url, how, NULL};

	control_ask_all(words, timeout_ms, told, &t);
	return t.n_failed;
}

size_t live_tell_signed_in(const struct config *config, struct buf *out)
{
	return tell(config, "sign-in", NULL, SIGNED_IN_MS, out);
}

size_t live_tell_signed_out(const struct config *config, bool keep_cache,
			    struct buf *out)
{
	return tell(config, "sign-out", keep_cache ? "keep" : "drop",
		    SIGNED_OUT_MS, out);
}
