"""A random graph under construction. Every node is evaluated as it is added, at all sets of shapes the model will run at, so that a node
whose inputs don't fit, whose results aren't numbers or hang on a rounding error is taken back and never becomes part of the model."""
import itertools

import numpy as np
import onnx
from onnx import helper, numpy_helper

from oracle import COPIES, IR_VERSION, Refused, deviation, elem, free_names, node_needs, run_node, scale_of
from table import KNOWN

SIZES = [1, 2, 3, 4, 5, 7, 8, 12, 16, 17, 33]
MOST_ELEMENTS = 6000
MOST_MAGNITUDE = {"float32": 3e3, "float64": 3e3, "float16": 300}
FLOATS = ("float32", "float64", "float16")


class Reject(Exception):
    """The node drawn doesn't fit; another is drawn."""


class Value:
    """data[s][k]: at set s of shapes, the true value (k = 0) and disturbed ones. sizes[d]: the dim at each set."""

    def __init__(self, name, data, depth, const=False):
        self.name, self.data, self.depth, self.const, self.used = name, data, depth, const, 0
        self.dtype = str(data[0][0].dtype)
        self.rank = data[0][0].ndim
        self.sizes = [tuple(copies[0].shape[d] for copies in data) for d in range(self.rank)]
        self.scale = max(scale_of(copies[0]) for copies in data)

    @property
    def shape(self):
        return self.data[0][0].shape

    @property
    def size(self):
        return max(copies[0].size for copies in self.data)

    def dim(self, axis):
        """A dim that is the same at all sets."""
        if len(set(self.sizes[axis])) != 1:
            raise Reject("a symbolic dim")
        return self.sizes[axis][0]

    def low(self):
        return min((float(c[0].min()) for c in self.data if c[0].size), default=0.0)

    def high(self):
        return max((float(c[0].max()) for c in self.data if c[0].size), default=0.0)


class Sequence:
    """A sequence of tensors: data[s][k] is a list."""

    def __init__(self, name, data, depth):
        self.name, self.data, self.depth, self.used = name, data, depth, 0


class Graph:
    """The main graph; Sub (below) is a subgraph's."""

    def __init__(self, oracle, seed, opset, theme):
        self.oracle, self.rng, self.opset, self.theme = oracle, np.random.default_rng(seed), opset, theme
        self.nodes, self.values, self.inputs, self.initializers = [], [], [], []
        self.counter = itertools.count()
        self.outer, self.ops, self.symbols = None, [], {}
        self.n_sets = int(self.rng.choice([1, 2, 3], p=[0.5, 0.3, 0.2]))
        self.main_float = str(self.rng.choice(FLOATS, p=[0.86, 0.06, 0.08]))

    # ---- Drawing

    def chance(self, p):
        return bool(self.rng.random() < p)

    def one_of(self, options):
        return options[int(self.rng.integers(len(options)))]

    def number(self, low, high):
        return int(self.rng.integers(low, high + 1))

    def fresh(self, prefix):
        return f"{prefix}{next(self.counter)}"

    def visible(self):
        return self.values + (self.outer.visible() if self.outer else [])

    def pick(self, fits, make=None):
        """A value that fits, a recent or unused one rather; else what `make` makes."""
        found = [v for v in self.visible() if fits(v)]
        if not found or (make and self.chance(0.08)):
            if make is None:
                raise Reject("nothing fits")
            return make()
        weights = np.array([(4.0 if not v.used else 1.0) * (0.3 if v.const else 1.0) * 1.15**v.depth for v in found])
        return found[int(self.rng.choice(len(found), p=weights / weights.sum()))]

    def pick_float(self, low=0, high=6, make_rank=None):
        ranks = [r for r in ([make_rank] if make_rank is not None else self.theme.ranks) if low <= r <= high] or [max(low, min(high, 2))]
        return self.pick(lambda v: v.dtype == self.main_float and low <= v.rank <= high and not v.const,
                         lambda: self.input(self.draw_shape(self.one_of(ranks))))

    # ---- Shapes and data

    def draw_size(self, axis, rank):
        if self.theme.name == "image" and rank == 4:
            return self.one_of([1, 2, 3] if axis == 0 else [1, 3, 4, 8, 16, 17] if axis == 1 else [1, 2, 5, 7, 8, 12, 14])
        if rank > 3:
            return self.one_of([1, 2, 3, 4, 5])
        return self.one_of(SIZES)

    def symbol(self, sizes):
        """A named dim for these sizes at the sets: mostly the one that has them, at times another."""
        same = [name for name, s in self.symbols.items() if s == sizes]
        if same and self.chance(0.85):
            return same[0]
        name = self.fresh("S")
        self.symbols[name] = sizes
        return name

    def draw_shape(self, rank):
        """Sizes at each set for each axis."""
        result = []
        for d in range(rank):
            fixed = rank > 1 and d == (1 if self.theme.name == "image" else rank - 1)  # channels and widths seldom vary
            if self.n_sets > 1 and self.chance(0.06 if fixed else 0.5 if d == 0 else 0.3):
                old = [s for s in self.symbols.values() if len(set(s)) > 1]
                result.append(self.one_of(old) if old and self.chance(0.7) else tuple(self.draw_size(d, rank) for _ in range(self.n_sets)))
            else:
                n = 0 if self.chance(self.theme.empty) else self.draw_size(d, rank)
                result.append((n,) * self.n_sets)
        return result

    def draw_data(self, shape, dtype, kind="any"):
        return np.asarray(self.draw_numbers(shape, dtype, kind)).astype(dtype)

    def draw_numbers(self, shape, dtype, kind):
        rng = self.rng
        if dtype in FLOATS:
            if kind == "positive":
                a = rng.uniform(0.1, 2, shape)
            elif kind == "unit":
                a = rng.uniform(0, 1, shape)
            else:
                a = rng.uniform(-2, 2, shape)
                if self.chance(0.05):
                    a = np.round(a * 2)  # whole numbers, equal ones among them
            return a
        if dtype == "bool":
            return rng.random(shape) < 0.5
        info = np.iinfo(dtype)
        low, high = (0 if info.min == 0 else -9), 9
        if info.bits == 8:
            low, high = info.min, info.max
        return rng.integers(low, high, shape, endpoint=True)

    def input(self, sizes, dtype=None, kind="any"):
        """A new input of the model, or at times a constant where the sizes are fixed."""
        if self.outer:
            raise Reject("no inputs inside")
        dtype = dtype or self.main_float
        shapes = [tuple(s[k] for s in sizes) for k in range(self.n_sets)]
        if max(int(np.prod(s, dtype=np.int64)) for s in shapes) > MOST_ELEMENTS:
            raise Reject("too large")
        data = [[self.draw_data(s, dtype, kind)] * COPIES for s in shapes]
        v = Value(self.fresh("x"), data, 0)
        dims = [self.symbol(s) if len(set(s)) > 1 or (self.n_sets > 1 and self.chance(0.1)) else int(s[0]) for s in sizes]
        self.inputs.append((v, dims))
        self.values.append(v)
        return v

    def const(self, array):
        array = np.asarray(array)
        v = Value(self.fresh("c"), [[array] * COPIES] * self.n_sets, 0, const=True)
        tensor = numpy_helper.from_array(array, v.name)
        if self.chance(0.2):
            self.nodes.append(helper.make_node("Constant", [], [v.name], value=tensor))
        else:
            self.initializers.append(tensor)
        self.values.append(v)
        return v

    def floats(self, *shape, kind="any", scale=1.0):
        """A constant of the graph's floating type."""
        return self.const((self.draw_data(shape, self.main_float, kind) * scale).astype(self.main_float))

    def scalar(self, x, like=None):
        return self.const(np.array(x, like.dtype if like else self.main_float))

    def ints(self, *values):
        return self.const(np.array(values, np.int64))

    # ---- Nodes

    def add(self, op, inputs, n_out=1, check=True, **attrs):
        """Adds a node and gives its outputs (one: alone). None among the inputs: left out."""
        if op not in KNOWN:
            raise Reject("ingot doesn't have it")
        of_windows = ("Reduce", "Arg", "Conv", "MaxPool", "AveragePool", "LpPool", "Global", "Resize")
        if op.startswith(of_windows) and any(c[0].size == 0 for c in inputs[0].data):
            raise Reject("of nothing, where evaluators differ")
        inputs = list(inputs)
        while inputs and inputs[-1] is None:
            inputs.pop()
        names = [self.fresh("v") for _ in range(n_out)]
        node = helper.make_node(op, [v.name if v else "" for v in inputs], names, name=self.fresh("n"), **attrs)
        return self.add_node(node, inputs, check)

    def add_sequence(self, op, inputs, **attrs):
        """A node that gives a sequence of tensors, which is no value of the graph's pool: its row goes on with it."""
        if op not in KNOWN:
            raise Reject("ingot doesn't have it")
        while inputs and inputs[-1] is None:
            inputs = inputs[:-1]
        node = helper.make_node(op, [v.name if v else "" for v in inputs], [self.fresh("s")], name=self.fresh("n"), **attrs)
        needs = [v for v in inputs if v]
        data = [run_node(self.oracle, node, {v.name: v.data[s] for v in needs}, self.opset, self.rng)[0] for s in range(self.n_sets)]
        if any(not c for copies in data for c in copies):
            raise Reject("an empty sequence, whose type isn't told")
        for v in needs:
            v.used += 1
        self.nodes.append(node)
        self.ops.append(op)
        return Sequence(node.output[0], data, 1 + max([v.depth for v in needs], default=0))

    def add_node(self, node, inputs, check=True):
        if node.op_type not in KNOWN:
            raise Reject("ingot doesn't have it")
        known = {v.name: v for v in self.visible()}
        needs = [v for v in inputs if v] + [known[n] for a in node.attribute if a.type == onnx.AttributeProto.GRAPH for n in free_names(a.g)]
        results = [[] for _ in node.output]
        for s in range(self.n_sets):
            values = {v.name: v.data[s] for v in needs}
            for r, copies in zip(results, run_node(self.oracle, node, values, self.opset, self.rng)):
                r.append(copies)
        depth = 1 + max([v.depth for v in needs], default=0)
        made = [Value(name, data, depth) if name else None for name, data in zip(node.output, results)]
        for v in made:
            if v and check:
                self.check(node, v)
        for v in needs:
            v.used += 1
        self.nodes.append(node)
        self.ops.append(node.op_type)
        self.values += [v for v in made if v]
        return made[0] if len(made) == 1 else made

    def check(self, node, v):
        if v.rank > 6 or v.size > MOST_ELEMENTS or len({c[0].ndim for c in v.data}) > 1:
            raise Reject("too large")
        for copies in v.data:
            a = copies[0]
            dev = deviation(copies)
            if dev is None:
                raise Reject(f"{node.op_type}: depends on rounding")
            if a.dtype.kind == "f":
                if not np.isfinite(a).all() or scale_of(a) > MOST_MAGNITUDE[str(a.dtype)] or dev > 0.02 * scale_of(a) + 1e-6:
                    raise Reject(f"{node.op_type}: not finite, too large or ill-conditioned")
            elif dev > (1 if node.op_type in ("QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul") else 0):
                raise Reject(f"{node.op_type}: depends on rounding")
            elif a.dtype.kind in "iu" and a.size and (int(a.max()) > 2**31 - 1 or int(a.min()) < -(2**31)):
                raise Reject("large integers")

    def mark(self):
        return (len(self.nodes), len(self.values), len(self.inputs), len(self.initializers), len(self.ops), [v.used for v in self.visible()])

    def back_to(self, mark):
        uses = mark[5]
        del self.nodes[mark[0]:], self.values[mark[1]:], self.inputs[mark[2]:], self.initializers[mark[3]:], self.ops[mark[4]:]
        for v, n in zip(self.visible(), uses):
            v.used = n

    def try_row(self, row):
        mark = self.mark()
        try:
            row(self)
            return True
        except (Reject, Refused, ValueError):  # the last: a draw from nothing
            self.back_to(mark)
            return False

    def sub(self):
        return Sub(self)


class Sub(Graph):
    """A subgraph: sees the values around it; its inputs are given."""

    def __init__(self, outer):
        self.oracle, self.rng, self.opset, self.theme = outer.oracle, outer.rng, outer.opset, outer.theme
        self.nodes, self.values, self.inputs, self.initializers = [], [], [], []
        self.counter, self.outer, self.ops, self.symbols = outer.counter, outer, [], outer.symbols
        self.n_sets, self.main_float = outer.n_sets, outer.main_float

    def given(self, data, dims=None):
        v = Value(self.fresh("b"), data, 1)
        self.inputs.append((v, dims))
        self.values.append(v)
        return v

    def proto(self, outputs):
        infos = [helper.make_tensor_value_info(v.name, elem(v.dtype), dims) for v, dims in self.inputs]
        results = [helper.make_tensor_value_info(v.name, elem(v.dtype), None) for v in outputs]
        self.outer.ops += self.ops
        return helper.make_graph(self.nodes, self.fresh("g"), infos, results, self.initializers)


def finish(g, keep_all=False):
    """The model with its outputs (what nobody uses, and some others), or None; with the feeds of each set, and the outputs' copies."""
    made = [v for v in g.values if not v.const and v.depth > 0]
    outputs = [v for v in made if keep_all or (not v.used and not g.chance(0.06)) or (v.used and g.chance(0.12))]
    if not outputs:
        return None
    if g.chance(0.5):
        outputs = outputs[::-1]
    used = {n for node in g.nodes for n in node_needs(node)}
    inputs = [(v, dims) for v, dims in g.inputs if v.name in used or g.chance(0.5)]
    infos = [helper.make_tensor_value_info(v.name, elem(v.dtype), dims) for v, dims in inputs]
    results = [helper.make_tensor_value_info(v.name, elem(v.dtype), [None] * v.rank) for v in outputs]
    for r, v in zip(results, outputs):
        if g.chance(0.7):
            continue
        for d, sizes in zip(r.type.tensor_type.shape.dim, v.sizes):  # as exporters write what they know
            if g.n_sets == 1 and len(set(sizes)) == 1:
                d.dim_value = sizes[0]
    nodes = g.nodes
    graph = helper.make_graph(nodes, "graph", infos, results, [t for t in g.initializers if t.name in used])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", g.opset)], ir_version=IR_VERSION, producer_name="ingot fuzz")
    sets = [{v.name: v.data[s][0] for v, _ in inputs} for s in range(g.n_sets)]
    wanted = [{v.name: v.data[s] for v in outputs} for s in range(g.n_sets)]
    return model, sets, wanted
