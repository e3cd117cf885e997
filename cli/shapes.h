/* Shapes on the command line: "x:1x3x224x224,y:2x8". */
#ifndef INGOT_CLI_SHAPES_H
#define INGOT_CLI_SHAPES_H
#include "error.h"

enum { CLI__SHAPES_MAX = 64 };
typedef struct cli__shape {
  char name[256];   /* "" when the text had none: the network's only input */
  int rank;
  int64_t dims[INGOT_MAX_RANK];
} cli__shape;
typedef struct cli__shapes { size_t count; cli__shape items[CLI__SHAPES_MAX]; } cli__shapes;

/* Reads the value of `option` ("--shapes"). A name ends at its last colon and may stand in single quotes; "x:scalar" is rank 0. A NULL
 * text gives no shapes. */
ingot_status cli__shapes_read(const char *option, const char *text, cli__shapes *shapes);
/* The shape for an input, or NULL. `only`: the network has no other input, so a shape without a name is meant for it. */
const cli__shape *cli__shapes_find(const cli__shapes *shapes, const char *name, bool only);
#endif
