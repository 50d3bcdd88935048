/*
 * model/work/prefetch: what a program that reads one file of every repository will read
 * next is fetched before it asks. Private to tree/.
 */
#ifndef MODEL_WORK_PREFETCH_H
#define MODEL_WORK_PREFETCH_H

#include "model/node.h"

struct model;
struct ahead;

struct ahead *ahead_new(struct model *);
/* Joins its threads; their waits are of the cancelled group. NULL is fine. */
struct ahead *ahead_free(struct ahead *);

/* A file of this collection's directory is being looked up. Returns at once.
 * ahead NULL: nothing happens. */
void ahead_note(struct ctx *, struct ahead *, struct node *collection);

#endif
