/*
 * base/log: one sink for what operators read, stderr, a file or syslog, with
 * secrets taken out.
 *
 * Must never know what a message means. Only whoever turns a failure into a
 * decision logs it, once.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include "base/defs.h"

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
};

void log_to_stderr(enum log_level most); /* the start: stderr, INFO */
/* With the time (UTC) and the level before each line. The descriptor stays the
 * caller's, and open. */
void log_to_fd(int fd, enum log_level most);
void log_to_syslog(enum log_level most);
/* What a line of standard error begins with where that is systemd's journal
 * ("<3>": how bad it is), else "". */
const char *log_mark(enum log_level);
/* Every later message has this text replaced by "…". Texts under 4 bytes are
 * not registered. The first 8 are kept until the process ends, of later ones
 * the newest 56. */
void log_redact(const char *secret);
/* None of them is used any more: they are wiped. */
void log_forget(void);
/* Replaces all secrets in text, in place: the text never grows. */
void log_clean(char *text);
/* One line each, of at most 4 KiB: control bytes become spaces. On stderr
 * errors and warnings begin with "bitbucketfs: "; where it is the journal all
 * begin with log_mark alone. errno stays as it is. */
void log_error(const char *fmt, ...) printf_like(1, 2);
void log_warn(const char *fmt, ...) printf_like(1, 2);
void log_info(const char *fmt, ...) printf_like(1, 2);
void log_debug(const char *fmt, ...) printf_like(1, 2);
/* What somebody has asked to be told: as log_info, at any level. */
void log_asked(const char *fmt, ...) printf_like(1, 2);

#endif
