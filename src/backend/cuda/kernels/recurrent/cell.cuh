/* What LSTM, GRU and RNN do with a unit's gates, and where states lie. Defined before: TYPE; GATES 4 LSTM, 3 GRU, 1 RNN; LINEAR_FIRST, GRU's
 * linear_before_reset; USUAL: sigmoid and tanh, no clip; PEEPHOLES. */
#pragma once
#include "act.cuh"
#include "ingot.cuh"
#include "recurrent/recurrent.h"

DEVICE float recurrent_activate(const recurrent_act &a, float v) {
  switch (a.kind) {
  case 0: return v > 0 ? v : 0;
  case 1: return tanhf(v);
  case 2: return sigmoid(v);
  case 3: return a.alpha * v + a.beta;
  case 4: return v < 0 ? a.alpha * v : v;
  case 5: return v > a.alpha ? v : 0;
  case 6: return a.alpha * tanhf(a.beta * v);
  case 7: return clamped(a.alpha * v + a.beta, 0, 1);
  case 8: return v < 0 ? a.alpha * expm1f(v) : v;
  case 9: return v / (1 + fabsf(v));
  default: return softplus(v);
  }
}
/* Activation i of a direction; gates clip their argument first, the cell's output doesn't. */
DEVICE float act_of(const recurrent_params &p, int direction, int i, float v, bool gate = true) {
#if USUAL
  return i == 0 && GATES != 1 ? sigmoid(v) : tanhf(v);
#else
  if (gate && p.clip > 0) v = clamped(v, -p.clip, p.clip);
  return recurrent_activate(p.act[direction * (GATES == 1 ? 1 : GATES - 1) + i], v);
#endif
}

/* One unit of one sequence: x W x + b of its gates, s R h. */
struct cell_state { float h, c; };
#if GATES == 4
DEVICE cell_state cell_step(const recurrent_params &p, int direction, int unit, const float *x, const float *s, cell_state old) {
  float i = x[0] + s[0], o = x[1] + s[1], f = x[2] + s[2], c = x[3] + s[3];
#if PEEPHOLES
  const TYPE *peep = static_cast<const TYPE *>(p.peepholes) + (int64_t)direction * 3 * p.hidden + unit;
  i += to_float(peep[0]) * old.c, f += to_float(peep[2 * p.hidden]) * old.c;
#endif
  i = act_of(p, direction, 0, i);
  f = p.coupled ? 1 - i : act_of(p, direction, 0, f);
  cell_state now;
  now.c = f * old.c + i * act_of(p, direction, 1, c);
#if PEEPHOLES
  o += to_float(peep[p.hidden]) * now.c;
#endif
  now.h = act_of(p, direction, 0, o) * act_of(p, direction, 2, now.c, false);
  return now;
}
#elif GATES == 3
/* late: the candidate's bias that goes with R. */
DEVICE cell_state cell_step(const recurrent_params &p, int direction, const float *x, const float *s, float late, cell_state old) {
  float z = act_of(p, direction, 0, x[0] + s[0]), r = act_of(p, direction, 0, x[1] + s[1]);
  float c = act_of(p, direction, 1, x[2] + r * (s[2] + late));
  return cell_state{(1 - z) * c + z * old.h, 0};
}
#else
DEVICE cell_state cell_step(const recurrent_params &p, int direction, const float *x, const float *s, cell_state) {
  return cell_state{act_of(p, direction, 0, x[0] + s[0]), 0};
}
#endif

/* The step of the network that a direction's step s is for sequence n; -1: the sequence has ended. */
DEVICE int time_of(const recurrent_params &p, int direction, int n, int s) {
  int end = p.lengths ? p.lengths[n] : p.steps;
  end = end > p.steps ? p.steps : end;
  return s >= end ? -1 : p.reverse || direction == 1 ? end - 1 - s : s;
}
DEVICE int64_t state_at(const recurrent_params &p, int direction, int n) {
  return (p.batch_first ? (int64_t)n * p.directions + direction : (int64_t)direction * p.batch + n) * p.hidden;
}
DEVICE int64_t output_at(const recurrent_params &p, int direction, int n, int t) {
  return (p.batch_first ? ((int64_t)n * p.steps + t) * p.directions + direction : ((int64_t)t * p.directions + direction) * p.batch + n) * p.hidden;
}
DEVICE float initial(const recurrent_params &p, const void *state, int direction, int n, int unit) {
  return state ? to_float(static_cast<const TYPE *>(state)[state_at(p, direction, n) + unit]) : 0;
}
/* The result of step s: where a sequence has ended it is zero. */
DEVICE void put_output(const recurrent_params &p, int direction, int n, int s, int t, int unit, float h) {
  if (p.y) static_cast<TYPE *>(p.y)[output_at(p, direction, n, t < 0 ? s : t) + unit] = from_float<TYPE>(t < 0 ? 0 : h);
}
DEVICE void put_state(const recurrent_params &p, int direction, int n, int unit, cell_state now) {
  const int64_t at = state_at(p, direction, n) + unit;
  if (p.yh) static_cast<TYPE *>(p.yh)[at] = from_float<TYPE>(now.h);
  if (p.yc) static_cast<TYPE *>(p.yc)[at] = from_float<TYPE>(now.c);
}
DEVICE const float *projected_at(const recurrent_params &p, int direction, int n, int t) { /* n: of the part */
  return p.projected + (((int64_t)direction * p.steps + t) * p.part + n) * (GATES * p.hidden);
}
DEVICE float late_bias(const recurrent_params &p, int direction, int unit) { /* of GRU's candidate, with R */
  if (!LINEAR_FIRST || !p.b) return 0;
  return to_float(static_cast<const TYPE *>(p.b)[((int64_t)direction * 2 + 1) * GATES * p.hidden + 2 * p.hidden + unit]);
}
