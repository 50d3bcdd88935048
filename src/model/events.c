/*
 * model/events: lines under a lock.
 */
#include "model/events.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sync.h"
#include "base/text.h"

struct events {
	struct mutex lock;
	struct growing lines; /* under lock */
};

struct events *events_new(void)
{
	struct events *events = mem_calloc(1, sizeof(*events));

	mutex_init(&events->lock);
	growing_init(&events->lines);
	return events;
}

struct events *events_free(struct events *events)
{
	if (!events)
		return NULL;
	growing_done(&events->lines);
	mutex_done(&events->lock);
	free(events);
	return NULL;
}

void events_add(struct events *events, const char *path, const char *what)
{
	cleanup(buf_done) struct buf line = BUF_INIT(16 * KIB);
	int64_t now = clock_wall_ms();
	char when[24];

	buf_printf(&line, "%s\t", clock_format_iso8601(now, when));
	text_tsv_value(&line, path);
	buf_putc(&line, '\t');
	text_tsv_value(&line, what);
	buf_putc(&line, '\n');
	if (!events || line.failed)
		return;
	log_clean(line.data);
	line.len = strlen(line.data);
	mutex_lock(&events->lock);
	growing_append(&events->lines, &line, now);
	mutex_unlock(&events->lock);
}

int events_stat(struct events *events, uint64_t generation,
		struct growing_stat *ret_stat)
{
	int r;

	mutex_lock(&events->lock);
	r = growing_stat(&events->lines, generation, ret_stat);
	mutex_unlock(&events->lock);
	return r;
}

int events_read(struct events *events, uint64_t generation, off_t offset,
		size_t n, struct blob **ret_blob)
{
	int r;

	mutex_lock(&events->lock);
	r = growing_read(&events->lines, generation, offset, n, ret_blob);
	mutex_unlock(&events->lock);
	return r;
}
