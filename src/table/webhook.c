/*
 * table/webhook: events and their places (src/api/README.md, 23).
 *
 * The body names its event nowhere: the key comes beside it, in X-Event-Key.
 * Without it the form decides: what the payload has beside `repository` and
 * `actor`.
 */
#include "table/webhook.h"

#include "base/text.h"

#include <inttypes.h>

/* More refs of one push are one question for all names. */
#define REFS_MOST 10

void webhook_done(struct webhook *w)
{
	for (size_t i = 0; i < w->n_places; i++)
		free(w->places[i].path);
	free(w->places);
	free(w->workspace);
	free(w->slug);
	free(w->uuid);
	*w = (struct webhook){0};
}

/* path is taken. Each place once: a push of ten tags is one list of tags. */
static void add(struct webhook *w, enum webhook_how how, char *path)
{
	for (size_t i = 0; i < w->n_places; i++)
		if (w->places[i].how == how &&
		    !strcmp(w->places[i].path, path)) {
			free(path);
			return;
		}
	if (w->n_places == WEBHOOK_PLACES_MAX) {
		free(path);
		return;
	}
	if (!w->places)
		w->places = mem_calloc(WEBHOOK_PLACES_MAX, sizeof(*w->places));
	w->places[w->n_places++] = (struct webhook_place){how, path};
}

static void ask(struct webhook *w, const char *path)
{
	add(w, WEBHOOK_ASK, mem_strdup(path));
}

static void outdated(struct webhook *w, const char *path)
{
	add(w, WEBHOOK_OUTDATED, mem_strdup(path));
}

/* ---- pushes ---- */

static bool is_tag(const struct json *ref)
{
	const char *type = json_str(ref, "type");

	return type && strstr(type, "tag");
}

/* The name as the mount writes it; a slash is a directory. */
static char *ref_path(const char *directory, const char *name)
{
	static const char *const own[] = {"index.json", "index.tsv", "more",
					  NULL};
	struct buf path = BUF_INIT(4 * KIB);
	bool top = true;

	buf_puts(&path, directory);
	for (;; name++, top = false) {
		size_t n = strcspn(name, "/");
		cleanup(free) char *part = mem_dup0(name, n);

		buf_putc(&path, '/');
		text_file_name(&path, part, top ? own : NULL);
		name += n;
		if (!*name)
			break;
	}
	if (!path.failed)
		return buf_steal(&path, NULL);
	buf_done(&path);
	return NULL;
}

static int ref_changed(struct webhook *w, const struct json *change, size_t i)
{
	const struct json *is = json_at(change, "new");
	const struct json *was = json_at(change, "old");
	const struct json *ref = is ? is : was;
	const char *name = json_str(ref, "name");
	const char *directory = is_tag(ref) ? "tags" : "branches";
	char *path;

	if (!name || !*name)
		return -EBADMSG;
	path = ref_path(directory, name);
	/* One that came or went is news of the names. */
	if (is && was && path && i < REFS_MOST)
		add(w, WEBHOOK_ASK, steal(&path));
	else
		ask(w, directory);
	free(path);
	outdated(w, directory);
	if (!is_tag(ref))
		outdated(w, "commits");
	return 0;
}

static int push(const struct json *payload, struct webhook *w)
{
	const struct json *changes = json_at(payload, "push.changes");
	size_t i = 0;

	if (!json_is_array(changes))
		return -EBADMSG;
	JSON_EACH (change, changes) {
		int r = ref_changed(w, change, i++);

		if (r < 0)
			return r;
	}
	return 0;
}

/* ---- pull requests ---- */

static void below_pull(struct webhook *w, int64_t id, const char *row)
{
	add(w, WEBHOOK_OUTDATED,
	    mem_asprintf("pullrequests/%" PRId64 "/%s", id, row));
}

static int pull_number(const struct json *payload, struct webhook *w,
		       int64_t *ret_id)
{
	int64_t id = json_int(payload, "pullrequest.id", 0);
	const char *state = json_str(payload, "pullrequest.state");

	if (id <= 0)
		return -EBADMSG;
	add(w, WEBHOOK_ASK, mem_asprintf("pullrequests/%" PRId64, id));
	outdated(w, "pullrequests");
	if (state && !strcmp(state, "MERGED"))
		outdated(w, "pullrequests/merged");
	if (state && !strcmp(state, "DECLINED"))
		outdated(w, "pullrequests/declined");
	if (state && !strcmp(state, "SUPERSEDED"))
		outdated(w, "pullrequests/superseded");
	below_pull(w, id, "activity");
	*ret_id = id;
	return 0;
}

static int pull_request(const struct json *payload, struct webhook *w)
{
	static const char *const rows[] = {"changes", "commits", "conflicts",
					   "statuses", "tasks"};
	int64_t id;
	int r = pull_number(payload, w, &id);

	for (size_t i = 0; r == 0 && i < ARRAY_SIZE(rows); i++)
		below_pull(w, id, rows[i]);
	return r;
}

static int pull_comment(const struct json *payload, struct webhook *w)
{
	int64_t id;
	int r = pull_number(payload, w, &id);

	if (r < 0)
		return r;
	below_pull(w, id, "comments");
	below_pull(w, id, "tasks");
	return 0;
}

/* What was said of it: its files alone. */
static int pull_said(const struct json *payload, struct webhook *w)
{
	int64_t id;

	return pull_number(payload, w, &id);
}

/* ---- commits ---- */

static const char *commit_of(const struct json *of)
{
	const char *hash = json_str(of, "commit.hash");

	return hash && text_is_oid(hash) ? hash : NULL;
}

static int commit_comment(const struct json *payload, struct webhook *w)
{
	const char *hash = commit_of(payload);

	if (!hash)
		return -EBADMSG;
	add(w, WEBHOOK_OUTDATED, mem_asprintf("commits/%s/comments", hash));
	return 0;
}

/* A run of Pipelines is told of as a status, whose URL ends in its number:
 * ".../addon/pipelines/home#!/results/4". */
static void run_changed(struct webhook *w, const char *url)
{
	const char *number = url && strstr(url, "/pipelines/")
				     ? strstr(url, "/results/")
				     : NULL;
	size_t n;

	if (!number)
		return;
	outdated(w, "pipelines");
	number += strlen("/results/");
	n = strspn(number, "0123456789");
	if (n > 0 && n < 19 && *number != '0')
		add(w, WEBHOOK_OUTDATED,
		    mem_asprintf("pipelines/%.*s/steps", (int)n, number));
}

static int status(const struct json *payload, struct webhook *w)
{
	const struct json *is = json_at(payload, "commit_status");
	const char *hash = commit_of(is);

	if (!hash)
		return -EBADMSG;
	add(w, WEBHOOK_OUTDATED, mem_asprintf("commits/%s/statuses", hash));
	run_changed(w, json_str(is, "url"));
	return 0;
}

static int pipeline(const struct json *, struct webhook *w)
{
	outdated(w, "pipelines");
	return 0;
}

/* ---- repositories ---- */

static int repository(const struct json *, struct webhook *w)
{
	ask(w, "");
	outdated(w, "..");
	return 0;
}

static int forked(const struct json *, struct webhook *w)
{
	outdated(w, "network/forks");
	return 0;
}

static int came_or_went(const struct json *, struct webhook *w)
{
	ask(w, "..");
	return 0;
}

/* ---- which event ---- */

static const struct {
	const char *key;  /* one that ends in ':' or '_' is a beginning */
	const char *form; /* what its payload has; NULL: another has it, too */
	int (*read)(const struct json *payload, struct webhook *);
} events[] = {
	{"repo:push", "push", push},
	{"repo:commit_status_", "commit_status", status},
	{"repo:commit_comment_", NULL, commit_comment},
	{"repo:updated", "changes", repository},
	{"repo:transfer", NULL, repository},
	{"repo:deleted", NULL, came_or_went},
	{"repo:created", NULL, came_or_went},
	{"repo:imported", NULL, came_or_went},
	{"repo:fork", "fork", forked},
	{"pullrequest:approved", NULL, pull_said},
	{"pullrequest:unapproved", NULL, pull_said},
	{"pullrequest:changes_request_", NULL, pull_said},
	{"pullrequest:comment_", NULL, pull_comment},
	{"pullrequest:", "pullrequest", pull_request},
	{"pipeline:", NULL, pipeline},
};

static bool is_key(const char *event, const char *key)
{
	size_t n = strlen(key);

	return strchr(":_", key[n - 1]) ? !strncmp(event, key, n) && event[n]
					: !strcmp(event, key);
}

/* By its form: the most that can have changed. */
static const char *guess(const struct json *payload)
{
	bool comment = json_at(payload, "comment") != NULL;

	if (comment && json_at(payload, "pullrequest"))
		return "pullrequest:comment_created";
	if (comment && json_at(payload, "commit"))
		return "repo:commit_comment_created";
	if (json_at(payload, "pullrequest"))
		return "pullrequest:updated";
	if (json_at(payload, "commit_status"))
		return "repo:commit_status_updated";
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (events[i].form && json_at(payload, events[i].form))
			return events[i].key;
	return NULL;
}

static int read_repository(const struct json *payload, struct webhook *w)
{
	const char *name = json_str(payload, "repository.full_name");
	const char *uuid = json_str(payload, "repository.uuid");
	const char *slash = name ? strchr(name, '/') : NULL;

	if (!slash)
		return -EBADMSG;
	w->workspace = mem_dup0(name, (size_t)(slash - name));
	w->slug = mem_strdup(slash + 1);
	w->uuid = mem_strdup(uuid && *uuid == '{' ? uuid : "");
	return text_is_workspace_id(w->workspace) && text_is_repo_slug(w->slug)
		       ? 0
		       : -EBADMSG;
}

int webhook_read(const struct json *payload, const char *event,
		 struct webhook *ret)
{
	int r;

	*ret = (struct webhook){0};
	if (!json_is_object(payload))
		return -EBADMSG;
	ret->event = event ? event : guess(payload);
	r = read_repository(payload, ret);
	for (size_t i = 0; ret->event && i < ARRAY_SIZE(events); i++)
		if (is_key(ret->event, events[i].key))
			return r < 0 ? r : events[i].read(payload, ret);
	/* A webhook may be given events of things that the mount has not. */
	return 1;
}
