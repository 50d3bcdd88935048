/*
 * cmd/command: what every command says of itself.
 */
#include "cmd/command.h"

#include "base/log.h"
#include "base/mem.h"
#include "base/notify.h"
#include "base/text.h"

#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>

static _Thread_local struct buf *listener;

static atomic_int manager = -1;

void command_tell(int fd)
{
	atomic_store(&manager, fd);
}

void command_listen(struct buf *out)
{
	listener = out;
}

void command_say(const char *fmt, ...)
{
	cleanup(buf_done) struct buf clean = BUF_INIT(0);
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	log_clean(text);
	/* A sentence may quote the service or a path, whose text could send
	 * codes to the terminal, or be a line that this program never said. */
	text_clean(&clean, text, strlen(text), "\t");
	if (listener) {
		buf_printf(listener, "%s\n", clean.data ? clean.data : "");
		return;
	}
	fprintf(stderr, "%sbitbucketfs: %s\n", log_mark(LOG_LEVEL_ERROR),
		clean.data ? clean.data : "");
	notify_send(atomic_load(&manager), "STATUS=%s",
		    clean.data ? clean.data : "");
}

enum command_exit command_usage(const char *fmt, ...)
{
	char text[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	command_say("%s", text);
	return COMMAND_USAGE;
}

int command_could_not(const char *what, int r)
{
	command_say("%s: %s", what, strerror(-r));
	return r;
}

enum command_exit command_print(const char *text, size_t n)
{
	if (fwrite(text, 1, n, stdout) == n && !fflush(stdout))
		return COMMAND_OK;
	if (errno != EPIPE)
		command_could_not("the output could not be written", -errno);
	return COMMAND_FAILED;
}
