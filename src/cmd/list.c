/*
 * bitbucketfs list [--json]: the mounts of this user, a line each.
 */
#include "cmd/command.h"
#include "cmd/mount/survey.h"

#include "base/text.h"

/* "-" for what is not there, so that a line has as many words as another. */
static void add_field(struct buf *out, const char *value)
{
	buf_putc(out, '\t');
	text_tsv_value(out, value && *value ? value : "-");
}

static void add_line(struct buf *out, const struct survey_mount *m)
{
	cleanup(free) char *pid =
		m->status ? mem_asprintf("%lld", (long long)json_int(m->status,
								     "pid", 0))
			  : NULL;

	text_tsv_value(out, m->place);
	add_field(out, json_str(m->status, "account"));
	add_field(out, json_str(m->status, "profile"));
	add_field(out, pid);
	add_field(out, json_str(m->status, "version"));
	buf_putc(out, '\n');
	if (m->why)
		command_say("%s", m->why);
}

static void add_json(struct json *all, const struct survey_mount *m)
{
	static const char *const names[] = {"account", "profile", "version"};
	struct json *o = json_append_object(all);

	json_add_str(o, "mountpoint", m->place);
	json_add_bool(o, "answers", m->status);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		const char *value = json_str(m->status, names[i]);

		if (value)
			json_add_str(o, names[i], value);
		else
			json_add_null(o, names[i]);
	}
	if (m->status)
		json_add_int(o, "pid", json_int(m->status, "pid", 0));
	else
		json_add_str(o, "why", m->why);
}

enum command_exit list_command(const struct command_line *line)
{
	cleanup(survey_done) struct survey survey = {0};
	cleanup(buf_done) struct buf out = BUF_INIT(MIB);
	cleanup(json_free) struct json *all = json_new_array();

	survey_take(NULL, &survey);
	for (size_t i = 0; i < survey.n; i++) {
		if (line->json)
			add_json(all, &survey.mounts[i]);
		else
			add_line(&out, &survey.mounts[i]);
	}
	if (line->json)
		json_pretty(all, &out);
	else if (!survey.n)
		command_say("no Bitbucket of this user is mounted");
	if (out.data && command_print(out.data, out.len) != COMMAND_OK)
		return COMMAND_FAILED;
	return survey.n ? COMMAND_OK : COMMAND_NOT_MOUNTED;
}
