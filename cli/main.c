/* ingot: the command line. Finds the subcommand, prints its error, ends with its exit status. */
#include "commands.h"
#include "memory.h"
#include "progress.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

static const struct {
  const char *name;
  ingot_status (*run)(int argc, char **argv, int *exit_status);
  const char *summary;
} commands[] = {
  {"build", cli__build, "compile an ONNX network into an engine file"},
  {"run", cli__run, "run a network on arrays or pictures"},
  {"bench", cli__bench, "measure speed and memory, layer by layer if wanted"},
  {"inspect", cli__inspect, "show an engine's layers, kernels, inputs and outputs"},
  {"compare", cli__compare, "compare a network's outputs with expected ones"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void help(void) {
  printf("ingot %s: a compiler and runtime for trained networks\n\n"
         "usage: ingot COMMAND [options]\n\n"
         "A network (ONNX) is compiled once into an engine file; engines run on this machine's CPU, or an NVIDIA GPU. Commands that "
         "take\n"
         "a model take either: an ONNX file is compiled on the fly.\n\nCommands\n", ingot_version());
  for (size_t i = 0; i < COMMANDS; i++) printf("  %-10s %s\n", commands[i].name, commands[i].summary);
  printf("\n'ingot COMMAND --help' explains one. 'ingot --version' prints the version.\n\n"
         "First steps\n"
         "  ingot build net.onnx -o net.ingot             compile\n"
         "  ingot inspect net.ingot                       see what became of it\n"
         "  ingot run net.ingot --input picture.jpg --preset imagenet --top 5\n"
         "  ingot bench net.ingot --dumpProfile           see where the time goes\n"
         "  ingot compare net.onnx --data test_data_set_0 check it against known outputs\n\n"
         "Exit status: 0 success; 1 compare found a difference; others are errors:\n");
#define INGOT_STATUS(name, number, words, exit_status) \
  if (exit_status) printf("  %-4d %s\n", exit_status, words);
#include "status.def"
#undef INGOT_STATUS
}

ingot_status cli__command(const cli__usage *usage, int argc, char **argv, const char **model, bool *done) {
  size_t words;
  CLI_TRY(cli__parse(usage, argc, argv, model, 1, &words, done));
  if (*done) {
    cli__print_help(usage);
    return INGOT_OK;
  }
  if (words == 0) return cli__fail(INGOT_E_ARGUMENT, "which model? Usage: ingot %s %s", usage->command, usage->synopsis);
  return INGOT_OK;
}

ingot_status cli__common(const cli__common_settings *common) {
  cli__quiet(common->quiet);
  if (common->verbose) cli__log_level(INGOT_LOG_VERBOSE);
  return cli__memory_limit(common->memory_limit);
}

static ingot_status unknown(const char *word) {
  const char *names[COMMANDS];
  for (size_t i = 0; i < COMMANDS; i++) names[i] = commands[i].name;
  const char *near = cli__nearest(word, names, COMMANDS);
  if (near) return cli__fail(INGOT_E_ARGUMENT, "unknown command '%s'; did you mean '%s'? See 'ingot --help'", word, near);
  return cli__fail(INGOT_E_ARGUMENT, "unknown command '%s'. See 'ingot --help'", word);
}

static ingot_status dispatch(int argc, char **argv, int *exit_status) {
  if (argc < 2) {
    help();
    return cli__fail(INGOT_E_ARGUMENT, "which command?");
  }
  const char *word = argv[1];
  if (strcmp(word, "--version") == 0 || strcmp(word, "version") == 0) {
    printf("ingot %s\n", ingot_version());
    return INGOT_OK;
  }
  if (strcmp(word, "help") == 0 && argc > 2) { /* "ingot help build" */
    static char option[] = "--help";
    word = argv[2];
    argv[2] = option;
  } else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
    help();
    return INGOT_OK;
  }
  for (size_t i = 0; i < COMMANDS; i++)
    if (strcmp(word, commands[i].name) == 0) return commands[i].run(argc - 2, argv + 2, exit_status);
  return unknown(word);
}

int main(int argc, char **argv) {
  signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes then shows up as a failed write, which is reported */
  int exit_status = 0;
  ingot_status status = dispatch(argc, argv, &exit_status);
  if ((fflush(stdout) != 0 || ferror(stdout)) && status == INGOT_OK) status = cli__fail(INGOT_E_IO, "standard output can't be written");
  if (status == INGOT_OK) return exit_status;
  fprintf(stderr, "ingot: error: %s\n", cli__error());
  return cli__exit_status(status);
}
