/*
 * cmd/arguments, base/suggest: which command it is, what it is given, and what
 * is said of what cannot be.
 */
#include "cmd/arguments.h"
#include "base/suggest.h"

#include "base/mem.h"

#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define WORDS_MAX 12

static size_t split(const char *text, char copy[256], char *words[WORDS_MAX])
{
	size_t n = 0;

	snprintf(copy, 256, "%s", text);
	for (char *rest = copy, *word; (word = strsep(&rest, " "));)
		words[n++] = word;
	words[n] = NULL;
	return n;
}

/* "COMMAND: OPERAND OPERAND", and what it was given. */
static char *taken(const struct arguments *a)
{
	struct buf out = BUF_INIT(0);

	buf_printf(&out, "%s:", a->command->name);
	for (size_t i = 0; i < a->line.n_operands; i++)
		buf_printf(&out, " %s", a->line.operands[i]);
	for (size_t i = 0; i < a->line.n_options; i++)
		buf_printf(&out, " -o %s", a->line.options[i]);
	buf_puts(&out, a->line.foreground ? " foreground" : "");
	buf_puts(&out, a->line.debug ? " debug" : "");
	buf_puts(&out, a->line.lazy ? " lazy" : "");
	if (a->line.query)
		buf_printf(&out, " -q %s", a->line.query);
	buf_puts(&out, a->line.raw ? " raw" : "");
	buf_puts(&out, a->line.json ? " json" : "");
	buf_puts(&out, a->line.install ? " install" : "");
	buf_puts(&out, a->line.uninstall ? " uninstall" : "");
	buf_puts(&out, a->line.with_token ? " with-token" : "");
	buf_puts(&out, a->line.oauth ? " oauth" : "");
	buf_puts(&out, a->line.oauth_client ? " oauth-client" : "");
	if (a->line.email)
		buf_printf(&out, " email %s", a->line.email);
	if (a->line.username)
		buf_printf(&out, " username %s", a->line.username);
	buf_puts(&out, a->line.all ? " all" : "");
	buf_puts(&out, a->line.config ? " config" : "");
	buf_puts(&out, a->line.watch ? " watch" : "");
	buf_puts(&out, a->line.stop ? " stop" : "");
	buf_puts(&out, a->line.yes ? " yes" : "");
	buf_puts(&out, a->line.sloppy ? " sloppy" : "");
	buf_puts(&out, a->fake ? " fake" : "");
	return buf_steal(&out, NULL);
}

static void what_is_taken(void **state)
{
	static const struct {
		const char *line, *taken;
	} cases[] = {
		{"b", "mount:"},
		{"b /m", "mount: /m"},
		{"b mount /m", "mount: /m"},
		{"b mount stauts /m", "mount: stauts /m"},
		{"b none /m", "mount: none /m"},
		{"b https://x /m -f", "mount: https://x /m foreground"},
		/* By mount.fuse3. */
		{"b acme /m -o rw,user=x", "mount: acme /m -o rw,user=x"},
		{"b -orw -o ttl=1 /m", "mount: /m -o rw -o ttl=1"},
		{"b login --oauth-client", "login: oauth-client"},
		{"b login --oauth", "login: oauth"},
		{"b umount -o profile=p", "umount: -o profile=p"},
		{"b --foreground /m", "mount: /m foreground"},
		{"b --debug", "mount: foreground debug"},
		{"b -nvrw -t fuse /m", "mount: /m"},
		{"b -- -m", "mount: -m"},
		{"b status", "status:"},
		{"b status --json --watch", "status: json watch"},
		{"b list --json", "list: json"},
		{"b status /m", "status: /m"},
		{"b umount --lazy /m", "umount: /m lazy"},
		{"b refresh a b c", "refresh: a b c"},
		{"b api /user", "api: /user"},
		{"b api --raw user -q a=1", "api: user -q a=1 raw"},
		{"b curl -qx /user", "curl: /user -q x"},
		{"b whoami --json", "whoami: json"},
		{"b login --with-token --email a@b --username=",
		 "login: with-token email a@b username "},
		{"b login --email=a=b", "login: email a=b"},
		{"b logout --all --config", "logout: all config"},
		{"b doctor", "doctor:"},
		{"b doctor git@x:a/b --json", "doctor: git@x:a/b json"},
		{"b credential get", "credential: get"},
		{"b credential --install", "credential: install"},
		{"b --uninstall credential", "credential: uninstall"},
		{"b help", "help:"},
		{"b help status", "help: status"},
		{"b --help", "help:"},
		{"b status --help", "help: status"},
		{"b status -h /m", "help: status"},
		{"b -h status", "help: status"},
		{"b -h stauts", "help: stauts"},
		{"b /m -h", "help: mount"},
		{"b . -h", "help: mount"},
		{"b -V", "version:"},
		{"mount.bitbucketfs status /m -s", "mount: status /m sloppy"},
		{"/sbin/mount.bitbucketfs stauts /m -f",
		 "mount: stauts /m fake"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(arguments_done) struct arguments a;
		char copy[256], *words[WORDS_MAX];
		int n = (int)split(cases[i].line, copy, words);
		cleanup(free) char *is = NULL;

		if (arguments_read(n, words, &a) != COMMAND_OK)
			fail_msg("%s", cases[i].line);
		is = taken(&a);
		if (strcmp(is, cases[i].taken) != 0)
			fail_msg("%s: %s", cases[i].line, is);
	}
}

/* The sentence of a line that is refused. */
static void refused(const char *line, char said[512])
{
	cleanup(arguments_done) struct arguments a;
	char copy[256], *words[WORDS_MAX];
	int n = (int)split(line, copy, words);
	int fds[2], saved = dup(STDERR_FILENO);
	ssize_t got;

	assert_int_equal(pipe(fds), 0);
	fflush(stderr);
	dup2(fds[1], STDERR_FILENO);
	close(fds[1]);
	if (arguments_read(n, words, &a) == COMMAND_OK)
		command_say("%s", "it was taken");
	fflush(stderr);
	dup2(saved, STDERR_FILENO);
	close(saved);
	got = read(fds[0], said, 511);
	close(fds[0]);
	said[got > 0 ? got : 0] = 0;
}

static void what_is_refused(void **state)
{
	static const struct {
		const char *line, *said;
	} cases[] = {
		{"b stauts /m", "there is no command 'stauts' (a SOURCE of "
				"that name goes after the word mount): did you "
				"mean status?\n"},
		{"b stauts /m /n", "did you mean status?"},
		{"b unmount /m", "did you mean umount?"},
		{"b Status /m", "did you mean status?"},
		{"b stauts /m -o rw", "did you mean status?"},
		{"b sign /m", "there is no command 'sign' (a SOURCE of "
			      "that name goes after the word mount)\n"},
		{"b statsu", "did you mean status?"},
		{"b moutn", "did you mean mount?"},
		{"b nothing-like-it", "nor a directory to mount at\n"},
		{"b --help=status", "--help takes no value"},
		{"b --lasy", "there is no option --lasy: did you mean --lazy?"},
		{"b --ttl=5", "--ttl: write -o ttl=TIME"},
		{"b --allow_other", "write -o allow_other\n"},
		{"b --token=x", "there is no option --token\n"},
		{"b -x", "there is no option -x"},
		{"b api /user -q", "-q needs a value"},
		{"b -q x /m", "mount takes no -q"},
		{"b curl --raw /user", "curl takes no --raw"},
		{"b api --json /user", "api takes no --json"},
		{"b --install /m", "mount takes no --install"},
		{"b whoami /m", "whoami takes no operand"},
		{"b whoami --email=a", "whoami takes no --email"},
		{"b api --event=x /a", "api takes no --event"},
		{"b login --webhook", "login takes no --webhook"},
		{"b login --username", "--username needs a value"},
		{"b login --all", "login takes no --all"},
		{"b api /a /b", "one PATH at most, and '/b' is more"},
		{"b api -f /a", "api takes no -f"},
		{"b -o", "-o needs a value"},
		{"b -N 1 /m", "there is no option -N"},
		{"b /a /b /c", "'/c' is more"},
		{"b status /a /b", "one PATH at most, and '/b' is more"},
		{"b status -f", "status takes no -f"},
		{"b status -v", "status takes no -v"},
		{"b help -o x", "help takes no -o"},
		{"b --lazy /m", "mount takes no --lazy"},
		{"b help a b", "'b' is more"},
		{"b version x", "version takes no operand, and 'x' is more"},
		{"b -V -f", "version takes no -f"},
		{"b -V x", "version takes no operand, and 'x' is more"},
	};
	char said[512];

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		refused(cases[i].line, said);
		if (!strstr(said, cases[i].said) || !strchr(said, '\n') ||
		    strchr(said, '\n')[1])
			fail_msg("%s: %s", cases[i].line, said);
	}
}

static void what_is_near(void **state)
{
	static const struct {
		const char *word, *best;
	} cases[] = {
		{"tree", "trees"},
		{"tres", "trees"},
		{"trese", "trees"},
		{"TREES", "trees"},
		{"ttl", "ttl"},
		{"tll", "ttl"},
		{"walker", "walk"},
		{"wlka", NULL},
		{"x", NULL},
		{"", NULL},
		{"tretesab", NULL},
		{"much-longer-than-any-word-that-there-is", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct suggest s = {.word = cases[i].word};

		suggest_try(&s, "trees");
		suggest_try(&s, "ttl");
		suggest_try(&s, "walk");
		if (!s.best != !cases[i].best ||
		    (s.best && strcmp(s.best, cases[i].best) != 0))
			fail_msg("%s: %s", cases[i].word, s.best);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_taken),
		cmocka_unit_test(what_is_refused),
		cmocka_unit_test(what_is_near),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
