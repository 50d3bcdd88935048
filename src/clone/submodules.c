/*
 * clone/submodules: where a commit's submodules are, by its .gitmodules.
 *
 * An address is a stranger's. It is only compared: a repository of this service
 * is asked for by its name, where and with what every other is, and no other
 * host ever.
 */
#include "clone_private.h"

#include "store/objects_modules.h"

#include "base/text.h"

#include <ctype.h>
#include <strings.h>

#define FILE_NAME ".gitmodules"
#define OWN_WEB "bitbucket.org"
#define OWN_443 "altssh.bitbucket.org"

/* ---- whose repository it is ---- */

/* "ws/slug", with ".git" and slashes around or without. */
static bool read_names(const char *path, char **ret_workspace, char **ret_slug)
{
	cleanup(free) char *names = NULL;
	char *slash;
	size_t n;

	path += strspn(path, "/");
	n = strlen(path);
	while (n && path[n - 1] == '/')
		n--;
	if (n > 4 && !strncmp(path + n - 4, ".git", 4))
		n -= 4;
	names = mem_dup0(path, n);
	for (char *c = names; *c; c++)
		*c = (char)tolower((unsigned char)*c);
	slash = strchr(names, '/');
	if (!slash)
		return false;
	*slash = '\0';
	slash += 1 + strspn(slash + 1, "/");
	if (!text_is_workspace_id(names) || !text_is_repo_slug(slash))
		return false;
	*ret_workspace = mem_strdup(names);
	*ret_slug = mem_strdup(slash);
	return true;
}

/* What follows the prefix; NULL: it is not below it. */
static const char *below(const char *path, const char *prefix)
{
	size_t n = strlen(prefix);

	return strncmp(path, prefix, n) ? NULL : path + n;
}

static bool is_web(const char *host)
{
	return !strcmp(host, OWN_WEB) || !strcmp(host, "www." OWN_WEB);
}

static bool is_usual_port(const struct http_url *url)
{
	return !strcmp(strrchr(url->origin, ':'), url->https ? ":443" : ":80");
}

/* Whether with TLS does not matter: nothing goes by this address. */
static bool is_same_host(const struct http_url *a, const struct http_url *b)
{
	return (!strcmp(a->host, b->host) ||
		(is_web(a->host) && is_web(b->host))) &&
	       ((is_usual_port(a) && is_usual_port(b)) ||
		!strcmp(strrchr(a->origin, ':'), strrchr(b->origin, ':')));
}

static const char *below_http(const struct http_url *url, const char *server)
{
	cleanup(http_url_done) struct http_url own = {0};

	if (!server || http_url_parse(server, &own) < 0 ||
	    !is_same_host(&own, url))
		return NULL;
	return below(url->text + strlen(url->base),
		     own.text + strlen(own.base));
}

static bool has_no_more_than_path(const char *path)
{
	return !path[strcspn(path, "?#%")];
}

static bool is_own_http(const struct clone_set *cs, const char *address,
			char **ret_workspace, char **ret_slug)
{
	cleanup(http_url_done) struct http_url url = {0};
	const char *const servers[] = {cs->own_url, cs->server.url,
				       cs->fallback.url};

	if (http_url_parse(address, &url) < 0 ||
	    !has_no_more_than_path(url.text))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		const char *path = below_http(&url, servers[i]);

		if (path && read_names(path, ret_workspace, ret_slug))
			return true;
	}
	return false;
}

/* The service's own name for what it answers SSH at. */
static bool is_own_ssh_host(const struct clone_set *cs,
			    const struct ssh_place *place)
{
	cleanup(http_url_done) struct http_url own = {0};

	if (!cs->own_url || http_url_parse(cs->own_url, &own) < 0)
		return false;
	if (is_web(own.host))
		return !strcasecmp(place->host, SSH_HOST) ||
		       !strcasecmp(place->host, OWN_443);
	return !strcasecmp(place->host, own.host);
}

static const char *below_ssh(const struct ssh_place *place, const char *server)
{
	cleanup(ssh_place_done) struct ssh_place own = {0};

	if (!server || !ssh_is_url(server) || ssh_place_parse(server, &own) ||
	    strcasecmp(own.host, place->host) != 0)
		return NULL;
	return below(place->prefix, own.prefix);
}

static bool is_own_ssh(const struct clone_set *cs, const char *address,
		       char **ret_workspace, char **ret_slug)
{
	cleanup(ssh_place_done) struct ssh_place place = {0};
	const char *const servers[] = {cs->server.url, cs->fallback.url};
	bool has_scheme = strstr(address, "://");
	size_t n = strcspn(address, ":/");
	/* "host:path" without a user. */
	cleanup(free) char *with_user =
		!has_scheme && address[n] == ':' && !memchr(address, '@', n)
			? mem_asprintf("git@%s", address)
			: NULL;

	if (ssh_place_parse(with_user ? with_user : address, &place))
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(servers); i++) {
		const char *path = below_ssh(&place, servers[i]);

		if (path && read_names(path, ret_workspace, ret_slug))
			return true;
	}
	return is_own_ssh_host(cs, &place) &&
	       read_names(place.prefix, ret_workspace, ret_slug);
}

static void find_repository(const struct clone_set *cs,
			    struct clone_submodule *s)
{
	char *workspace, *slug;

	if (!is_own_http(cs, s->url, &workspace, &slug) &&
	    !is_own_ssh(cs, s->url, &workspace, &slug))
		return;
	s->workspace = workspace;
	s->slug = slug;
}

/* ---- relative addresses ---- */

static bool chop(struct buf *base)
{
	size_t n = base->len;

	while (n && base->data[n - 1] != '/')
		n--;
	if (!n)
		return false;
	buf_cut(base, n - 1);
	return true;
}

/* As git has it (relative_url of its remote.c), of the address that the
 * repository itself is cloned from. */
static char *absolute(const char *own, const char *url)
{
	struct buf base = BUF_INIT(64 * KIB);

	if (strncmp(url, "./", 2) != 0 && strncmp(url, "../", 3) != 0)
		return mem_strdup(url);
	buf_puts(&base, own);
	for (;;) {
		if (!strncmp(url, "../", 3)) {
			if (!chop(&base))
				break;
			url += 3;
		} else if (!strncmp(url, "./", 2)) {
			url += 2;
		} else {
			break;
		}
	}
	buf_printf(&base, "/%s", url);
	while (base.len && base.data[base.len - 1] == '/')
		buf_cut(&base, base.len - 1);
	return base.failed ? (buf_done(&base), mem_strdup(""))
			   : buf_steal(&base, NULL);
}

static char *own_address(struct clone *c)
{
	struct clone_set *cs = c->clones;
	char *own;

	mutex_lock(&cs->lock);
	own = mem_asprintf("%s/%s/%s", cs->server.url, c->workspace, c->slug);
	mutex_unlock(&cs->lock);
	return own;
}

/* ---- all of a file ---- */

struct reading {
	struct clone_set *cs;
	char *own;
	struct clone_submodules *all;
	size_t room;
};

static bool add(void *arg, const char *path, const char *url)
{
	struct reading *reading = arg;
	struct clone_submodules *all = reading->all;
	struct clone_submodule s = {.path = mem_strdup(path),
				    .url = absolute(reading->own, url),
				    .nth = reading->all->n_items};

	find_repository(reading->cs, &s);
	mem_grow(all->items, all->n_items, reading->room);
	all->items[all->n_items++] = s;
	return true;
}

static int by_path(const void *a, const void *b)
{
	const struct clone_submodule *x = a, *y = b;
	int order = strcmp(x->path, y->path);

	return order ? order : (x->nth > y->nth) - (x->nth < y->nth);
}

static void item_done(struct clone_submodule *s)
{
	free(s->path);
	free(s->url);
	free(s->workspace);
	free(s->slug);
}

struct clone_submodules *clone_submodules_ref(struct clone_submodules *all)
{
	refcount_take(&all->refcount_private);
	return all;
}

struct clone_submodules *clone_submodules_unref(struct clone_submodules *all)
{
	if (!all || !refcount_drop(&all->refcount_private))
		return NULL;
	for (size_t i = 0; i < all->n_items; i++)
		item_done(&all->items[i]);
	free(all->items);
	free(all);
	return NULL;
}

/* Of two for one path the later one stays. */
static void sort(struct clone_submodules *all)
{
	size_t n = 0;

	if (all->n_items)
		qsort(all->items, all->n_items, sizeof(*all->items), by_path);
	for (size_t i = 0; i < all->n_items; i++) {
		if (n && !strcmp(all->items[n - 1].path, all->items[i].path))
			item_done(&all->items[--n]);
		all->items[n++] = all->items[i];
	}
	all->n_items = n;
}

static int is_at(const void *path, const void *item)
{
	const struct clone_submodule *s = item;

	return strcmp(path, s->path);
}

const struct clone_submodule *
clone_submodules_find(const struct clone_submodules *all, const char *path)
{
	return all->n_items ? bsearch(path, all->items, all->n_items,
				      sizeof(*all->items), is_at)
			    : NULL;
}

int clone_gitmodules(struct ctx *ctx, struct clone *c, const struct oid *root,
		     struct oid *ret_blob)
{
	cleanup(tree_list_unref) struct tree_list *list = NULL;
	const struct tree_entry *e;
	int r = oid_is_none(root) ? 0 : clone_read_tree(ctx, c, root, &list);

	if (r < 0)
		return r;
	e = list ? tree_list_find(list, FILE_NAME) : NULL;
	/* A symbolic link is not followed by git either. */
	*ret_blob = e && (e->kind == TREE_FILE || e->kind == TREE_EXECUTABLE)
			    ? e->oid
			    : oid_none;
	return 0;
}

int clone_read_submodules(struct ctx *ctx, struct clone *c,
			  const struct oid *blob, struct clone_submodules **ret)
{
	cleanup(clone_submodules_unref) struct clone_submodules *all =
		mem_calloc(1, sizeof(*all));
	cleanup(blob_unref) struct blob *bytes = NULL;
	cleanup(free) char *own = own_address(c);
	struct reading reading = {c->clones, own, all, 0};
	int r = 0;

	refcount_init(&all->refcount_private);
	if (!oid_is_none(blob))
		r = clone_read_blob(ctx, c, blob, &bytes);
	if (r == 0 && bytes)
		r = objects_modules(blob_data(bytes), blob_len(bytes), add,
				    &reading);
	if (r == -EBADMSG)
		return ctx_fail(ctx, r, "This commit's %s cannot be read.",
				FILE_NAME);
	if (r == -EFBIG)
		return ctx_fail(ctx, r,
				"This commit's %s is longer than 1 MiB, or "
				"names more than 10,000 submodules.",
				FILE_NAME);
	if (r < 0)
		return r;
	sort(all);
	*ret = steal(&all);
	return 0;
}
