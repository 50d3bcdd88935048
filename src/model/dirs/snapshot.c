/*
 * model/dirs/snapshot: a text as it was when it was looked up: the node holds
 * its bytes.
 */
#include "model/dirs/snapshot.h"

#include "base/clock.h"
#include "base/hash.h"

static int snapshot_read(struct ctx *, struct model *, struct node *node,
			 off_t offset, size_t n, struct model_data *ret_data)
{
	model_slice(blob_ref(node_data(node)), offset, n, ret_data);
	/*
	 * 1. A program reads .now, and at once the file that changed, or .now
	 *    again.
	 * 2. The kernel has not yet heard of what changed (fs/inval is another
	 *    thread): it answers from what it knew. So the reply to this READ
	 *    is sent after the kernel was told, also of .now's own entry
	 *    (model/dirs/control).
	 */
	ret_data->after_told = strcmp(node->name, ".now") == 0;
	return 0;
}

static bool snapshot_same(const struct node_what *a, const struct node_what *b)
{
	return blob_len(a->data) == blob_len(b->data) &&
	       memcmp(blob_data(a->data), blob_data(b->data),
		      blob_len(a->data)) == 0;
}

static uint64_t snapshot_hash(const struct node_what *what, uint64_t seed)
{
	return hash_bytes(seed, blob_data(what->data), blob_len(what->data));
}

static void snapshot_free(void *data)
{
	blob_unref(data);
}

static const struct provider provider_snapshot = {
	.name = "snapshot",
	.read = snapshot_read,
	.same_data = snapshot_same,
	.hash_data = snapshot_hash,
	.free_data = snapshot_free,
};

void snapshot_found(struct model *model, struct blob *blob, int64_t left_ms,
		    struct found *found)
{
	/* Texts that change have the time of the lookup that first found these
	 * bytes: the node stays. */
	provider_found(found, &provider_snapshot, NODE_FILE,
		       left_ms == LONGEST_MS ? model->started_ms
					     : clock_wall_ms(),
		       left_ms, blob);
	found->what.size = blob_len(blob);
}
