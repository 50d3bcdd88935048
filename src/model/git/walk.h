/*
 * model/git/walk: a program that goes through a tree (grep -r, cp -r, ls -lR,
 * du, rsync -n, tar), told from a person who looks into it, by what it does
 * while something of the tree is not here.
 *
 * A program goes through the tree when it has listed a directory and, without a
 * pause for thought, one below it, and needs something there that is not here;
 * or when one pipeline or script (a process group) needs something in so many
 * directories within ten seconds, or one terminal (a session) in some more. A
 * directory alone is listed for nothing: `find -name` needs none of its files.
 *
 * Owns what it saw lately. Asks nobody, waits for nobody. Safe from any thread.
 */
#ifndef MODEL_GIT_WALK_H
#define MODEL_GIT_WALK_H

#include "api/budget.h"

enum walk_reach {
	WALK_NONE,      /* a person: this file, the sizes of this directory */
	WALK_DIRECTORY, /* file after file of this directory, which it listed
			 * itself or has begun to go through */
	WALK_TREE,      /* directory after directory of the tree */
};

struct walk_step {
	struct budget_who who;
	const void *tree;     /* which one; not looked into */
	uint64_t dir, parent; /* numbers of nodes */
	int64_t now_ms;       /* clock_mono_ms */
};

struct walk_all;
struct walk_all *walk_all_new(void);
struct walk_all *walk_all_free(struct walk_all *);

/* A directory was opened. */
void walk_opened(struct walk_all *, const struct walk_step *);
/* Something in the directory (step->dir: that of the file) is needed that is
 * not here; how far what is brought for it should reach. Of WALK_TREE: the
 * directory below which that is, where the program began; 0: any. */
enum walk_reach walk_needs(struct walk_all *, const struct walk_step *,
			   uint64_t *ret_top);
/* It was brought: how long that took was no pause of the program's. */
void walk_brought(struct walk_all *, const struct walk_step *);

#endif
