/* Elements that are only moved, by their SIZE in bytes. */
#pragma once
#include "ingot.cuh"
#if SIZE == 1
typedef uint8_t element;
#elif SIZE == 2
typedef uint16_t element;
#elif SIZE == 4
typedef uint32_t element;
#else
typedef uint64_t element;
#endif
