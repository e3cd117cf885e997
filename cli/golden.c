/* Expected outputs: ONNX's test data folders, and .npz files. */
#include "compare.h"
#include "file.h"
#include "npy.h"
#include "pb.h"
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { MAX_FOLDERS = 1000 };

void cli__folders_free(cli__folders *folders) {
  for (size_t i = 0; i < folders->count; i++) free(folders->paths[i]);
  free(folders->paths);
  *folders = (cli__folders){0};
}

static ingot_status add_folder(cli__folders *folders, const char *folder, const char *name) {
  char **paths = realloc(folders->paths, (folders->count + 1) * sizeof *paths);
  if (!paths) return cli__no_memory();
  folders->paths = paths;
  size_t size = strlen(folder) + strlen(name) + 2;
  if (!(paths[folders->count] = malloc(size))) return cli__no_memory();
  snprintf(paths[folders->count++], size, "%s%s%s", folder, *name ? "/" : "", name);
  return INGOT_OK;
}

/* Path of "<kind>_<i>.pb" and whether it is there. */
static bool numbered(const char *folder, const char *kind, size_t i, char path[4096]) {
  struct stat info;
  int n = snprintf(path, 4096, "%s/%s_%zu.pb", folder, kind, i);
  return n < 4096 && stat(path, &info) == 0;
}

/* By number, so that set 10 follows set 9. */
static int by_number(const void *a, const void *b) {
  const char *x = *(char *const *)a, *y = *(char *const *)b;
  size_t n = strlen(x), m = strlen(y);
  return n != m ? (n > m) - (n < m) : strcmp(x, y);
}

ingot_status cli__folders_find(const char *folder, cli__folders *folders) {
  *folders = (cli__folders){0};
  char path[4096];
  if (numbered(folder, "input", 0, path) || numbered(folder, "output", 0, path)) return add_folder(folders, folder, "");
  DIR *dir = opendir(folder);
  if (!dir) return cli__fail(INGOT_E_IO, "%s: %s", folder, strerror(errno));
  ingot_status status = INGOT_OK;
  for (struct dirent *entry; status == INGOT_OK && (entry = readdir(dir));) {
    if (strncmp(entry->d_name, "test_data_set_", 14) != 0) continue;
    status = folders->count == MAX_FOLDERS ? cli__fail(INGOT_E_LIMIT, "%s: more than %d data sets", folder, MAX_FOLDERS)
                                           : add_folder(folders, folder, entry->d_name);
  }
  closedir(dir);
  if (status != INGOT_OK) return status;
  if (folders->count == 0) return cli__fail(INGOT_E_IO, "%s: has neither input_0.pb nor folders test_data_set_*", folder);
  qsort(folders->paths, folders->count, sizeof *folders->paths, by_number);
  return INGOT_OK;
}

static ingot_status load_numbered(const char *folder, const char *kind, const cli__port *ports, size_t count, cli__arrays *arrays) {
  char path[4096];
  for (size_t i = 0; i < count && numbered(folder, kind, i, path); i++) {
    cli__array array = {0};
    CLI_TRY(cli__pb_load(path, &array));
    free(array.name);
    array.name = strdup(ports[i].name);
    if (!array.name) {
      cli__array_free(&array);
      return cli__no_memory();
    }
    CLI_TRY(cli__arrays_add(arrays, &array));
  }
  if (numbered(folder, kind, count, path))
    return cli__fail(INGOT_E_ARGUMENT, "%s: one %s too many: the network has %zu", path, kind, count);
  return INGOT_OK;
}

ingot_status cli__folder_load(const char *folder, const cli__model *model, cli__arrays *inputs, cli__arrays *golden) {
  *inputs = *golden = (cli__arrays){0};
  cli__arrays from = {0};
  CLI_TRY(cli__model_numbers(model));
  ingot_status status = load_numbered(folder, "input", model->inputs, model->num_inputs, &from);
  if (status == INGOT_OK) status = cli__inputs_take(model, folder, &from, inputs);
  cli__arrays_free(&from);
  if (status == INGOT_OK) status = load_numbered(folder, "output", model->outputs, model->num_outputs, golden);
  if (status == INGOT_OK && golden->count == 0) status = cli__fail(INGOT_E_IO, "%s: there is no output_0.pb", folder);
  return status;
}

ingot_status cli__golden_load(const char *path, const cli__model *model, cli__arrays *golden) {
  CLI_TRY(cli__npz_load(path, golden, NULL, NULL));
  if (golden->count == 0) return cli__fail(INGOT_E_ARGUMENT, "%s holds no arrays", path);
  size_t known = 0, stranger = 0;
  for (size_t i = 0; i < golden->count; i++) {
    if (cli__port_find(model->outputs, model->num_outputs, golden->items[i].name)) known++;
    else stranger = i;
  }
  if (known == golden->count) return INGOT_OK;
  if (known || golden->count != model->num_outputs)
    return cli__port_unknown(path, "output", golden->items[stranger].name, model->outputs, model->num_outputs);
  cli__note("%s: no array has an output's name; they are taken in order", path);
  for (size_t i = 0; i < golden->count; i++) {
    char *name = strdup(model->outputs[i].name);
    if (!name) return cli__no_memory();
    free(golden->items[i].name);
    golden->items[i].name = name;
  }
  return INGOT_OK;
}
