/* The build's report: what was done, what was considered, what was chosen and why, as JSON. */
#include "base/text.h"
#include "compile/compile.h"

static const char *const layout_name[] = {"plain", "channels_last"};

static void passes(const ingot__build *b, ingot__text *t) {
  ingot__json_open(t, "passes", '[');
  for (size_t i = 0; i < b->n_passes; i++) {
    const ingot__pass_record *r = &b->passes[i];
    ingot__json_open(t, NULL, '{');
    ingot__json_string(t, "name", r->name);
    ingot__json_string(t, "postcondition", ingot__pass_find(r->name)->postcondition);
    ingot__json_string(t, "result", r->skipped ? "skipped" : r->changed ? "changed" : "unchanged");
    ingot__json_int(t, "nodes_after", (int64_t)r->nodes_after);
    ingot__json_double(t, "milliseconds", r->seconds * 1e3, 4);
    ingot__json_close(t, '}');
  }
  ingot__json_close(t, ']');
}

static const char *reason(const ingot__build *b, const ingot__node *n, const ingot__choice *c) {
  const ingot__step *step = &b->engine->step[n->id];
  if (!step->kernel) return n->op == INGOT__OP_Concat || n->op == INGOT__OP_Split || n->op == INGOT__OP_Slice
                                ? "no work: its parts lie in the buffer of the whole" : "no work: the same memory in another shape";
  if (c && c->n_candidate == 1) return "the only kernel that takes it";
  for (size_t i = 0; c && i < c->n_candidate; i++)
    if (c->candidate[i].kernel == step->kernel && c->candidate[i].measured >= 0) return "the least time, layouts around it considered";
  return "the least estimate, layouts around it considered";
}

static void layer(const ingot__build *b, ingot__text *t, const ingot__node *n) {
  const ingot_engine *e = b->engine;
  const ingot__step *step = &e->step[n->id];
  const ingot__choice *c = n->id < b->planner.n_choice ? &b->planner.choice[n->id] : NULL;
  ingot__json_open(t, NULL, '{');
  ingot__json_string(t, "name", n->name);
  ingot__json_string(t, "type", ingot__op_get(n->op)->name);
  ingot__json_string(t, "nodes", n->origin ? n->origin : n->name);
  ingot__json_string(t, "kernel", step->kernel ? step->kernel->name : NULL);
  if (n->n_out && n->out[0]) ingot__json_string(t, "layout", layout_name[e->place[n->out[0]->id].layout]);
  ingot__json_string(t, "reason", reason(b, n, c));
  ingot__json_int(t, "packed_bytes", (int64_t)step->packed_size);
  ingot__json_int(t, "other_sizes", step->n_other);
  ingot__json_open(t, "candidates", '[');
  for (size_t i = 0; c && i < c->n_candidate; i++) {
    const ingot__candidate *k = &c->candidate[i];
    ingot__json_open(t, NULL, '{');
    ingot__json_string(t, "kernel", k->kernel->name);
    ingot__json_string(t, "in", layout_name[k->in_layout]);
    ingot__json_string(t, "out", layout_name[k->out_layout]);
    ingot__json_double(t, "estimated_us", k->estimated * 1e6, 4);
    if (k->measured >= 0) ingot__json_double(t, "measured_us", k->measured * 1e6, 4);
    if (k->copies > 0) ingot__json_double(t, "copies_us", k->copies * 1e6, 4);
    ingot__json_int(t, "threads", k->one_thread ? 1 : e->threads);
    ingot__json_bool(t, "chosen", k->kernel == step->kernel && n->n_out && n->out[0] && k->out_layout == e->place[n->out[0]->id].layout);
    ingot__json_close(t, '}');
  }
  ingot__json_close(t, ']');
  ingot__json_close(t, '}');
}

ingot_status ingot__build_report(ingot__build *b) {
  ingot_engine *e = b->engine;
  ingot__text text, *t = &text;
  ingot__text_init(t, &b->heap);
  ingot__json_open(t, NULL, '{');
  ingot__json_string(t, "ingot", ingot_version());
  ingot__json_string(t, "source", e->network->source);
  ingot__json_string(t, "device", e->device);
  ingot__json_int(t, "threads", e->threads);
  ingot__json_open(t, "seconds", '{');
  ingot__json_double(t, "measure", b->seconds_measure, 4);
  ingot__json_double(t, "passes", b->seconds_passes, 4);
  ingot__json_double(t, "plan", b->seconds_plan, 4);
  ingot__json_double(t, "compiling_candidates", b->planner.seconds_compiling, 4);
  ingot__json_double(t, "verify", b->seconds_verify, 4);
  ingot__json_double(t, "total", ingot__now() - b->start, 4);
  ingot__json_close(t, '}');
  ingot__json_open(t, "tuning", '{');
  ingot__json_double(t, "budget_seconds", b->config->budget, 4);
  ingot__json_int(t, "timed", (int64_t)b->tuner.timed);
  ingot__json_int(t, "from_cache", (int64_t)b->tuner.remembered);
  ingot__json_int(t, "reformats", (int64_t)b->planner.reformats);
  ingot__json_close(t, '}');
  ingot__json_open(t, "verification", '{');
  ingot__json_bool(t, "done", b->config->verify);
  ingot__json_int(t, "layers", (int64_t)b->verified.layers);
  ingot__json_int(t, "recomputed_whole", (int64_t)b->verified.whole);
  ingot__json_int(t, "sampled", (int64_t)b->verified.sampled);
  ingot__json_int(t, "elements", (int64_t)b->verified.elements);
  ingot__json_double(t, "worst_relative_error", b->verified.worst, 4);
  ingot__json_string(t, "worst_layer", b->verified.worst_layer);
  ingot__json_close(t, '}');
  passes(b, t);
  ingot__json_open(t, "layers", '[');
  for (const ingot__node *n = e->network->main->first; n; n = n->next) layer(b, t, n);
  ingot__json_close(t, ']');
  ingot__json_close(t, '}');
  char *data;
  size_t length;
  INGOT_TRY(ingot__text_finish(t, b->diag, &data, &length));
  e->report = ingot__arena_stringn(&e->arena, data, length);
  ingot__free(&b->heap, data, length + 1);
  return e->report ? INGOT_OK : ingot__no_memory(b->diag);
}
