/*
 * wire/http, what curl's failures mean: one table, and whose fault it is.
 *
 * curl's codes alone do not tell: without a free descriptor curl "could not
 * connect", "could not resolve" or "could not read the CA certificates", and
 * behind a proxy the same words are about the proxy. So the machine's limits
 * are looked at first, then the proxy. If the network (or the proxy) does not
 * let us reach the host at all, that is ENETUNREACH, so that cached answers are
 * served.
 */
#include "http_private.h"

#include <fcntl.h>
#include <unistd.h>

#include <curl/curl.h>

/* A connection takes several descriptors: a socket, a pair for wake-ups, the
 * resolver's. */
#define N_FOR_A_CONNECTION 4

int http_no_descriptor(void)
{
	int fds[N_FOR_A_CONNECTION], errnum = 0;
	size_t n = 0;

	while (n < ARRAY_SIZE(fds) && !errnum) {
		fds[n] = open("/", O_PATH | O_CLOEXEC);
		if (fds[n] >= 0)
			n++;
		else
			errnum = errno;
	}
	while (n > 0)
		close(fds[--n]);
	return errnum == EMFILE || errnum == ENFILE ? errnum : 0;
}

int http_fail_machine(struct ctx *ctx, int errnum)
{
	switch (errnum) {
	case EMFILE:
		return ctx_fail(ctx, -errnum,
				"this program has no descriptor left for a "
				"connection (limit of open files, ulimit -n)");
	case ENFILE:
		return ctx_fail(ctx, -errnum,
				"this machine has no descriptor left for a "
				"connection (fs.file-max)");
	default:
		return ctx_fail(ctx, -errnum,
				"this machine has no memory left for a "
				"connection");
	}
}

/* ---- the proxy ---- */

static const char *first_set(const char *const names[])
{
	for (; *names; names++) {
		const char *value = getenv(*names);

		if (value && *value)
			return value;
	}
	return NULL;
}

/* The proxy that curl takes, as host:port without user and password; "": none.
 * no_proxy may still exclude the host. */
static void proxy_of(const struct http_failure *f, char *out, size_t size)
{
	static const char *const https[] = {"https_proxy", "HTTPS_PROXY",
					    "all_proxy", "ALL_PROXY", NULL};
	static const char *const http[] = {"http_proxy", "all_proxy",
					   "ALL_PROXY", NULL};
	const char *value = f->proxy ? f->proxy
				     : first_set(strncmp(f->url, "https:", 6)
							 ? http
							 : https);
	const char *before;
	size_t n;

	*out = '\0';
	if (!value)
		return;
	before = strstr(value, "://");
	value = before ? before + 3 : value;
	/* A password may have a # in it, though curl ends the host there. */
	before = strrchr(value, '@');
	value = before ? before + 1 : value;
	n = strcspn(value, "/?#");
	snprintf(out, size, "%.*s", (int)(n < size ? n : size - 1), value);
}

/* Whether curl's text is about the proxy: it names the host to which curl tried
 * to connect. */
static bool is_about(const char *why, const char *proxy)
{
	size_t n = *proxy == '[' ? strcspn(proxy, "]") + 1
				 : strcspn(proxy, ":");
	cleanup(free) char *host = mem_dup0(proxy, n);

	return n && strstr(why, host);
}

static int fail_proxy(struct ctx *ctx, const struct http_failure *f,
		      const char *proxy)
{
	const char *name = *proxy ? proxy : "of this network";

	if (f->connect_code == 407)
		return ctx_fail(ctx, -ENETUNREACH,
				"the proxy %s wants a user and a password, or "
				"others (407), before it connects to %s",
				name, f->host);
	if (f->connect_code)
		return ctx_fail(ctx, -ENETUNREACH,
				"the proxy %s does not connect to %s (%ld)",
				name, f->host, f->connect_code);
	if (f->result == CURLE_COULDNT_RESOLVE_PROXY)
		return ctx_fail(ctx, -ENETUNREACH,
				"the name of the proxy %s cannot be resolved",
				name);
	if (f->os_errno == ETIMEDOUT || f->result == CURLE_OPERATION_TIMEDOUT)
		return ctx_fail(ctx, -ETIMEDOUT,
				"no connection to the proxy %s in time", name);
	return ctx_fail(ctx, -ENETUNREACH, "no connection to the proxy %s%s%s",
			name, f->os_errno ? ": " : "",
			f->os_errno ? strerrordesc_np((int)f->os_errno) : "");
}

/* ---- the table ---- */

/* The errno of a connection that could not be made. */
static int fail_connect(struct ctx *ctx, const struct http_failure *f)
{
	switch (f->os_errno) {
	case ETIMEDOUT:
		return ctx_fail(ctx, -ETIMEDOUT, "no connection to %s in time",
				f->host);
	case EPERM:
	case EACCES:
		return ctx_fail(ctx, -ENETUNREACH,
				"this machine does not let programs connect to "
				"%s: %s",
				f->host, strerrordesc_np((int)f->os_errno));
	case EADDRNOTAVAIL:
		return ctx_fail(ctx, -ENETUNREACH,
				"this machine has no address or port left to "
				"connect to %s from",
				f->host);
	}
	return ctx_fail(ctx, -ENETUNREACH, "no connection to %s%s%s", f->host,
			f->os_errno ? ": " : "",
			f->os_errno ? strerrordesc_np((int)f->os_errno) : "");
}

static int fail_broken_off(struct ctx *ctx, const struct http_failure *f)
{
	return ctx_fail(ctx, -ECONNRESET, "the connection to %s broke off",
			f->host);
}

static int fail_tls(struct ctx *ctx, const struct http_failure *f,
		    const char *hint)
{
	return ctx_fail(
		ctx, -EPROTO, "no trusted connection to %s: %s%s", f->host,
		*f->why ? f->why : curl_easy_strerror((CURLcode)f->result),
		hint);
}

static int by_code(struct ctx *ctx, const struct http_failure *f)
{
	switch (f->result) {
	case CURLE_OPERATION_TIMEDOUT:
		return ctx_fail(ctx, -ETIMEDOUT, "no connection to %s in time",
				f->host);
	case CURLE_COULDNT_RESOLVE_HOST:
		return ctx_fail(ctx, -ENETUNREACH,
				"the name %s cannot be resolved", f->host);
	case CURLE_COULDNT_CONNECT:
	case CURLE_INTERFACE_FAILED:
	case CURLE_NO_CONNECTION_AVAILABLE:
		return fail_connect(ctx, f);
	case CURLE_PARTIAL_FILE:
	case CURLE_RECV_ERROR:
	case CURLE_SEND_ERROR:
	case CURLE_SEND_FAIL_REWIND:
	case CURLE_GOT_NOTHING:
		return fail_broken_off(ctx, f);
	case CURLE_SSL_CONNECT_ERROR:
		/* A connection that is lost during the handshake is an error of
		 * TLS to curl; only OpenSSL's text tells it from a bad
		 * certificate. */
		if (f->os_errno == ECONNRESET ||
		    strstr(f->why, "SSL_ERROR_SYSCALL") ||
		    strstr(f->why, "unexpected eof") || strstr(f->why, "reset"))
			return fail_broken_off(ctx, f);
		return fail_tls(ctx, f, "");
	case CURLE_PEER_FAILED_VERIFICATION:
	case CURLE_SSL_ISSUER_ERROR:
	case CURLE_SSL_INVALIDCERTSTATUS:
		return fail_tls(ctx, f,
				" (does this machine's clock go right, and "
				"does it have the certificate authority of a "
				"proxy in between, or ca_file name it?)");
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
		return fail_tls(ctx, f,
				" (the certificate authorities cannot be read: "
				"is ca-certificates installed, and what "
				"ca_file names a file of PEM?)");
	case CURLE_SSL_CERTPROBLEM:
	case CURLE_SSL_CIPHER:
	case CURLE_SSL_CLIENTCERT:
	case CURLE_SSL_ENGINE_INITFAILED:
	case CURLE_SSL_ENGINE_NOTFOUND:
	case CURLE_SSL_ENGINE_SETFAILED:
	case CURLE_SSL_PINNEDPUBKEYNOTMATCH:
	case CURLE_USE_SSL_FAILED:
		return fail_tls(ctx, f, "");
	case CURLE_OUT_OF_MEMORY:
		return http_fail_machine(ctx, ENOMEM);
	case CURLE_URL_MALFORMAT:
		return ctx_fail(ctx, -EINVAL, "not an http or https URL");
	/* Bugs, of this program or of curl. */
	case CURLE_ABORTED_BY_CALLBACK:
	case CURLE_BAD_FUNCTION_ARGUMENT:
	case CURLE_FAILED_INIT:
	case CURLE_FUNCTION_NOT_FOUND:
	case CURLE_NOT_BUILT_IN:
	case CURLE_READ_ERROR:
	case CURLE_RECURSIVE_API_CALL:
	case CURLE_SETOPT_OPTION_SYNTAX:
	case CURLE_UNKNOWN_OPTION:
	case CURLE_UNRECOVERABLE_POLL:
		return ctx_fail(ctx, -EIO, "curl failed inside: %s",
				curl_easy_strerror((CURLcode)f->result));
	case CURLE_BAD_CONTENT_ENCODING:
	case CURLE_UNSUPPORTED_PROTOCOL: /* what curl calls HTTP/0.9 */
	case CURLE_WEIRD_SERVER_REPLY:
	case CURLE_WRITE_ERROR: /* not our sink's: a broken encoding */
	default:
		return ctx_fail(ctx, -EPROTO,
				"%s does not answer as an HTTP server does: %s",
				f->host,
				curl_easy_strerror((CURLcode)f->result));
	}
}

/* Codes that curl reports when it could not open something. */
static bool may_lack_descriptor(int result)
{
	switch (result) {
	case CURLE_COULDNT_CONNECT:
	case CURLE_COULDNT_RESOLVE_HOST:
	case CURLE_COULDNT_RESOLVE_PROXY:
	case CURLE_FAILED_INIT:
	case CURLE_OUT_OF_MEMORY:
	case CURLE_SSL_CACERT_BADFILE:
	case CURLE_SSL_CRL_BADFILE:
	case CURLE_UNRECOVERABLE_POLL:
		return true;
	}
	return false;
}

static int machine_errno(const struct http_failure *f)
{
	const int errnums[] = {f->socket_errno, (int)f->os_errno};

	for (size_t i = 0; i < ARRAY_SIZE(errnums); i++)
		switch (errnums[i]) {
		case EMFILE:
		case ENFILE:
			return errnums[i];
		case ENOMEM: {
			/* curl says this also when it had no descriptors for
			 * its wake-up pair. */
			int none = http_no_descriptor();

			return none ? none : ENOMEM;
		}
		case ENOBUFS:
			return ENOMEM;
		}
	return may_lack_descriptor(f->result) ? http_no_descriptor() : 0;
}

int http_explain(struct ctx *ctx, const struct http_failure *f)
{
	char proxy[300];
	int errnum = machine_errno(f);

	if (errnum)
		return http_fail_machine(ctx, errnum);
	proxy_of(f, proxy, sizeof(proxy));
	if (f->result == CURLE_OPERATION_TIMEDOUT && f->is_unresolved)
		return ctx_fail(ctx, -ETIMEDOUT,
				"the name %s was not resolved in time: no name "
				"server answers (those of this machine are in "
				"/etc/resolv.conf)",
				*proxy ? proxy : f->host);
	if (f->result == CURLE_COULDNT_RESOLVE_PROXY ||
	    f->result == CURLE_PROXY || f->connect_code >= 300)
		return fail_proxy(ctx, f, proxy);
	if ((f->result == CURLE_COULDNT_CONNECT ||
	     f->result == CURLE_OPERATION_TIMEDOUT) &&
	    is_about(f->why, proxy))
		return fail_proxy(ctx, f, proxy);
	return by_code(ctx, f);
}
