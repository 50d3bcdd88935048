/*
 * model/node_index: chains from a power of two of heads. They are doubled when
 * there are two nodes a head and halved when there are four times as many heads
 * as nodes, so that what a mass of forgets leaves behind is given back, and a
 * number of nodes that goes to and fro costs nothing.
 *
 * A node's number is a hash already (node.c: number_for). Its name's is not
 * kept: of a file of a tree each byte counts, and names are read again only
 * when the heads are doubled.
 */
#include "model/node_index.h"

#include "model/node.h"

#include "base/hash.h"

#define HEADS_LEAST 64

static void init(struct node_slots *s)
{
	*s = (struct node_slots){.n_heads = HEADS_LEAST};
	s->heads = mem_calloc(s->n_heads, sizeof(*s->heads));
}

void node_index_init(struct node_index *index)
{
	init(&index->by_ino);
	init(&index->by_name);
}

void node_index_done(struct node_index *index)
{
	free(index->by_ino.heads);
	free(index->by_name.heads);
}

static struct node **head(const struct node_slots *s, uint64_t hash)
{
	return &s->heads[hash & (s->n_heads - 1)];
}

/* All that the two tables differ in: the hash of a node, and its link. */
typedef uint64_t hash_of(const struct node *);
typedef struct node **next_of(struct node *);

static uint64_t ino_hash(const struct node *node)
{
	return node->ino;
}

static struct node **ino_next(struct node *node)
{
	return &node->next_by_ino;
}

static uint64_t name_hash(const struct node *node)
{
	return node_index_hash(node->parent->ino, node->name);
}

static struct node **name_next(struct node *node)
{
	return &node->next_by_name;
}

static inline void resize(struct node_slots *s, size_t n_heads, hash_of *hash,
			  next_of *next)
{
	struct node_slots old = *s;

	s->n_heads = n_heads;
	s->heads = mem_calloc(n_heads, sizeof(*s->heads));
	for (size_t i = 0; i < old.n_heads; i++) {
		struct node *node = old.heads[i], *after;

		for (; node; node = after) {
			struct node **to = head(s, hash(node));

			after = *next(node);
			*next(node) = *to;
			*to = node;
		}
	}
	free(old.heads);
}

static inline void add(struct node_slots *s, struct node *node, hash_of *hash,
		       next_of *next)
{
	struct node **to;

	if (s->n_nodes == 2 * s->n_heads)
		resize(s, 2 * s->n_heads, hash, next);
	to = head(s, hash(node));
	*next(node) = *to;
	*to = node;
	s->n_nodes++;
}

static inline void take(struct node_slots *s, struct node *node, hash_of *hash,
			next_of *next)
{
	struct node **at = head(s, hash(node));

	while (*at != node) {
		check(*at);
		at = next(*at);
	}
	*at = *next(node);
	*next(node) = NULL;
	s->n_nodes--;
	if (s->n_heads > HEADS_LEAST && s->n_nodes < s->n_heads / 4)
		resize(s, s->n_heads / 2, hash, next);
}

struct node *node_index_ino(const struct node_index *index, uint64_t ino)
{
	struct node *node = *head(&index->by_ino, ino);

	while (node && node->ino != ino)
		node = node->next_by_ino;
	return node;
}

void node_index_add_ino(struct node_index *index, struct node *node)
{
	add(&index->by_ino, node, ino_hash, ino_next);
}

void node_index_remove_ino(struct node_index *index, struct node *node)
{
	take(&index->by_ino, node, ino_hash, ino_next);
}

/* Over the name, from the parent's number, which is a hash; mixed, because the
 * low bits choose the chain. */
uint32_t node_index_hash(uint64_t parent_ino, const char *name)
{
	return (uint32_t)(hash_mix(hash_text(HASH_INIT ^ parent_ino, name)) >>
			  32);
}

struct node *node_index_name(const struct node_index *index,
			     uint64_t parent_ino, const char *name,
			     uint32_t hash)
{
	struct node *node = *head(&index->by_name, hash);

	while (node && (node->parent->ino != parent_ino ||
			strcmp(node->name, name) != 0))
		node = node->next_by_name;
	return node;
}

void node_index_add_name(struct node_index *index, struct node *node)
{
	add(&index->by_name, node, name_hash, name_next);
}

void node_index_remove_name(struct node_index *index, struct node *node)
{
	take(&index->by_name, node, name_hash, name_next);
}

struct node *node_index_next(const struct node_index *index, size_t *at,
			     const struct node *last)
{
	struct node *node = last ? last->next_by_ino : NULL;

	while (!node && *at < index->by_ino.n_heads)
		node = index->by_ino.heads[(*at)++];
	return node;
}
