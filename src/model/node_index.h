/*
 * model/node_index: nodes found by number and by name. Private to model/node,
 * whose lock guards it.
 *
 * Owns two tables of chains, which go through the nodes themselves; never a
 * node. There is a head for two nodes at least, and the hash of a name lies in
 * its node: looking for a name that is not there, as a first listing does for
 * each of its names, touches a head and a node or two. (uthash, which the other
 * tables are, doubles only when a chain has ten nodes, and takes 112 bytes of
 * each node for two tables.)
 */
#ifndef MODEL_NODE_INDEX_H
#define MODEL_NODE_INDEX_H

#include "base/defs.h"

struct node;

struct node_slots {
	struct node **heads;
	size_t n_heads; /* a power of two */
	size_t n_nodes;
};
struct node_index {
	struct node_slots by_ino, by_name;
};

void node_index_init(struct node_index *);
void node_index_done(struct node_index *);

struct node *node_index_ino(const struct node_index *, uint64_t ino);
void node_index_add_ino(struct node_index *, struct node *);
void node_index_remove_ino(struct node_index *, struct node *);

/* The hash of a name in the directory with that number. */
uint32_t node_index_hash(uint64_t parent_ino, const char *name);
struct node *node_index_name(const struct node_index *, uint64_t parent_ino,
			     const char *name, uint32_t hash);
void node_index_add_name(struct node_index *, struct node *);
void node_index_remove_name(struct node_index *, struct node *);

/* Goes through all nodes that have a number, in no order: the one after last,
 * the first one after NULL; NULL at the end. *at begins as 0. The table must
 * not change meanwhile. */
struct node *node_index_next(const struct node_index *, size_t *at,
			     const struct node *last);

#endif
