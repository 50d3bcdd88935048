/*
 * cmd/mount/inside: which mount a path is in, by its text and symlinks before
 * it.
 */
#include "cmd/mount/inside.h"

#include "base/file.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A directory with a "mount" in it that is a plain directory: who looks into
 * it, sees a symlink that leads out. */
struct place {
	char dir[64];
	char *table;
};

static int set_up(void **state)
{
	static struct place p;

	snprintf(p.dir, sizeof(p.dir), "/tmp/test-inside-XXXXXX");
	check(mkdtemp(p.dir) && !chdir(p.dir));
	check(!mkdir("mnt", 0700) && !mkdir("mnt/acme", 0700) &&
	      !mkdir("beside", 0700));
	check(!symlink("mnt", "link") && !symlink("loop", "loop") &&
	      !symlink("../link/acme", "beside/in") &&
	      !symlink("/", "mnt/out"));
	p.table = mem_asprintf(
		"22 1 254:0 / / rw - ext4 /dev/vda rw\n"
		"60 22 0:50 / %s/mnt ro - fuse.bitbucketfs x ro,user_id=1\n"
		"61 60 0:51 / %s/mnt/other rw - tmpfs x rw\n",
		p.dir, p.dir);
	*state = &p;
	return 0;
}

static int tear_down(void **state)
{
	struct place *p = *state;

	free(p->table);
	check(!chdir("/"));
	return file_remove_tree(p->dir);
}

static void look(const struct place *p, const char *path, const char *expected)
{
	cleanup(inside_done) struct inside inside = {0};
	cleanup(free) char *mountpoint = mem_asprintf("%s/mnt", p->dir);

	assert_int_equal(inside_look(p->table, path, &inside),
			 expected ? 0 : -ENXIO);
	if (!expected)
		return;
	assert_string_equal(inside.mountpoint, mountpoint);
	assert_string_equal(inside.path, expected);
	assert_int_equal(inside.device, makedev(0, 50));
}

static void what_is_inside(void **state)
{
	static const struct {
		const char *path, *expected; /* NULL: it is in none */
	} cases[] = {
		{"mnt", ""},
		{"mnt/", ""},
		{"./mnt//acme/./widgets/", "acme/widgets"},
		{"mnt/acme/..", ""},
		{"mnt/acme/../../mnt/zeta", "zeta"},
		{"link", ""},
		{"link/acme", "acme"},
		{"beside/in/widgets", "acme/widgets"},
		/* As text: what is in a mount is not looked at. */
		{"mnt/out", "out"},
		{"mnt/no/such", "no/such"},
		{"mnt/acme/../..", NULL},
		{"mnt/..", NULL},
		{"mnt2", NULL},
		{"mnt/other/x", NULL},
		{"/", NULL},
		{"", NULL},
		{"no/such", NULL},
	};
	const struct place *p = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cleanup(free) char *whole =
			mem_asprintf("%s/%s", p->dir, cases[i].path);

		look(p, cases[i].path, cases[i].expected);
		if (*cases[i].path != '/')
			look(p, whole, cases[i].expected);
	}
	check(!chdir("mnt/acme"));
	look(p, ".", "acme");
	look(p, "../zeta", "zeta");
	check(!chdir(p->dir));
}

static void loops_and_lengths(void **state)
{
	const struct place *p = *state;
	struct inside inside;
	cleanup(free) char *text = mem_calloc(70001, 1);

	assert_int_equal(inside_look(p->table, "loop/x", &inside), -ELOOP);
	memset(text, 'x', 70000);
	assert_int_equal(inside_look(p->table, text, &inside), -ENAMETOOLONG);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_inside),
		cmocka_unit_test(loops_and_lengths),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
