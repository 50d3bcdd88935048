/*
 * cmd/address/curl_line: word by word, as curl would take them.
 */
#include "cmd/address/curl_line.h"

#include "cmd/address/shell_line.h"

#include "base/log.h"

#include <strings.h>

#define SEE ": see what bitbucketfs curl PATH prints"

bool curl_line_is(const char *text)
{
	return shell_line_is_of(text, "curl");
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

static void judge_url(const struct shell_word *word, bool has_globoff,
		      char **wrong)
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
	const char *at = shell_line_begin(text) + strlen("curl");
	bool has_globoff = strstr(text, " -g ") || strstr(text, "--globoff");
	char *url = NULL, before = 0;
	struct shell_word word;

	*ret_wrong = NULL;
	while (shell_line_next(&at, &word)) {
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
