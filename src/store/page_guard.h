/*
 * store/page_guard: reading a map whose file, or disk, may have lost a page.
 */
#ifndef STORE_PAGE_GUARD_H
#define STORE_PAGE_GUARD_H

/* Once per process; idempotent. */
void page_guard_init(void);
/* Between the two a page that cannot be read is zeros, in this thread. They
 * nest. */
void page_guard_begin(void);
void page_guard_end(void);
/* How many such pages this thread met so far: if there are more than before,
 * what was read is nothing. */
unsigned page_guard_n_lost(void);

#endif
