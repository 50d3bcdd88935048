/*
 * model/dirs/status: the texts of .bitbucketfs/: what the mount is, how it
 * does.
 *
 * No clock that always runs is shown: equal states are equal bytes, so that
 * the file keeps its inode while nothing happens.
 */
#include "model/dirs/status.h"

#include "model/git/refs.h"

#include "base/clock.h"
#include "base/text.h"
#include "content/stream.h"

#include <inttypes.h>
#include <unistd.h>

/* A screen of 24 lines. */
const char status_readme[] =
	"Bitbucket, read-only. WS is a workspace, REPO a repository of it.\n"
	"\n"
	"WS/REPO/info              one `key: value` a line, for grep\n"
	"        tree/             the files of the default branch\n"
	"        branches/NAME/    of others; tags/NAME/, commits/ID/tree/\n"
	"        pullrequests/     index.tsv: the open ones, a line each\n"
	"            12/summary.md            number 12 on one page\n"
	"            12/comments/thread.md    what was said about it\n"
	"            12/changes/diff          12/tree/ 12/commits/ ...\n"
	"        pipelines/3/steps/1-build/log    for tail -f while it runs\n"
	"        downloads/ deployments/ environments/ network/ settings/\n"
	"WS/.workspace/            repositories/ (all in one table)\n"
	"        my-pullrequests/ review-requested/ red.tsv projects/ ...\n"
	"\n"
	"Every list has an index.tsv and an index.json. Search in index.tsv\n"
	"and in tree/ (rg does so by itself): grep -r over the rest asks for\n"
	"each thing, and an hour has 1,000 requests. Much is not listed, but\n"
	"any workspace, pull request or commit is entered by its name.\n"
	"\n"
	".bitbucketfs/errors       why something failed: see it first\n"
	"        status events     requests left; what changed; user.json\n"
	"        api/PATH.json     any GET: api/repositories/WS/REPO.json\n"
	"        refresh/PATH/.now reading it asks again for PATH\n"
	"More: man 7 bitbucketfs, man bitbucketfs\n";

static bool text_running(void *arg, const struct clone_progress *p)
{
	struct buf *out = arg;
	char bytes[16];

	buf_printf(out, "fetching: %s%s/%s", p->is_rest ? "the rest of " : "",
		   p->workspace, p->slug);
	if (p->waiting)
		buf_puts(out, ", waiting for its turn");
	else
		buf_printf(out, ", %s", text_bytes(p->n_bytes, bytes));
	if (p->n_objects_total > 0)
		buf_printf(out, ", %u%% (%u of %u objects)",
			   (unsigned)((uint64_t)p->n_objects * 100 /
				      p->n_objects_total),
			   p->n_objects, p->n_objects_total);
	buf_putc(out, '\n');
	return true;
}

static void text_listing(void *arg, const struct read_through_progress *p)
{
	struct buf *out = arg;
	char since[24];

	buf_printf(out, "listing: %s, page %zu", p->what, p->n_pages);
	if (p->n_pages_all)
		buf_printf(out, " of %zu", p->n_pages_all);
	buf_printf(out, ", since %s\n",
		   clock_format_iso8601(p->since_ms, since));
}

static void text_download(void *arg, const struct stream_progress *p)
{
	char here[16], all[16];

	buf_printf(arg, "downloading: %s, %u%% (%s of %s)\n", p->what,
		   (unsigned)(p->size ? (double)p->n_bytes * 100 / p->size : 0),
		   text_bytes(p->n_bytes, here), text_bytes(p->size, all));
}

/* Of more trees than this, status tells only how many there are. */
#define TREES_SAID 5

struct trees {
	size_t n;
	struct {
		int64_t checked_ms;
		char *line;
	} newest[TREES_SAID];
};

static char *tree_line(const struct clone_shown *shown)
{
	struct buf out = BUF_INIT(0);
	char hex[41], when[24];

	if (shown->ref[0])
		refs_path(&out, shown->ref);
	else
		buf_puts(&out, "tree");
	buf_printf(&out, ": %s/%s ", shown->workspace, shown->slug);
	if (shown->head.empty) {
		buf_puts(&out, "empty\n");
		return buf_steal(&out, NULL);
	}
	buf_puts(&out, oid_hex(&shown->head.commit, hex));
	if (!shown->ref[0] && shown->head.branch[0]) {
		buf_putc(&out, ' ');
		refs_path(&out, shown->head.branch);
	}
	buf_printf(&out, ", checked %s",
		   clock_format_iso8601(shown->head.checked_ms, when));
	/* A mirror may be behind the service. */
	if (!shown->git_is_own)
		buf_printf(&out, ", as %s has it", shown->git);
	buf_printf(&out, "%s\n",
		   shown->held ? "; it has moved since, which is shown once "
				 "Bitbucket can be asked whether that name is "
				 "still this repository's"
			       : "");
	return buf_steal(&out, NULL);
}

static bool note_tree(void *arg, const struct clone_shown *shown)
{
	struct trees *t = arg;
	size_t at = t->n < TREES_SAID ? t->n : TREES_SAID;
	size_t last = TREES_SAID - 1;
	/* Trees that wait for something come first. */
	int64_t checked_ms = shown->held ? INT64_MAX : shown->head.checked_ms;

	t->n++;
	while (at > 0 && t->newest[at - 1].checked_ms < checked_ms)
		at--;
	if (at > last)
		return true;
	free(t->newest[last].line);
	memmove(&t->newest[at + 1], &t->newest[at],
		(last - at) * sizeof(t->newest[0]));
	t->newest[at].checked_ms = checked_ms;
	t->newest[at].line = tree_line(shown);
	return true;
}

static void text_trees(struct model *model, struct buf *out)
{
	struct trees t = {0};

	clone_set_shown(model->config.clones, note_tree, &t);
	if (t.n > TREES_SAID)
		buf_printf(out, "trees: %zu shown; newest %d\n", t.n,
			   TREES_SAID);
	for (size_t i = 0; i < TREES_SAID && t.newest[i].line; i++) {
		buf_puts(out, t.newest[i].line);
		free(t.newest[i].line);
	}
}

static void text_cache_use(const struct model_config *c, struct buf *out)
{
	uint64_t used, most;
	char bytes[16];

	if (c->cache_use) {
		c->cache_use(c->cache_use_arg, &used, &most);
		buf_printf(out, "; %s in all", text_bytes(used, bytes));
		if (most != UINT64_MAX)
			buf_printf(out, ", of %s", text_bytes(most, bytes));
	}
	buf_putc(out, '\n');
}

static void json_cache_use(const struct model_config *c, struct json *o)
{
	uint64_t used, most;

	if (!c->cache_use)
		return;
	c->cache_use(c->cache_use_arg, &used, &most);
	json_add_int(o, "used", (int64_t)used);
	if (most != UINT64_MAX)
		json_add_int(o, "bound", (int64_t)most);
	else
		json_add_null(o, "bound");
}

static void text_health(const struct read_through_health *health,
			struct buf *out)
{
	char when[24];

	if (health->offline)
		buf_puts(out, "network: not reached; what is cached is "
			      "served\n");
	if (health->last_failure_ms)
		buf_printf(out, "last failure: %s, %s: %s\n",
			   clock_format_iso8601(health->last_failure_ms, when),
			   strerrorname_np(health->last_errno),
			   health->last_sentence);
}

void status_text(struct model *model, struct buf *out)
{
	const struct model_config *c = &model->config;
	char bytes[16], when[24];
	struct read_through_health health;
	size_t from = out->len, before;

	read_through_health(c->source, &health);
	status_budget_text(model, out);
	buf_printf(out, "bitbucketfs: %s\n", VERSION);
	buf_printf(out, "account: %s%s\n", c->account,
		   atomic_load(&model->signed_out) ? " (signed out)" : "");
	buf_printf(out, "service: %s\n", c->api_url);
	buf_printf(out, "git: %s\n", clone_set_server(c->clones));
	buf_printf(out, "mounted: %s since %s\n", c->mountpoint,
		   clock_format_iso8601(model->started_ms, when));
	text_health(&health, out);
	buf_printf(out, "cache: %s, %" PRIu64 " documents, %s", c->cache_dir,
		   health.n_documents, text_bytes(health.n_bytes, bytes));
	text_cache_use(c, out);
	clone_set_running(c->clones, text_running, out);
	stream_set_running(c->streams, text_download, out);
	read_through_running(c->source, text_listing, out);
	text_trees(model, out);
	buf_puts(out, "problems:");
	before = out->len;
	buf_putc(out, '\n');
	problems_tail(model->problems, 10, out);
	if (out->len == before + 1) {
		out->len = before;
		buf_puts(out, " none\n");
	}
	/* Names and sentences are the service's: no control characters. */
	text_clean_buf(out, from, "\n\t");
}

static bool json_running(void *arg, const struct clone_progress *p)
{
	struct json *o = json_append_object(arg);

	json_add_str(o, "workspace", p->workspace);
	json_add_str(o, "repository", p->slug);
	json_add_bool(o, "waiting", p->waiting);
	json_add_bool(o, "rest", p->is_rest);
	json_add_int(o, "bytes", (int64_t)p->n_bytes);
	json_add_int(o, "objects", p->n_objects);
	json_add_int(o, "objects_total", p->n_objects_total);
	return true;
}

static void json_download(void *arg, const struct stream_progress *p)
{
	struct json *o = json_append_object(arg);

	json_add_str(o, "what", p->what);
	json_add_int(o, "bytes", (int64_t)p->n_bytes);
	json_add_int(o, "bytes_total", (int64_t)p->size);
}

static void json_listing(void *arg, const struct read_through_progress *p)
{
	struct json *o = json_append_object(arg);

	json_add_str(o, "what", p->what);
	json_add_int(o, "pages", (int64_t)p->n_pages);
	if (p->n_pages_all)
		json_add_int(o, "pages_total", (int64_t)p->n_pages_all);
	else
		json_add_null(o, "pages_total");
	status_json_time(o, "since", p->since_ms);
	json_add_bool(o, "behind", p->is_behind);
}

static bool json_shown(void *arg, const struct clone_shown *shown)
{
	cleanup(buf_done) struct buf path = BUF_INIT(64 * KIB);
	struct json *o = json_append_object(arg);
	char hex[41], when[24];

	json_add_str(o, "workspace", shown->workspace);
	json_add_str(o, "repository", shown->slug);
	if (shown->ref[0])
		refs_path(&path, shown->ref);
	json_add_str(o, "path", path.data ? path.data : "tree");
	buf_clear(&path);
	refs_path(&path, shown->head.branch);
	json_add_str(o, "branch", shown->head.branch[0] ? path.data : "");
	if (shown->head.empty)
		json_add_null(o, "commit");
	else
		json_add_str(o, "commit", oid_hex(&shown->head.commit, hex));
	json_add_str(o, "checked",
		     clock_format_iso8601(shown->head.checked_ms, when));
	json_add_str(o, "git", shown->git);
	json_add_bool(o, "held", shown->held);
	return true;
}

void status_json_time(struct json *o, const char *key, int64_t wall_ms)
{
	char when[24];

	if (wall_ms > 0)
		json_add_str(o, key, clock_format_iso8601(wall_ms, when));
	else
		json_add_null(o, key);
}

struct json *status_json(struct model *model)
{
	const struct model_config *c = &model->config;
	struct json *root = json_new_object();
	struct read_through_health health;
	struct json *o;

	read_through_health(c->source, &health);
	json_add_str(root, "version", VERSION);
	json_add_int(root, "pid", getpid());
	if (c->profile)
		json_add_str(root, "profile", c->profile);
	else
		json_add_null(root, "profile");
	json_add_str(root, "account", c->account);
	json_add_bool(root, "signed_out", atomic_load(&model->signed_out));
	json_add_str(root, "api_url", c->api_url);
	json_add_str(root, "git_url", clone_set_server(c->clones));
	json_add_str(root, "mountpoint", c->mountpoint);
	status_json_time(root, "mounted", model->started_ms);
	status_budget_json(model, root);
	o = json_add_object(root, "network");
	json_add_bool(o, "offline", health.offline);
	status_json_time(o, "last_ok", health.last_ok_ms);
	status_json_time(o, "last_failure", health.last_failure_ms);
	json_add_str(o, "last_sentence", health.last_sentence);
	o = json_add_object(root, "cache");
	json_add_str(o, "directory", c->cache_dir);
	json_add_int(o, "documents", (int64_t)health.n_documents);
	json_add_int(o, "bytes", (int64_t)health.n_bytes);
	json_add_int(o, "trees_parsed", (int64_t)clone_trees_parsed());
	json_cache_use(c, o);
	clone_set_running(c->clones, json_running,
			  json_add_array(root, "fetching"));
	stream_set_running(c->streams, json_download,
			   json_add_array(root, "downloading"));
	read_through_running(c->source, json_listing,
			     json_add_array(root, "listing"));
	clone_set_shown(c->clones, json_shown, json_add_array(root, "trees"));
	status_problems_json(model, root);
	return root;
}
