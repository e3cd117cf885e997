"""LSTM, GRU and RNN with random settings: against ONNX Runtime in float32, against NumPy in the other types and where ONNX Runtime differs."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import operator_models as om  # noqa: E402

GATES = {"RNN": 1, "GRU": 3, "LSTM": 4}
ACTIVATIONS = {  # with their alpha and beta, or None for the default
    "Relu": lambda v, a, b: np.maximum(v, 0), "Tanh": lambda v, a, b: np.tanh(v), "Sigmoid": lambda v, a, b: 1 / (1 + np.exp(-v)),
    "Affine": lambda v, a, b: a * v + b, "LeakyRelu": lambda v, a, b: np.where(v < 0, a * v, v),
    "ThresholdedRelu": lambda v, a, b: np.where(v > a, v, 0), "ScaledTanh": lambda v, a, b: a * np.tanh(b * v),
    "HardSigmoid": lambda v, a, b: np.clip(a * v + b, 0, 1), "Elu": lambda v, a, b: np.where(v < 0, a * np.expm1(v), v),
    "Softsign": lambda v, a, b: v / (1 + np.abs(v)), "Softplus": lambda v, a, b: np.log1p(np.exp(v))}
WITH_ALPHA = {"Affine": 1.0, "LeakyRelu": 0.01, "ThresholdedRelu": 1.0, "ScaledTanh": 1.0, "HardSigmoid": 0.2, "Elu": 1.0}
WITH_BETA = {"Affine": 0.0, "ScaledTanh": 1.0, "HardSigmoid": 0.5}


@pytest.fixture(scope="module")
def lib(build):
    return om.library(build)


def expected(op, x, w, r, b, lens, h0, c0, p, s):
    """All in float64, one sequence at a time, as ONNX's text has it."""
    steps, batch, _ = x.shape
    dirs, hidden = r.shape[0], r.shape[2]
    y, hn, cn = np.zeros((steps, dirs, batch, hidden)), np.zeros((dirs, batch, hidden)), np.zeros((dirs, batch, hidden))
    clip = (lambda v: np.clip(v, -s["clip"], s["clip"])) if s.get("clip") else (lambda v: v)
    for d in range(dirs):
        act = [(lambda v, f=ACTIVATIONS[n], a=a, be=be: f(v, a, be)) for n, a, be in s["acts"][d]]
        f = lambda i, v: act[i](clip(v))
        wb, rb = (b[d, :w.shape[1]], b[d, w.shape[1]:]) if b is not None else (0, 0)
        for n in range(batch):
            h = h0[d, n] if h0 is not None else np.zeros(hidden)
            c = c0[d, n] if c0 is not None else np.zeros(hidden)
            order = range(int(lens[n]) if lens is not None else steps)
            for t in (reversed(order) if d == 1 or s["direction"] == "reverse" else order):
                u, v = w[d] @ x[t, n] + wb, r[d] @ h + rb
                if op == "RNN":
                    h = f(0, u + v)
                elif op == "GRU":
                    z, q = (f(0, (u + v)[k * hidden:(k + 1) * hidden]) for k in range(2))
                    last = slice(2 * hidden, None)
                    if s.get("linear_before_reset"):
                        g = f(1, u[last] + q * v[last])
                    else:
                        g = f(1, u[last] + r[d][last] @ (q * h) + (rb[last] if b is not None else 0))
                    h = (1 - z) * g + z * h
                else:
                    i, o, fg, g = (u + v).reshape(4, hidden)
                    pi, po, pf = p[d].reshape(3, hidden) if p is not None else (0, 0, 0)
                    i = f(0, i + pi * c)
                    fg = 1 - i if s.get("input_forget") else f(0, fg + pf * c)
                    c = fg * c + i * f(1, g)
                    h = f(0, o + po * c) * act[2](c)
                y[t, d, n] = h
            hn[d, n], cn[d, n] = h, c
    return [y, hn, cn] if op == "LSTM" else [y, hn]


def settings(op, rng, many):
    dirs = int(rng.integers(1, 3))
    s = {"direction": "bidirectional" if dirs == 2 else str(rng.choice(["forward", "reverse"])), "hidden_size": int(rng.integers(1, 20))}
    per = {"RNN": 1, "GRU": 2, "LSTM": 3}[op]
    names = [["Sigmoid", "Tanh", "Tanh"][3 - per if op == "RNN" else 0:][:per] if op != "RNN" else ["Tanh"] for _ in range(dirs)]
    attributes = dict(s)
    acts = [[(n, WITH_ALPHA.get(n), WITH_BETA.get(n)) for n in row] for row in names]
    if many and rng.random() < 0.6:
        names = [[str(rng.choice([*ACTIVATIONS][:8] + [*ACTIVATIONS][9:])) for _ in range(per)] for _ in range(dirs)]
        flat = [n for row in names for n in row]
        alpha = [float(np.float32(rng.uniform(0.1, 0.9))) for n in flat if n in WITH_ALPHA]
        beta = [float(np.float32(rng.uniform(0.1, 0.9))) for n in flat if n in WITH_BETA]
        ia, ib = iter(alpha), iter(beta)
        acts = [[(n, next(ia) if n in WITH_ALPHA else None, next(ib) if n in WITH_BETA else None) for n in row] for row in names]
        attributes.update(activations=flat, **({"activation_alpha": alpha} if alpha else {}), **({"activation_beta": beta} if beta else {}))
    if many and rng.random() < 0.4:
        s["clip"] = attributes["clip"] = float(np.float32(rng.uniform(0.3, 2)))
    if op == "LSTM" and many and rng.random() < 0.3:
        s["input_forget"] = attributes["input_forget"] = 1
    if op == "GRU" and rng.random() < 0.5:
        s["linear_before_reset"] = attributes["linear_before_reset"] = 1
    return {**s, "acts": acts, "dirs": dirs}, attributes


@pytest.mark.parametrize("seed", range(40))
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64, np.float16])
def test_recurrent(lib, op, dtype, seed):
    rng = np.random.default_rng(seed)
    s, attributes = settings(op, rng, True)
    dirs, hidden, g = s["dirs"], s["hidden_size"], GATES[op]
    steps, batch, size = (int(v) for v in rng.integers(1, 7, 3))
    draw = lambda *shape: rng.uniform(-1, 1, shape).astype(dtype)
    maybe = lambda a: a if rng.random() < 0.5 else None
    x, w, r = draw(steps, batch, size), draw(dirs, g * hidden, size), draw(dirs, g * hidden, hidden) / np.asarray(hidden ** 0.5, dtype)
    b, h0 = maybe(draw(dirs, 2 * g * hidden)), maybe(draw(dirs, batch, hidden))
    lens = maybe(rng.integers(0, steps + 1, batch).astype(np.int32))
    c0, p = (maybe(draw(dirs, batch, hidden)), maybe(draw(dirs, 3 * hidden))) if op == "LSTM" else (None, None)
    wide = lambda a: None if a is None else a.astype(np.float64)
    want = expected(op, wide(x), wide(w), wide(r), wide(b), lens, wide(h0), wide(c0), wide(p), s)
    inputs = [x, w, r, b, lens, h0] + ([c0, p] if op == "LSTM" else [])
    if rng.random() < 0.5:
        attributes["layout"] = 1
        turned = (0, 5, 6) if op == "LSTM" else (0, 5)
        inputs = [np.ascontiguousarray(a.swapaxes(0, 1)) if a is not None and i in turned else a for i, a in enumerate(inputs)]
        want = [want[0].transpose(2, 0, 1, 3)] + [a.swapaxes(0, 1) for a in want[1:]]
    got = om.run(lib, op, inputs, len(want), opset=22, **attributes)
    bound = {2: 4e-3, 4: 2e-6, 8: 1e-13}[np.dtype(dtype).itemsize]
    for a, e in zip(got, want):
        assert a.dtype == dtype and a.shape == e.shape
        np.testing.assert_allclose(a.astype(np.float64), e, rtol=bound, atol=bound * max(1, np.abs(e).max()))


@pytest.mark.parametrize("seed", range(25))
@pytest.mark.parametrize("op", ["LSTM", "GRU", "RNN"])
def test_recurrent_like_onnx_runtime(lib, op, seed):
    rng = np.random.default_rng(100 + seed)
    s, attributes = settings(op, rng, False)
    dirs, hidden, g = s["dirs"], s["hidden_size"], GATES[op]
    steps, batch, size = (int(v) for v in rng.integers(1, 9, 3))
    draw = lambda *shape: rng.uniform(-1, 1, shape).astype(np.float32)
    inputs = [draw(steps, batch, size), draw(dirs, g * hidden, size), draw(dirs, g * hidden, hidden), draw(dirs, 2 * g * hidden),
              np.sort(rng.integers(1, steps + 1, batch).astype(np.int32))[::-1].copy() if seed % 2 else None, draw(dirs, batch, hidden)]
    m, feeds = om.model(op, inputs + ([draw(dirs, batch, hidden)] if op == "LSTM" else []), 3 if op == "LSTM" else 2, opset=14, **attributes)
    got, want = lib.run(m, feeds), om.in_ort(m, feeds)
    for name in want:
        np.testing.assert_allclose(got[name], want[name], rtol=2e-5, atol=2e-5)
