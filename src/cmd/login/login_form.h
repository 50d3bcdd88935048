/*
 * cmd/login/login_form: what somebody typed as a token or a name, judged by its
 * form: what it is, and what is odd about it, before the service is asked,
 * which locks an account that is often refused.
 *
 * Must never know where it was typed. No sentence has anything of a secret.
 */
#ifndef CMD_LOGIN_FORM_H
#define CMD_LOGIN_FORM_H

#include "setup/sign_in.h"

enum login_form {
	LOGIN_FORM_API_TOKEN,    /* goes with an e-mail */
	LOGIN_FORM_ACCESS_TOKEN, /* goes alone */
	LOGIN_FORM_APP_PASSWORD,
	LOGIN_FORM_UNKNOWN, /* a password, or what a server of one's own has */
};

/*
 * Takes out what was typed or pasted around a token: blanks, quotes, "Bearer ",
 * the name of the setting, a whole URL, a name and a colon before it. Returns
 * NULL and the bare token (text_wipe it) with its form; ret_name (free it): the
 * name that stood with it, or NULL; ret_note (static): what was taken off, or
 * NULL. Else why it is none: the end of a sentence that begins with what it is.
 */
const char *login_form_token(const char *typed, char **ret_token,
			     enum login_form *ret_form, char **ret_name,
			     const char **ret_note);
/*
 * Makes a sign-in of a token and a name ("" or NULL: none), whether it was
 * called an e-mail or a user name: what it is, its form says. NULL, with a note
 * as above, or why not. It takes the token; the sign-in is done by who asked.
 */
const char *login_form_join(enum login_form, char **token, const char *name,
			    struct sign_in *ret, const char **ret_note);
/* What a name has around it ("<ada@example.com>", mailto:, blanks). Free it. */
char *login_form_name(const char *typed);

#endif
