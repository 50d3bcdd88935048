/*
 * tree/commits: any commit by its id; a shorter one, of seven digits or more,
 * is a symbolic link to the whole one.
 */
#include "tree/place.h"

#define SHORTEST 7
#define WHOLE 40
#define UNKNOWN_MS (INT64_C(60) * 1000)

static bool is_short_id(const char *name)
{
	size_t n = strspn(name, "0123456789abcdef");

	return !name[n] && n >= SHORTEST && n < WHOLE;
}

int commits_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		   const char *name, struct found *ret_found)
{
	cleanup(catalog_document_done) struct catalog_document document = {0};
	cleanup(json_free) struct json *json = NULL;
	const struct place *p = place_of(dir);
	const char *hash = NULL;
	int r;

	if (!is_short_id(name))
		return place_lookup_item(ctx, model, dir, name, ret_found);
	r = documents_item(ctx, model->config.documents, p->row, p->scope, name,
			   SOURCE_READ, &document);
	if (r == -ENOENT) {
		ret_found->left_ms = UNKNOWN_MS;
		return 0;
	}
	if (r < 0)
		return r;
	if (!json_parse(blob_data(document.body), blob_len(document.body),
			&json))
		hash = json_str(json, "hash");
	if (!hash || strlen(hash) != WHOLE || strncmp(hash, name, strlen(name)))
		return ctx_fail(ctx, -EIO,
				"Bitbucket answered with another commit than "
				"%s.",
				name);
	place_found_link(hash, document.updated_ms,
			 place_believe_ms(&document.age), ret_found);
	return 0;
}
