/*
 * model/dirs/status, of problems: the newest lines of `errors`, by their kinds.
 */
#include "model/dirs/status.h"

#include "base/text.h"

#define LINES_MOST 1000
#define KINDS_MOST 32
#define FIELDS 4

struct kind {
	const char *fields[FIELDS]; /* of its newest line: time, path, kind,
				     * sentence */
	uint64_t n;
};

/* False: that is no line of `errors`. */
static bool take_apart(char *line, const char *fields[static FIELDS])
{
	for (size_t i = 0; i < FIELDS; i++) {
		fields[i] = line;
		line = line ? strchr(line, '\t') : NULL;
		if (line)
			*line++ = '\0';
		else if (i + 1 < FIELDS)
			return false;
	}
	return true;
}

/* A sum of repeats is "×613 07:37:50-07:38:20 " before its sentence. */
static uint64_t take_count(const char **sentence)
{
	static const char times[] = "\u00d7";
	const char *at = *sentence, *end;
	uint64_t n;

	if (strncmp(at, times, strlen(times)) != 0)
		return 1;
	at += strlen(times);
	n = strtoull(at, NULL, 10);
	end = strchr(at, ' ');
	end = end ? strchr(end + 1, ' ') : NULL;
	*sentence = end ? end + 1 : at;
	return n;
}

/* The kind that comes up goes to the front, so that the kinds stand in the
 * order of their newest lines. */
static size_t note(struct kind *kinds, size_t n, const struct kind *line)
{
	struct kind kind = *line;
	size_t at = 0;

	while (at < n && strcmp(kinds[at].fields[2], line->fields[2]) != 0)
		at++;
	if (at < n) {
		kind.n += kinds[at].n;
		/* Sums of repeats come last, and may be older. */
		if (strcmp(kinds[at].fields[0], kind.fields[0]) > 0)
			memcpy(kind.fields, kinds[at].fields,
			       sizeof(kind.fields));
	} else if (n < KINDS_MOST) {
		n++;
	} else {
		at = n - 1;
	}
	memmove(&kinds[1], &kinds[0], at * sizeof(kinds[0]));
	kinds[0] = kind;
	return n;
}

static size_t group(char *text, struct kind kinds[static KINDS_MOST])
{
	size_t n = 0;

	for (char *line = text, *end; line && *line; line = end) {
		struct kind kind;

		end = strchr(line, '\n');
		if (end)
			*end++ = '\0';
		if (!take_apart(line, kind.fields))
			continue;
		kind.n = take_count(&kind.fields[3]);
		n = note(kinds, n, &kind);
	}
	return n;
}

void status_problems_json(struct model *model, struct json *root)
{
	static const char *const names[FIELDS] = {"time", "path", NULL,
						  "sentence"};
	cleanup(buf_done) struct buf text = BUF_INIT(2 * MIB);
	struct json *all = json_add_array(root, "problems");
	struct kind kinds[KINDS_MOST];
	size_t n;

	problems_tail(model->problems, LINES_MOST, &text);
	text_clean_buf(&text, 0, "\n\t");
	n = text.data ? group(text.data, kinds) : 0;
	for (size_t i = 0; i < n; i++) {
		struct json *o = json_append_object(all);

		json_add_str(o, "kind", kinds[i].fields[2]);
		json_add_int(o, "count", (int64_t)kinds[i].n);
		for (size_t k = 0; k < FIELDS; k++)
			if (names[k])
				json_add_str(o, names[k], kinds[i].fields[k]);
	}
}
