"""Measures what dynamic shapes cost: planning a shape, new and seen before, and a dynamic engine's batches against engines built for each.

    python3 bench/shapes.py [--plan resnet50,mobilenet_v2,transformer] [--batches resnet50,mobilenet_v2] [--loops 1000] [--threads 2] [--budget 20]

Planning is the time from setting the input's shape until the outputs' shapes are asked for, the median over many shapes; a Python call's own time
(about a microsecond) is in it. Engines are run in turns, so that the machine's other work falls on all alike.
"""
import argparse
import pathlib
import statistics
import sys
import tempfile
import time

import numpy as np

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))
import ingot_library  # noqa: E402
import networks  # noqa: E402
from peers import in_turns  # noqa: E402


def planning(path, profile, shapes):
    """Microseconds to plan a shape never seen, and one seen before: medians. shapes: [{input: dims}, ..], all different."""
    engine = ingot_library.Engine(path, profile, threads=2, budget=0)
    new, seen = [], []
    engine.plan(shapes[0])
    for shape in shapes[1:]:
        start = time.perf_counter()
        engine.plan(shape)
        new.append((time.perf_counter() - start) * 1e6)
    for i in range(200):
        start = time.perf_counter()
        engine.plan(shapes[-1 - i % 4])
        seen.append((time.perf_counter() - start) * 1e6)
    return engine, statistics.median(new), statistics.median(seen)


def plan_bench(names, folder):
    """One line a network: layers, regions, planning times."""
    for name in names:
        if name == "transformer":
            path = networks.export_transformer(folder / "transformer.onnx")
            profile = {"ids": ((1, 1), (1, 128), (16, 512)), "mask": ((1, 1), (1, 128), (16, 512))}
            shapes = [{n: (b, s) for n in profile} for b in (1, 2, 3, 4) for s in range(16, 272, 8)]
        else:
            model, shape = networks.make(name)
            path = networks.export(model, shape, folder / f"{name}.onnx", free_size=True)
            profile = {"input": ((1, 3, 64, 64), (1, 3, 224, 224), (16, 3, 512, 512))}
            shapes = [{"input": (b, 3, h, h + 32)} for b in (1, 2, 3, 4) for h in range(64, 480, 16)]
        engine, new, seen = planning(path, profile, shapes)
        info = engine.inspect()
        print(f"plan    {name:14} {len(info['layers']):4} layers {info['regions']:3} regions   new {new:8.1f} us   seen {seen:6.2f} us",
              flush=True)


def batch_bench(names, folder, args):
    """One line a batch: milliseconds of the dynamic and of the static engine, medians, and how much the dynamic one is slower."""
    cache = str(folder / "times.cache")
    for name in names:
        model, shape = networks.make(name)
        path = networks.export(model, shape, folder / f"{name}.onnx")
        profile = {"input": ((1, *shape), (args.opt, *shape), (8, *shape))}
        dynamic = ingot_library.Engine(path, profile, threads=args.threads, budget=args.budget, timing_cache=cache)
        for batch in args.batch:
            x = np.random.default_rng(batch).standard_normal((batch, *shape), np.float32)
            static = ingot_library.Engine(path, {"input": (batch, *shape)}, threads=args.threads, budget=args.budget, timing_cache=cache)
            dynamic.set({"input": x})
            static.set({"input": x})
            times = in_turns({"dynamic": dynamic.run, "static": static.run}, args.rounds, args.slot)
            d, s = (times[k][len(times[k]) // 2] for k in ("dynamic", "static"))
            print(f"batch   {name:14} {batch}   dynamic {d:8.3f} ms   static {s:8.3f} ms   {100 * (d / s - 1):+5.1f} %", flush=True)


def loop(path, trips, branches):
    """A Loop over a small product, tanh, sum; or, with branches, over an If and a NonZero. x is (1, 16)."""
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    f, info, node = TensorProto.FLOAT, helper.make_tensor_value_info, helper.make_node
    constants = {"trips": np.array(trips), "go": np.array(True), "two": np.array(2), "tiny": np.float32(1e-3),
                 "w": (np.random.default_rng(0).standard_normal((16, 16)) * 0.05).astype(np.float32)}
    if branches:
        then = helper.make_graph([node("Neg", ["v"], ["a"])], "then", [], [info("a", f, None)])
        other = helper.make_graph([node("Tanh", ["v"], ["t"]), node("Add", ["t", "t"], ["b"])], "other", [], [info("b", f, None)])
        nodes = [node("Mod", ["i", "two"], ["p"]), node("Cast", ["p"], ["q"], to=TensorProto.BOOL),
                 node("If", ["q"], ["r"], then_branch=then, else_branch=other), node("NonZero", ["r"], ["nz"]), node("Shape", ["nz"], ["s"]),
                 node("Cast", ["s"], ["sf"], to=f), node("ReduceSum", ["sf"], ["n"], keepdims=0), node("Mul", ["n", "tiny"], ["m"]),
                 node("Add", ["r", "m"], ["u"])]
    else:
        nodes = [node("MatMul", ["v", "w"], ["m"]), node("Tanh", ["m"], ["t"]), node("Add", ["t", "v"], ["u"])]
    body = helper.make_graph([*nodes, node("Identity", ["c"], ["k"])], "body",
                             [info("i", TensorProto.INT64, []), info("c", TensorProto.BOOL, []), info("v", f, [1, 16])],
                             [info("k", TensorProto.BOOL, []), info("u", f, [1, 16])])
    graph = helper.make_graph([node("Loop", ["trips", "go", "x"], ["y"], body=body)], "g", [info("x", f, [1, 16])], [info("y", f, [1, 16])],
                              [numpy_helper.from_array(np.asarray(v), n) for n, v in constants.items()])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.save(model, str(path))


def loop_bench(trips, folder, args):
    """One line a loop: microseconds a trip in ONNX Runtime and in ingot."""
    import onnxruntime

    for branches in (False, True):
        path = folder / "loop.onnx"
        loop(path, trips, branches)
        x = np.random.default_rng(1).standard_normal((1, 16), np.float32)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = args.threads
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        engine = ingot_library.Engine(path, threads=args.threads, budget=1)
        engine.set({"x": x})
        times = in_turns({"ort": lambda: session.run(None, {"x": x}), "ingot": engine.run}, args.rounds, args.slot)
        assert np.allclose(engine.get()[0], session.run(None, {"x": x})[0], rtol=1e-4, atol=1e-5)
        ort, ingot = (times[k][len(times[k]) // 2] * 1e3 / trips for k in ("ort", "ingot"))
        what = "If, NonZero" if branches else "product, tanh, sum"
        print(f"loop    {what:20} {trips} trips   ONNX Runtime {ort:6.2f} us a trip   ingot {ingot:6.2f}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--plan", default="resnet50,mobilenet_v2,transformer")
    parser.add_argument("--batches", default="resnet50,mobilenet_v2")
    parser.add_argument("--loops", type=int, default=1000, help="trips; 0: none")
    parser.add_argument("--batch", type=lambda t: [int(b) for b in t.split(",")], default=list(range(1, 9)))
    parser.add_argument("--opt", type=int, default=4, help="the batch that the dynamic engine is tuned for")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--slot", type=float, default=0.4)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        if args.loops:
            loop_bench(args.loops, folder, args)
        plan_bench([n for n in args.plan.split(",") if n], folder)
        batch_bench([n for n in args.batches.split(",") if n], folder, args)


if __name__ == "__main__":
    main()
