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

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

/* Bytes with a meaning in a path or a query are left as they are. Not "+",
 * which in a query would be read as a blank: it is encoded. */
#define KEEP_PATH "!$'()*,;:@&=~"
#define KEEP_QUERY KEEP_PATH "?/"

static void add_encoded(struct buf *out, const char *s, size_t n,
			const char *keep)
{
	for (size_t i = 0; i < n; i++) {
		char one[2] = {s[i], '\0'};

		if (s[i] == '%' && i + 2 < n &&
		    isxdigit((unsigned char)s[i + 1]) &&
		    isxdigit((unsigned char)s[i + 2]))
			buf_putc(out, '%');
		else
			text_percent_encode(out, one, keep);
	}
}

/* A segment of dots, encoded or not, would climb out of api_url: "%2e.", and
 * also "a%2f..". */
static bool has_dots(const char *s, size_t n)
{
	size_t n_dots = 0;
	bool other = false;

	for (size_t i = 0; i < n; i++) {
		bool dot = i + 2 < n && !strncasecmp(s + i, "%2e", 3);
		bool slash = i + 2 < n && !strncasecmp(s + i, "%2f", 3);

		if (slash && !other && (n_dots == 1 || n_dots == 2))
			return true;
		other = !slash && (other || (!dot && s[i] != '.'));
		n_dots = slash ? 0 : n_dots + (dot || s[i] == '.');
		i += dot || slash ? 2 : 0;
	}
	return !other && (n_dots == 1 || n_dots == 2);
}

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

static bool has_parameter(const char *query, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = query; p && *p; p = strchr(p, '&')) {
		p += *p == '&';
		if (!strncmp(p, name, n) && p[n] == '=')
			return true;
	}
	return false;
}

/* Adds the path of a directory below api/: "/repositories/acme". */
static void add_path(const struct node *dir, struct buf *out)
{
	/* api/ itself is in a directory of another kind. */
	if (dir->parent->what.provider != dir->what.provider)
		return;
	add_path(dir->parent, out);
	buf_putc(out, '/');
	add_encoded(out, dir->name, strlen(dir->name), KEEP_PATH);
}

static void make_path(const struct node *dir, const char *name,
		      const struct parts *parts, struct buf *out)
{
	const char *query = parts->query ? parts->query : "";
	char mark = '?';

	add_path(dir, out);
	buf_putc(out, '/');
	add_encoded(out, name, parts->n_stem, KEEP_PATH);
	if (*query) {
		buf_putc(out, mark);
		add_encoded(out, query, strlen(query), KEEP_QUERY);
		mark = '&';
	}
	/* Fifty is what every list of the service allows; its default is ten.
	 */
	if (!parts->text && !has_parameter(query, "pagelen"))
		buf_printf(out, "%cpagelen=50", mark);
}

static const struct provider provider_api;

static void found_dir(struct model *model, struct found *found)
{
	*found = (struct found){
		.what =
			{
				.provider = &provider_api,
				.mode = NODE_DIRECTORY,
				.mtime_ms = model->started_ms,
			},
		.left_ms = LONGEST_MS,
	};
}

void api_found(struct model *model, struct found *ret_found)
{
	found_dir(model, ret_found);
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
	    has_dots(name, parts.n_stem))
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
	if (probe_matches(name) || has_dots(name, strcspn(name, "?")))
		return 0;
	if (!split(name, &parts)) {
		found_dir(model, ret_found);
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
	if (file.version != node->what.version)
		model_changed_entry(model, dir, node->name);
	buf_printf(said, "%s: %s\n", node->name,
		   file.version == node->what.version ? "unchanged"
						      : "updated");
	return 0;
}

static const struct provider provider_api = {
	.name = "api",
	.refresh = api_refresh,
	.lookup = api_lookup,
	.open = provider_open_nothing,
};
