/*
 * cmd/doctor/service: what needs no service.
 */
#include "cmd/doctor/service.h"

#include "cmd/login/login_form.h"

#include "base/text.h"

#define SECOND_MS INT64_C(1000)
#define DAY_MS (24 * 3600 * SECOND_MS)
#define CLOCK_MOST_MS (300 * SECOND_MS)

char *service_clock_off(int64_t ahead_ms)
{
	int64_t off = ahead_ms < 0 ? -ahead_ms : ahead_ms;
	const char *where = ahead_ms < 0 ? "behind" : "ahead";

	if (off <= CLOCK_MOST_MS)
		return NULL;
	if (off >= 2 * DAY_MS)
		return mem_asprintf("%lld days %s", (long long)(off / DAY_MS),
				    where);
	return mem_asprintf("%lld minutes %s",
			    (long long)(off / (60 * SECOND_MS)), where);
}

static enum login_form form_of(const char *token)
{
	enum login_form form = LOGIN_FORM_UNKNOWN;
	char *bare = NULL;
	cleanup(free) char *name = NULL;
	const char *note = NULL;

	if (token && login_form_token(token, &bare, &form, &name, &note))
		form = LOGIN_FORM_UNKNOWN;
	text_wipe(bare);
	return form;
}

static const char *odd_name(enum credential_kind kind, const char *label)
{
	if (kind == CREDENTIAL_API_TOKEN && !strchr(label, '@'))
		return "email is no e-mail: an API token goes with the e-mail "
		       "of the Atlassian account "
		       "(https://bitbucket.org/account/settings/email/), not "
		       "with the user name";
	if (kind == CREDENTIAL_BASIC && strchr(label, '@'))
		return "username is an e-mail: with an API token, write it as "
		       "email";
	return NULL;
}

const char *service_odd_credential(enum credential_kind kind, const char *label,
				   const char *token)
{
	bool has_name = kind == CREDENTIAL_API_TOKEN ||
			kind == CREDENTIAL_BASIC;

	switch (form_of(token)) {
	case LOGIN_FORM_APP_PASSWORD:
		return "this has the form of an app password (ATBB…), which "
		       "Bitbucket takes no more since 2026-07-28: make an API "
		       "token with scopes at id.atlassian.com, and give it "
		       "with the e-mail of the Atlassian account";
	case LOGIN_FORM_ACCESS_TOKEN:
		if (has_name)
			return "this has the form of an access token of a "
			       "repository, project or workspace (ATCT…), "
			       "which goes alone: take email or username out";
		break;
	case LOGIN_FORM_API_TOKEN:
	case LOGIN_FORM_UNKNOWN:
		break;
	}
	return odd_name(kind, label);
}
