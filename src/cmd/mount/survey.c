/*
 * cmd/mount/survey: the kernel's table says which mounts there are, their
 * sockets how they are. A daemon may be in another namespace: its mount is not
 * in our table, and it is this user's all the same.
 */
#include "cmd/mount/survey.h"
#include "cmd/mount/preflight.h"
#include "cmd/mount/reach.h"

#include "base/clock.h"

#include <unistd.h>

#define MOUNTS_MOST 64
/* Those that have no socket are looked at one after the other: for each, and
 * for all of them. */
#define DEAD_MS 300
#define ALL_DEAD_MS 1000

static struct survey_mount *find(struct survey *s, dev_t device)
{
	for (size_t i = 0; i < s->n; i++)
		if (s->mounts[i].device == device)
			return &s->mounts[i];
	return NULL;
}

static struct survey_mount *add(struct survey *s, dev_t device,
				const char *place)
{
	struct survey_mount *m;

	if (s->n == MOUNTS_MOST)
		return NULL;
	m = &s->mounts[s->n++];
	*m = (struct survey_mount){.device = device,
				   .place = mem_strdup(place)};
	return m;
}

/* A bind mount is the same mount at another place. */
static void note_place(void *arg, const char *path,
		       const struct preflight_place *place)
{
	struct survey *s = arg;

	if (place->user == getuid() && !find(s, place->device))
		add(s, place->device, path);
}

static void note_answer(void *arg, const struct control_answer *answer)
{
	struct survey *s = arg;
	struct survey_mount *m = find(s, answer->device);

	if (!m && answer->mountpoint)
		m = add(s, answer->device, answer->mountpoint);
	if (!m)
		return;
	if (!answer->errnum)
		(void)json_parse(answer->text, strlen(answer->text),
				 &m->status);
	if (m->status)
		return;
	if (answer->errnum == -ENOSYS)
		m->why = mem_asprintf("the daemon of the mount at %s is of "
				      "another version: unmount and mount "
				      "again",
				      m->place);
	else
		m->why = reach_why(m->place,
				   answer->errnum ? answer->errnum : -EBADMSG,
				   DEAD_MS);
}

static const char *agent(void)
{
	const char *path = getenv("SSH_AUTH_SOCK");

	return path && *path == '/' ? path : "";
}

static void ask_one(struct survey *s, const struct inside *only)
{
	const char *words[] = {"status", only->path, agent(), NULL};
	struct control_answer answer = {0};
	int r = control_ask(only->device, words, SURVEY_MS, &answer);

	if (r)
		answer = (struct control_answer){.errnum = r};
	answer.device = only->device;
	add(s, only->device, only->mountpoint);
	note_answer(s, &answer);
	control_answer_done(&answer);
}

static void ask_all(struct survey *s)
{
	const char *words[] = {"status", "", agent(), NULL};
	cleanup(buf_done) struct buf table = BUF_INIT(0);

	if (!preflight_table(&table) && table.data)
		preflight_each(table.data, note_place, s);
	control_ask_all(words, SURVEY_MS, note_answer, s);
}

static void look_without_socket(struct survey_mount *m, int64_t until_ms)
{
	int64_t left = until_ms - clock_mono_ms();

	left = left < DEAD_MS ? left : DEAD_MS;
	m->why = reach_why(m->place, -ECONNREFUSED, left > 0 ? (int)left : 0);
}

void survey_take(const struct inside *only, struct survey *ret)
{
	int64_t until_ms;

	*ret = (struct survey){
		.mounts = mem_calloc(MOUNTS_MOST, sizeof(*ret->mounts)),
	};
	if (only)
		ask_one(ret, only);
	else
		ask_all(ret);
	until_ms = clock_mono_ms() + ALL_DEAD_MS;
	for (size_t i = 0; i < ret->n; i++)
		if (!ret->mounts[i].status && !ret->mounts[i].why)
			look_without_socket(&ret->mounts[i], until_ms);
}

void survey_done(struct survey *s)
{
	for (size_t i = 0; i < s->n; i++) {
		free(s->mounts[i].place);
		json_free(s->mounts[i].status);
		free(s->mounts[i].why);
	}
	free(s->mounts);
	*s = (struct survey){0};
}
