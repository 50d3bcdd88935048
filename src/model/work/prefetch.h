/*
 * model/work/prefetch: what a program that reads one file of every repository
 * will read next is fetched before it asks.
 */
#ifndef MODEL_WORK_PREFETCH_H
#define MODEL_WORK_PREFETCH_H

#include "model/node.h"

struct model;
struct prefetch;

struct prefetch *prefetch_new(struct model *);
/* Joins the threads, whose waits end with the group. NULL is fine. */
struct prefetch *prefetch_free(struct prefetch *);

/* A file of this collection's directory is being looked up. Returns at once.
 * Before prefetch_new nothing happens. */
void prefetch_note(struct ctx *, struct model *, struct node *collection);

#endif
