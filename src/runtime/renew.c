/* An engine of one GPU on another: of the same architecture its code runs as it is (an H100's on an H200); of another it is compiled anew, which
 * needs the compiler that building needed. Kernels are those that were chosen there. */
#include "runtime/load.h"
#include <string.h>

/* "sm_90" out of a device's description; the description itself where it says nothing of the kind. */
static bool same_architecture(const char *a, const char *b) {
  const char *x = strstr(a, "sm_"), *y = strstr(b, "sm_");
  if (!x || !y) return !strcmp(a, b);
  size_t n = strcspn(x, ", "), m = strcspn(y, ", ");
  return n == m && !strncmp(x, y, n);
}

static ingot_status renew(ingot_engine *e, const ingot__node *n, ingot__step *step, ingot__arena *arena, ingot__diag *diag) {
  const ingot__kernel *k = step->kernel;
  if (!k || !k->on_device || !k->functions->source) return INGOT_OK;
  ingot__view *in = INGOT_NEW_ARRAY(arena, n->n_in + n->n_out + 1, ingot__view), *out = in + n->n_in;
  if (!in) return ingot__no_memory(diag);
  bool known = true;
  for (size_t i = 0; i < n->n_in; i++) known = ingot__load_view(e, n->in[i], &in[i]) && known;
  for (size_t i = 0; i < n->n_out; i++) known = ingot__load_view(e, n->out[i], &out[i]) && known;
  if (!known) return INGOT__FAIL_NODE(diag, INGOT_E_FORMAT, n, "the engine file is damaged: a kernel of a GPU on tensors of unknown types");
  ingot__call call = {.node = n, .attrs = n->attrs, .in = in, .out = out, .n_in = n->n_in, .n_out = n->n_out, .threads = e->threads};
  return e->backend->device->compile(e->opened, k, &call, diag, &step->code, &step->code_size);
}

/* Why a kernel of a vendor's library needs another in its place. */
static void explain(const ingot_engine *e, const ingot__node *n, ingot__diag *diag) {
  const ingot__kernel *planned = e->planned[n->id].kernel ? e->backend->find(e->planned[n->id].kernel) : NULL;
  const ingot__library *library = planned ? planned->functions->library : NULL;
  const char *why = "";
  if (!library || library->version(&why)) return;
  INGOT__FAIL_NODE(diag, INGOT_E_DEVICE, n, "was built for kernel %s of %s, which isn't here (%s), so that %s has to be compiled in its place",
                   planned->name, library->name, why, e->step[n->id].kernel->name);
}

ingot_status ingot__load_renew_code(ingot_engine *e, ingot__diag *diag) {
  if (!e->opened) return INGOT_OK;
  const char *here = e->backend->device->describe(e->opened);
  bool same = same_architecture(e->device, here);
  ingot__arena arena;
  ingot__arena_init(&arena, &e->heap);
  ingot_status status = INGOT_OK;
  size_t renewed = 0;
  for (size_t i = 0; i < e->network->n_node && status == INGOT_OK; i++) {
    const ingot__node *n = e->network->node[i];
    ingot__step *step = &e->step[i];
    bool replaced = n && step->kernel && e->planned[i].kernel && strcmp(step->kernel->name, e->planned[i].kernel);
    if (!n || (same && !replaced)) continue;
    status = renew(e, n, step, &arena, diag);
    if (status != INGOT_OK && replaced) explain(e, n, diag);
    for (uint8_t k = 0; k < step->n_other && status == INGOT_OK; k++) status = renew(e, n, &step->other[k], &arena, diag);
    renewed += step->kernel && step->kernel->on_device;
  }
  ingot__arena_free(&arena);
  if (status == INGOT_OK && strcmp(e->device, here))
    ingot__logf(&e->log, INGOT_LOG_WARNING, "the engine was built on %s, this is %s%s; build it here for best speed", e->device, here,
                renewed ? ": its kernels were compiled for it" : "");
  return status;
}
