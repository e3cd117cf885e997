/* The option parser: a table of options a command, read from argv, and the help text printed from the same table. */
#ifndef INGOT_CLI_OPTIONS_H
#define INGOT_CLI_OPTIONS_H
#include "error.h"

typedef enum cli__kind {
  CLI__HEADING, /* `help` is a heading in the help text; no option */
  CLI__FLAG,    /* bool: takes no value */
  CLI__TEXT,    /* const char *: points into argv */
  CLI__COUNT,   /* int64_t: 0 or more */
  CLI__REAL,    /* double: finite, 0 or more */
  CLI__LIST     /* cli__list: may be given again and again */
} cli__kind;

enum { CLI__LIST_MAX = 256 };
typedef struct cli__list {
  size_t count;
  const char *items[CLI__LIST_MAX]; /* point into argv */
} cli__list;

typedef struct cli__option {
  cli__kind kind;
  const char *name;     /* without the dashes: "shapes"; NULL for headings and for options with a letter alone */
  char letter;          /* 'o' for -o, or 0 */
  const char *argument; /* how the help names the value: "FILE" */
  void *value;          /* of the kind's type, holding the default; untouched when the option isn't given */
  const char *help;     /* wrapped at 80 columns when printed */
} cli__option;

typedef struct cli__usage {
  const char *command;     /* "build" */
  const char *synopsis;    /* what follows the command: "M.onnx -o M.ingot [options]" */
  const char *description; /* paragraphs */
  const char *examples;    /* lines, printed as they are */
  const cli__option *options;
  size_t num_options;
} cli__usage;

/* Reads argv[0..argc). Options are --name=value, --name value, -o value and -ovalue; "--" ends them. Other words go to `words`, at most
 * `max_words`. *help becomes true at --help or -h, and reading stops. Unknown options are errors that name the nearest known one. */
ingot_status cli__parse(const cli__usage *usage, int argc, char **argv, const char **words, size_t max_words, size_t *num_words,
                        bool *help);
void cli__print_help(const cli__usage *usage);
/* The name out of `names` that is nearest to `word`, or NULL when none is near. */
const char *cli__nearest(const char *word, const char *const *names, size_t count);
/* Reads a whole decimal number or a finite real; false when the text is anything else. */
bool cli__read_int(const char *text, int64_t *value);
bool cli__read_real(const char *text, double *value); /* also a fraction: "1/255" */
#endif
