/*
 * model/dirs/review: .workspace/review-requested/, made of the lists of pull
 * requests that are at hand (content/documents_review.c), and red.tsv, made of
 * those of pipelines. These files have no attributes in READDIR: they are made
 * when somebody looks at them.
 */
#include "model/dirs/specials.h"

int review_lookup(struct ctx *ctx, struct model *model, struct node *dir,
		  const char *name, struct found *ret_found)
{
	struct document_file file;

	for (size_t i = 0; documents_review_files[i]; i++) {
		int r;

		if (strcmp(name, documents_review_files[i]) != 0)
			continue;
		r = documents_review(ctx, model->config.documents,
				     row_dir_of(dir)->scope->workspace, name,
				     &file);
		if (r == 0)
			row_dir_found_file(model, &file,
					   node_mtime_ms(model->nodes, dir),
					   ret_found);
		return r;
	}
	return 0;
}

int review_open(struct ctx *ctx, struct model *model, struct node *dir,
		struct row_dir_names *, const struct row_dir_names *,
		struct dirlist *l)
{
	struct document_file file;
	int r = documents_review(ctx, model->config.documents,
				 row_dir_of(dir)->scope->workspace,
				 documents_review_files[0], &file);

	for (unsigned i = 0; r == 0 && documents_review_files[i]; i++)
		dirlist_add(l, documents_review_files[i],
			    ROW_DIR_FIRST_ITEM + i + 1, S_IFREG,
			    ROW_DIR_TAG_SPECIAL + i);
	return r;
}

int review_found_red(struct ctx *ctx, struct model *model, struct node *dir,
		     const struct resource *, const struct scope *scope,
		     enum read_through_mode, struct found *ret_found)
{
	struct document_file file;
	int r = documents_red(ctx, model->config.documents, scope->workspace,
			      &file);

	if (r == 0)
		row_dir_found_file(model, &file,
				   node_mtime_ms(model->nodes, dir), ret_found);
	return r;
}
