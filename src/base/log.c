/*
 * base/log: a message is formatted whole, cleaned of secrets, cut to a line and
 * only then written, with one call, so that lines of several threads never mix
 * and a secret is never cut in two.
 *
 * The first secrets are kept for ever (the user gave them to us); later ones,
 * the tokens of a long-running mount, replace each other in turn, for only the
 * newest are still good.
 */
#include "base/log.h"
#include "base/clock.h"
#include "base/sync.h"
#include "base/text.h"

#include <stdarg.h>
#include <sys/stat.h>
#include <syslog.h>
#include <unistd.h>

#define N_KEPT 8
#define N_SECRETS 64
#define LINE_MOST 4096
#define MARK "\xe2\x80\xa6" /* an ellipsis, 3 bytes */
#define N_MARK (sizeof(MARK) - 1)

static struct {
	struct mutex lock;
	char *secrets[N_SECRETS] under_lock;
	size_t n_secrets under_lock, turn under_lock;

	atomic_int most;
	atomic_int fd; /* -1: syslog */
	atomic_bool is_stamped;
} sink = {
	.lock = MUTEX_INITIALIZER,
	.most = LOG_LEVEL_INFO,
	.fd = STDERR_FILENO,
};

static const struct {
	const char *name, *mark; /* that of sd-daemon(3) */
	int priority;
} levels[] = {
	[LOG_LEVEL_ERROR] = {"error", "<3>", LOG_ERR},
	[LOG_LEVEL_WARN] = {"warning", "<4>", LOG_WARNING},
	[LOG_LEVEL_INFO] = {"info", "<6>", LOG_INFO},
	[LOG_LEVEL_DEBUG] = {"debug", "<7>", LOG_DEBUG},
};

static void say_check(const char *condition, const char *file, int line)
{
	log_error("%s:%d: this must not happen: %s", file, line, condition);
}

static void log_to(int fd, bool is_stamped, enum log_level most)
{
	defs_say_by(say_check);
	atomic_store(&sink.most, (int)most);
	atomic_store(&sink.is_stamped, is_stamped);
	atomic_store(&sink.fd, fd);
}

void log_to_stderr(enum log_level most)
{
	log_to(STDERR_FILENO, false, most);
}

void log_to_fd(int fd, enum log_level most)
{
	log_to(fd, true, most);
}

void log_to_syslog(enum log_level most)
{
	openlog("bitbucketfs", LOG_PID, LOG_DAEMON);
	log_to(-1, false, most);
}

void log_redact(const char *secret)
{
	char *copy, *old = NULL;

	if (!secret || strlen(secret) < 4)
		return;
	copy = mem_strdup(secret);
	mutex_lock(&sink.lock);
	for (size_t i = 0; i < sink.n_secrets && !old; i++)
		if (strcmp(sink.secrets[i], copy) == 0)
			old = copy;
	if (!old && sink.n_secrets < N_SECRETS) {
		sink.secrets[sink.n_secrets++] = copy;
	} else if (!old) {
		size_t at = N_KEPT + sink.turn++ % (N_SECRETS - N_KEPT);
		old = sink.secrets[at];
		sink.secrets[at] = copy;
	}
	mutex_unlock(&sink.lock);
	text_wipe(old);
}

void log_forget(void)
{
	char *old[N_SECRETS];
	size_t n;

	mutex_lock(&sink.lock);
	n = sink.n_secrets;
	memcpy(old, sink.secrets, sizeof(old));
	sink.n_secrets = 0;
	mutex_unlock(&sink.lock);
	for (size_t i = 0; i < n; i++)
		text_wipe(old[i]);
}

/* The length of the longest secret that text begins with, or 0. */
static size_t secret_at(const char *text) requires_lock(sink.lock)
{
	size_t longest = 0;

	for (size_t i = 0; i < sink.n_secrets; i++) {
		const char *secret = sink.secrets[i];
		size_t n;

		if (*secret != *text)
			continue;
		n = strlen(secret);
		if (n > longest && strncmp(text, secret, n) == 0)
			longest = n;
	}
	return longest;
}

void log_clean(char *text)
{
	char *to = text;

	mutex_lock(&sink.lock);
	for (const char *from = text; *from;) {
		/* Secrets may overlap: what any of them covers is replaced. If
		 * only the first were, the rest of the second would stay. */
		const char *end = from;
		for (const char *at = from; at == from || at < end; at++) {
			size_t n = secret_at(at);
			if (at + n > end)
				end = at + n;
		}
		if (end > from) {
			memcpy(to, MARK, N_MARK);
			to += N_MARK;
			from = end;
		} else {
			*to++ = *from++;
		}
	}
	mutex_unlock(&sink.lock);
	*to = '\0';
}

/* One line of the text, of bounded length, with a newline, and without bytes
 * that a terminal obeys. */
static char *one_line(const char *text, size_t *ret_n)
{
	struct buf line = BUF_INIT(0);
	size_t n = strlen(text);

	while (n && (text[n - 1] == '\n' || text[n - 1] == ' '))
		n--;
	text_clean(&line, text, n, "\n\t\r");
	for (size_t i = 0; i < line.len; i++)
		if ((unsigned char)line.data[i] < 0x20)
			line.data[i] = ' ';
	if (line.len > LINE_MOST) {
		n = LINE_MOST - N_MARK;
		while (n && ((unsigned char)line.data[n] & 0xc0) == 0x80)
			n--;
		line.len = n;
		buf_puts(&line, MARK);
	}
	buf_putc(&line, '\n');
	return buf_steal(&line, ret_n);
}

/* systemd says which stream leads to its journal: "device:inode". */
static bool is_journal(int fd)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char name[48];
	struct stat st;

	if (!stream || fstat(fd, &st))
		return false;
	snprintf(name, sizeof(name), "%ju:%ju", (uintmax_t)st.st_dev,
		 (uintmax_t)st.st_ino);
	return !strcmp(stream, name);
}

const char *log_mark(enum log_level level)
{
	return is_journal(STDERR_FILENO) ? levels[level].mark : "";
}

/* What comes before a message: who speaks, to somebody at a terminal; when and
 * how badly, in a log; to the journal, which has the rest, how badly. */
static char *head(int fd, enum log_level level)
{
	char when[24];

	if (is_journal(fd))
		return mem_strdup(levels[level].mark);
	if (atomic_load(&sink.is_stamped))
		return mem_asprintf(
			"%s %s: ", clock_format_iso8601(clock_wall_ms(), when),
			levels[level].name);
	return mem_strdup(level <= LOG_LEVEL_WARN ? "bitbucketfs: " : "");
}

static void say(enum log_level level, const char *fmt, va_list ap)
	printf_like(2, 0);
static void say(enum log_level level, const char *fmt, va_list ap)
{
	int errnum = errno, fd = atomic_load(&sink.fd);
	cleanup(free) char *message = NULL;
	cleanup(free) char *before = NULL;
	cleanup(free) char *whole = NULL;
	cleanup(free) char *line = NULL;
	size_t n;

	if (vasprintf(&message, fmt, ap) < 0)
		abort();
	log_clean(message);
	if (fd < 0) {
		line = one_line(message, &n);
		syslog(levels[level].priority, "%.*s", (int)n - 1, line);
	} else {
		before = head(fd, level);
		whole = mem_asprintf("%s%s", before, message);
		line = one_line(whole, &n);
		/* If this fails nobody is left to be told. */
		ssize_t written = write(fd, line, n);
		(void)written;
	}
	errno = errnum;
}

#define SAY(level, fmt)                                      \
	do {                                                 \
		va_list ap;                                  \
		va_start(ap, fmt);                           \
		if ((int)(level) <= atomic_load(&sink.most)) \
			say(level, fmt, ap);                 \
		va_end(ap);                                  \
	} while (0)

void log_error(const char *fmt, ...)
{
	SAY(LOG_LEVEL_ERROR, fmt);
}

void log_warn(const char *fmt, ...)
{
	SAY(LOG_LEVEL_WARN, fmt);
}

void log_info(const char *fmt, ...)
{
	SAY(LOG_LEVEL_INFO, fmt);
}

void log_debug(const char *fmt, ...)
{
	SAY(LOG_LEVEL_DEBUG, fmt);
}

void log_asked(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(LOG_LEVEL_INFO, fmt, ap);
	va_end(ap);
}
