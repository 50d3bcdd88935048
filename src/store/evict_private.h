/*
 * store/evict, inside: evict.c decides what goes, evict_measure.c looks how
 * much there is, evict_hand.c is what people ask for.
 */
#ifndef STORE_EVICT_PRIVATE_H
#define STORE_EVICT_PRIVATE_H

#include "store/evict.h"

/* Each store's path and its name without ".git", until a negative errno. */
int evict_each_store(const char *dir,
		     int (*each)(void *arg, const char *path, const char *uuid),
		     void *arg);
/* False also for what has no store. */
bool evict_is_kept(const char *dir, const char *uuid);
/* What one store takes; uuid stays borrowed. */
void evict_measure_store(const char *path, const char *uuid,
			 struct evict_repository *ret);

#endif
