/* A model's inputs, from files or made up. */
#ifndef INGOT_CLI_INPUTS_H
#define INGOT_CLI_INPUTS_H
#include "image.h"
#include "model.h"

typedef struct cli__input_settings {
  const char *npz;            /* --inputs, or NULL */
  cli__list files;            /* --input name=file, or file when there is one input */
  cli__preprocess_texts texts;
  bool antialias, bgr;
} cli__input_settings;

bool cli__inputs_given(const cli__input_settings *settings);
/* Reads the inputs and checks them against the model: one array an input, in the model's order and type. Missing and unknown names are
 * errors that list all of them. Free with cli__arrays_free, also after a failure. */
ingot_status cli__inputs_load(const cli__input_settings *settings, const cli__model *model, cli__arrays *inputs);
/* Orders, converts and checks arrays that were read (names in `from` are the inputs'); `from` is emptied into `inputs`. */
ingot_status cli__inputs_take(const cli__model *model, const char *where, cli__arrays *from, cli__arrays *inputs);
/* Made-up inputs: floats in [-1, 1) from a fixed seed, integers 0 or 1. Dims come from `shapes`, else from the profile's opt, else a free
 * first dim is 1. */
ingot_status cli__inputs_random(const cli__model *model, const cli__shapes *shapes, cli__arrays *inputs);
/* Shapes in `shapes` whose names no input has are an error. */
ingot_status cli__shapes_check(const char *option, const cli__shapes *shapes, const cli__model *model);
#endif
