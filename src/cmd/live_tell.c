/*
 * cmd/live: the side of the commands.
 */
#include "cmd/live.h"

/* The daemon has 20 s of its own for it. */
#define ANSWER_MS (25 * 1000)

struct telling {
	struct buf *out;
	size_t n_left;
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
	t->n_left++;
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
		   const char *how, struct buf *out)
{
	struct telling t = {.out = out};
	const char *const words[] = {command,
				     config->profile ? config->profile : "",
				     config->api_url, how, NULL};

	control_ask_all(words, ANSWER_MS, told, &t);
	return t.n_left;
}

size_t live_tell_signed_in(const struct config *config, struct buf *out)
{
	return tell(config, "sign-in", NULL, out);
}

size_t live_tell_signed_out(const struct config *config, bool keep_cache,
			    struct buf *out)
{
	return tell(config, "sign-out", keep_cache ? "keep" : "drop", out);
}
