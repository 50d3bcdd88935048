/*
 * model/node_form: the small part of a node comes last in memory, so that its
 * name can follow it in either form.
 *
 *	file in a tree:               struct node, name
 *	any other:   version … listed, struct node, name
 */
#include "model/node_form.h"

#include "model/provider.h"

static size_t bytes_before(bool is_tree_file)
{
	return is_tree_file ? 0 : offsetof(struct node_more, node);
}

struct node_more *node_form_more(struct node *node)
{
	check(!node->is_tree_file);
	return (struct node_more *)((char *)node - bytes_before(false));
}

static const struct node_more *more_of(const struct node *node)
{
	return (const struct node_more *)((const char *)node -
					  bytes_before(false));
}

uint64_t node_version(const struct node *node)
{
	return node->is_tree_file ? (uint64_t)node->mtime_ms
				  : more_of(node)->version;
}

const struct resource_file *node_resource_file(const struct node *node)
{
	return node->is_tree_file ? NULL : more_of(node)->file;
}

struct checkout *node_checkout(const struct node *node)
{
	return more_of(node->is_tree_file ? node->parent : node)->checkout;
}

void *node_data(const struct node *node)
{
	return node->is_tree_file ? NULL : more_of(node)->data;
}

struct node *node_form_new(const char *name, const struct node_what *what)
{
	bool is_tree_file = what->checkout && !S_ISDIR(what->mode);
	size_t n = strlen(name) + 1, before = bytes_before(is_tree_file);
	char *at = mem_calloc(1, before + offsetof(struct node, name) + n);
	struct node *node = (struct node *)(at + before);

	node->is_tree_file = is_tree_file;
	node->provider = what->provider;
	node->mode = (uint16_t)what->mode;
	node->size = what->size;
	node->mtime_ms = what->mtime_ms;
	node->oid = what->oid;
	memcpy(node->name, name, n);
	if (is_tree_file) {
		check(!what->data && !what->file &&
		      what->version == (uint64_t)what->mtime_ms);
		return node;
	}
	node_form_more(node)->version = what->version;
	node_form_more(node)->file = what->file;
	node_form_more(node)->checkout = what->checkout;
	node_form_more(node)->data = what->data;
	return node;
}

void node_form_free(struct node *node)
{
	void *data = node_data(node);

	if (data && node->provider->free_data)
		node->provider->free_data(data);
	if (!node->is_tree_file)
		listed_free(node_form_more(node)->listed);
	free((char *)node - bytes_before(node->is_tree_file));
}

struct node_what node_form_what(const struct node *node)
{
	return (struct node_what){
		.provider = node->provider,
		.mode = node->mode,
		.size = node->size,
		.mtime_ms = node->mtime_ms,
		.version = node_version(node),
		.oid = node->oid,
		.file = node_resource_file(node),
		.checkout = node_checkout(node),
		.data = node_data(node),
	};
}
