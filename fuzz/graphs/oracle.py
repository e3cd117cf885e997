"""What a node gives: ONNX Runtime's answer, node by node and without its optimiser; the onnx package's own evaluator where ONNX Runtime has
no kernel. Sessions are kept, so that a node like one before costs microseconds.

Besides the true values, slightly disturbed ones are carried along: where they end up far from the true ones, rounding errors do as well, and
the comparison must be that much wider."""
import warnings

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper
from onnx.reference import ReferenceEvaluator

import exact_sums

IR_VERSION = 10
COPIES = 3  # the true values and two disturbed copies
MOST_SESSIONS = 4000
# How much a value is disturbed, in parts of its tensor's largest: far more than a rounding error of its type.
DISTURBANCE = {"float32": 1e-5, "float64": 1e-6, "float16": 2e-3}
# Differences that are always allowed, in the same measure.
ALLOWED = {"float32": 3e-5, "float64": 1e-5, "float16": 6e-3}


# A step's rounding error goes through all steps that follow: the input's copies are disturbed, by so much of what a value is.
RECURRENT, OF_A_STEP = {"RNN", "GRU", "LSTM"}, 0.1

# What the onnx package's evaluator gets wrong, or refuses, in ways that its inputs don't tell.
MISTAKEN = {"GlobalMaxPool", "LRN"}


def mistaken(node):
    """Whether the onnx package's evaluator gets the node wrong: transposed convolutions of groups too (PyTorch's differ)."""
    return node.op_type in MISTAKEN or (node.op_type == "ConvTranspose" and any(a.name == "group" and a.i > 1 for a in node.attribute))


class Refused(Exception):
    """Neither evaluator takes the node."""


def options():
    o = ort.SessionOptions()
    o.log_severity_level = 4
    o.intra_op_num_threads = o.inter_op_num_threads = 1
    o.graph_optimization_level = ort.GraphOptimizationLevel.ORT_DISABLE_ALL
    return o


def elem(dtype):
    return helper.np_dtype_to_tensor_dtype(np.dtype(dtype))


def as_fed(a):
    """Arrays are arrays, of no dims too; sequences are lists of them."""
    return [np.asarray(x) for x in a] if isinstance(a, list) else np.asarray(a)


def kind_of(a):
    return "sequence " + str(a[0].dtype) if isinstance(a, list) else str(a.dtype)


def info_of(name, a):
    if isinstance(a, list):
        return helper.make_tensor_sequence_value_info(name, elem(a[0].dtype), None)
    return helper.make_tensor_value_info(name, elem(a.dtype), None)


def free_names(graph):
    """Names that a subgraph takes from around it."""
    known = {i.name for i in graph.input} | {i.name for i in graph.initializer}
    free = []
    for node in graph.node:
        names = list(node.input)
        for a in node.attribute:
            if a.type == onnx.AttributeProto.GRAPH:
                names += free_names(a.g)
        free += [n for n in names if n and n not in known and n not in free]
        known |= set(node.output)
    free += [o.name for o in graph.output if o.name not in known and o.name not in free]
    return free


def node_needs(node):
    """All values that a node reads, those of its subgraphs too."""
    names = list(dict.fromkeys(n for n in node.input if n))
    for a in node.attribute:
        if a.type == onnx.AttributeProto.GRAPH:
            names += [n for n in free_names(a.g) if n not in names]
    return names


class Oracle:
    def __init__(self):
        self.sessions = {}

    def session(self, node, arrays, opset):
        """(how to run it, names of its inputs) for a node and the arrays by name that it reads."""
        subgraphs = any(a.type == onnx.AttributeProto.GRAPH for a in node.attribute)
        needs = node_needs(node)
        plain = onnx.NodeProto()
        plain.CopyFrom(node)
        plain.name = ""
        if not subgraphs:  # names don't matter: a node with the same attributes and types is the same
            places = {n: f"i{k}" for k, n in enumerate(needs)}
            for k, n in enumerate(node.input):
                plain.input[k] = places[n] if n else ""
            for k, n in enumerate(node.output):
                plain.output[k] = f"o{k}" if n else ""
            names = [places[n] for n in needs]
        else:
            names = needs
        kinds = tuple(kind_of(arrays[n]) for n in needs)
        key = (plain.SerializeToString(), kinds, opset)
        if key not in self.sessions:
            if len(self.sessions) > MOST_SESSIONS:
                self.sessions.clear()
            self.sessions[key] = self.make(plain, names, [arrays[n] for n in needs], opset)
        return self.sessions[key], names, needs

    def make(self, node, names, arrays, opset):
        infos = [info_of(n, a) for n, a in zip(names, arrays)]
        outputs = [onnx.ValueInfoProto(name=n) for n in node.output if n]
        graph = helper.make_graph([node], "g", infos, outputs)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=IR_VERSION)
        try:
            if not exact_sums.right([node]):
                return ("onnx", ReferenceEvaluator(model))
            session = ort.InferenceSession(model.SerializeToString(), options(), providers=["CPUExecutionProvider"])
            return ("ort", session)
        except Exception as e:
            if node.op_type in ("Loop", "Scan", "If") or not any(word in str(e) for word in ("NOT_IMPLEMENTED", "INVALID_GRAPH")):
                raise Refused(f"{node.op_type}: {e}") from None
        if mistaken(node):
            raise Refused(f"{node.op_type}: no evaluator that is right")
        try:
            return ("onnx", ReferenceEvaluator(model))
        except Exception as e:
            raise Refused(f"{node.op_type}: {e}") from None

    def run(self, node, arrays, opset):
        """The node's outputs in order (None for one without a name), for arrays by name."""
        (kind, session), names, needs = self.session(node, arrays, opset)
        feeds = {name: as_fed(arrays[n]) for name, n in zip(names, needs)}
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                found = session.run(None, feeds)
        except Exception as e:
            raise Refused(f"{node.op_type} ({kind}): {e}") from None
        found = iter([as_fed(a) for a in found])
        return [next(found) if n else None for n in node.output]


def scale_of(a):
    """The largest finite magnitude."""
    if a.dtype.kind != "f" or a.size == 0:
        return 0.0
    m = np.abs(a.astype(np.float64))
    m = m[np.isfinite(m)]
    return float(m.max()) if m.size else 0.0


def disturb(a, rng, scale, part=1):
    eps = part * DISTURBANCE.get(str(a.dtype), 0)
    if not eps or a.size == 0:
        return a
    wide = a.astype(np.float64)
    noise = rng.uniform(-1, 1, a.shape) * eps * (np.where(np.isfinite(wide), np.abs(wide), 0) + 0.1 * scale)
    return np.asarray(np.where(np.isfinite(wide), wide + noise, wide)).astype(a.dtype)


def deviation(copies):
    """The most that a disturbed copy differs from the true values; None: in its shape, or in what isn't finite."""
    true, most = copies[0], 0.0
    for other in copies[1:]:
        if other is true:
            continue
        if other.shape != true.shape or other.dtype != true.dtype:
            return None
        if true.size == 0:
            continue
        if true.dtype.kind in "iub":
            most = max(most, float(np.abs(other.astype(np.float64) - true.astype(np.float64)).max()))
            continue
        a, b = true.astype(np.float64), other.astype(np.float64)
        same = (a == b) | (np.isnan(a) & np.isnan(b))
        with np.errstate(invalid="ignore"):
            d = np.where(same, 0, np.abs(a - b))
        if not np.isfinite(d).all():
            return None
        most = max(most, float(d.max()))
    return most


def run_model(oracle, model, feeds, seed):
    """Every value of a model in COPIES, for feeds by name (its inputs); the initialisers aren't disturbed, nor are the inputs."""
    rng = np.random.default_rng(seed)
    opset = next(o.version for o in model.opset_import if o.domain == "")
    values = {name: [a] * COPIES for name, a in feeds.items()}
    for t in model.graph.initializer:
        values[t.name] = [onnx.numpy_helper.to_array(t)] * COPIES
    for node in model.graph.node:
        for name, copies in zip(node.output, run_node(oracle, node, values, opset, rng)):
            if name:
                values[name] = copies
    return values


def run_node(oracle, node, values, opset, rng):
    """The node's outputs, each in COPIES, the disturbed ones disturbed anew."""
    needs = node_needs(node)
    try:
        copies = [values[n] for n in needs]
    except KeyError as e:
        raise Refused(f"no value {e}") from None
    true = oracle.run(node, {n: c[0] for n, c in zip(needs, copies)}, opset)
    result = [[a] for a in true]
    for k in range(1, COPIES):
        same = all(c[k] is c[0] for c in copies)
        arrays = {n: c[k] for n, c in zip(needs, copies)}
        if node.op_type in RECURRENT:
            x, same = arrays[node.input[0]], False
            arrays[node.input[0]] = disturb(x, rng, scale_of(x), OF_A_STEP)
        found = true if same else oracle.run(node, arrays, opset)
        for r, a in zip(result, found):
            # moving elements about adds no error, and neither does what is exact
            r.append(None if a is None else a if node.op_type in EXACT else disturb(a, rng, scale_of(a)))
    return [r if r[0] is not None else None for r in result]


EXACT = {"Identity", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Concat", "Split", "Slice", "Pad", "Expand", "Tile", "Gather",
         "GatherElements", "GatherND", "Shape", "Size", "ConstantOfShape", "Range", "NonZero", "OneHot", "Trilu", "DepthToSpace", "SpaceToDepth",
         "Where", "Max", "Min", "Relu", "Neg", "Abs", "Sign", "Clip", "MaxPool", "GlobalMaxPool", "ReduceMax", "ReduceMin", "TopK", "Constant",
         "Dropout", "Floor", "Ceil", "Round", "Compress", "ReverseSequence", "DequantizeLinear", "SplitToSequence", "SequenceConstruct",
         "SequenceAt", "SequenceInsert", "SequenceErase", "SequenceLength", "ConcatFromSequence", "CenterCropPad", "Unique", "BitCast",
         "TensorScatter", "MaxUnpool"}


def compare(found, copies):
    """None, or what is wrong with an output, given the true value and its disturbed copies."""
    want = copies[0]
    if found.dtype != want.dtype:
        return f"type {found.dtype} instead of {want.dtype}"
    if found.shape != want.shape:
        return f"shape {found.shape} instead of {want.shape}"
    if want.size == 0:
        return None
    dev = deviation(copies)
    if dev is None:
        return None
    a, b = found.astype(np.float64), want.astype(np.float64)
    if want.dtype.kind in "iub":
        limit = 3 * dev
    else:
        limit = ALLOWED[str(want.dtype)] * (scale_of(want) + 0.1) + 3 * dev
    bad = ~((a == b) | (np.isnan(a) & np.isnan(b)))
    with np.errstate(invalid="ignore"):
        bad &= ~(np.abs(a - b) <= limit)
    if not bad.any():
        return None
    at = tuple(int(i[0]) for i in np.nonzero(bad)) if want.ndim else ()
    return f"{int(bad.sum())} of {want.size} differ, first at {at}: {found[at]!r} instead of {want[at]!r} (allowed: {limit:.3g})"
