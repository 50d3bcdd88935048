/*
 * model/provider: helpers that several providers use.
 */
#include "model/provider.h"

static const struct dirlist_ops ops_nothing;

int provider_open_nothing(struct ctx *, struct model *, struct node *,
			  struct dirlist *newest, struct dirlist **ret_listing)
{
	*ret_listing = newest ? dirlist_ref(newest)
			      : dirlist_seal(dirlist_new(&ops_nothing, NULL, 0),
					     LONGEST_MS);
	return 0;
}

void provider_found(struct found *found, const struct provider *provider,
		    mode_t mode, int64_t mtime_ms, int64_t left_ms, void *data)
{
	*found = (struct found){
		.what =
			{
				.provider = provider,
				.mode = mode,
				.mtime_ms = mtime_ms,
				.data = data,
			},
		.left_ms = left_ms,
	};
}

void provider_found_dir(struct found *found, const struct provider *provider,
			int64_t mtime_ms, int64_t left_ms, void *data)
{
	provider_found(found, provider, NODE_DIRECTORY, mtime_ms, left_ms,
		       data);
}

void provider_found_nothing(struct found *found)
{
	const struct provider *provider = found->what.provider;

	if (provider && provider->free_data && found->what.data)
		provider->free_data(found->what.data);
	found->what = (struct node_what){0};
}

void provider_say(struct buf *said, const char *fmt, ...)
{
	va_list ap;

	if (!said)
		return;
	va_start(ap, fmt);
	buf_vprintf(said, fmt, ap);
	va_end(ap);
}
