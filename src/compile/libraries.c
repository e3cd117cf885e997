/* A device's vendor's libraries are opened by a thread of its own while the network is measured and goes through the passes: on an H200's host 0.24 s
 * (the files, and a handle of each) of the second that a build with all its timings known takes. The planner, which asks for them, waits where it is
 * earlier. */
#include "compile/compile.h"

static void *open_all(void *user) {
  const ingot__build *b = user;
  for (const ingot__library *const *l = b->engine->backend->libraries; *l; l++)
    if (b->config->tactics & (*l)->source) (*l)->version(NULL);
  return NULL;
}

/* What the libraries compute. */
static bool has_products(const ingot__network *network) {
  for (const ingot__node *n = network->main->first; n; n = n->next)
    if (n->op == INGOT__OP_Conv || n->op == INGOT__OP_MatMul || n->op == INGOT__OP_Gemm) return true;
  return false;
}

void ingot__build_open_libraries(ingot__build *b) {
  const bool times = b->config->budget > 0 || b->config->timing_cache;
  const bool wanted = b->engine->backend->libraries && times && has_products(b->engine->network);
  b->opening = wanted && pthread_create(&b->opener, NULL, open_all, b) == 0; /* without a thread the planner opens them */
}

void ingot__build_await_libraries(ingot__build *b) {
  if (b->opening) pthread_join(b->opener, NULL);
  b->opening = false;
}
