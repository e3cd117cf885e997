"""Makes a failing model smaller: fewer outputs, nodes cut off at either end, smaller dims, fewer attributes, as long as it fails in the same way.
Each try runs in a child process, since what is looked for may be a crash."""
import os
import signal
import time

import numpy as np
import onnx
from onnx import helper, numpy_helper

from check import Finding, check, redo
from engines import Engines
from oracle import Refused, elem, node_needs, run_model

CHILD_SECONDS = 15


def in_child(work):
    """work()'s text, or how the child ended: 'crash 11', 'hang'."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)
        signal.alarm(CHILD_SECONDS)
        try:
            os.write(write, work().encode()[:60000])
        finally:
            os._exit(0)
    os.close(write)
    data = b""
    while chunk := os.read(read, 65536):
        data += chunk
    os.close(read)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "hang" if os.WTERMSIG(status) == signal.SIGALRM else f"crash by signal {os.WTERMSIG(status)}"
    return data.decode(errors="replace")


def failure(library, oracle, model, sets, plan, seed):
    """The kind of failure of a model, '' for none; a second line tells more."""

    def work():
        try:
            again = redo(oracle, model, sets, seed)
            if again is None:
                return ""
            check(Engines(library), model, again[0], again[1], plan)
            return ""
        except Finding as f:
            return f"{f.kind}\n{f.text}"
        except Refused:
            return ""

    return in_child(work)


def rebuilt(model, nodes, inputs, outputs, initializers):
    """inputs: (name, dtype, dims) and outputs: (name, dtype, rank); what isn't needed any more is left out."""
    wanted, kept = {o[0] for o in outputs}, []
    for node in reversed(nodes):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node_needs(node))
    kept.reverse()
    made = {n for node in kept for n in node.output}
    graph = helper.make_graph(kept, "graph", [helper.make_tensor_value_info(n, d, s) for n, d, s in inputs if n in wanted and n not in made],
                              [helper.make_tensor_value_info(n, d, [None] * r) for n, d, r in outputs],
                              [t for t in initializers if t.name in wanted and t.name not in made])
    new = helper.make_model(graph, opset_imports=model.opset_import, ir_version=model.ir_version)
    return new


class Reducer:
    def __init__(self, library, oracle, model, sets, plan, seed, seconds=120):
        self.library, self.oracle, self.plan, self.seed = library, oracle, plan, seed
        self.model, self.sets, self.end = model, sets, time.time() + seconds
        self.kind = failure(library, oracle, model, sets, plan, seed).split("\n")[0]

    def parts(self):
        g = self.model.graph
        inputs = [(i.name, i.type.tensor_type.elem_type, [d.dim_param or d.dim_value for d in i.type.tensor_type.shape.dim]) for i in g.input]
        outputs = [(o.name, o.type.tensor_type.elem_type, len(o.type.tensor_type.shape.dim)) for o in g.output]
        return list(g.node), inputs, outputs, list(g.initializer)

    def attempt(self, model, sets):
        if time.time() > self.end:
            return False
        names = {i.name for i in model.graph.input}
        sets = [{n: a for n, a in s.items() if n in names} for s in sets]
        kind = failure(self.library, self.oracle, model, sets, self.plan, self.seed).split("\n")[0]
        if kind != self.kind:
            return False
        self.model, self.sets = model, sets
        return True

    def run(self):
        if not self.kind:
            return self
        for size in range(len(self.sets), 0, -1):  # one set of shapes
            if len(self.sets) > 1 and self.attempt(self.model, [self.sets[size - 1]]):
                break
        changed = True
        while changed and time.time() < self.end:
            changed = self.fewer_outputs() | self.earlier_outputs() | self.cut_inputs() | self.constants() | self.attributes() | self.dims()
        self.plans()
        return self

    def fewer_outputs(self):
        nodes, inputs, outputs, initializers = self.parts()
        changed = False
        for o in outputs:
            if len(outputs) > 1 and self.attempt(rebuilt(self.model, nodes, inputs, [o], initializers), self.sets):
                return True
        for o in list(outputs):
            rest = [p for p in outputs if p is not o]
            if rest and self.attempt(rebuilt(self.model, nodes, inputs, rest, initializers), self.sets):
                outputs, changed = rest, True
        return changed

    def values(self):
        return [run_model(self.oracle, self.model, s, self.seed) for s in self.sets]

    def earlier_outputs(self):
        """The outputs of one node alone, from the first."""
        nodes, inputs, outputs, initializers = self.parts()
        if len(nodes) < 2:
            return False
        values = self.values()
        for node in nodes[:-1]:
            if any(isinstance(values[0][n][0], list) for n in node.output if n):
                continue
            outs = [(n, elem(values[0][n][0].dtype), values[0][n][0].ndim) for n in node.output if n]
            if node.op_type != "Constant" and self.attempt(rebuilt(self.model, nodes, inputs, outs, initializers), self.sets):
                return True
        return False

    def cut_inputs(self):
        """A value in the middle becomes an input."""
        changed = False
        for name in [n for node in reversed(self.model.graph.node) for n in node.output if n]:
            nodes, inputs, outputs, initializers = self.parts()
            if not any(name in node_needs(n) for n in nodes) or any(o[0] == name for o in outputs):
                continue
            values = self.values()
            arrays = [v[name][0] for v in values]
            if isinstance(arrays[0], list):
                continue
            dims = [n[0] if len(set(n)) == 1 else f"D_{name}_{i}" for i, n in enumerate(zip(*[a.shape for a in arrays]))]
            less = [n for n in nodes if name not in n.output]
            model = rebuilt(self.model, less, inputs + [(name, elem(arrays[0].dtype), dims)], outputs, initializers)
            changed |= self.attempt(model, [{**s, name: a} for s, a in zip(self.sets, arrays)])
        return changed

    def constants(self):
        """Data that reads well: ones, small steps."""
        changed = False
        nodes, inputs, outputs, initializers = self.parts()
        for k, t in enumerate(initializers):
            a = numpy_helper.to_array(t)
            plain = (np.arange(a.size).reshape(a.shape) % 5 - 2).astype(a.dtype) if a.dtype.kind == "f" and a.size > 1 else None
            if plain is None or (a == plain).all():
                continue
            other = list(initializers)
            other[k] = numpy_helper.from_array(plain, t.name)
            if self.attempt(rebuilt(self.model, nodes, inputs, outputs, other), self.sets):
                initializers, changed = other, True
        return changed

    def attributes(self):
        changed = False
        for k in range(len(self.model.graph.node)):
            for name in [a.name for a in self.model.graph.node[k].attribute]:
                nodes, inputs, outputs, initializers = self.parts()
                node = onnx.NodeProto()
                node.CopyFrom(nodes[k])
                rest = [a for a in node.attribute if a.name != name]
                del node.attribute[:]
                node.attribute.extend(rest)
                nodes[k] = node
                if self.attempt(rebuilt(self.model, nodes, inputs, outputs, initializers), self.sets):
                    changed = True
                    break
        return changed

    def dims(self):
        """Every axis of a size, in inputs and constants, cut to a smaller one."""
        changed = False
        sizes = {n for s in self.sets for a in s.values() for n in a.shape} | {d for t in self.model.graph.initializer for d in t.dims}
        for n in sorted(sizes, reverse=True):
            for less in (1, n // 2):
                if not 0 < less < n:
                    continue
                nodes, inputs, outputs, initializers = self.parts()

                def cut(a, n=n, less=less):
                    return a[tuple(slice(0, less) if d == n else slice(None) for d in a.shape)] if a.ndim else a

                tensors = []
                for t in initializers:
                    a = numpy_helper.to_array(t)
                    if a.dtype == np.int64 and a.ndim == 1 and a.size <= 8:
                        tensors.append(numpy_helper.from_array(np.where(a == n, less, a), t.name))
                    else:
                        tensors.append(numpy_helper.from_array(np.ascontiguousarray(cut(a)) if a.ndim else a, t.name))
                shapes = [(name, d, [less if x == n else x for x in s]) for name, d, s in inputs]
                sets = [{k: np.ascontiguousarray(cut(a)) if a.ndim else a for k, a in s.items()} for s in self.sets]
                if self.attempt(rebuilt(self.model, nodes, shapes, outputs, tensors), sets):
                    changed = True
                    break
        return changed

    def plans(self):
        """The plan's settings that don't matter."""
        for key, plain in (("threads", 1), ("budget", 0.0), ("verify", False), ("skip", []), ("stop", None), ("file", False), ("memory", False)):
            if self.plan[key] == plain:
                continue
            before = self.plan
            self.plan = {**before, key: plain}
            if not self.attempt(self.model, self.sets):
                self.plan = before
