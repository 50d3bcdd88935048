/*
 * cmd/mount/reach: a command asks one mount, and a person is told why it does
 * not answer: it is dead, it hangs, its daemon is of another version.
 */
#ifndef CMD_REACH_H
#define CMD_REACH_H

#include "cmd/command.h"
#include "cmd/mount/control.h"

#define REACH_MS 2000

/*
 * Asks the mount of that device, at path, as control_ask does; a daemon that
 * does not answer at all is found out within REACH_MS, however long timeout_ms
 * is. COMMAND_OK with an answer, whose errnum may be an error of what was asked
 * for; else the sentence was said.
 */
enum command_exit reach_ask(const char *path, dev_t device,
			    const char *const *words, int timeout_ms,
			    struct control_answer *ret_answer);
/* Why a mount cannot be asked, of the -errno of control_ask; waits no longer
 * than timeout_ms. Free it. */
char *reach_why(const char *path, int r, int timeout_ms);

#endif
