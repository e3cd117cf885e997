/* What the instruction sets' depthwise kernels share: which calls they take and the packed weights.
 *
 * depthwise16: [ceil(C/16)][kh*kw][16] floats, then the bias as [ceil(C/16)*16]; zero past C and without a bias. */
#ifndef INGOT_BACKEND_CPU_KERNELS_DEPTHWISE_PACK_H
#define INGOT_BACKEND_CPU_KERNELS_DEPTHWISE_PACK_H
#include "backend/cpu/kernels/conv/geometry.h"

enum { DEPTHWISE_MAX_TAPS = 256 };
/* Fills conv where the call is one channel in and one out a group, in and out CHANNELS_LAST. */
bool ingot__depthwise_get(const ingot__call *call, ingot__conv *conv);
size_t ingot__depthwise_pack_size(const ingot__call *call);
void ingot__depthwise_pack(const ingot__call *call, void *packed);
#endif
