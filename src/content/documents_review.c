/*
 * content/documents, review-requested/: the open pull requests of a workspace
 * that wait for the account's review: it is a reviewer, and has neither
 * approved nor asked for changes. The service has no such list; this one is
 * made of the lists of pull requests that are at hand, asks for nothing, and
 * says in `more` how much of the workspace that is.
 */
#include "content/documents_across.h"
#include "content/documents_builds.h"

#include "base/clock.h"

const char *const documents_review_files[] = {
	"index.json",
	"index.tsv",
	"more",
	NULL,
};

struct review {
	struct documents_across across;
	const struct resource *row;
	char *me;
	struct documents_index index;
	struct buf more;
};

static void review_done(struct review *v)
{
	documents_across_done(&v->across);
	free(v->me);
	documents_index_done(&v->index);
	buf_done(&v->more);
}
DEFINE_CLEANUP_DONE(struct review, review_done);

static char *key_of(const struct review *v, const char *name)
{
	return mem_asprintf("about/%s/review-requested#%s",
			    v->across.listing->workspace_id, name);
}

static void add_builds(const struct documents_across *a,
		       const char *repository_key, struct buf *mark)
{
	cleanup(free) char *builds =
		documents_builds_mark(a->documents, repository_key);

	buf_puts(mark, builds);
}

static bool waits_for_me(const struct json *pull, const char *me)
{
	const struct json *said =
		json_find(json_at(pull, "participants"), "user.uuid", me);
	const char *is = json_str(pull, "state");
	const char *state = json_str(said, "state");

	return is && !strcmp(is, "OPEN") &&
	       json_find(json_at(pull, "reviewers"), "uuid", me) &&
	       !json_bool(said, "approved", false) &&
	       !(state && !strcmp(state, "changes_requested"));
}

/* Of most lists nothing waits, and no builds are looked for. */
static int add_pull(struct review *v, struct documents_builds *builds,
		    const struct scope *scope, const struct json *pull)
{
	cleanup(json_free) struct json *with = NULL;

	if (!builds->documents)
		documents_builds_init(builds, v->across.documents, scope->key);
	with = documents_builds_of(builds, v->row, scope, pull);
	return documents_index_add(&v->index, pull, with ? with : pull);
}

static int add_list(struct review *v, size_t i)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		documents_across_list(&v->across, i);
	cleanup(free) char *repository = documents_across_key(&v->across, i);
	cleanup(scope_unref) struct scope *above =
		scope_new(repository, "", "", "", "");
	cleanup(scope_unref) struct scope *scope =
		scope_below(above, v->across.row);
	cleanup(documents_builds_done) struct documents_builds builds = {0};
	cleanup(json_free) struct json *list = NULL;
	int r = 0;

	/* Most lists have nothing of the account, and need not be parsed. */
	if (e && e->body &&
	    memmem(blob_data(e->body), e->n_body, v->me, strlen(v->me)))
		list = answer_json(e);
	if (!json_is_array(list))
		return 0;
	for (const struct json *p = json_first(list); p && r == 0;
	     p = json_next(p))
		if (waits_for_me(p, v->me))
			r = add_pull(v, &builds, scope, p);
	return r;
}

static void say_more(struct review *v)
{
	const struct documents_across *a = &v->across;
	char oldest[24], newest[24];

	if (!a->repositories)
		buf_puts(&v->more, "The repositories of this workspace were "
				   "not listed yet.\n");
	else
		buf_printf(&v->more,
			   "Made of the pull requests of %zu of %zu "
			   "repositories: of those whose list is at hand.\n",
			   a->n_lists, a->repositories->n_items);
	if (a->n_lists)
		buf_printf(&v->more,
			   "The oldest list is of %s, the newest of %s.\n",
			   clock_format_iso8601(a->oldest_ms, oldest),
			   clock_format_iso8601(a->newest_ms, newest));
	buf_puts(&v->more, "To have more of them, or newer ones, look at "
			   "pullrequests/ of the repositories.\n");
}

static int store(struct ctx *ctx, struct review *v)
{
	const struct buf *texts[] = {&v->index.json, &v->index.tsv, &v->more};
	cleanup(answer_batch_done) struct answer_batch batch = {0};

	for (size_t i = 0; documents_review_files[i]; i++)
		answer_batch_add(&batch, key_of(v, documents_review_files[i]),
				 texts[i]->data, texts[i]->len, v->across.mark,
				 FINAL_MS);
	return answer_put(ctx, v->across.documents->config.cache, batch.puts,
			  batch.n);
}

static int make(struct ctx *ctx, void *arg)
{
	struct review *v = arg;
	const struct collection *repositories = v->across.repositories;

	for (size_t i = 0; repositories && i < repositories->n_items; i++)
		if (add_list(v, i) < 0)
			return ctx_fail(ctx, -EFBIG,
					"What waits for a review in %s is "
					"larger than 64 MiB.",
					v->across.listing->slug);
	documents_index_end(&v->index);
	say_more(v);
	return store(ctx, v);
}

int documents_review(struct ctx *ctx, struct documents *d,
		     const char *workspace, const char *name,
		     struct document_file *ret_file)
{
	cleanup(review_done) struct review v = {
		.row = resource_find_row(resource_repository.rows,
					 "pullrequests"),
		.more = BUF_INIT(64 * KIB),
	};
	cleanup(free) char *key = NULL;
	int r = documents_me(ctx, d, READ_CACHED, &v.me);

	if (r < 0)
		return r;
	documents_index_begin(&v.index, pullrequest_review_columns,
			      pullrequest_review_newest, CACHE_MAX_BODY);
	documents_across_init(ctx, &v.across, d, workspace, v.row->name, v.me,
			      add_builds);
	key = key_of(&v, name);
	return documents_across_file(ctx, &v.across, key, make, &v, ret_file);
}
