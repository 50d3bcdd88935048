/*
 * model/wiring: what wiring.c puts into a model beside its own.
 */
#ifndef MODEL_WIRING_H
#define MODEL_WIRING_H

#include "model/dirs/row_dir.h"

extern const struct row_dir_special wiring_specials[ROW_DIR_SPECIALS];

#endif
