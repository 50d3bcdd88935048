/*
 * cmd/login/oauth_callback: a browser comes back from the page of OAuth, to a
 * port of this machine.
 *
 * Owns the port, on 127.0.0.1 and ::1; what a browser is shown there; and that
 * only an answer with the state of this sign-in counts, from this user: any
 * page that a browser shows, and any user of this machine, could send it here
 * with somebody else's code. Must never know what a code is good for. No
 * sentence has a code in it, and no address that a browser keeps.
 */
#ifndef CMD_OAUTH_CALLBACK_H
#define CMD_OAUTH_CALLBACK_H

#include "base/ctx.h"

struct oauth_callback;
/* Nobody else gets what is sent to that port from now on. state is copied. 0;
 * -EADDRINUSE; another -errno; with a sentence. */
int oauth_callback_new(struct ctx *, unsigned port, const char *state,
		       struct oauth_callback **ret_callback);
struct oauth_callback *oauth_callback_free(struct oauth_callback *);
DEFINE_CLEANUP(struct oauth_callback *, oauth_callback_free);

/*
 * Until a browser brings the code (wipe it); what else comes is refused, and
 * said to refused, which may be NULL. 0; -ECANCELED: the person said no;
 * -ETIMEDOUT, -EINTR as ctx_check; with a sentence.
 */
int oauth_callback_await(struct ctx *, struct oauth_callback *,
			 void (*refused)(const char *sentence),
			 char **ret_code);
/* The browser that brought it, which was led to an address without the code,
 * is shown this text. Waits at most timeout_ms for it to ask. */
void oauth_callback_show(struct oauth_callback *, const char *text,
			 int timeout_ms);

#endif
