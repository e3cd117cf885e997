"""One model by every way that runs it: ingot's engine, its reference kernels, and ONNX Runtime on the whole model; all against the values that the
node-by-node oracle gave."""
import numpy as np
import onnx
import onnxruntime as ort

import exact_sums
from engines import IngotError, make_plan
from oracle import Refused, compare, node_needs, options, run_model


class Finding(Exception):
    """kind: where ('engine', 'reference', 'onnxruntime') and what; the reducer keeps to the kind."""

    def __init__(self, kind, text):
        super().__init__(f"{kind}: {text}")
        self.kind, self.text = kind, text


def plan_for(seed, passes):
    return make_plan(np.random.default_rng([seed, 3]), passes)


def check_outputs(where, found, wanted):
    """`found`: outputs by name at each set, and at the first set again."""
    for k, outputs in enumerate(found):
        for name, copies in wanted[k % len(wanted)].items():
            problem = compare(outputs[name], copies)
            if problem:
                raise Finding(f"{where} differs", f"set {k % len(wanted)}, output {name}: {problem}")


def run_ort(model, sets):
    """None where ONNX Runtime doesn't take the model, computes it wrong on this processor, or fails: each of its nodes runs alone, so the model is valid."""
    names = [o.name for o in model.graph.output]
    if not exact_sums.right(model.graph.node):
        return None
    try:
        session = ort.InferenceSession(model.SerializeToString(), options(), providers=["CPUExecutionProvider"])
        return [dict(zip(names, session.run(None, feeds))) for feeds in sets]
    except Exception:
        return None


def check(engines, model, sets, wanted, plan, whole=True, before_ort=None):
    """Raises a Finding. Gives the number of runs compared."""
    data = model.SerializeToString()
    for where, p in (("reference", None), ("engine", plan)):
        try:
            found = engines.results(data, sets, p)
        except IngotError as e:
            raise Finding(f"{where} fails with {e.status}", e.text) from None
        check_outputs(where, found, wanted)
    if not whole:
        return 2
    if before_ort:
        before_ort()
    found = run_ort(model, sets)
    if found is None:
        return 2
    check_outputs("onnxruntime", found, wanted)
    return 3


def shaken(a, rng):
    return a if a.dtype.kind != "f" else np.asarray(a + rng.uniform(-0.02, 0.02, a.shape) * (np.abs(a) + 0.1)).astype(a.dtype)


def redo(oracle, model, sets, seed, rng=None):
    """The wanted outputs of a model for these sets of feeds, or for new data of the same shapes with `rng`; None where it can't be told."""
    new_sets, wanted = [], []
    for feeds in sets:
        if rng is not None:
            feeds = {n: shaken(a, rng) for n, a in feeds.items()}
        try:
            values = run_model(oracle, model, feeds, seed)
        except Refused:
            return None
        new_sets.append(feeds)
        wanted.append({o.name: values[o.name] for o in model.graph.output if o.name in values})
        if len(wanted[-1]) < len(model.graph.output):
            return None
    return new_sets, wanted


DISCRETE = {"QuantizeLinear", "DynamicQuantizeLinear", "QLinearConv", "QLinearMatMul", "Floor", "Ceil", "Round", "Cast", "Sign", "Equal", "Less",
            "Greater", "LessOrEqual", "GreaterOrEqual", "ArgMax", "ArgMin", "TopK", "Mod", "NonMaxSuppression", "NonZero", "Hardmax", "Shrink",
            "ThresholdedRelu", "Where", "If", "Loop", "Scan", "CastLike", "Clip"}


def stands(engines, oracle, model, sets, plan, finding, seed):
    """Whether a difference is one: where levels or choices hang on rounding, a real one is there with slightly other data too."""
    if "differs" not in finding.kind or not DISCRETE & {n.op_type for n in model.graph.node}:
        return True
    for k in range(3):
        again = redo(oracle, model, sets, [seed, k], np.random.default_rng([seed, 7, k]))
        if again is None:
            continue
        try:
            check(engines, model, again[0], again[1], plan, whole=False)
        except Finding:
            return True
    return False


def readable(model):
    """As ONNX's text, with large constants left out of it."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return onnx.printer.to_text(copy)


__all__ = ["Finding", "check", "check_outputs", "node_needs", "plan_for", "readable", "redo", "run_ort", "stands"]
