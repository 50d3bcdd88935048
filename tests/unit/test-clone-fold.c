/*
 * clone/fold: many packs of a store become one, when nobody fetches any more.
 */
#include "clone-world.h"

#define N_PACKS 30

/* As fetches of one file each leave them. */
static void make_packs(struct world *w)
{
	char command[512];

	snprintf(command, sizeof(command),
		 "export GIT_DIR=$PWD/cache/git/one-uuid.git; for i in $(seq "
		 "%d); do p=$(echo $i | git hash-object -w --stdin | git "
		 "pack-objects -q $GIT_DIR/objects/pack/pack) && touch "
		 "$GIT_DIR/objects/pack/pack-$p.promisor; done; rm -rf "
		 "$GIT_DIR/objects/??",
		 N_PACKS);
	run_at(w, T0, command);
}

static void test_when_idle(void **state)
{
	struct world *w = *state;
	struct clone_head head;
	struct clone *c;

	make_repository(w, "one");
	c = open_clone(w, "one");
	assert_int_equal(get_now(c, &head), 0);
	world_unmount(w);
	make_packs(w);
	mount_start(&w->mount, w->dir, w->url, 0);
	clock_fake(1000000, T0 * INT64_C(1000));
	c = open_clone(w, "one");
	push(w, "one", T0 + 60, "echo more >more");
	assert_int_equal(get_now(c, &head), 0);
	assert_int_equal(n_packs(w), N_PACKS + 2);
	/* Not at once. */
	clock_advance(4000);
	assert_int_equal(n_packs(w), N_PACKS + 2);
	clock_advance(2000);
	while (n_packs(w) > 3)
		usleep(1000);
	clock_real();
	world_unmount(w);
	assert_int_equal(n_packs(w), 3);
	assert_sound(w, "one");
	mount_start(&w->mount, w->dir, w->url, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(test_when_idle),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
