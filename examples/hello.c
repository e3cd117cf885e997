/* Compiles an ONNX network and runs it on ones: cc hello.c $(pkg-config --cflags --libs ingot) -o hello && ./hello net.onnx */
#include <ingot/ingot.h>
#include <stdio.h>
#include <stdlib.h>
#define TRY(call) do { if ((call) != INGOT_OK) { fprintf(stderr, "hello: %s\n", ingot_last_error()); return 1; } } while (0)

int main(int argc, char **argv) {
  ingot_network *network; ingot_engine *engine; ingot_context *context;
  ingot_io_info in, out;
  TRY(ingot_network_load(NULL, argc > 1 ? argv[1] : "net.onnx", &network));
  TRY(ingot_build(network, NULL, &engine)); /* ingot_engine_save() keeps it in a file */
  TRY(ingot_context_create(engine, NULL, &context));
  TRY(ingot_engine_io(engine, 0, &in)); /* inputs come first, then outputs */
  TRY(ingot_engine_io(engine, ingot_network_num_inputs(network), &out));
  size_t count = 1, outputs = 1;
  for (int i = 0; i < in.rank; i++) count *= (size_t)in.opt[i];
  float *data = malloc(count * sizeof *data);
  for (size_t i = 0; i < count; i++) data[i] = 1;
  TRY(ingot_context_set_input_shape(context, in.name, in.rank, in.opt));
  TRY(ingot_context_set_address(context, in.name, data));
  TRY(ingot_context_run(context));
  TRY(ingot_context_shape(context, out.name, &out.rank, out.dims));
  printf("%s:", out.name);
  for (int i = 0; i < out.rank; i++) printf("%s%lld", i ? "x" : " ", (long long)out.dims[i]), outputs *= (size_t)out.dims[i];
  const float *values = ingot_context_output(context, out.name);
  for (size_t i = 0; i < outputs && i < 5; i++) printf("  %g", values[i]);
  printf("\n");
  ingot_context_destroy(context), ingot_engine_destroy(engine), ingot_network_destroy(network), free(data);
  return 0;
}
