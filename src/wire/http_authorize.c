/*
 * wire/http, a request that carries a secret: which one is asked for each
 * request, because it may be another by the next.
 */
#include "wire/http.h"

#include "base/text.h"

#define REFUSED 401

void http_authorization_done(struct http_authorization *authorization)
{
	text_wipe(authorization->value);
	*authorization = (struct http_authorization){0};
}

void http_place_done(struct http_place *place)
{
	for (size_t i = 0; place->headers && place->headers[i]; i++)
		text_wipe(place->headers[i]);
	free(place->headers);
	text_wipe(place->authorization);
	/* Its query may be a signature. */
	text_wipe(place->url);
	*place = (struct http_place){0};
}

void http_place_copy(const struct http_place *place,
		     struct http_place *ret_copy)
{
	size_t n = 0;

	*ret_copy = *place;
	ret_copy->url = mem_strdup(place->url);
	if (place->authorization)
		ret_copy->authorization = mem_strdup(place->authorization);
	if (!place->headers)
		return;
	while (place->headers[n])
		n++;
	ret_copy->headers = mem_calloc(n + 1, sizeof(char *));
	for (size_t i = 0; i < n; i++)
		ret_copy->headers[i] = mem_strdup(place->headers[i]);
}

/* One request, however it is refused; *sent is what it was sent with. */
static int
perform_once(struct ctx *ctx, struct http *http, struct http_request request,
	     const struct http_authorizer *as, const struct http_sink *sink,
	     struct http_authorization *sent, struct http_response *response)
{
	int r = as->authorize(as->arg, ctx, sent);

	if (r < 0)
		return r;
	request.authorization = sent->value;
	r = http_perform(ctx, http, &request, sink, response);
	as->heard(as->arg, ctx, sent, response);
	return r;
}

int http_perform_as(struct ctx *ctx, struct http *http,
		    const struct http_request *request,
		    const struct http_authorizer *as,
		    const struct http_sink *sink,
		    struct http_response *ret_response)
{
	cleanup(http_authorization_done) struct http_authorization sent = {0};
	int r;

	*ret_response = (struct http_response){0};
	r = perform_once(ctx, http, *request, as, sink, &sent, ret_response);
	if (r < 0 || ret_response->status != REFUSED ||
	    !ret_response->authorized)
		return r;
	r = as->renew(as->arg, ctx, &sent);
	if (r <= 0)
		return r;
	http_authorization_done(&sent);
	http_response_done(ret_response);
	return perform_once(ctx, http, *request, as, sink, &sent, ret_response);
}
