/*
 * setup/account: cache_dir/<host>/ has the accounts' directories and beside
 * them
 *
 *   accounts       the map: a line an identity, a tab, a directory's name
 *   accounts.key   32 random bytes, under which access tokens are hashed, so
 *                  that the map has nothing of a token in it
 *   accounts.lock  held while the map is changed
 *
 * No account's name can be one of these: names are a uuid, "anonymous",
 * "token-" or "user-" and hex digits.
 */
#include "setup/account_private.h"

#include "base/digest.h"
#include "base/file.h"
#include "base/json.h"
#include "base/own.h"
#include "base/text.h"
#include "wire/http.h"

#include <ctype.h>
#include <fcntl.h>
#include <stdarg.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define N_KEY ACCOUNT_KEY_BYTES
#define MAP_MAX (4 * MIB)
#define SIGN_IN_TIMEOUT_MS (60 * 1000)

void account_done(struct account *account)
{
	if (account->is_held)
		file_close(account->hold);
	free(account->host_dir);
	free(account->identity);
	free(account->dir);
	free(account->user_json);
	memset(account, 0, sizeof(*account));
}

static int say(char why[static 1024], int errnum, const char *fmt, ...)
	printf_like(3, 4);
static int say(char why[static 1024], int errnum, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, 1024, fmt, ap);
	va_end(ap);
	return errnum;
}

/* "api.bitbucket.org:8080" of "https://api.bitbucket.org:8080/2.0". */
static char *authority(const char *api_url)
{
	cleanup(http_url_done) struct http_url url = {0};

	return mem_strdup(http_url_parse(api_url, &url) < 0 ? ""
							    : url.authority);
}

char *account_host_name(const char *api_url)
{
	char *name = authority(api_url);

	for (char *c = name; *c; c++) {
		*c = (char)tolower((unsigned char)*c);
		if (!isalnum((unsigned char)*c) && !strchr(".-", *c))
			*c = '_';
	}
	return name;
}

bool account_is_there(const char *cache_dir, const char *api_url)
{
	cleanup(free) char *name = account_host_name(api_url);
	cleanup(free) char *dir = mem_asprintf("%s/%s", cache_dir, name);

	return !access(dir, F_OK);
}

/* Another user who may write to this directory could read what is fetched and
 * change what is shown. */
static int check_ours(const char *dir, const char *prefix,
		      char why[static 1024])
{
	char reason[OWN_WHY_MAX];
	int r = own_directory(dir, prefix, reason);

	return r ? say(why, r, "the cache cannot be trusted: %s", reason) : 0;
}

/* The first process makes the key; all use the one that is there in the end. */
static int read_key(const char *host_dir, unsigned char key[static N_KEY])
{
	cleanup(free) char *path = mem_asprintf("%s/accounts.key", host_dir);
	cleanup(free) char *beside = mem_asprintf("%s.%d", path, (int)getpid());
	cleanup(buf_done) struct buf bytes = BUF_INIT(N_KEY + 1);
	int r = own_read(path, N_KEY + 1, &bytes);

	if (r == -ENOENT || (!r && bytes.len != N_KEY)) {
		bool broken = !r;

		r = digest_random(key, N_KEY);
		if (!r)
			r = file_write_atomic(broken ? path : beside, 0600, key,
					      N_KEY);
		/* link() fails where another process has just made its key;
		 * that one is used. */
		if (!r && !broken && link(beside, path) && errno != EEXIST)
			r = -errno;
		if (!broken)
			unlink(beside);
		buf_clear(&bytes);
		if (!r)
			r = own_read(path, N_KEY + 1, &bytes);
	}
	if (!r && bytes.len != N_KEY)
		r = -EIO;
	if (!r)
		memcpy(key, bytes.data, N_KEY);
	return r;
}

bool account_is_name(const char *name)
{
	size_t n = strlen(name);

	if (!n || n > 64 || !strncmp(name, "accounts", 8))
		return false;
	for (; *name; name++)
		if (!isalnum((unsigned char)*name) && *name != '-')
			return false;
	return true;
}

/* The account's name in a line of the map, or NULL. */
static char *find_in_map(const struct buf *map, const char *identity)
{
	size_t n_identity = strlen(identity);
	const char *line = map->data;

	while (line && *line) {
		const char *end = strchrnul(line, '\n');

		if ((size_t)(end - line) > n_identity &&
		    !memcmp(line, identity, n_identity) &&
		    line[n_identity] == '\t') {
			const char *name = line + n_identity + 1;

			return mem_dup0(name, (size_t)(end - name));
		}
		line = *end ? end + 1 : end;
	}
	return NULL;
}

int account_remember(const struct account *account, const char *name)
{
	cleanup(free) char *path =
		mem_asprintf("%s/accounts", account->host_dir);
	cleanup(free) char *lock = mem_asprintf("%s.lock", path);
	cleanup(buf_done) struct buf before = BUF_INIT(MAP_MAX);
	cleanup(buf_done) struct buf after = BUF_INIT(MAP_MAX);
	cleanup(fd) int fd = own_open(lock, O_RDWR | O_CREAT, 0600);
	size_t n_identity = strlen(account->identity);
	int r;

	if (fd < 0)
		return fd;
	r = file_lock(fd, LOCK_EX);
	if (r < 0)
		return r;
	r = own_read(path, MAP_MAX, &before);
	if (r && r != -ENOENT)
		return r;
	for (const char *line = before.data; line && *line;) {
		const char *end = strchrnul(line, '\n');

		if (strncmp(line, account->identity, n_identity) != 0 ||
		    line[n_identity] != '\t') {
			buf_add(&after, line, (size_t)(end - line));
			buf_putc(&after, '\n');
		}
		line = *end ? end + 1 : end;
	}
	if (name)
		buf_printf(&after, "%s\t%s\n", account->identity, name);
	if (after.failed)
		return after.failed;
	return file_write_atomic(path, 0600, after.data, after.len);
}

int account_find(struct ctx *ctx, struct account *account,
		 const char *cache_dir, const char *api_url,
		 const struct credential *credential, char why[static 1024])
{
	cleanup(free) char *host = account_host_name(api_url);
	cleanup(free) char *map_path = NULL;
	cleanup(free) char *name = NULL;
	cleanup(free) char *dir = NULL;
	cleanup(buf_done) struct buf map = BUF_INIT(MAP_MAX);
	unsigned char key[N_KEY];
	struct stat st;
	int r;

	memset(account, 0, sizeof(*account));
	account->host_dir = mem_asprintf("%s/%s", cache_dir, host);
	r = check_ours(cache_dir, NULL, why);
	if (r)
		return r;
	r = file_mkdirs(account->host_dir, 0700);
	if (!r && check_ours(account->host_dir, "accounts", why))
		return -EPERM;
	if (!r)
		r = read_key(account->host_dir, key);
	if (r)
		return say(why, r, "the cache directory %s cannot be used: %s",
			   account->host_dir, strerror(-r));
	(void)account_sweep(account->host_dir);
	r = credential_identity(ctx, credential, key, N_KEY,
				&account->identity);
	if (r)
		return say(why, r, "%s", ctx->sentence);
	map_path = mem_asprintf("%s/accounts", account->host_dir);
	/* A map that cannot be read costs a request, nothing else. */
	if (own_read(map_path, MAP_MAX, &map))
		return 0;
	name = find_in_map(&map, account->identity);
	if (!name || !account_is_name(name))
		return 0;
	dir = mem_asprintf("%s/%s", account->host_dir, name);
	if (lstat(dir, &st))
		return 0;
	r = check_ours(dir, "", why);
	if (!r)
		account->dir = steal(&dir);
	return r;
}

static char *hashed_name(const char *prefix, const char *identity)
{
	char hex[65];

	/* The identity of an access token is a keyed hash already. */
	digest_hmac_sha256_hex("", 0, identity, strlen(identity), hex);
	return mem_asprintf("%s-%.16s", prefix, hex);
}

/* The uuid of /user without its braces; NULL when there is none that can be a
 * directory's name. */
static char *uuid_name(const char *body, size_t n)
{
	cleanup(json_free) struct json *user = NULL;
	cleanup(free) char *name = NULL;
	const char *uuid;

	if (json_parse(body, n, &user))
		return NULL;
	uuid = json_str(user, "uuid");
	if (!uuid || !*uuid)
		return NULL;
	if (*uuid == '{')
		uuid++;
	name = mem_dup0(uuid, strcspn(uuid, "}"));
	return account_is_name(name) ? steal(&name) : NULL;
}

/* What a failed check means, in one sentence. */
static int refused(struct ctx *ctx, long status, int r, const char *host,
		   const struct credential *credential, char why[static 1024])
{
	if (status == 401)
		return say(why, r, "%s refused the credential of %s: %s", host,
			   credential_label(credential),
			   credential_hint(credential));
	if (status == 404 || status == 410)
		return say(why, r,
			   "%s knows no /user: is that the API of Bitbucket "
			   "(api_url ends in /2.0)?",
			   host);
	return say(why, r,
		   "%s could not be asked whether the credential is good, and "
		   "nothing is cached yet: %s (see bitbucketfs doctor)",
		   host, *ctx->sentence ? ctx->sentence : strerror(-r));
}

static int check_user(struct ctx *ctx, struct account *account,
		      struct bitbucket *bitbucket,
		      const struct credential *credential, const char *host,
		      char **ret_name, char why[static 1024],
		      char note[static 512])
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	int r = bitbucket_get(ctx, bitbucket, "/user", NULL, &reply);

	if (reply.status == 403) {
		snprintf(note, 512,
			 "%s does not let this token see whose it is: give it "
			 "the scope read:user:bitbucket (account) to have "
			 "user.json",
			 host);
		*ret_name = hashed_name("user", account->identity);
		return 0;
	}
	account->is_refused = reply.status == 401;
	if (r)
		return refused(ctx, reply.status, r, host, credential, why);
	*ret_name = uuid_name(reply.body.data ? reply.body.data : "",
			      reply.body.len);
	if (!*ret_name)
		return say(why, -EBADMSG,
			   "%s answered /user with something that is no "
			   "account: is that the API of Bitbucket, or a page "
			   "of the network in between?",
			   host);
	account->user_json = buf_steal(&reply.body, &account->n_user_json);
	memcpy(account->user_etag, reply.etag, sizeof(account->user_etag));
	return 0;
}

static int check_access_token(struct ctx *ctx, struct account *account,
			      struct bitbucket *bitbucket,
			      const struct credential *credential,
			      const char *host, char *const *workspaces,
			      char **ret_name, bool *ret_taken,
			      char why[static 1024], char note[static 512])
{
	cleanup(bitbucket_reply_done) struct bitbucket_reply reply = {0};
	cleanup(free) char *path = NULL;
	int r = 0;

	*ret_taken = false;
	if (!workspaces || !workspaces[0]) {
		snprintf(note, 512,
			 "an access token cannot list its workspaces: name "
			 "them with -o workspaces=…, else the mount begins "
			 "empty");
	} else {
		path = mem_asprintf("/workspaces/%s", workspaces[0]);
		r = bitbucket_get(ctx, bitbucket, path, NULL, &reply);
		/* 403: the token is good and lacks a scope that is not needed
		 * for the rest. */
		if (reply.status == 403)
			r = 0;
		*ret_taken = r == 0;
		if (reply.status == 404 || reply.status == 410) {
			snprintf(note, 512,
				 "%s knows no workspace '%s' that this token "
				 "may see",
				 host, workspaces[0]);
			r = 0;
		}
	}
	account->is_refused = reply.status == 401;
	if (r)
		return refused(ctx, reply.status, r, host, credential, why);
	*ret_name = hashed_name("token", account->identity);
	return 0;
}

int account_sign_in(struct ctx *ctx, struct account *account,
		    struct bitbucket *bitbucket,
		    const struct credential *credential, const char *api_url,
		    char *const *workspaces, char why[static 1024],
		    char note[static 512])
{
	cleanup(free) char *host = authority(api_url);
	cleanup(free) char *name = NULL;
	int64_t old = ctx_narrow(ctx, SIGN_IN_TIMEOUT_MS);
	bool taken = true;
	int r = 0;

	note[0] = 0;
	switch (credential_kind(credential)) {
	case CREDENTIAL_ANONYMOUS:
		name = mem_strdup("anonymous");
		break;
	case CREDENTIAL_API_TOKEN:
	case CREDENTIAL_BASIC:
	case CREDENTIAL_OAUTH:
		r = check_user(ctx, account, bitbucket, credential, host, &name,
			       why, note);
		break;
	case CREDENTIAL_ACCESS_TOKEN:
		r = check_access_token(ctx, account, bitbucket, credential,
				       host, workspaces, &name, &taken, why,
				       note);
		break;
	}
	ctx_widen(ctx, old);
	if (r)
		return r;
	account->dir = mem_asprintf("%s/%s", account->host_dir, name);
	r = file_mkdirs(account->dir, 0700);
	if (!r && check_ours(account->dir, "", why))
		return -EPERM;
	/* Without a workspace to ask for, nobody knows whether an access token
	 * is good: not remembered, so the next mount asks again. */
	if (!r && taken)
		r = account_remember(account, name);
	if (r)
		return say(why, r, "the cache directory %s cannot be used: %s",
			   account->dir, strerror(-r));
	return 0;
}
