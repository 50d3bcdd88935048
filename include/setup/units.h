/*
 * setup/units: the units of systemd's that this user has for mounts, and his
 * manager, which runs them.
 *
 * Owns their names, where they are, and the text of ours. Must never know what
 * a profile says.
 */
#ifndef SETUP_UNITS_H
#define SETUP_UNITS_H

#include "base/ctx.h"
#include "base/mem.h"

/* "bitbucketfs@work.service"; NULL: of no profile. Free it. */
char *units_name(const char *profile);

/* systemctl --user with these words, NULL at the end, and what it printed
 * (NULL: dropped). -ENOENT: there is none; -EIO: its own words are the
 * sentence; another -errno. Waits two minutes at most. */
int units_tell(struct ctx *, const char *const *words, struct buf *out);
/* Whether this user has a manager that answers: 0 or -errno with a sentence. */
int units_manager(struct ctx *);

/* What the manager says of a unit, "Name=value" a line, for units_value. */
int units_look(struct ctx *, const char *unit, struct buf *ret_text);
/* The caller's to free; "": it is not said. */
char *units_value(const struct buf *text, const char *name);
/* Whether it is wanted at login. */
bool units_is_wanted(const char *unit);

/* Writes our unit below XDG_CONFIG_HOME, for this very program; and removes
 * that one, if no instance is wanted any more. Who has written one of his own
 * there keeps it: -EEXIST. 0 or -errno; *ret_path (free it): what was written
 * or removed, or NULL. */
int units_write(char **ret_path);
int units_unwrite(char **ret_path);

/* Stops all of this user's units with this program's name in theirs, and
 * removes what he has of them; each is a line of out. */
void units_remove_all(struct buf *out);

#endif
