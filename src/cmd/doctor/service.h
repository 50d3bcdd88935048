/*
 * cmd/doctor/service: what can be judged without the service.
 */
#ifndef CMD_DOCTOR_SERVICE_H
#define CMD_DOCTOR_SERVICE_H

#include "api/credential.h"

/* "3 days ahead" of how far this machine's clock is before the server's;
 * NULL: near enough. Free it. */
char *service_clock_off(int64_t ahead_ms);
/* What is odd about a credential before anybody was asked, with what to do;
 * NULL: nothing. Static. */
const char *service_odd_credential(enum credential_kind, const char *label,
				   const char *token);

#endif
