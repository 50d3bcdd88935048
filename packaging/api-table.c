/*
 * Prints the resource table: for each row, and for items that can be had by
 * themselves, the place in the mount and the endpoint, between a tab. What
 * packaging/api-page makes the manual's page of.
 */
#include "table/resource.h"

static void print(const char *place, const char *endpoint)
{
	if (endpoint)
		printf("%s\t%s\n", place, endpoint);
}

static void walk(const struct resource *row, const char *place)
{
	for (; row && row->name; row++) {
		const struct resource_items *items = row->items;
		cleanup(free) char *here =
			mem_asprintf("%s/%s", place, row->name);
		cleanup(free) char *item = mem_asprintf("%s/ID", here);

		print(here, row->endpoint);
		walk(row->rows, here);
		if (!items)
			continue;
		print(item, items->endpoint);
		walk(items->rows, item);
	}
}

int main(void)
{
	print("WS/.workspace", resource_workspace->endpoint);
	walk(resource_repository.rows, "WS/REPO");
	walk(resource_workspace->rows, "WS/.workspace");
	walk(resource_account.rows, ".bitbucketfs/account");
	return 0;
}
