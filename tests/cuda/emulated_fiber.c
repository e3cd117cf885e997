#include "emulated_fiber.h"
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

#ifndef __x86_64__
#error "the emulated GPU's fibers are written for x86-64"
#endif
/* The registers that a function must keep, and the stack pointer: no more is needed, because a switch is a call. */
__asm__(".text\n"
        ".globl emulated_fiber_switch\n"
        ".hidden emulated_fiber_switch\n"
        ".type emulated_fiber_switch, @function\n"
        "emulated_fiber_switch:\n"
        "  pushq %rbp\n  pushq %rbx\n  pushq %r12\n  pushq %r13\n  pushq %r14\n  pushq %r15\n"
        "  movq %rsp, (%rdi)\n"
        "  movq %rsi, %rsp\n"
        "  popq %r15\n  popq %r14\n  popq %r13\n  popq %r12\n  popq %rbx\n  popq %rbp\n"
        "  ret\n"
        ".size emulated_fiber_switch, .-emulated_fiber_switch\n");

enum { PAGE = 4096, AT_ONCE = 64 };
static unsigned char *spare; /* a list, linked by each stack's first word */

unsigned char *emulated_stack_take(void) {
  if (!spare) {
    unsigned char *all = mmap(NULL, (size_t)AT_ONCE * (EMULATED_STACK + PAGE), PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                              -1, 0);
    if (all == MAP_FAILED) fputs("emulated GPU: no memory for stacks\n", stderr), abort();
    for (int i = 0; i < AT_ONCE; i++, all += EMULATED_STACK + PAGE) {
      if (mprotect(all, PAGE, PROT_NONE)) fputs("emulated GPU: no memory for stacks\n", stderr), abort();
      emulated_stack_give(all + PAGE);
    }
  }
  unsigned char *stack = spare;
  spare = *(unsigned char **)(stack + EMULATED_STACK - 8); /* at the end that is in use, so that a stack touches no second page */
  return stack;
}
void emulated_stack_give(unsigned char *stack) {
  *(unsigned char **)(stack + EMULATED_STACK - 8) = spare;
  spare = stack;
}

void *emulated_fiber_begin(unsigned char *stack, unsigned number, void (*entry)(void)) {
  uintptr_t top = (uintptr_t)stack + EMULATED_STACK - 64 - number % 32 * 64; /* or all would meet in a few sets of the first cache */
  void **at = (void **)(top & ~(uintptr_t)15);
  *--at = NULL;             /* entry's return address, which it never uses: the stack is 8 past a multiple of 16 then, as after a call */
  *--at = (void *)(uintptr_t)entry;
  for (int i = 0; i < 6; i++) *--at = NULL;
  return at;
}
