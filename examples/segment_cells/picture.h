/* Grey and colour PNG files. */
#ifndef PICTURE_H
#define PICTURE_H
#include <stdbool.h>
#include <stdint.h>

typedef struct picture { int width, height, channels; uint8_t *pixels; } picture; /* channels: 1 grey, 3 colour; pixels are malloc's */

/* Both say what is wrong on stderr and return false. */
bool picture_load_grey(const char *path, picture *p);
bool picture_save(const char *path, const picture *p);

/* "input | mask | input with the mask's contour in colour", side by side. `mask` has a byte a pixel: cell or not. False: no memory. */
bool picture_overlay(const picture *input, const uint8_t *mask, picture *result);
#endif
