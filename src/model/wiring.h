/*
 * model/wiring: tables that wiring.c puts into a model.
 */
#ifndef MODEL_WIRING_H
#define MODEL_WIRING_H

#include "model/dirs/row_dir.h"

extern const struct row_dir_special specials_all[ROW_DIR_SPECIALS];

#endif
