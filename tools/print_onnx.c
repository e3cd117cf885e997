/* Loads ONNX files and prints each as the network's text: for those who work on the importer. `-q` prints a line a file instead. Says what
 * is wrong and goes on; the exit status is 1 if any failed. */
#include "import/onnx/onnx.h"
#include <stdio.h>
#include <string.h>

static int write_text(void *user, const char *text, size_t n) { return fwrite(text, 1, n, user) == n ? 0 : -1; }

int main(int argc, char **argv) {
  bool quiet = argc > 1 && strcmp(argv[1], "-q") == 0, failed = false;
  for (int i = quiet ? 2 : 1; i < argc; i++) {
    static ingot__diag diag;
    ingot__network *network = NULL;
    ingot__diag_init(&diag, NULL);
    double start = ingot__now();
    if (ingot__onnx_load(NULL, argv[i], &diag, &network) != INGOT_OK) {
      printf("%s: FAILED (%d)\n%s\n", argv[i], (int)diag.status, diag.text);
      failed = true;
      continue;
    }
    if (ingot__network_verify(network, &diag) != INGOT_OK) {
      printf("%s: DAMAGED\n%s\n", argv[i], diag.text);
      failed = true;
    } else if (quiet) {
      printf("%s: %zu nodes, %zu values, %.1f MB, %.0f ms\n", argv[i], network->main->n_node, network->n_value, (double)network->heap.used / 1e6,
             (ingot__now() - start) * 1e3);
    } else {
      ingot__network_print(network, write_text, stdout);
    }
    ingot__network_free(network);
  }
  return failed;
}
