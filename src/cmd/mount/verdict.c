/*
 * cmd/mount/verdict: one flag, and a thread that waits for it.
 */
#include "cmd/mount/verdict.h"

#include "base/clock.h"
#include "cmd/command.h"

#include <unistd.h>

#define PATIENCE_MS 1000

void verdict_init(struct verdict *v)
{
	*v = (struct verdict){.waits = NULL};
	mutex_init(&v->lock);
	cond_init(&v->said);
}

void verdict_done(struct verdict *v)
{
	verdict_say(v, 0, NULL);
	v->waits = thread_join(v->waits);
	mutex_lock(&v->lock);
	free(v->sentence);
	mutex_unlock(&v->lock);
	cond_done(&v->said);
	mutex_done(&v->lock);
}

void verdict_say(struct verdict *v, int errnum, const char *sentence)
{
	mutex_lock(&v->lock);
	if (!v->is_said && errnum)
		v->sentence = mem_strdup(sentence);
	v->is_said = true;
	cond_broadcast(&v->said);
	mutex_unlock(&v->lock);
}

static void wait_and_leave(void *arg)
{
	struct verdict *v = arg;
	int64_t until = clock_mono_ms() + PATIENCE_MS;
	cleanup(free) char *sentence = NULL;

	mutex_lock(&v->lock);
	while (!v->is_said && cond_wait_until(&v->said, &v->lock, until))
		;
	if (v->sentence)
		sentence = mem_strdup(v->sentence);
	mutex_unlock(&v->lock);
	if (sentence)
		command_say("mounted, from the cache: %s", sentence);
	v->leave(v->arg);
}

void verdict_await(struct verdict *v, bool awaited, void (*leave)(void *arg),
		   void *arg)
{
	v->leave = leave;
	v->arg = arg;
	if (!awaited || !isatty(STDERR_FILENO) ||
	    thread_start("verdict", wait_and_leave, v, &v->waits))
		leave(arg);
}
