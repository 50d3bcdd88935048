/*
 * table/resource: summary.md, a pull request on one page: to be read or mailed.
 *
 *	id: 12
 *	state: OPEN
 *	…
 *
 *	# Add a cache
 *
 *	The description, as it was written.
 *
 *	## Reviewers
 *
 *	- grace: approved
 *	- linus: waiting
 *
 *	## Tasks
 *
 *	- [x] Remove the warning (ada)
 *
 *	## Statuses
 *
 *	- FAILED: widgets #38 https://ci.example.com/38
 *
 * Tasks and statuses are there when their lists are at hand: the summary asks
 * for nothing. Nothing in it moves a terminal.
 */
#include "table/rows.h"

#include "base/text.h"

/* One line, whatever the value has. */
static void add_line(struct buf *out, const char *text)
{
	text_clean(out, text, strcspn(text, "\r\n"), "\t");
}

static const char *name_at(const struct json *json, const char *path)
{
	const char *name = resource_str(json, path);

	return name && *name ? name : "account gone";
}

/* ---- reviewers ---- */

static const struct json *participant(const struct json *pull,
				      const struct json *user)
{
	const char *uuid = json_str(user, "uuid");

	return uuid ? json_find(json_at(pull, "participants"), "user.uuid",
				uuid)
		    : NULL;
}

static const char *state_of(const struct json *participant)
{
	const char *state = json_str(participant, "state");

	if (json_bool(participant, "approved", false))
		return "approved";
	return state && !strcmp(state, "changes_requested")
		       ? "changes requested"
		       : "waiting";
}

static void add_reviewers(const struct json *pull, struct buf *out)
{
	const struct json *all = json_at(pull, "reviewers");

	if (!json_is_array(all) || !json_first(all))
		return;
	buf_puts(out, "\n## Reviewers\n\n");
	JSON_EACH (i, all) {
		buf_puts(out, "- ");
		add_line(out, name_at(i, "nickname|display_name|uuid"));
		buf_printf(out, ": %s\n", state_of(participant(pull, i)));
	}
}

/* ---- what is at hand ---- */

static void add_task(const struct json *task, struct buf *out)
{
	const char *state = json_str(task, "state");
	const char *text = json_str(task, "content.raw");

	buf_printf(out, "- [%c] ",
		   state && !strcmp(state, "RESOLVED") ? 'x' : ' ');
	add_line(out, text ? text : "");
	buf_puts(out, " (");
	add_line(out, name_at(task, PERSON("creator")));
	buf_puts(out, ")\n");
}

static void add_status(const struct json *status, struct buf *out)
{
	const char *state = json_str(status, "state");
	const char *name = resource_str(status, "name|key");
	const char *url = json_str(status, "url");

	buf_puts(out, "- ");
	add_line(out, state ? state : "");
	buf_puts(out, ": ");
	add_line(out, name ? name : "");
	if (url && *url) {
		buf_putc(out, ' ');
		add_line(out, url);
	}
	buf_putc(out, '\n');
}

static void add_list(const struct json *list, const char *title,
		     void (*add)(const struct json *, struct buf *),
		     struct buf *out)
{
	if (!json_is_array(list) || !json_first(list))
		return;
	buf_printf(out, "\n## %s\n\n", title);
	JSON_EACH (i, list)
		add(i, out);
}

/* ---- */

int pullrequest_summary(const struct resource_file *file,
			const struct json *with, struct buf *out)
{
	const struct json *pull = json_at(with, "item");
	const char *title = json_str(pull, "title");
	const char *description = resource_str(pull, "summary.raw|description");
	int r = resource_info(file, pull, out);

	if (r < 0)
		return r;
	buf_puts(out, "\n# ");
	add_line(out, title ? title : "");
	buf_putc(out, '\n');
	if (description && *description) {
		buf_putc(out, '\n');
		conversation_text(description, out);
	}
	add_reviewers(pull, out);
	add_list(json_at(with, "tasks"), "Tasks", add_task, out);
	add_list(json_at(with, "statuses"), "Statuses", add_status, out);
	return out->failed;
}
