/*
 * clone/submodules: where an address leads, in every form that one has.
 */
#include "clone-world.h"

#define F(name) cmocka_unit_test_setup_teardown(name, world_start, world_stop)

/* What the .gitmodules of that text says. */
static struct clone_submodules *read_them(struct world *w, const char *text)
{
	struct clone *c = open_clone(w, "widgets");
	cleanup(free) char *file = mem_asprintf("%s/work/text", w->dir);
	struct clone_submodules *all = NULL;
	struct clone_head head;
	struct oid blob;
	struct ctx ctx;
	FILE *f = fopen(file, "we");

	check(f && fputs(text, f) >= 0 && !fclose(f));
	push(w, "widgets", T0 + 1, "cp ../text .gitmodules");
	ctx_init(&ctx, NULL, 60000);
	check(!clone_tracking_get(&ctx, clone_tracking(c, NULL), 0, &head));
	check(!clone_gitmodules(&ctx, c, &head.tree, &blob));
	check(!clone_read_submodules(&ctx, c, &blob, &all));
	ctx_done(&ctx);
	return all;
}

/* All of them lead there; "": to no repository of the service. */
static void expect(struct world *w, const char *const *urls, size_t n,
		   const char *want)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;

	for (size_t i = 0; i < n; i++)
		buf_printf(&text,
			   "[submodule \"%zu\"]\npath = %zu\nurl = \"%s\"\n", i,
			   i, urls[i]);
	all = read_them(w, text.data);
	for (size_t i = 0; i < n; i++) {
		cleanup(free) char *path = mem_asprintf("%zu", i), *is = NULL;
		const struct clone_submodule *s =
			clone_submodules_find(all, path);

		assert_non_null(s);
		is = s->slug ? mem_asprintf("%s/%s", s->workspace, s->slug)
			     : mem_strdup("");
		if (strcmp(is, want) != 0)
			fail_msg("%s (%s): '%s', not '%s'", urls[i], s->url, is,
				 want);
	}
}

static void own(struct world *w, const char *own_url)
{
	world_own_url = own_url;
	remount(w);
}

static void addresses_of_the_service(void **state)
{
	static const char *const ours[] = {
		"https://bitbucket.org/acme/lib.git",
		"https://bitbucket.org/acme/lib",
		"https://bitbucket.org/acme/lib/",
		"https://bitbucket.org/acme/lib.git/",
		"https://ada@bitbucket.org/acme/lib.git",
		"https://ada:secret@bitbucket.org/acme/lib.git",
		"https://www.bitbucket.org/acme/lib.git",
		"http://bitbucket.org/acme/lib.git",
		"https://BitBucket.org/Acme/Lib.git",
		"https://bitbucket.org:443/acme/lib.git",
		"git@bitbucket.org:acme/lib.git",
		"git@bitbucket.org:/acme/lib.git",
		"bitbucket.org:acme/lib",
		"git@ssh.bitbucket.org:acme/lib.git",
		"ssh://git@bitbucket.org/acme/lib.git",
		"ssh://git@ssh.bitbucket.org:22/acme/lib",
		"ssh://git@altssh.bitbucket.org:443/acme/lib.git",
		"git@altssh.bitbucket.org:acme/lib.git",
		"../lib.git",
		"../lib",
		"./../lib",
		"../../acme/lib/",
	};
	static const char *const others[] = {
		"",
		"lib.git",
		"acme/lib",
		"./lib",
		"../../lib",
		"../../../x/acme/lib",
		"/acme/lib.git",
		"file:///acme/lib.git",
		"https://github.com/acme/lib.git",
		"https://bitbucket.org.example.com/acme/lib.git",
		"https://bitbucket.org@example.com/acme/lib.git",
		"https://example.com/bitbucket.org/acme/lib.git",
		"https://bitbucket.org:8443/acme/lib.git",
		"https://bitbucket.org/acme",
		"https://bitbucket.org/acme/lib/src",
		"https://bitbucket.org/acme/../lib",
		"https://bitbucket.org/acme/..",
		"https://bitbucket.org/acme/lib.git?x=y",
		"https://bitbucket.org/acme/l%69b",
		"https://bitbucket.org/acme/lib\\n.git",
		"git@github.com:acme/lib.git",
		"ext::sh -c touch% /tmp/owned",
		"git://bitbucket.org/acme/lib.git",
		"ssh://-oProxyCommand=x/acme/lib.git",
		"git@bitbucket.org:acme/lib.git --upload-pack=x",
		"--upload-pack=touch bitbucket.org:acme/lib",
	};
	struct world *w = *state;

	own(w, "https://bitbucket.org");
	make_repository(w, "widgets");
	expect(w, ours, ARRAY_SIZE(ours), "acme/lib");
	expect(w, others, ARRAY_SIZE(others), "");
}

/* One that is not told what the service's is: nothing else is its own. */
static void addresses_of_a_server_of_one_s_own(void **state)
{
	struct world *w = *state;
	cleanup(free) char *here =
		mem_asprintf("%s/acme/lib.git", w->server.tiny->url);
	const char *const ours[] = {here, "../lib"};
	const char *const example[] = {
		here,
		"https://git.example.com:8443/acme/lib",
		"git@git.example.com:acme/lib.git",
		"ssh://git@git.example.com:7999/acme/lib.git",
	};
	const char *const others[] = {
		"https://bitbucket.org/acme/lib.git",
		"git@bitbucket.org:acme/lib.git",
		"https://git.example.com/acme/lib",
	};

	make_repository(w, "widgets");
	own(w, NULL);
	expect(w, ours, ARRAY_SIZE(ours), "acme/lib");
	expect(w, others, ARRAY_SIZE(others), "");
	own(w, "https://git.example.com:8443");
	expect(w, example, ARRAY_SIZE(example), "acme/lib");
	expect(w, others, ARRAY_SIZE(others), "");
}

static void they_are_found_by_their_paths(void **state)
{
	static const char text[] = "[submodule \"1\"]\npath=z/y\nurl=../one\n"
				   "[submodule \"2\"]\npath=a\nurl=../two\n"
				   "[submodule \"3\"]\npath=m\nurl=../three\n";
	struct world *w = *state;
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL,
								*none = NULL;

	make_repository(w, "widgets");
	all = read_them(w, text);
	assert_int_equal(all->n_items, 3);
	assert_string_equal(all->items[0].path, "a");
	assert_string_equal(clone_submodules_find(all, "z/y")->slug, "one");
	assert_string_equal(clone_submodules_find(all, "m")->slug, "three");
	assert_null(clone_submodules_find(all, "z"));
	none = read_them(w, "");
	assert_int_equal(none->n_items, 0);
	assert_null(clone_submodules_find(none, "a"));
}

/* As git has it. */
static void the_last_of_a_path_holds(void **state)
{
	cleanup(buf_done) struct buf text = BUF_INIT(0);
	cleanup(clone_submodules_unref) struct clone_submodules *all = NULL;
	struct world *w = *state;

	make_repository(w, "widgets");
	for (int i = 0; i < 60; i++)
		buf_printf(&text,
			   "[submodule \"%d\"]\npath = %d\nurl = ../r%d\n", i,
			   i % 20, i);
	all = read_them(w, text.data);
	assert_int_equal(all->n_items, 20);
	for (int i = 0; i < 20; i++) {
		cleanup(free) char *path = mem_asprintf("%d", i);
		cleanup(free) char *slug = mem_asprintf("r%d", i + 40);

		assert_string_equal(clone_submodules_find(all, path)->slug,
				    slug);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		F(addresses_of_the_service),
		F(addresses_of_a_server_of_one_s_own),
		F(they_are_found_by_their_paths),
		F(the_last_of_a_path_holds),
	};

	world_environment();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
