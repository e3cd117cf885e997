/* Networks as text: whatever is read must keep its invariants, through printing, copying, sorting and sweeping. */
#include "ir/network.h"
#include <stdlib.h>
#include <string.h>

typedef struct text { char *bytes; size_t n, capacity; } text;
static int add(void *user, const char *s, size_t n) {
  text *t = user;
  if (t->n + n > t->capacity && !(t->bytes = realloc(t->bytes, t->capacity = (t->n + n) * 2))) abort();
  memcpy(t->bytes + t->n, s, n);
  t->n += n;
  return 0;
}
static void must(bool ok) {
  if (!ok) abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  static ingot__diag diag;
  ingot_env env = {.memory_limit = 64 << 20};
  ingot__network *n, *again, *copy;
  ingot__diag_init(&diag, NULL);
  if (ingot__network_parse(&env, (const char *)data, size, &diag, &n) != INGOT_OK) return 0;
  text one = {0}, two = {0}, three = {0};
  must(ingot__network_verify(n, &diag) == INGOT_OK);
  must(ingot__network_print(n, add, &one) == INGOT_OK);
  must(ingot__network_parse(NULL, one.bytes, one.n, &diag, &again) == INGOT_OK);
  must(ingot__network_print(again, add, &two) == INGOT_OK);
  must(one.n == two.n && memcmp(one.bytes, two.bytes, one.n) == 0);
  must((copy = ingot__network_clone(n, NULL)) != NULL);
  must(ingot__network_print(copy, add, &three) == INGOT_OK);
  must(one.n == three.n && memcmp(one.bytes, three.bytes, one.n) == 0);
  must(ingot__network_sort(copy, &diag) == INGOT_OK);
  ingot__network_sweep(copy);
  must(ingot__network_verify(copy, &diag) == INGOT_OK);
  free(one.bytes), free(two.bytes), free(three.bytes);
  ingot__network_free(copy);
  ingot__network_free(again);
  ingot__network_free(n);
  return 0;
}
