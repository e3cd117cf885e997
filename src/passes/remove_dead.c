/* Nodes and constants that nothing needs. */
#include "passes/passes.h"

ingot_status ingot__pass_remove_dead(ingot__network *network, const ingot__pass_context *context, bool *changed) {
  (void)context;
  *changed = ingot__network_sweep(network) > 0;
  return INGOT_OK;
}
