/*
 * cmd/web: the service's pages are at bitbucket.org, beside api.bitbucket.org;
 * a server of one's own has both at one host. Mirrors have none.
 */
#include "cmd/web.h"

#include "cmd/mount/control.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/survey.h"

#include "base/text.h"
#include "setup/account.h"
#include "wire/http.h"

#define ASK_MS (12 * 1000)
#define COMMIT_DIGITS 40

char *web_url(const struct config *config)
{
	cleanup(http_url_done) struct http_url url = {0};

	if (!strcmp(config->api_url, CONFIG_API_URL) ||
	    http_url_parse(config->api_url, &url) < 0)
		return mem_strdup(CONFIG_GIT_URL);
	return steal(&url.base);
}

/* A line of proc_pid_mountinfo(5) of what is not mounted. */
static void add_line(struct buf *table, const char *point)
{
	buf_puts(table, "0 0 0:0 / ");
	for (; *point; point++) {
		if (strchr(" \t\n\\", *point))
			buf_printf(table, "\\%03o", (unsigned char)*point);
		else
			buf_putc(table, *point);
	}
	buf_puts(table, " - " PREFLIGHT_TYPE " none\n");
}

int web_inside(const char *path, const char *mountpoint, struct inside *ret)
{
	cleanup(buf_done) struct buf table = BUF_INIT(0);
	cleanup(buf_done) struct buf real = BUF_INIT(0);
	cleanup(free) char *there = NULL;
	int r = preflight_table(&real);

	/* Before the others: what is mounted there counts. */
	if (!r && !preflight_path(mountpoint, &there))
		add_line(&table, there);
	if (!r)
		r = buf_add(&table, real.data, real.len);
	return r < 0 ? r : inside_look(table.data ? table.data : "", path, ret);
}

/* Of another host it would have other repositories. */
static bool serves(const struct survey_mount *m, const char *host)
{
	const char *api_url = json_str(m->status, "api_url");
	cleanup(free) char *own = account_host_name(api_url ? api_url : "");

	return api_url && !strcmp(own, host);
}

static const struct survey_mount *only_one(const struct survey *survey,
					   const char *api_url)
{
	cleanup(free) char *host = account_host_name(api_url);
	const struct survey_mount *only = NULL;

	for (size_t i = 0; i < survey->n; i++) {
		if (!serves(&survey->mounts[i], host))
			continue;
		if (only)
			return NULL;
		only = &survey->mounts[i];
	}
	return only;
}

int web_mountpoint(const struct config *config, struct inside *ret)
{
	cleanup(preflight_place_done) struct preflight_place place = {0};
	cleanup(survey_done) struct survey survey = {0};
	const struct survey_mount *other = NULL;
	cleanup(free) char *there = NULL;
	int r = preflight_path(config->mountpoint, &there);

	if (!r)
		r = preflight_place(there, &place);
	if (r)
		return r;
	if (place.what != PREFLIGHT_OURS) {
		survey_take(NULL, &survey);
		other = only_one(&survey, config->api_url);
	}
	*ret = (struct inside){
		.mountpoint = other ? mem_strdup(other->place) : steal(&there),
		.device = other                          ? other->device
			  : place.what == PREFLIGHT_OURS ? place.device
							 : 0,
		.path = mem_strdup(""),
	};
	return 0;
}

static int read_ref(const char *text, size_t *ret_parts, char commit[static 41])
{
	cleanup(free) char *number = mem_dup0(text, strcspn(text, " "));
	const char *hex = text + strlen(number) + (text[0] != 0);
	uint64_t n;

	if (text_parse_u64(number, CONTROL_REQUEST_MAX, &n) ||
	    strlen(hex) != COMMIT_DIGITS)
		return -EPROTO;
	*ret_parts = (size_t)n;
	memcpy(commit, hex, COMMIT_DIGITS + 1);
	return 0;
}

int web_ref(const struct inside *inside, const char *path, size_t *ret_parts,
	    char commit[static 41])
{
	const char *const words[] = {"ref", path, NULL};
	cleanup(control_answer_done) struct control_answer answer = {0};
	int r = -ENOTCONN;

	/* While it asks git it answers this; where it hangs nobody waits. */
	if (web_is_mounted(inside))
		r = preflight_answers(inside->mountpoint, PREFLIGHT_ANSWER_MS);
	if (!r)
		r = control_ask(inside->device, words, ASK_MS, &answer);
	if (!r)
		r = answer.errnum;
	return r ? r : read_ref(answer.text, ret_parts, commit);
}
