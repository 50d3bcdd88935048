/*
 * model/node_form: what a node takes in memory: a struct node alone, which a
 * file in a tree is, or one at the end of a struct node_more. Private to
 * model/node.
 */
#ifndef MODEL_NODE_FORM_H
#define MODEL_NODE_FORM_H

#include "model/node.h"

/* A node without a number, a parent and references. what->data is taken. */
struct node *node_form_new(const char *name, const struct node_what *what);
/* With what it owns. */
void node_form_free(struct node *);
/* Not of a file in a tree. */
struct node_more *node_form_more(struct node *);
/* What the node is made of, as it is now. Under the table's lock. */
struct node_what node_form_what(const struct node *);

#endif
