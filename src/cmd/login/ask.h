/*
 * cmd/login/ask: a question at the terminal, and its answer.
 *
 * Owns the terminal while it is asked: what it was set to comes back, also when
 * a signal ends the program. Must never know what is asked.
 */
#ifndef CMD_ASK_H
#define CMD_ASK_H

#include "base/defs.h"

#define ASK_MAX 4096 /* bytes of an answer; a terminal takes no longer line */

/* The terminal, if standard input is it: a descriptor, or -ENOTTY. */
int ask_open(void);
/* Writes the question and reads a line, which is freed (text_wipe) by who
 * asked; a secret is not shown while it is typed. -ENODATA: the end (Ctrl-D),
 * or a terminal that is gone; -EMSGSIZE; another -errno. A signal that ends the
 * program does so; one that stops it does so, and then it is asked again. */
int ask_line(int terminal, const char *question, bool secret,
	     char **ret_answer);
/* Text for whoever is asked. */
void ask_say(int terminal, const char *text);

#endif
