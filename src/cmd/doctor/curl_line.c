/*
 * cmd/doctor/curl_line: the line is cut into words as sh(1) would, as far as
 * that matters: quotes, and the & at which a command ends.
 */
#include "cmd/doctor/curl_line.h"

#include "base/log.h"

#include <strings.h>

#define SEE ": see what bitbucketfs curl PATH prints"
#define BLANKS " \t\r\n\\"

struct word {
	char *text;
	bool is_cut; /* an & that is not quoted ended it */
};

/* False: there is none. */
static bool next_word(const char **at, struct word *ret)
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

bool curl_line_is(const char *text)
{
	text += strspn(text, BLANKS);
	return !strncmp(text, "curl ", 5);
}

static void say(char **wrong, const char *sentence)
{
	if (!*wrong)
		*wrong = mem_strdup(sentence);
}

static void take_secret(const char *secret, char **wrong)
{
	log_redact(secret);
	say(wrong, "there is a secret in this line, which every ps and the "
		   "shell's history show: revoke it" SEE
		   ", which reads it without echo");
}

/* "ada:secret" of -u. */
static void judge_user(const char *user, char **wrong)
{
	const char *colon = strchr(user, ':');

	if (colon && colon[1])
		take_secret(colon + 1, wrong);
	if (!memchr(user, '@', colon ? (size_t)(colon - user) : strlen(user)))
		say(wrong, "-u takes the e-mail of the Atlassian account with "
			   "an API token, not the user name" SEE);
}

/* "Authorization: Bearer ATATT…" of -H. */
static void judge_header(const char *header, char **wrong)
{
	const char *value;

	if (strncasecmp(header, "authorization:", 14) != 0)
		return;
	value = header + 14 + strspn(header + 14, " ");
	if (!strncasecmp(value, "bearer ATAT", 11))
		say(wrong, "an API token is not sent as Bearer, but by -u with "
			   "the e-mail of the Atlassian account; and it is in "
			   "the shell's history now: revoke it" SEE);
	value += strcspn(value, " ");
	value += strspn(value, " ");
	if (*value && *value != '$')
		take_secret(value, wrong);
}

static void judge_url(const struct word *word, bool has_globoff, char **wrong)
{
	if (word->is_cut)
		say(wrong, "the shell takes & for the end of the command: put "
			   "the URL into '…'" SEE);
	if (strpbrk(word->text, "{[") && !has_globoff)
		say(wrong, "curl takes { and [ for a list of URLs: write %7B "
			   "and %7D for the braces of a uuid, or add -g" SEE);
}

char *curl_line_read(const char *text, char **ret_wrong)
{
	const char *at = text + strspn(text, BLANKS) + strlen("curl");
	bool has_globoff = strstr(text, " -g ") || strstr(text, "--globoff");
	char *url = NULL, before = 0;
	struct word word;

	*ret_wrong = NULL;
	while (next_word(&at, &word)) {
		const char *w = word.text;

		if (before == 'u')
			judge_user(w, ret_wrong);
		else if (before == 'H')
			judge_header(w, ret_wrong);
		else if (!strncmp(w, "-u", 2) && w[2])
			judge_user(w + 2, ret_wrong);
		else if (!strncmp(w, "-H", 2) && w[2])
			judge_header(w + 2, ret_wrong);
		else if (!url &&
			 (strstr(w, "://") || (*w != '-' && strchr(w, '/')))) {
			judge_url(&word, has_globoff, ret_wrong);
			url = steal(&word.text);
		}
		before = url && !word.text                            ? 0
			 : !strcmp(w, "-u") || !strcmp(w, "--user")   ? 'u'
			 : !strcmp(w, "-H") || !strcmp(w, "--header") ? 'H'
								      : 0;
		free(word.text);
	}
	return url ? url : mem_strdup("");
}
