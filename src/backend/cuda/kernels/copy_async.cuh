/* Copies from global to shared memory that go on while the thread computes (cp.async), in groups that are waited for in order. `bytes` says
 * how many of them come from memory; the rest are zeros, and with 0 the source isn't read. */
#pragma once
#include "types.cuh"
#ifndef INGOT_EMULATED
DEVICE uint32_t copy_async_address(const void *p) { return (uint32_t)__cvta_generic_to_shared(p); }
DEVICE void copy_async16(void *shared, const void *from, int bytes) { /* both 16-byte aligned; past the L1 cache */
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(copy_async_address(shared)), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy_async4(void *shared, const void *from, int bytes) {
  asm volatile("cp.async.ca.shared.global [%0], [%1], 4, %2;" ::"r"(copy_async_address(shared)), "l"(from), "r"(bytes) : "memory");
}
DEVICE void copy_async_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
/* Until all but the newest N groups are there, for this thread; others see it after a barrier. */
template <int N> DEVICE void copy_async_wait() { asm volatile("cp.async.wait_group %0;" ::"n"(N) : "memory"); }
#else
DEVICE void copy_async_some(void *shared, const void *from, int bytes, int size) {
  memset(shared, 0, size);
  if (bytes > 0) memcpy(shared, from, bytes);
}
DEVICE void copy_async16(void *shared, const void *from, int bytes) { copy_async_some(shared, from, bytes, 16); }
DEVICE void copy_async4(void *shared, const void *from, int bytes) { copy_async_some(shared, from, bytes, 4); }
DEVICE void copy_async_commit() {}
template <int N> DEVICE void copy_async_wait() {}
#endif
