/*
 * cmd/address/shell_line: a backslash is taken for the end of a line.
 */
#include "cmd/address/shell_line.h"

#define BLANKS " \t\r\n\\"

const char *shell_line_begin(const char *line)
{
	line += strspn(line, BLANKS);
	if (*line && strchr("$#%", *line) && line[1] == ' ')
		line += 1 + strspn(line + 1, BLANKS);
	return line;
}

bool shell_line_is_of(const char *line, const char *program)
{
	size_t n = strlen(program);

	line = shell_line_begin(line);
	return !strncmp(line, program, n) && line[n] && strchr(BLANKS, line[n]);
}

bool shell_line_next(const char **at, struct shell_word *ret)
{
	struct buf word = BUF_INIT(64 * KIB);
	char quote = 0;

	*at += strspn(*at, BLANKS);
	if (!**at)
		return false;
	ret->is_cut = false;
	for (; **at && (quote || !strchr(BLANKS, **at)); (*at)++) {
		if (quote ? **at == quote : **at == '\'' || **at == '"')
			quote = quote ? 0 : **at;
		else if (!quote && **at == '&')
			ret->is_cut = true;
		else
			buf_putc(&word, **at);
		if (ret->is_cut)
			break;
	}
	if (ret->is_cut)
		*at += strlen(*at);
	buf_puts(&word, "");
	ret->text = buf_steal(&word, NULL);
	return true;
}
