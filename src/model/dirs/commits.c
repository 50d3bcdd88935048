/*
 * model/dirs/commits: any commit by its id, and the files at the commit that an
 * item of the table names.
 *
 * A shorter id, of seven digits or more, is a symbolic link to the whole one.
 * The store is looked into first; else one request completes the id, and its
 * answer is kept as the document of the commit.
 */
#include "model/dirs/specials.h"
#include "model/git/checkout.h"
#include "model/repository.h"
#include "model/probe.h"

#include "base/text.h"

#define SHORTEST 7
#define WHOLE 40

static bool is_short_id(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return !name[n] && n >= SHORTEST && n < WHOLE;
}

/* Looks for the commit in the store; asks nobody. */
static bool find_stored(struct model *model, struct node *dir, const char *name,
			struct found *ret_found)
{
	cleanup(clone_unref) struct clone *clone = NULL;
	struct clone_head head;
	struct oid id;
	char hex[41];

	if (repository_clone(model, dir, &clone) < 0 ||
	    clone_resolve_short(clone, name, strlen(name), &id) < 0)
		return false;
	row_dir_found_link(oid_hex(&id, hex),
			   clone_known_commit(clone, &id, &head) == 0
				   ? head.time_s * 1000
				   : node_mtime_ms(model->nodes, dir),
			   LONGEST_MS, ret_found);
	return true;
}

int commits_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct row_dir *p = row_dir_of(dir);
	const char *hash;
	int r;

	if (!is_short_id(name))
		return row_dir_lookup_item(ctx, model, dir, name, ret_found);
	if (find_stored(model, dir, name, ret_found))
		return 0;
	r = documents_item(ctx, model->config.documents, p->row, p->scope, name,
			   READ_THROUGH, &document);
	if (r == -ENOENT) {
		ret_found->left_ms =
			documents_unknown_ms(model->config.documents);
		return 0;
	}
	if (r < 0)
		return r;
	json = json_of(document.body);
	hash = json_str(json, "hash");
	if (!hash || !text_is_oid(hash) || strncmp(hash, name, strlen(name)))
		return ctx_fail(ctx, -EIO,
				"Bitbucket answered with another commit than "
				"%s.",
				name);
	row_dir_found_link(hash, document.updated_ms,
			   row_dir_believe_ms(&document.age), ret_found);
	return 0;
}

/* ---- the files at a commit ---- */

/* Splits "workspace/slug" into a source; the text is changed. */
static void read_source(char *full_name, struct clone_source *source)
{
	char *slash = full_name ? strchr(full_name, '/') : NULL;

	if (!slash)
		return;
	*slash = '\0';
	source->workspace = full_name;
	source->slug = slash + 1;
}

/* The item names no commit: the directory exists, and looking inside says why
 * it is empty. */
static int nowhere(struct ctx *ctx)
{
	return ctx_fail(ctx, -ENODATA,
			"Bitbucket does not say which commit this is: the fork "
			"that had it is gone.");
}

static int nowhere_lookup(struct ctx *ctx, struct model *, struct node *,
			  const char *name, struct found *ret_found)
{
	ret_found->left_ms = UNKNOWN_MS;
	return probe_matches(name) ? 0 : nowhere(ctx);
}

static int nowhere_open(struct ctx *ctx, struct model *, struct node *,
			struct dirlist *, struct dirlist **)
{
	return nowhere(ctx);
}

static const struct provider provider_nowhere = {
	.name = "nowhere",
	.lookup = nowhere_lookup,
	.open = nowhere_open,
};

static void found_nowhere(struct model *model, struct node *dir,
			  struct found *ret_found)
{
	provider_found_dir(ret_found, &provider_nowhere,
			   node_mtime_ms(model->nodes, dir), LONGEST_MS, NULL);
}

/* The files at the source of a pull request. */
static int found_target(struct ctx *ctx, struct model *model, struct node *dir,
			const struct json *json, struct found *ret_found)
{
	const char *full_name = json_str(json, "source.repository.full_name");
	cleanup(free) char *source_name = full_name ? mem_strdup(full_name)
						    : NULL;
	const struct resource *commits =
		resource_find_row(row_dir_rows(row_dir_of(dir)), "commits");
	cleanup(scope_unref) struct scope *scope =
		scope_below(row_dir_of(dir)->scope, "commits");
	struct clone_source source = {0};
	const struct checkout_target target = {
		.hash = json_str(json, "source.commit.hash"),
		.commits = commits,
		.commits_scope = scope,
		.sources = &source,
		.n_sources = 1,
		.branch = json_str(json, "source.branch.name"),
	};

	if (!target.hash) {
		found_nowhere(model, dir, ret_found);
		return 0;
	}
	read_source(source_name, &source);
	source.uuid = json_str(json, "source.repository.uuid");
	return checkout_fixed_found(ctx, model, dir, &target, ret_found);
}

static int found_by_document(struct ctx *ctx, struct model *model,
			     struct node *dir, enum read_through_mode mode,
			     struct found *ret_found)
{
	cleanup(answer_document_done) struct answer_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	int r = row_dir_document(ctx, model, dir, mode, &document);

	if (r < 0)
		return r;
	json = json_of(document.body);
	if (!json)
		return ctx_fail(ctx, -EIO, "Its document is unreadable.");
	r = found_target(ctx, model, dir, json, ret_found);
	/* The source of an open pull request moves: the directory is good as
	 * long as the document is. */
	if (r == 0 && row_dir_believe_ms(&document.age) < ret_found->left_ms)
		ret_found->left_ms = row_dir_believe_ms(&document.age);
	return r;
}

int commits_found_tree(struct ctx *ctx, struct model *model, struct node *dir,
		       const struct resource *, const struct scope *,
		       enum read_through_mode mode, struct found *ret_found)
{
	const struct row_dir *p = row_dir_of(dir);
	const struct checkout_target target = {.hash = p->id};

	/* A commit's own directory: the id is known without a document. */
	return text_is_oid(p->id)
		       ? checkout_fixed_found(ctx, model, dir, &target,
					      ret_found)
		       : found_by_document(ctx, model, dir, mode, ret_found);
}
