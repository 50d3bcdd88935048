/*
 * A counter, and who waits for it: woken by each quarter of a megabyte alone,
 * for packs come in pieces of some kB.
 */
#include "written.h"

#include "base/clock.h"

#define STEP ((uint64_t)256 * KIB)

static struct {
	struct mutex lock;
	struct cond grew;
	bool is_waited_for; /* under lock: grew is there, from the first wait on
			     */
	atomic_uint_fast64_t n_bytes;
} written = {.lock = MUTEX_INITIALIZER};

void written_note(uint64_t n)
{
	uint64_t before = atomic_fetch_add(&written.n_bytes, n);

	if (before / STEP == (before + n) / STEP)
		return;
	mutex_lock(&written.lock);
	if (written.is_waited_for)
		cond_broadcast(&written.grew);
	mutex_unlock(&written.lock);
}

uint64_t written_bytes(void)
{
	return atomic_load(&written.n_bytes);
}

void written_wait(struct ctx *ctx, uint64_t n_bytes, int64_t until_ms)
{
	struct ctx_waiting waiting;
	bool is_over = false;

	mutex_lock(&written.lock);
	if (!written.is_waited_for)
		cond_init(&written.grew);
	written.is_waited_for = true;
	mutex_unlock(&written.lock);
	ctx_waiting_begin(ctx, &waiting, &written.lock, &written.grew);
	mutex_lock(&written.lock);
	while (!ctx_is_cancelled(ctx) && !is_over && written_bytes() < n_bytes)
		is_over = !cond_wait_until(&written.grew, &written.lock,
					   until_ms);
	mutex_unlock(&written.lock);
	ctx_waiting_end(ctx, &waiting);
}
