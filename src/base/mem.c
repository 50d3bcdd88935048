/*
 * base/mem: the heap as a whole. buf.c and blob.c are what lies on it.
 */
#include "base/mem.h"

#include <malloc.h>

void mem_give_back(void)
{
	malloc_trim(0);
}
