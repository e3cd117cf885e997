/* Division of numbers below 2^31 by one that stays the same, without dividing: n / by = (n + (n * factor >> 32)) >> shift. For structs of
 * parameters; the C side fills it by ingot__divisor (divide_host.h), the device divides by it (divide.cuh). */
#pragma once
typedef struct divisor { uint32_t by, factor, shift; } divisor;
