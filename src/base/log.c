/*
 * base/log: a message is formatted whole, cleaned of secrets, and written with
 * one call, so that lines of several threads never mix.
 *
 * Secrets are kept in a fixed table that only grows: a reader needs no lock
 * because an entry is written before the count that covers it.
 */
#include "base/log.h"

#include "base/mem.h"
#include "base/sync.h"

#include <syslog.h>
#include <unistd.h>

#define MAX_SECRETS 8

static char *secrets[MAX_SECRETS];
static atomic_uint n_secrets;
static atomic_int most = LOG_LEVEL_INFO;
static atomic_bool to_syslog;

void log_to_stderr(enum log_level level)
{
	atomic_store(&most, (int)level);
	atomic_store(&to_syslog, false);
}

void log_to_syslog(enum log_level level)
{
	openlog("bitbucketfs", LOG_PID, LOG_DAEMON);
	atomic_store(&most, (int)level);
	atomic_store(&to_syslog, true);
}

void log_redact(const char *secret)
{
	unsigned n = atomic_load(&n_secrets);

	if (!secret || strlen(secret) < 4 || n == MAX_SECRETS)
		return;
	for (unsigned i = 0; i < n; i++)
		if (strcmp(secrets[i], secret) == 0)
			return;
	secrets[n] = xstrdup(secret);
	atomic_store(&n_secrets, n + 1);
}

void log_clean(char *text)
{
	static const char mark[] = "\xe2\x80\xa6"; /* an ellipsis, 3 bytes */
	unsigned n = atomic_load(&n_secrets);

	for (unsigned i = 0; i < n; i++) {
		size_t len = strlen(secrets[i]);
		char *at = text;

		while ((at = strstr(at, secrets[i]))) {
			memcpy(at, mark, sizeof(mark) - 1);
			at += sizeof(mark) - 1;
			memmove(at, at + len - (sizeof(mark) - 1),
				strlen(at + len - (sizeof(mark) - 1)) + 1);
		}
	}
}

static void say(enum log_level level, const char *fmt, va_list ap)
{
	static const int priority[] = {LOG_ERR, LOG_WARNING, LOG_INFO,
				       LOG_DEBUG};
	struct buf line = BUF_INIT(16 * KIB);
	ssize_t wrote;

	if ((int)level > atomic_load(&most))
		return;
	buf_puts(&line, "bitbucketfs: ");
	buf_vprintf(&line, fmt, ap);
	buf_putc(&line, '\n');
	log_clean(line.data);
	if (atomic_load(&to_syslog)) {
		syslog(priority[level], "%s",
		       line.data + strlen("bitbucketfs: "));
	} else {
		wrote = write(STDERR_FILENO, line.data, strlen(line.data));
		(void)wrote; /* nobody is left to be told */
	}
	buf_done(&line);
}

#define LOG_FUNCTION(name, level)       \
	void name(const char *fmt, ...) \
	{                               \
		va_list ap;             \
                                        \
		va_start(ap, fmt);      \
		say(level, fmt, ap);    \
		va_end(ap);             \
	}                               \
	struct defs_semicolon

LOG_FUNCTION(log_error, LOG_LEVEL_ERROR);
LOG_FUNCTION(log_warn, LOG_LEVEL_WARN);
LOG_FUNCTION(log_info, LOG_LEVEL_INFO);
LOG_FUNCTION(log_debug, LOG_LEVEL_DEBUG);
