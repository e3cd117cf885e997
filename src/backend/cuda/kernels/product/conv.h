/* A convolution in numbers: what kernels that multiply a pixel's channels read out of a call. */
#ifndef INGOT_BACKEND_CUDA_PRODUCT_CONV_H
#define INGOT_BACKEND_CUDA_PRODUCT_CONV_H
#include "backend/cuda/kernels/product/launch.h"
#include "ops/window.h"

bool ingot__conv_takes(const ingot__call *call);
/* Its window, pads and all, for the input's size; false where it is none. */
bool ingot__conv_window(const ingot__call *call, ingot__window *window);
/* Whether its output pixels need the input's of the same place alone. */
bool ingot__conv_has_points(const ingot__call *call);
/* Whether it is of one group too, and its lines follow each other as pixels do: a product of the pixels' matrix, whose rows are channels, and the
 * packed weights. */
bool ingot__conv_is_point(const ingot__call *call);
/* Its operands; rows of `a` are pixels of an image (product->unit of them), images product->a_unit apart. */
ingot_status ingot__conv_point(const ingot__call *call, ingot__product *product);
size_t ingot__conv_pack_size(const ingot__call *call);
void ingot__conv_pack(const ingot__call *call, void *packed);
void ingot__conv_pack_tf32(const ingot__call *call, void *packed);
#endif
