/*
 * store/tree_list: the raw bytes of a git tree object as a tree_list.
 *
 * Owns which entries can be shown (src/model/README.md, 11) and how one is
 * found by name. Must never know where the bytes come from. Whoever wrote the
 * tree may be hostile.
 */
#ifndef STORE_TREE_LIST_H
#define STORE_TREE_LIST_H

#include "store/objects.h"

/* Larger tree objects are refused. */
#define TREE_MAX_BYTES ((size_t)64 * MIB)

/* One reference; -EBADMSG when data is not a tree at all (a cut entry, a mode
 * that is not a number), -EFBIG over TREE_MAX_BYTES. Copies the bytes. */
int tree_list_parse(const void *data, size_t n, struct tree_list **ret_list);

#endif
