/* A thread of execution with a stack of its own, for the emulated GPU's threads: switching costs about as much as a call. x86-64 alone. */
#ifndef EMULATED_FIBER_H
#define EMULATED_FIBER_H
#include <stddef.h>

enum { EMULATED_STACK = 64 << 10 };

/* A stack, with a page below it that nothing may touch; taken from those that were given back last. Ends the program without memory. */
unsigned char *emulated_stack_take(void);
void emulated_stack_give(unsigned char *stack);
/* The context of a fiber that will begin `entry` on the stack; number spreads stacks over the cache's sets. */
void *emulated_fiber_begin(unsigned char *stack, unsigned number, void (*entry)(void));
/* Saves where we are in *save and goes on in `to`. */
void emulated_fiber_switch(void **save, void *to);
#endif
