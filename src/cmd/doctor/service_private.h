/*
 * cmd/doctor/service inside: service.c asks who one is and what there is,
 * service_network.c whether it answers, service_address.c is about ADDRESS.
 */
#ifndef CMD_DOCTOR_SERVICE_PRIVATE_H
#define CMD_DOCTOR_SERVICE_PRIVATE_H

#include "cmd/doctor/doctor.h"
#include "cmd/doctor/service.h"

struct service_asking {
	struct ctx *ctx;
	struct doctor *d;
	struct report *r;
	/* Of the last request. */
	struct bitbucket_reply reply;
	struct http_response answer;
	struct json *json; /* NULL: it is none */
	char sentence[512];
	int result;
	int64_t took_ms;
};
/* One request, never repeated. 0 when an answer came, whatever it says. */
int service_ask(struct service_asking *, const char *path);
/* r: of service_ask. False: nothing more can be asked. */
bool service_judge_network(struct service_asking *, int r);
/* True: it is not the service, is in trouble itself, or wants no more requests.
 */
bool service_judge_service(struct service_asking *);
/* Of what was not let: the sentence has the scope, where the service says it.
 */
void service_add_refusal(struct service_asking *, const char *name,
			 enum report_level);
/* Who has workspaces of its own to list. */
bool service_is_account(const struct doctor *);
/* The names of a list's items at that path, most of them; "": none. Free it. */
char *service_names_of(const struct json *, const char *path, size_t most);

/* asked: the last answer is the repository's or workspace's of ADDRESS. */
void service_look_at_address(struct service_asking *, bool asked);

#endif
