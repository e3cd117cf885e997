"""Rows of If, Loop and Scan, whose subgraphs see the values around them."""
import numpy as np
from onnx import helper

from builder import Reject
from table import ROWS, row


def grow(s, n):
    """n nodes or so in a subgraph, of rows that need no new inputs."""
    rows = [r for r in ROWS if r.since <= s.opset and ("flow" not in r.tags or s.chance(0.1)) and not {"rnn", "quant"} & set(r.tags)]
    weights = np.array([r.weight * max(s.theme.tags.get(t, 0.15) for t in r.tags) for r in rows])
    made, tries = 0, 0
    while made < n and tries < 6 * n:
        tries += 1
        made += s.try_row(rows[int(s.rng.choice(len(rows), p=weights / weights.sum()))].fn)


def result(s, dtype, sizes, rank):
    """A value of the subgraph to give back, of this type; made where there is none."""
    found = [v for v in s.values if v.dtype == dtype and not v.const and (v.sizes == sizes if sizes is not None else v.rank == rank) and v.depth > 0]
    return s.one_of(found[-3:]) if found else None


def truth(g):
    style = g.number(0, 3)
    if style == 0 and not g.outer:
        return g.input([], "bool")
    if style == 1:
        return g.const(np.array(g.chance(0.5)))
    x = g.pick(lambda v: v.rank >= 1 and not v.const)
    if style == 2:  # hangs on a shape
        n = g.add("Gather", [g.add("Shape", [x]), g.const(np.array(g.number(0, x.rank - 1), np.int64))])
        return g.add(g.one_of(["Less", "Greater", "Equal"]), [n, g.const(np.array(g.number(1, 4), np.int64))])
    b = g.pick(lambda v: v.dtype == "bool" and v.rank >= 1 and v.size)
    return g.add("Cast", [g.add("ReduceMax", [g.add("Cast", [b], to=6)] if g.opset < 20 else [b], keepdims=0)], to=9)


@row("If", tags=("flow",), weight=2.0)
def if_(g):
    condition = truth(g)
    then = g.sub()
    grow(then, g.number(1, 3))
    outs = [v for v in then.values if not v.const and v.depth > 0 and (not v.used or g.chance(0.2))]
    if not outs:
        raise Reject("nothing made")
    outs = outs[:3]
    other = g.sub()
    grow(other, g.number(0, 2))
    others = []
    for v in outs:
        w = result(other, v.dtype, None if g.chance(0.2) else v.sizes, v.rank)
        if w is None:  # something of this type from around it
            seen = [u for u in g.visible() if u.dtype == v.dtype and u.sizes == v.sizes and u.name not in {t.name for t in then.values}]
            if seen:
                w = other.add("Identity", [g.one_of(seen)])
            elif all(len(set(s)) == 1 for s in v.sizes):
                w = other.const(other.draw_data(v.shape, v.dtype))
                w = other.add("Identity", [w])
            else:
                raise Reject("no such value")
        others.append(w)
    if len({w.name for w in others}) < len(others):
        raise Reject("an output twice")
    names = [g.fresh("v") for _ in outs]
    branches = [then.proto(outs), other.proto(others)]
    if g.chance(0.5):
        branches.reverse()
    node = helper.make_node("If", [condition.name], names, name=g.fresh("n"), then_branch=branches[0], else_branch=branches[1])
    g.add_node(node, [condition])


@row("Loop", tags=("flow",), weight=1.5)
def loop(g):
    trips = g.one_of([0, 1, 2, 3, 5])
    if g.chance(0.3):
        x = g.pick(lambda v: v.rank >= 1 and not v.const and max(v.sizes[0]) <= 8)
        m = g.add("Squeeze", [g.add("Shape", [x], start=0, end=1)])
    else:
        m = g.const(np.array(trips, np.int64))
    on = g.const(np.array(True)) if g.chance(0.6) else None
    carried = [g.pick(lambda v: not v.const, lambda: g.pick_float()) for _ in range(g.number(1, 2))]
    body = g.sub()
    i = body.given([[np.array(0, np.int64)] * 3] * g.n_sets, [])
    c = body.given([[np.array(True)] * 3] * g.n_sets, [])
    state = [body.given(v.data) for v in carried]
    grow(body, g.number(1, 3))
    ends = []
    for v in state:
        w = None
        if v.dtype == g.main_float:  # bounded, whatever the number of iterations
            found = result(body, v.dtype, v.sizes, v.rank)
            if found and found not in state:
                if g.chance(0.7):
                    w = body.add("Mul", [body.add("Tanh", [found]), body.scalar(1.5, v)])
                else:
                    w = body.add("Clip", [found, body.scalar(-3.0, v), body.scalar(3.0, v)])
            if w is None or g.chance(0.2):
                w = body.add("Mul", [body.add("Add", [v, body.scalar(0.5, v)]), body.scalar(0.7, v)])
        else:
            w = body.add("Identity", [v])
        ends.append(w)
    scans = [v for v in body.values if not v.const and v.depth > 1 and v not in ends and v not in state and (not v.used or g.chance(0.1))][:2]
    if g.chance(0.3):
        scans.append(body.add("Cast", [i], to=1))
    if g.chance(0.25):
        keep_on = body.add("Less", [i, body.const(np.array(g.number(0, 4), np.int64))])
    else:
        keep_on = body.add("Identity", [c])
    if g.chance(0.2) and len(ends) == 2 and carried[0].dtype == carried[1].dtype and carried[0].sizes == carried[1].sizes:
        ends.reverse()
    outs = [keep_on] + ends + scans
    if len({v.name for v in outs}) < len(outs):
        raise Reject("an output twice")
    names = [g.fresh("v") for _ in outs[1:]]
    node = helper.make_node("Loop", [m.name, on.name if on else ""] + [v.name for v in carried], names, name=g.fresh("n"), body=body.proto(outs))
    made = g.add_node(node, [m, on] + carried)
    for v in (made if isinstance(made, list) else [made])[len(ends):]:
        if 0 in v.sizes[0]:
            raise Reject("of nothing, where the shape is anyone's guess")


@row("Scan", tags=("flow",))
def scan(g):
    x = g.pick(lambda v: v.dtype == g.main_float and 1 <= v.rank <= 4 and not v.const and min(v.sizes[0]) > 0)
    first = [[copy[0] for copy in copies] for copies in x.data]
    body = g.sub()
    sizes = x.sizes[1:]
    if any(len(set(s)) > 1 for s in sizes):
        raise Reject("symbolic")
    start = g.const(np.zeros([s[0] for s in sizes], x.dtype)) if g.chance(0.7) else None
    state = body.given(start.data) if start else None
    v = body.given([[np.ascontiguousarray(c) for c in copies] for copies in first])
    grow(body, g.number(0, 2))
    last = result(body, v.dtype, v.sizes, v.rank) or v
    ends = []
    if state:
        ends.append(body.add("Tanh", [body.add("Add", [state, last])]))
    ys = [body.add("Add", [last, ends[0]]) if state and g.chance(0.5) else body.add("Abs", [last])]
    attrs = {}
    if g.chance(0.4):
        attrs["scan_input_directions"] = [1]
    if g.chance(0.2):
        attrs["scan_output_directions"] = [1]
    names = [g.fresh("v") for _ in ends + ys]
    inputs = ([start] if start else []) + [x]
    node = helper.make_node("Scan", [u.name for u in inputs], names, name=g.fresh("n"), body=body.proto(ends + ys), num_scan_inputs=1, **attrs)
    g.add_node(node, inputs)
