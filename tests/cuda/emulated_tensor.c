#include "emulated_tensor.h"
#include "emulated_machine.h"
void emulated_load_tiled(const void *map, void *shared, const int *coordinates) {
  (void)map, (void)shared, (void)coordinates;
  emulated_machine.fail("not yet");
}
void emulated_load_windows(const void *map, void *shared, const int *coordinates, int offset_w, int offset_h) {
  (void)map, (void)shared, (void)coordinates, (void)offset_w, (void)offset_h;
  emulated_machine.fail("not yet");
}
void emulated_store_tiled(const void *map, const void *shared, const int *coordinates) {
  (void)map, (void)shared, (void)coordinates;
  emulated_machine.fail("not yet");
}
