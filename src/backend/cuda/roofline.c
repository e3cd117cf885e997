/* What a GPU can do at most: operations by precision, and bytes of its memory. For profiles. */
#include "backend/cuda/device.h"
#include <string.h>

/* Operations (a multiply-add is two) a clock and multiprocessor: of tensor cores with sums in float32 and without sparsity, and of float32 outside of
 * them. From NVIDIA's architecture papers: A100 (sm_80), GA102 (86), Orin (87), AD102 (89), H100 (90), B200 (100),
 * GB202 (120); GeForce cards of 86, 89 and 120 have half of it with sums in float32. 0: not known. */
static const struct { int arch, halves, tf32, floats; } rates[] = {
  {120, 1024, 512, 256}, {100, 8192, 4096, 256}, {90, 4096, 2048, 256}, {89, 1024, 512, 256}, {87, 2048, 0, 256}, {86, 1024, 512, 256},
  {80, 2048, 1024, 128},
};

double ingot__cuda_least(const ingot__device *device, const char *precision, double flops, double bytes) {
  const ingot__cuda_info *info = &device->info;
  double rate = 0;
  for (size_t i = 0; precision && !rate && i < sizeof rates / sizeof rates[0]; i++) {
    if (info->arch < rates[i].arch) continue;
    if (!strcmp(precision, "float16") || !strcmp(precision, "bfloat16")) rate = rates[i].halves;
    else if (!strcmp(precision, "tf32")) rate = rates[i].tf32;
    else if (!strcmp(precision, "float32")) rate = rates[i].floats;
    else break;
  }
  const double compute = rate > 0 ? flops / (rate * info->sms * info->clock) : 0, move = info->bandwidth > 0 ? bytes / info->bandwidth : 0;
  return compute > move ? compute : move;
}
