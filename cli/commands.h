/* The subcommands. Each gets the words after its name, prints its results to stdout, and returns the status that main() turns into an
 * exit status; *exit_status is for `compare`'s "different", which is no error. */
#ifndef INGOT_CLI_COMMANDS_H
#define INGOT_CLI_COMMANDS_H
#include "model.h"

ingot_status cli__build(int argc, char **argv, int *exit_status);
ingot_status cli__run(int argc, char **argv, int *exit_status);
ingot_status cli__bench(int argc, char **argv, int *exit_status);
ingot_status cli__inspect(int argc, char **argv, int *exit_status);
ingot_status cli__compare(int argc, char **argv, int *exit_status);

/* Reads a command's options and exactly one word, the model. *done: the help was printed, nothing is left to do. */
ingot_status cli__command(const cli__usage *usage, int argc, char **argv, const char **model, bool *done);

/* Every command's last options, and what they do; `c` is a cli__common_settings lvalue. */
typedef struct cli__common_settings { bool verbose, quiet; const char *memory_limit; } cli__common_settings;
#define CLI__COMMON_OPTIONS(c) \
  {CLI__TEXT, "memoryLimit", 0, "SIZE", &(c).memory_limit, "Hold at most so much memory, such as 500M or 4G (nine tenths of what the machine " \
   "has)."}, \
  {CLI__FLAG, "verbose", 'v', NULL, &(c).verbose, "Also print the library's remarks."}, \
  {CLI__FLAG, "quiet", 'q', NULL, &(c).quiet, "Print errors and results alone."}
ingot_status cli__common(const cli__common_settings *common);

/* Where an engine runs and what it may compute in; `s` is a cli__build_settings lvalue. */
#define CLI__DEVICE_OPTIONS(s) \
  {CLI__TEXT, "device", 0, "cpu|cuda[:N]", &(s).device, "Where the engine is to run. Default: cpu."}, \
  {CLI__FLAG, "fp16", 0, NULL, &(s).fp16, "Allow float16 for what bears it; sums, normalisations and softmax stay in float32 (GPUs)."}, \
  {CLI__TEXT, "fp16Error", 0, "E", &(s).fp16_error, "Keep layers at the front, and the last, in float32 where float16 would move an output by more " \
   "than this share of its range, on random inputs (0.0025, of networks over 4e9 operations 0.015; 0: never)."}, \
  {CLI__FLAG, "bf16", 0, NULL, &(s).bf16, "The same with bfloat16."}, \
  {CLI__FLAG, "best", 0, NULL, &(s).best, "Allow every precision that the target has."}, \
  {CLI__FLAG, "noTF32", 0, NULL, &(s).no_tf32, "Compute float32 products exactly, not with 10 bits of mantissa (GPUs)."}, \
  {CLI__TEXT, "memPoolSize", 0, "workspace:N", &(s).pools, "Leave out kernels that want more than N MiB of workspace, unless all do (no limit)."}, \
  {CLI__TEXT, "tacticSources", 0, "-NAME,..", &(s).tactics, "Leave out NVIDIA's kernels of CUBLAS_LT or CUDNN (-), or take them in (+). Default: " \
   "those whose library is found."}

/* The options of building an ONNX file on the fly, for run, bench and compare; `s` is a cli__build_settings lvalue. */
#define CLI__BUILD_OPTIONS(s) \
  CLI__DEVICE_OPTIONS(s), \
  {CLI__REAL, "budget", 0, "SECONDS", &(s).budget, "Time kernels for so long and take the fastest. 0, the default here: the cost model alone " \
   "chooses."}, \
  {CLI__TEXT, "timingCacheFile", 0, "FILE", &(s).timing_cache, "Read measured times from here and add new ones."}, \
  {CLI__FLAG, "noVerify", 0, NULL, &(s).no_verify, "Don't compare the new engine with the reference kernels."}

/* The options of giving inputs; `in` is a cli__input_settings lvalue. */
#define CLI__INPUT_OPTIONS(in) \
  {CLI__TEXT, "inputs", 0, "FILE.npz", &(in).npz, "Arrays by input name, as numpy.savez writes them."}, \
  {CLI__LIST, "input", 0, "NAME=FILE", &(in).files, "One input, again for others: a .npy file, an ONNX tensor (.pb), or a picture (JPEG or PNG). " \
   "With a single input the name may be left out."}, \
  {CLI__HEADING, NULL, 0, NULL, NULL, "Pictures, in the order of the steps"}, \
  {CLI__TEXT, "resize", 0, "WxH|S", &(in).texts.resize, "Scale to this width and height, or the shorter side to S. Bilinear as OpenCV's."}, \
  {CLI__FLAG, "antialias", 0, NULL, &(in).antialias, "Scale as Pillow and torchvision do: a wider filter when shrinking."}, \
  {CLI__TEXT, "letterbox", 0, "WxH", &(in).texts.letterbox, "Scale to fit, undistorted, and fill the rest with grey 114; corner:WxH puts the " \
   "picture " \
   "at the top left instead of the middle."}, \
  {CLI__TEXT, "crop", 0, "WxH|S", &(in).texts.crop, "Cut out the middle."}, \
  {CLI__FLAG, "bgr", 0, NULL, &(in).bgr, "Blue, green, red instead of red, green, blue."}, \
  {CLI__TEXT, "mean", 0, "A[,B,C]", &(in).texts.mean, "Subtract this from the pixels (0 to 255), in the network's order of channels."}, \
  {CLI__TEXT, "scale", 0, "A[,B,C]", &(in).texts.scale, "Then multiply by this; fractions such as 1/255 are understood."}, \
  {CLI__TEXT, "layout", 0, "nchw|nhwc", &(in).texts.layout, "Where the channels are. Default: where the network has 1 or 3."}, \
  {CLI__TEXT, "preset", 0, "imagenet", &(in).texts.preset, "--resize 256 --crop 224 --antialias with ImageNet's mean and scale, as torchvision's " \
   "networks want it."}
#endif
