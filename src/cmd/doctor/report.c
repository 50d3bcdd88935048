/*
 * cmd/doctor/report: sentences quote the service, paths and other programs, so
 * each is cleaned as it is added.
 */
#include "cmd/doctor/report.h"

#include "base/log.h"
#include "base/text.h"

#define TEXT_MAX 2048

void report_done(struct report *report)
{
	for (size_t i = 0; i < report->n_lines; i++)
		free(report->lines[i].text);
	free(report->lines);
	*report = (struct report){0};
}

static char *cleaned(char *text)
{
	struct buf out = BUF_INIT(4 * TEXT_MAX);

	log_clean(text);
	text_clean(&out, text, strlen(text), "");
	buf_puts(&out, "");
	return buf_steal(&out, NULL);
}

static void add(struct report *report, const char *name,
		enum report_level level, char *text)
{
	report->lines = mem_realloc(
		report->lines, (report->n_lines + 1) * sizeof(*report->lines));
	report->lines[report->n_lines++] =
		(struct report_line){name, level, text};
}

void report_add(struct report *report, const char *name,
		enum report_level level, const char *fmt, ...)
{
	char text[TEXT_MAX];
	size_t n;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	/* Some sentences that are quoted have a full stop, others none. */
	n = strlen(text);
	while (n && strchr(".\n ", text[n - 1]))
		text[--n] = 0;
	add(report, name, level, cleaned(text));
}

void report_append(struct report *report, const char *name, const char *words)
{
	for (size_t i = 0; i < report->n_lines; i++) {
		struct report_line *line = &report->lines[i];
		cleanup(free) char *raw = NULL;
		char *longer;

		if (strcmp(line->name, name) != 0)
			continue;
		raw = mem_asprintf("%s%s", line->text, words);
		longer = cleaned(raw);
		free(line->text);
		line->text = longer;
		return;
	}
}

void report_soften(struct report *report, const char *name)
{
	for (size_t i = 0; i < report->n_lines; i++)
		if (!strcmp(report->lines[i].name, name) &&
		    report->lines[i].level == REPORT_ERROR)
			report->lines[i].level = REPORT_WARNING;
}

void report_take(struct report *report, struct report *from)
{
	for (size_t i = 0; i < from->n_lines; i++)
		add(report, from->lines[i].name, from->lines[i].level,
		    steal(&from->lines[i].text));
	report_done(from);
}

bool report_has(const struct report *report, const char *name)
{
	for (size_t i = 0; i < report->n_lines; i++)
		if (!strcmp(report->lines[i].name, name))
			return true;
	return false;
}

enum report_level report_level_of(const struct report *report, const char *name)
{
	enum report_level worst = REPORT_OK;

	for (size_t i = 0; i < report->n_lines; i++)
		if (!strcmp(report->lines[i].name, name) &&
		    report->lines[i].level > worst)
			worst = report->lines[i].level;
	return worst;
}

static size_t count(const struct report *report, enum report_level level)
{
	size_t n = 0;

	for (size_t i = 0; i < report->n_lines; i++)
		n += report->lines[i].level == level;
	return n;
}

enum report_level report_worst(const struct report *report)
{
	return count(report, REPORT_ERROR)     ? REPORT_ERROR
	       : count(report, REPORT_WARNING) ? REPORT_WARNING
					       : REPORT_OK;
}

const char *report_level_name(enum report_level level)
{
	static const char *const names[] = {
		[REPORT_OK] = "ok",
		[REPORT_WARNING] = "warning",
		[REPORT_ERROR] = "error",
	};

	return names[level];
}

void report_text(const struct report *report, struct buf *out)
{
	size_t n_errors = count(report, REPORT_ERROR);
	size_t n_warnings = count(report, REPORT_WARNING);

	for (size_t i = 0; i < report->n_lines; i++)
		buf_printf(out, "%-7s  %s: %s\n",
			   report_level_name(report->lines[i].level),
			   report->lines[i].name, report->lines[i].text);
	buf_printf(out, "%zu error%s, %zu warning%s\n", n_errors,
		   n_errors == 1 ? "" : "s", n_warnings,
		   n_warnings == 1 ? "" : "s");
}

void report_json(const struct report *report, struct json *object)
{
	struct json *checks = json_add_array(object, "checks");

	for (size_t i = 0; i < report->n_lines; i++) {
		const struct report_line *line = &report->lines[i];
		struct json *one = json_append_object(checks);

		json_add_str(one, "name", line->name);
		json_add_str(one, "level", report_level_name(line->level));
		json_add_str(one, "text", line->text);
	}
}
