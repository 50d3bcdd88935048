/*
 * bitbucketfs-keyring: the desktop's keyring for bitbucketfs, which itself
 * links neither libsecret nor what that needs.
 *
 *	bitbucketfs-keyring get|put|erase HOST PROFILE [prompt]
 *	bitbucketfs-keyring erase-all [prompt]
 *
 * A secret comes on standard input and goes to standard output, and is in no
 * argument. Without `prompt` nobody is asked to unlock anything. Its exit
 * status is one of keyring_end; a sentence about a failure is on standard
 * output.
 */
#include "setup/keyring_end.h"

#include <libsecret/secret.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define SECRET_MAX ((size_t)64 << 10)

static const SecretSchema schema = {
	"org.bitbucketfs.SignIn",
	SECRET_SCHEMA_NONE,
	{
		{"host", SECRET_SCHEMA_ATTRIBUTE_STRING},
		{"profile", SECRET_SCHEMA_ATTRIBUTE_STRING},
		{NULL, 0},
	},
};

struct request {
	const char *host, *profile; /* NULL: all of them */
	gboolean may_prompt;
	SecretService *service;
};

static int failed(GError *error)
{
	printf("%s", error ? error->message : "it gave no reason");
	g_clear_error(&error);
	return KEYRING_FAILED;
}

static GHashTable *attributes_of(const struct request *request)
{
	return request->host ? secret_attributes_build(&schema, "host",
						       request->host, "profile",
						       request->profile, NULL)
			     : g_hash_table_new(g_str_hash, g_str_equal);
}

static GList *search(const struct request *request, GError **ret_error)
{
	GHashTable *attributes = attributes_of(request);
	SecretSearchFlags flags = SECRET_SEARCH_ALL |
				  SECRET_SEARCH_LOAD_SECRETS;
	GList *items;

	if (request->may_prompt)
		flags |= SECRET_SEARCH_UNLOCK;
	items = secret_service_search_sync(request->service, &schema,
					   attributes, flags, NULL, ret_error);
	g_hash_table_unref(attributes);
	return items;
}

static void free_items(GList *items)
{
	g_list_free_full(items, g_object_unref);
}

static int print_secret(SecretItem *item)
{
	SecretValue *value = secret_item_get_secret(item);
	const char *secret;
	gsize n = 0;
	gboolean good;

	if (!value)
		return KEYRING_LOCKED;
	secret = secret_value_get(value, &n);
	good = fwrite(secret, 1, n, stdout) == n && !fflush(stdout);
	secret_value_unref(value);
	return good ? KEYRING_GOOD : KEYRING_FAILED;
}

static int get(const struct request *request)
{
	GError *error = NULL;
	GList *items = search(request, &error);
	int end = KEYRING_NONE;

	if (error)
		end = failed(error);
	else if (items)
		end = secret_item_get_locked(items->data)
			      ? KEYRING_LOCKED
			      : print_secret(items->data);
	free_items(items);
	return end;
}

static int erase(const struct request *request)
{
	GError *error = NULL;
	GList *items = search(request, &error);
	int end = error ? failed(error) : items ? KEYRING_GOOD : KEYRING_NONE;

	for (GList *i = items; i && end == KEYRING_GOOD; i = i->next) {
		if (secret_item_get_locked(i->data))
			end = KEYRING_LOCKED;
		else if (!secret_item_delete_sync(i->data, NULL, &error))
			end = failed(error);
	}
	free_items(items);
	return end;
}

/* Where it would be kept; NULL: that is locked, or there is none, and making
 * one asks for its password. */
static SecretCollection *open_collection(const struct request *request,
					 int *ret_end)
{
	GError *error = NULL;
	SecretCollection *collection = secret_collection_for_alias_sync(
		request->service, SECRET_COLLECTION_DEFAULT,
		SECRET_COLLECTION_NONE, NULL, &error);

	*ret_end = KEYRING_LOCKED;
	if (error)
		*ret_end = failed(error);
	else if (collection && !secret_collection_get_locked(collection))
		return collection;
	g_clear_object(&collection);
	return NULL;
}

static int put_prompting(GHashTable *attributes, const char *label,
			 const char *secret)
{
	GError *error = NULL;

	return secret_password_storev_sync(&schema, attributes,
					   SECRET_COLLECTION_DEFAULT, label,
					   secret, NULL, &error)
		       ? KEYRING_GOOD
		       : failed(error);
}

static int put_silently(const struct request *request, GHashTable *attributes,
			const char *label, const char *secret)
{
	GError *error = NULL;
	SecretItem *item;
	SecretValue *value;
	int end;
	SecretCollection *collection = open_collection(request, &end);

	if (!collection)
		return end;
	value = secret_value_new(secret, -1, "text/plain");
	item = secret_item_create_sync(collection, &schema, attributes, label,
				       value, SECRET_ITEM_CREATE_REPLACE, NULL,
				       &error);
	end = item ? KEYRING_GOOD : failed(error);
	g_clear_object(&item);
	secret_value_unref(value);
	g_object_unref(collection);
	return end;
}

static int put(const struct request *request)
{
	static char secret[SECRET_MAX + 1];
	size_t n = fread(secret, 1, SECRET_MAX, stdin);
	GHashTable *attributes = attributes_of(request);
	char *label = g_strdup_printf("bitbucketfs: %s%s%s", request->host,
				      *request->profile ? " " : "",
				      request->profile);
	int end;

	secret[n] = 0;
	end = request->may_prompt
		      ? put_prompting(attributes, label, secret)
		      : put_silently(request, attributes, label, secret);
	explicit_bzero(secret, sizeof(secret));
	g_free(label);
	g_hash_table_unref(attributes);
	return end;
}

/* Without one of these GLib would start a bus of its own on an X display. */
static gboolean has_bus(void)
{
	const char *address = g_getenv("DBUS_SESSION_BUS_ADDRESS");
	char *path = g_build_filename(g_get_user_runtime_dir(), "bus", NULL);
	gboolean there = (address && *address) || !access(path, F_OK);

	g_free(path);
	return there;
}

static int run(struct request *request, const char *word)
{
	GError *error = NULL;
	int end;

	if (!has_bus())
		return KEYRING_ABSENT;
	request->service = secret_service_get_sync(SECRET_SERVICE_OPEN_SESSION,
						   NULL, &error);
	if (!request->service) {
		(void)failed(error);
		return KEYRING_ABSENT;
	}
	end = !strcmp(word, "get")   ? get(request)
	      : !strcmp(word, "put") ? put(request)
				     : erase(request);
	g_object_unref(request->service);
	secret_service_disconnect();
	return end;
}

int main(int argc, char **argv)
{
	const char *word = argc > 1 ? argv[1] : "";
	gboolean all = !strcmp(word, "erase-all");
	int n = all ? 2 : 4;
	struct request request = {
		.host = all || argc < 4 ? NULL : argv[2],
		.profile = all || argc < 4 ? NULL : argv[3],
		.may_prompt = argc > n && !strcmp(argv[n], "prompt"),
	};

	/* Nobody is left to unlock anything for. */
	prctl(PR_SET_PDEATHSIG, SIGTERM);
	prctl(PR_SET_DUMPABLE, 0);
	if (argc < n || argc > n + 1 ||
	    (!all && strcmp(word, "get") != 0 && strcmp(word, "put") != 0 &&
	     strcmp(word, "erase") != 0)) {
		fprintf(stderr, "bitbucketfs-keyring is for bitbucketfs login "
				"to run\n");
		return KEYRING_USAGE;
	}
	return run(&request, word);
}
