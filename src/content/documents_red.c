/*
 * content/documents, red.tsv: the repositories of a workspace whose main branch
 * does not build: its newest run that has ended failed. Made of the lists of
 * pipelines that are at hand; asks for nothing. A run that is under way says
 * nothing yet, nor does one that was stopped: it takes no repository off, nor
 * puts one on.
 */
#include "content/documents_across.h"

#include "base/clock.h"

#include <inttypes.h>

struct red {
	struct documents_across across;
	struct documents_index index; /* its lines alone are stored */
};

static void red_done(struct red *red)
{
	documents_across_done(&red->across);
	documents_index_done(&red->index);
}
DEFINE_CLEANUP_DONE(struct red, red_done);

static struct cache_entry *document_of(const struct documents_across *a,
				       const char *repository_key, bool body)
{
	return answer_at_hand(a->documents->config.cache, repository_key, body);
}

/* The document says which branch is the main one. */
static void add_document(const struct documents_across *a,
			 const char *repository_key, struct buf *mark)
{
	cleanup(cache_entry_free) struct cache_entry *e =
		document_of(a, repository_key, false);

	buf_printf(mark, "%" PRIu64, e ? e->version : 0);
}

/* That of two runs which has the larger number. */
static const struct json *newer(const struct json *a, const struct json *b)
{
	return json_int(a, "build_number", 0) > json_int(b, "build_number", 0)
		       ? a
		       : b;
}

/* A run of a pull request is not one of the branch that it comes from. */
static bool tells(const struct json *run, const char *branch)
{
	const char *of = pipelines_branch(run);
	const char *result = json_str(run, "state.result.name");

	return of && !strcmp(of, branch) && json_at(run, "target.ref_name") &&
	       pipelines_has_ended(run) && result &&
	       strcmp(result, "STOPPED") != 0;
}

static int add_line(struct red *red, const struct json *document,
		    const struct json *runs, int64_t fetched_ms)
{
	const char *branch = json_str(document, "mainbranch.name");
	const struct json *newest = NULL, *green = NULL;
	cleanup(json_free) struct json *item = json_new_object();
	const char *name = json_str(document, "full_name");
	char fetched[24];

	JSON_EACH (run, runs) {
		if (!branch || !tells(run, branch))
			continue;
		newest = newer(run, newest);
		if (!pipelines_has_failed(run))
			green = newer(run, green);
	}
	if (!newest || !pipelines_has_failed(newest))
		return 0;
	json_add_str(item, "repository", name ? name : "");
	json_add_copy(item, "run", newest);
	if (green)
		json_add_copy(item, "green", green);
	json_add_str(item, "fetched",
		     clock_format_iso8601(fetched_ms, fetched));
	return documents_index_add(&red->index, item, item);
}

static int add_repository(struct red *red, size_t i)
{
	cleanup(cache_entry_free) struct cache_entry *list =
		documents_across_list(&red->across, i);
	cleanup(free) char *key = documents_across_key(&red->across, i);
	cleanup(cache_entry_free) struct cache_entry *e =
		list ? document_of(&red->across, key, true) : NULL;
	cleanup(json_free) struct json *document = answer_json(e);
	cleanup(json_free) struct json *runs = document ? answer_json(list)
							: NULL;

	return json_is_array(runs)
		       ? add_line(red, document, runs, list->fetched_ms)
		       : 0;
}

static char *key_of(const struct red *red)
{
	return mem_asprintf("about/%s/red.tsv",
			    red->across.listing->workspace_id);
}

static int make(struct ctx *ctx, void *arg)
{
	struct red *red = arg;
	const struct documents_across *a = &red->across;
	cleanup(answer_batch_done) struct answer_batch batch = {0};

	for (size_t i = 0; a->repositories && i < a->repositories->n_items; i++)
		if (add_repository(red, i) < 0)
			return ctx_fail(ctx, -EFBIG,
					"What fails in %s is larger than 64 "
					"MiB.",
					a->listing->slug);
	documents_index_end(&red->index);
	answer_batch_add(&batch, key_of(red), red->index.tsv.data,
			 red->index.tsv.len, a->mark, FINAL_MS);
	return answer_put(ctx, a->documents->config.cache, batch.puts, batch.n);
}

int documents_red(struct ctx *ctx, struct documents *d, const char *workspace,
		  struct document_file *ret_file)
{
	cleanup(red_done) struct red red = {0};
	cleanup(free) char *key = NULL;

	documents_index_begin(&red.index, pipelines_red_columns,
			      "run.completed_on|run.created_on",
			      CACHE_MAX_BODY);
	documents_across_init(ctx, &red.across, d, workspace, "pipelines", "",
			      add_document);
	key = key_of(&red);
	return documents_across_file(ctx, &red.across, key, make, &red,
				     ret_file);
}
