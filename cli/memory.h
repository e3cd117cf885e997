/* A bound on the library's memory: --memoryLimit. */
#ifndef INGOT_CLI_MEMORY_H
#define INGOT_CLI_MEMORY_H
#include "error.h"

/* Counts what all handles hold together and refuses what goes beyond the limit. */
const ingot_allocator *cli__allocator(void);
/* "500M", "4G"; NULL: nine tenths of what the machine or its control group has. */
ingot_status cli__memory_limit(const char *text);
/* Words to add to an error when a request was refused; "" when none was. */
const char *cli__memory_refused(char *text, size_t size);
#endif
