/*
 * store/written: how much the stores of this process wrote on the disk: who
 * holds their bound waits for it.
 */
#ifndef STORE_WRITTEN_H
#define STORE_WRITTEN_H

#include "base/ctx.h"

/* Called with no lock held, or with one: waits for nobody. */
void written_note(uint64_t n);
uint64_t written_bytes(void); /* ever */
/* Until so much was written ever, the time (clock_mono_ms; INT64_MAX: never) is
 * there, or ctx is cancelled. */
void written_wait(struct ctx *, uint64_t n_bytes, int64_t until_ms);

#endif
