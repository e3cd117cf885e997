"""The command on GPUs, which are the emulated one, or with INGOT_TEST_GPU=1 the real one: building, running, bench's phases and streams, the batch on several."""
import ctypes
import json
import os

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

pytestmark = pytest.mark.seconds(300)
W = np.arange(8, dtype=np.float32) / 4 - 1
STATS = {"min", "max", "mean", "median", "p90", "p95", "p99"}


@pytest.fixture(scope="module")
def gpus(build, ingot, tmp_path_factory):
    """Runs the command with so many GPUs, emulated ones or, where they are asked for, real ones as far as there are (gpus.most)."""
    driver, folder = build / "libcuda_emulated.so", tmp_path_factory.mktemp("cache")
    real = os.environ.get("INGOT_TEST_GPU") == "1"
    if not real and not driver.exists():
        pytest.skip("the emulated GPU isn't built here")

    def run(*args, count=1, **options):
        env = {"CUDA_VISIBLE_DEVICES": ",".join(visible[:count])} if real else {
            "INGOT_CUDA_DRIVER": str(driver), "INGOT_NVRTC": str(driver), "INGOT_CACHE": str(folder), "INGOT_EMULATED_DEVICES": str(count)}
        return ingot(*args, env={**os.environ, **env}, timeout=280, **options)

    visible = [name for name in os.environ.get("CUDA_VISIBLE_DEVICES", ",".join(map(str, range(real_gpus())))).split(",") if name] if real else []
    run.most = len(visible) if real else 3
    return run


def real_gpus():
    """How many the driver knows of."""
    driver, count = ctypes.CDLL("libcuda.so.1"), ctypes.c_int()
    return count.value if driver.cuInit(0) == 0 and driver.cuDeviceGetCount(ctypes.byref(count)) == 0 else 0


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """y = (x * w)T; a free batch."""
    value = helper.make_tensor_value_info
    graph = helper.make_graph([helper.make_node("Mul", ["x", "w"], ["m"]), helper.make_node("Transpose", ["m"], ["y"], perm=[1, 0])], "test",
                              [value("x", TensorProto.FLOAT, ("n", 8))], [value("y", TensorProto.FLOAT, (8, "n"))], [numpy_helper.from_array(W, "w")])
    path = tmp_path_factory.mktemp("model") / "net.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    return path


def bench(gpus, *args, **options):
    return json.loads(gpus("bench", *args, "--duration", "0", "--iterations", "5", "--warmUp", "0", "--json", **options).stdout)


def test_build_and_run(gpus, model, tmp_path):
    engine = tmp_path / "net.ingot"
    gpus("build", model, "-o", engine, "--device", "cuda", "--budget", "0")
    x = np.arange(40, dtype=np.float32).reshape(5, 8)
    np.save(tmp_path / "x.npy", x)
    gpus("run", engine, "--input", tmp_path / "x.npy", "--outputs", tmp_path / "out.npz")
    np.testing.assert_allclose(np.load(tmp_path / "out.npz")["y"], (x * W).T, rtol=1e-6)
    assert "cuda_" in gpus("inspect", engine).stdout


# Operator, attributes, shapes of its input, its weights and its output.
PRODUCTS = {"conv": ("Conv", {"pads": [1, 1, 1, 1]}, (3, 8, 12, 12), (16, 8, 3, 3), (3, 16, 12, 12)),
            "depthwise": ("Conv", {"pads": [1, 1, 1, 1], "group": 16}, (3, 16, 12, 12), (16, 1, 3, 3), (3, 16, 12, 12)),
            "points": ("Conv", {}, (1, 16, 12, 12), (32, 16, 1, 1), (1, 32, 12, 12)),
            "transposed": ("ConvTranspose", {"strides": [2, 2]}, (2, 32, 6, 6), (32, 8, 2, 2), (2, 8, 12, 12)),
            "matmul": ("MatMul", {}, (5, 7, 24), (24, 40), (5, 7, 40))}


@pytest.mark.parametrize("name", PRODUCTS)
def test_products_are_verified(gpus, tmp_path, name):
    """On a GPU, too, where their weights are packed alone. What comes later in a network is compared as far as time allows."""
    op, attributes, x, w, y = PRODUCTS[name]
    value, weights = helper.make_tensor_value_info, np.random.default_rng(1).standard_normal(w).astype(np.float32)
    graph = helper.make_graph([helper.make_node(op, ["x", "w"], ["y"], **attributes)], "test", [value("x", TensorProto.FLOAT, x)],
                              [value("y", TensorProto.FLOAT, y)], [numpy_helper.from_array(weights, "w")])
    path, report = tmp_path / "net.onnx", tmp_path / "report.json"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    for precision in ([], ["--noTF32"], ["--fp16"], ["--bf16"]):
        gpus("build", path, "-o", tmp_path / "net.ingot", "--device", "cuda", "--budget", "0", "--report", report, *precision)
        found = json.loads(report.read_text())["verification"]
        assert found["sampled"] == 1 and 0 < found["worst_relative_error"] < (1e-5 if "--noTF32" in precision else 1e-2), found


def test_bench_tells_the_phases(gpus, model, tmp_path):
    result = bench(gpus, model, "--shapes", "6x8", "--device", "cuda", "--exportTimes", tmp_path / "times.json")
    assert result["gpus"] == {"count": 1, "streams": 1, "transfers": True} and result["iterations"] == 5
    for key in ("latency_ms", "enqueue_ms", "h2d_ms", "compute_ms", "d2h_ms"):
        assert set(result[key]) == STATS and 0 <= result[key]["min"] <= result[key]["max"]
    runs = json.loads((tmp_path / "times.json").read_text())
    assert len(runs) == 5 and set(runs[0]) == {"startMs", "latencyMs", "enqMs", "h2dMs", "computeMs", "d2hMs"}
    text = gpus("bench", model, "--shapes", "6x8", "--device", "cuda", "--duration", "0", "--dumpProfile").stdout
    assert all(word in text for word in ("H2D ms", "compute ms", "D2H ms", "enqueue ms", "cuda_transfer", "cuda_move", "GFLOP/s", "GB/s", "precision", "roofline %", "(sum of layers)", "(a run)"))


def test_what_layers_add_up_to(gpus, tmp_path):
    """The profile's times are parts of a run: on a real GPU their sum is within 5% of a run without the profiler."""
    count, rng = (24, np.random.default_rng(1)) if os.environ.get("INGOT_TEST_GPU") == "1" else (3, np.random.default_rng(1))
    value, side = helper.make_tensor_value_info, 56 if count > 3 else 5
    nodes, weights = [], []
    for i in range(count):
        weights.append(numpy_helper.from_array((rng.standard_normal((64, 64, 3, 3)) / 24).astype(np.float32), f"w{i}"))
        nodes += [helper.make_node("Conv", [f"x{i}", f"w{i}"], [f"c{i}"], pads=[1, 1, 1, 1]), helper.make_node("Relu", [f"c{i}"], [f"x{i + 1}"])]
    shape = (1, 64, side, side)
    graph = helper.make_graph(nodes, "test", [value("x0", TensorProto.FLOAT, shape)], [value(f"x{count}", TensorProto.FLOAT, shape)], weights)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), tmp_path / "net.onnx")
    gpus("build", tmp_path / "net.onnx", "-o", tmp_path / "net.ingot", "--device", "cuda", "--fp16", "--budget", "5" if count > 3 else "0")
    bench(gpus, tmp_path / "net.ingot", "--noDataTransfers", "--exportProfile", tmp_path / "profile.json")
    found = json.loads((tmp_path / "profile.json").read_text())
    convolutions = [layer for layer in found["layers"] if layer["type"] == "Conv"]
    assert len(convolutions) == count and found["total_ms"] > 0
    for layer in convolutions:
        assert layer["precision"] == "float16" and layer["ms"] >= 0 and layer["roofline_ms"] > 0
        assert layer["flops"] == 2 * 64 * 64 * 9 * side * side
    assert found["sum_ms"] == pytest.approx(sum(layer["ms"] for layer in found["layers"]), rel=1e-6)
    if count > 3:
        assert found["sum_ms"] == pytest.approx(found["total_ms"], rel=0.05)


@pytest.mark.parametrize("options", [["--streams", "3"], ["--noDataTransfers"], ["--streams", "2", "--noDataTransfers"]])
def test_bench_with_runs_in_flight(gpus, model, options):
    result = bench(gpus, model, "--shapes", "6x8", "--device", "cuda", *options)
    assert result["gpus"] == {"count": 1, "streams": int(options[1]) if "--streams" in options else 1, "transfers": "--noDataTransfers" not in options}
    assert result["iterations"] == 5


def test_bench_on_all_gpus(gpus, model, tmp_path):
    several = min(gpus.most, 3)
    if several < 2:
        pytest.skip("needs several GPUs")
    assert bench(gpus, model, "--shapes", "6x8", "--device", "cuda:all", "--streams", "2", count=several)["gpus"]["count"] == several
    result = gpus("bench", model, "--shapes", "5x8", "--device", "cuda:all", count=2, check=False)
    assert result.returncode != 0 and "5 of the batch can't be shared out evenly among 2 GPUs" in result.stderr
    gpus("build", model, "-o", tmp_path / "net.ingot", "--device", "cuda:1", "--budget", "0", "--shapes", "6x8", count=2)
    result = gpus("bench", tmp_path / "net.ingot", "--device", "cuda:all", count=2, check=False)
    assert result.returncode != 0 and "the network's batch is fixed" in result.stderr
    assert bench(gpus, tmp_path / "net.ingot", count=2)["gpus"]["count"] == 1
    result = gpus("bench", tmp_path / "net.ingot", count=1, check=False)
    assert result.returncode != 0 and "there is no GPU 1" in result.stderr


def test_pools(ingot, model, tmp_path):
    for size in ("workspace:64", "workspace:0.5", "workspace:1G", "workspace:100K"):
        ingot("build", model, "-o", tmp_path / "net.ingot", "--budget", "0", "--memPoolSize", size)
    for size in ("64", "workspace:", "workspace:-1", "workspace:1X", "dlaSRAM:1"):
        result = ingot("build", model, "-o", tmp_path / "net.ingot", "--memPoolSize", size, check=False)
        assert result.returncode != 0 and "--memPoolSize wants workspace:N" in result.stderr


def test_fp16_error(ingot, model, tmp_path):
    for text in ("0.01", "0", "1e-3"):
        ingot("build", model, "-o", tmp_path / "net.ingot", "--budget", "0", "--fp16", "--fp16Error", text)
    for text in ("-1", "nan", "0.01x", "much"):
        result = ingot("build", model, "-o", tmp_path / "net.ingot", "--fp16Error=" + text, check=False)
        assert result.returncode != 0 and "--fp16Error wants a number that isn't negative" in result.stderr


def test_tactic_sources(ingot, model, tmp_path):
    for text in ("-CUBLAS_LT", "-CUBLAS_LT,-CUDNN", "+CUDNN,-cublas_lt"):
        ingot("build", model, "-o", tmp_path / "net.ingot", "--budget", "0", "--tacticSources=" + text)
    for text in ("CUBLAS_LT", "-CUBLAS", ",", "-CUBLAS_LT,", "*CUDNN"):
        result = ingot("build", model, "-o", tmp_path / "net.ingot", "--tacticSources=" + text, check=False)
        assert result.returncode != 0 and "--tacticSources wants -NAME or +NAME" in result.stderr


@pytest.mark.parametrize("library", ["there", "none"])
def test_products_by_cublaslt(gpus, build, library, tmp_path, monkeypatch):
    """A candidate where it is found and wanted: the report says so. On a real GPU, NVIDIA's own where it is found."""
    real = os.environ.get("INGOT_TEST_GPU") == "1"
    if library == "none" or not real:
        monkeypatch.setenv("INGOT_CUBLASLT", str(build / "libcuda_emulated.so") if library == "there" else "none")
    value, path = helper.make_tensor_value_info, tmp_path / "product.onnx"
    w = np.arange(16 * 24, dtype=np.float32).reshape(16, 24) / 100
    graph = helper.make_graph([helper.make_node("MatMul", ["x", "w"], ["y"])], "test", [value("x", TensorProto.FLOAT, (5, 16))],
                              [value("y", TensorProto.FLOAT, (5, 24))], [numpy_helper.from_array(w, "w")])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 21)], ir_version=10), path)
    for options, wanted in (([], library == "there"), (["--tacticSources=-CUBLAS_LT"], False)):
        gpus("build", path, "-o", tmp_path / "net.ingot", "--device", "cuda", "--budget", "0.001", "--noTF32", "--report", tmp_path / "report.json", *options)
        layers = json.loads((tmp_path / "report.json").read_text())["layers"]
        kernels = {c["kernel"] for layer in layers for c in layer["candidates"]}
        if real and wanted and "cuda_cublaslt_matmul_f32" not in kernels:
            pytest.skip("cuBLASLt isn't here")
        assert ("cuda_cublaslt_matmul_f32" in kernels) == wanted and "cuda_matmul_f32_64x64" in kernels


def test_what_the_cpu_has_not(ingot, model):
    for option in (["--streams", "2"], ["--noDataTransfers"]):
        result = ingot("bench", model, "--shapes", "6x8", *option, check=False)
        assert result.returncode != 0 and "for engines on a GPU" in result.stderr


@pytest.mark.parametrize("missing, words", [("driver", "no NVIDIA driver"), ("compiler", "NVRTC is missing"), ("gpu", "no usable GPU")])
def test_what_is_missing_is_said(ingot, build, model, tmp_path, missing, words):
    """A build without driver, NVRTC or GPU ends with an error that names it, and leaves no file."""
    driver = build / "libcuda_emulated.so"
    if missing != "driver" and not driver.exists():
        pytest.skip("the emulated GPU isn't built here")
    nowhere = str(tmp_path / "lib.so")
    env = {**os.environ, "INGOT_CUDA_DRIVER": nowhere if missing == "driver" else str(driver), "INGOT_CACHE": str(tmp_path),
           "INGOT_NVRTC": nowhere if missing == "compiler" else str(driver), "INGOT_EMULATED_ARCH": "0" if missing == "gpu" else "90"}
    result = ingot("build", model, "-o", tmp_path / "net.ingot", "--device", "cuda", "--shapes", "6x8", env=env, check=False)
    assert result.returncode == 13 and words in result.stderr, result.stderr
    assert not (tmp_path / "net.ingot").exists()
    assert ingot("build", model, "-o", tmp_path / "net.ingot", "--budget", "0", env=env).returncode == 0
