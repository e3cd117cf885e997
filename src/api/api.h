/* For the files of api/: the pattern of every public call that can fail. */
#ifndef INGOT_API_API_H
#define INGOT_API_API_H
#include "base/mem.h"
/* A diag for this call, and its end: the text becomes the thread's last error. */
#define INGOT_CALL(file) ingot__diag diag; ingot__diag_init(&diag, (file))
static inline ingot_status ingot__end(ingot__diag *diag, ingot_status status) {
  if (status != INGOT_OK && diag->status == INGOT_OK) ingot__fail(diag, status, NULL, "%s", ingot_status_text(status));
  ingot__report(diag);
  return status;
}
/* "cpu", "cuda", "cuda:N"; false: another word. device.c. */
bool ingot__device_name(const char *text, const char **backend, int *index);
#define INGOT_REQUIRE(condition, what) \
  do { if (!(condition)) return ingot__end(&diag, ingot__fail(&diag, INGOT_E_ARGUMENT, NULL, "%s: %s", __func__, what)); } while (0)
#endif
