/*
 * model/dirs/api: .bitbucketfs/api/: the API's own paths as names.
 *
 * Every name without an ending is a directory that costs nothing and lists
 * nothing; one that ends in .json or .txt, with or without a query behind it,
 * is the answer to that GET. What people type is made a URL: bytes that a URL
 * cannot have are percent-encoded, what is encoded already stays ("/" in a
 * query can only be written %2F).
 */
#include "model/dirs/api.h"
#include "model/dirs/row_dir.h"
#include "model/probe.h"

#include "api/bitbucket.h"

struct parts {
	size_t n_stem;
	bool text;
	const char *query; /* NULL: none */
};

/* False: the name is a directory's. */
static bool split(const char *name, struct parts *ret)
{
	size_t n = strcspn(name, "?");

	ret->query = name[n] ? name + n + 1 : NULL;
	if (n >= 5 && !strncmp(name + n - 5, ".json", 5)) {
		ret->n_stem = n - 5;
		ret->text = false;
		return true;
	}
	if (n >= 4 && !strncmp(name + n - 4, ".txt", 4)) {
		ret->n_stem = n - 4;
		ret->text = true;
		return true;
	}
	return false;
}

/* Adds the path of a directory below api/: "/repositories/acme". */
static void add_path(const struct node *dir, struct buf *out)
{
	/* api/ itself is in a directory of another kind. */
	if (dir->parent->provider != dir->provider)
		return;
	add_path(dir->parent, out);
	bitbucket_add_segment(out, dir->name, strlen(dir->name));
}

static void make_path(const struct node *dir, const char *name,
		      const struct parts *parts, struct buf *out)
{
	add_path(dir, out);
	bitbucket_add_segment(out, name, parts->n_stem);
	bitbucket_add_query(out, parts->query ? parts->query : "",
			    !parts->text);
}

static const struct provider provider_api;

void api_found(struct model *model, struct found *ret_found)
{
	provider_found_dir(ret_found, &provider_api, model->started_ms,
			   LONGEST_MS, NULL);
}

/* The answer to the GET that a name in a directory of api/ stands for; -ENOENT:
 * it stands for none. */
static int api_ask(struct ctx *ctx, struct model *model, const struct node *dir,
		   const char *name, enum read_through_mode mode,
		   struct document_file *ret_file)
{
	cleanup(buf_done) struct buf path = BUF_INIT(16 * KIB);
	struct parts parts;

	if (!split(name, &parts) || !parts.n_stem ||
	    bitbucket_has_dots(name, parts.n_stem))
		return -ENOENT;
	make_path(dir, name, &parts, &path);
	if (path.failed)
		return -ENAMETOOLONG;
	return documents_mirror(ctx, model->config.documents, path.data,
				parts.text, mode, ret_file);
}

static int api_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		      const char *name, struct found *ret_found)
{
	struct document_file file;
	struct parts parts;
	int r;

	ret_found->left_ms = LONGEST_MS;
	if (probe_matches(name) || bitbucket_has_dots(name, strcspn(name, "?")))
		return 0;
	if (!split(name, &parts)) {
		api_found(model, ret_found);
		return 0;
	}
	r = api_ask(ctx, model, dir, name, READ_THROUGH, &file);
	if (r == -ENOENT) {
		ret_found->left_ms = UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	row_dir_found_file(model, &file, model->started_ms, ret_found);
	return 0;
}

static int api_refresh(struct ctx *ctx, struct model *model, struct node *dir,
		       struct node *node, struct buf *said)
{
	struct document_file file;
	int r = node ? api_ask(ctx, model, dir, node->name, READ_REFRESH, &file)
		     : -ENOENT;

	if (r < 0)
		return r;
	if (file.version != node_version(node))
		model_changed_entry(model, dir, node->name);
	buf_printf(said, "%s: %s\n", node->name,
		   file.version == node_version(node) ? "unchanged"
						      : "updated");
	return 0;
}

static const struct provider provider_api = {
	.name = "api",
	.refresh = api_refresh,
	.lookup = api_lookup,
	.open = provider_open_nothing,
};
