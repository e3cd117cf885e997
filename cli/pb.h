/* ONNX's TensorProto files: the input_*.pb and output_*.pb of test data sets. */
#ifndef INGOT_CLI_PB_H
#define INGOT_CLI_PB_H
#include "array.h"

/* Reads a file that holds one TensorProto, in any of its encodings. The array's name is the tensor's, NULL if it has none. */
ingot_status cli__pb_load(const char *path, cli__array *array);
#endif
