/* Questions about a call that every target asks of its rows in the same way. */
#ifndef INGOT_BACKEND_FIT_H
#define INGOT_BACKEND_FIT_H
#include "backend/backend.h"

/* Whether the views of in[0] and out[0] are such that the row takes them: layouts, and slices only where it says so. */
bool ingot__layouts_fit(const ingot__kernel *kernel, const ingot__call *call);
/* Whether all inputs and outputs are tensors of numbers: sequences, optionals and strings are the reference's. */
bool ingot__numbers_alone(const ingot__call *call);
#endif
