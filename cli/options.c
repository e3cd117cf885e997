/* The option parser. */
#include "options.h"
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool cli__read_int(const char *text, int64_t *value) {
  char *end;
  errno = 0;
  long long n = strtoll(text, &end, 10);
  if (end == text || *end || errno || (*text != '-' && (*text < '0' || *text > '9'))) return false;
  *value = n;
  return true;
}

bool cli__read_real(const char *text, double *value) {
  char *end;
  double x = strtod(text, &end);
  if (end == text) return false;
  if (*end == '/') {
    const char *below = end + 1;
    x /= strtod(below, &end);
    if (end == below) return false;
  }
  if (*end || !isfinite(x)) return false;
  *value = x;
  return true;
}

/* Edits (insertions, deletions, replacements) from a to b, compared without case; names are short. */
static size_t distance(const char *a, const char *b) {
  enum { MAX = 40 };
  size_t n = strlen(b), row[MAX + 1];
  if (n > MAX || strlen(a) > MAX) return MAX;
  for (size_t j = 0; j <= n; j++) row[j] = j;
  for (size_t i = 0; a[i]; i++) {
    size_t corner = row[0];
    row[0] = i + 1;
    for (size_t j = 0; j < n; j++) {
      size_t above = row[j + 1], cost = corner + ((a[i] | 32) != (b[j] | 32));
      if (row[j] + 1 < cost) cost = row[j] + 1;
      if (above + 1 < cost) cost = above + 1;
      corner = above;
      row[j + 1] = cost;
    }
  }
  return row[n];
}

const char *cli__nearest(const char *word, const char *const *names, size_t count) {
  size_t best = strlen(word) / 3 + 2;
  const char *name = NULL;
  for (size_t i = 0; i < count; i++) {
    if (!names[i]) continue;
    size_t d = distance(word, names[i]);
    if (d < best) best = d, name = names[i];
  }
  return name;
}

static ingot_status unknown(const cli__usage *usage, const char *word) {
  const char *names[64];
  size_t n = 0;
  for (size_t i = 0; i < usage->num_options && n < 64; i++) names[n++] = usage->options[i].name;
  char bare[64];
  snprintf(bare, sizeof bare, "%.*s", (int)strcspn(word, "="), word);
  const char *near = cli__nearest(bare + strspn(bare, "-"), names, n);
  if (near) return cli__fail(INGOT_E_ARGUMENT, "unknown option %s; did you mean --%s? See 'ingot %s --help'", bare, near, usage->command);
  return cli__fail(INGOT_E_ARGUMENT, "unknown option %s. See 'ingot %s --help'", bare, usage->command);
}

static ingot_status store(const cli__option *option, const char *shown, const char *text) {
  switch (option->kind) {
    case CLI__TEXT:
      if (!*text) return cli__fail(INGOT_E_ARGUMENT, "%s: an empty value", shown);
      *(const char **)option->value = text;
      return INGOT_OK;
    case CLI__COUNT: {
      int64_t n;
      if (!cli__read_int(text, &n) || n < 0) return cli__fail(INGOT_E_ARGUMENT, "%s wants a whole number, 0 or more; '%s' isn't one", shown, text);
      *(int64_t *)option->value = n;
      return INGOT_OK;
    }
    case CLI__REAL: {
      double x;
      if (!cli__read_real(text, &x) || x < 0) return cli__fail(INGOT_E_ARGUMENT, "%s wants a number, 0 or more; '%s' isn't one", shown, text);
      *(double *)option->value = x;
      return INGOT_OK;
    }
    case CLI__LIST: {
      cli__list *list = option->value;
      if (list->count == CLI__LIST_MAX) return cli__fail(INGOT_E_LIMIT, "%s is given more than %d times", shown, CLI__LIST_MAX);
      list->items[list->count++] = text;
      return INGOT_OK;
    }
    case CLI__FLAG:
    case CLI__HEADING: break;
  }
  return INGOT_OK;
}

static const cli__option *find(const cli__usage *usage, const char *name, size_t length, char letter) {
  for (size_t i = 0; i < usage->num_options; i++) {
    const cli__option *o = &usage->options[i];
    if (o->kind == CLI__HEADING) continue;
    if (letter ? o->letter == letter : o->name && strlen(o->name) == length && memcmp(o->name, name, length) == 0) return o;
  }
  return NULL;
}

ingot_status cli__parse(const cli__usage *usage, int argc, char **argv, const char **words, size_t max_words, size_t *num_words,
                        bool *help) {
  *num_words = 0;
  *help = false;
  bool only_words = false;
  for (int i = 0; i < argc; i++) {
    char *word = argv[i];
    if (only_words || word[0] != '-' || !word[1]) {
      if (*num_words == max_words) return cli__fail(INGOT_E_ARGUMENT, "'%s' is one word too many. Usage: ingot %s %s", word, usage->command,
          usage->synopsis);
      words[(*num_words)++] = word;
      continue;
    }
    if (strcmp(word, "--") == 0) {
      only_words = true;
      continue;
    }
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0) {
      *help = true;
      return INGOT_OK;
    }
    bool is_long = word[1] == '-';
    size_t length = strcspn(word + 2, "=");
    const cli__option *option = is_long ? find(usage, word + 2, length, 0) : find(usage, NULL, 0, word[1]);
    if (!option) return unknown(usage, word);
    char shown[48];
    snprintf(shown, sizeof shown, is_long ? "--%s" : "-%.1s", is_long ? option->name : word + 1);
    const char *value = is_long ? (word[2 + length] ? word + 3 + length : NULL) : (word[2] ? word + 2 + (word[2] == '=') : NULL);
    if (option->kind == CLI__FLAG) {
      if (value) return cli__fail(INGOT_E_ARGUMENT, "%s takes no value", shown);
      *(bool *)option->value = true;
      continue;
    }
    if (!value) {
      if (i + 1 == argc) return cli__fail(INGOT_E_ARGUMENT, "%s wants a value: %s %s", shown, shown, option->argument);
      value = argv[++i];
    }
    CLI_TRY(store(option, shown, value));
  }
  return INGOT_OK;
}

/* Prints text wrapped at 80 columns; the first line goes on at `column`, further ones begin at `indent`. */
static void wrap(const char *text, int column, int indent) {
  bool space = false; /* before the next word, unless that begins a line */
  while (*text) {
    int length = (int)strcspn(text, " \n");
    if (column + space + length > 79 && column > indent) {
      printf("\n%*s", indent, "");
      column = indent;
    } else if (space && length) {
      putchar(' ');
      column++;
    }
    printf("%.*s", length, text);
    column += length;
    text += length;
    space = *text == ' ';
    if (*text == '\n') {
      printf("\n%*s", text[1] && text[1] != '\n' ? indent : 0, "");
      column = indent;
    }
    if (*text) text++;
  }
  putchar('\n');
}

void cli__print_help(const cli__usage *usage) {
  printf("usage: ingot %s %s\n\n", usage->command, usage->synopsis);
  wrap(usage->description, 0, 0);
  enum { COLUMN = 30 };
  bool headed = false;
  for (size_t i = 0; i < usage->num_options; i++) {
    const cli__option *o = &usage->options[i];
    if (o->kind == CLI__HEADING) {
      printf("\n%s\n", o->help);
      headed = true;
      continue;
    }
    if (!headed) printf("\nOptions\n");
    headed = true;
    char left[96] = "  ";
    size_t n = 2;
    if (o->letter) n += (size_t)snprintf(left + n, sizeof left - n, o->name ? "-%c, " : "-%c", o->letter);
    if (o->name) n += (size_t)snprintf(left + n, sizeof left - n, "--%s", o->name);
    if (o->argument) n += (size_t)snprintf(left + n, sizeof left - n, " %s", o->argument);
    if (n + 2 > COLUMN) printf("%s\n%*s", left, COLUMN, "");
    else printf("%-*s", COLUMN, left);
    wrap(o->help, COLUMN, COLUMN);
  }
  printf("  %-28s%s\n", "-h, --help", "This text.");
  if (usage->examples) printf("\nExamples\n%s", usage->examples);
}
