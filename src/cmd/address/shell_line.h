/*
 * cmd/address/shell_line: a line as somebody typed it at a shell, with its
 * prompt or without, cut into words as sh(1) would, as far as that matters:
 * quotes, and the & at which a command ends.
 */
#ifndef CMD_SHELL_LINE_H
#define CMD_SHELL_LINE_H

#include "base/mem.h"

struct shell_word {
	char *text;  /* without quotes; free it */
	bool is_cut; /* an & that is not quoted ended it */
};

/* After the blanks and the prompt. */
const char *shell_line_begin(const char *line);
/* Its first word is that program. */
bool shell_line_is_of(const char *line, const char *program);
/* The word at *at, which goes on to what follows it. False: there is none. */
bool shell_line_next(const char **at, struct shell_word *);

#endif
