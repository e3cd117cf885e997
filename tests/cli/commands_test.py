"""The command's words: help, options, exit statuses, build, bench, inspect, compare, classes."""
import json
import pathlib
import re
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cli_models  # noqa: E402

COMMANDS = ["build", "run", "bench", "inspect", "compare"]


@pytest.fixture(scope="module")
def net(tmp_path_factory):
    return cli_models.convolutions(tmp_path_factory.mktemp("net") / "net.onnx")


@pytest.fixture(scope="module")
def engine(ingot, net):
    path = net.with_name("net.ingot")
    ingot("build", net, "-o", path, "--budget", 0, "--maxShapes", "image:4x3x32x32", "--optShapes", "image:2x3x32x32", "--minShapes",
          "image:1x3x32x32")
    return path


@pytest.fixture(scope="module")
def truth(net):
    """Inputs and the onnx package's outputs."""
    from onnx.reference import ReferenceEvaluator

    x = np.random.default_rng(6).standard_normal((2, 3, 32, 32)).astype("f4")
    y = ReferenceEvaluator(str(net)).run(None, {"image": x})[0]
    np.savez(net.with_name("in.npz"), image=x)
    np.savez(net.with_name("golden.npz"), scores=y)
    return x, y


def fails(result, status, *words):
    assert result.returncode == status, (result.returncode, result.stdout, result.stderr)
    assert result.stderr.count("ingot: error: ") == 1
    for word in words:
        assert word in result.stderr, result.stderr


# ---- Words


def test_help_and_version(ingot):
    text = ingot("--help").stdout
    for command in COMMANDS:
        assert f"  {command} " in text
        page = ingot(command, "--help").stdout
        assert page.startswith(f"usage: ingot {command} ")
        assert "Examples" in page and "--help" in page
        assert max(map(len, page.splitlines())) <= 100
        assert ingot("help", command).stdout == page
    for option in ("shapes", "minShapes", "optShapes", "maxShapes", "timingCacheFile", "budget", "threads", "report"):
        assert f"--{option} " in ingot("build", "--help").stdout
    for option in ("warmUp", "duration", "iterations", "dumpProfile", "exportProfile", "exportTimes"):
        assert f"--{option}" in ingot("bench", "--help").stdout
    assert re.fullmatch(r"ingot \d+\.\d+\.\d+\n", ingot("--version").stdout)
    assert "Exit status" in text


@pytest.mark.parametrize("args, words", [
    ([], ["which command"]),
    (["bild"], ["did you mean 'build'"]),
    (["xyzzy"], ["unknown command 'xyzzy'"]),
    (["build"], ["which model"]),
    (["build", "n.onnx"], ["-o"]),
    (["build", "n.onnx", "-o"], ["-o wants a value"]),
    (["build", "n.onnx", "m.onnx"], ["one word too many"]),
    (["build", "n.onnx", "-o", "x", "--tread", "3"], ["--tread", "did you mean --threads"]),
    (["build", "n.onnx", "-o", "x", "--minshapes=x:1"], ["did you mean --minShapes"]),
    (["build", "n.onnx", "-o", "x", "--qqqqqqqqq"], ["unknown option --qqqqqqqqq"]),
    (["build", "n.onnx", "-o", "x", "-z"], ["unknown option -z"]),
    (["bench", "n.onnx", "--json=yes"], ["takes no value"]),
    (["bench", "n.onnx", "--threads", "two"], ["--threads wants a whole number", "'two'"]),
    (["bench", "n.onnx", "--threads=-1"], ["--threads"]),
    (["bench", "n.onnx", "--duration=nan"], ["--duration wants a number"]),
    (["bench", "n.onnx", "--duration", "1e999"], ["--duration"]),
    (["run", "n.onnx", "--inputs="], ["--inputs: an empty value"]),
])
def test_wrong_words(ingot, args, words):
    fails(ingot(*args, check=False), 2, *words)


# ---- build


def test_build_writes_an_engine_and_a_report(ingot, net, tmp_path):
    out = ingot("build", net, "-o", tmp_path / "n.ingot", "--shapes=3x3x32x32", "--budget=0.2", "--threads", 1, "--report", tmp_path / "r.json",
                "--timingCacheFile", tmp_path / "cache").stdout
    assert "layers" in out and "n.ingot" in out
    report = json.loads((tmp_path / "r.json").read_text())
    assert report["threads"] == 1
    assert all(any(c["chosen"] for c in layer["candidates"]) for layer in report["layers"] if layer.get("kernel") and layer["type"] != "Reformat")
    assert (tmp_path / "n.ingot").stat().st_size > 1000
    assert sorted(p.name for p in tmp_path.iterdir()) == ["cache", "n.ingot", "r.json"]
    assert ingot("build", net, "-o", tmp_path / "n.ingot", "--budget=0", "-q").stdout == ""
    assert json.loads(ingot("build", net, "-o", tmp_path / "n.ingot", "--budget=0", "--report=-").stdout)["layers"]


@pytest.mark.parametrize("options, status, words", [
    (["--shapes", "image:1x3x32x32", "--optShapes", "image:1x3x32x32"], 2, ["--shapes fixes"]),
    (["--shapes", "picture:1x3x32x32"], 2, ["no input 'picture'", "image (float32 ?x3x32x32)"]),
    (["--shapes", "image:1x3x32"], 7, ["1x3x32", "?x3x32x32"]),
    (["--shapes", "image:1x3x32xa"], 2, ["isn't a shape"]),
    (["--shapes", "image:1x3x32x32,image:1x3x32x32"], 2, ["twice"]),
    (["--minShapes", "image:4x3x32x32", "--optShapes", "image:2x3x32x32"], 2, ["min <= opt <= max"]),
    (["--threads", "1000"], 2, ["256"]),
    (["--skip", "no_such_pass"], 2, ["no_such_pass"]),
    (["--stop-after", "no_such_pass"], 2, ["no_such_pass"]),
])
def test_build_refuses(ingot, net, tmp_path, options, status, words):
    fails(ingot("build", net, "-o", tmp_path / "n.ingot", "--budget", 0, *options, check=False), status, *words)
    assert list(tmp_path.iterdir()) == []


def test_build_verifies_chains_with_slopes_inside(ingot, tmp_path):
    """Chains are verified on elements here and there: constants of one element inside them have the rank that they have."""
    f = onnx.TensorProto.FLOAT
    nodes = [onnx.helper.make_node("PRelu", ["x", "slope"], ["p"]), onnx.helper.make_node("Add", ["p", "z"], ["y"])]
    values = [onnx.helper.make_tensor_value_info(n, f, [1, 16, 5, 33]) for n in "xzy"]
    slope = onnx.numpy_helper.from_array(np.full((1, 1, 1), 0.25, np.float32), "slope")
    path = cli_models.save(tmp_path / "n.onnx", nodes, values[:2], values[2:], [slope])
    built = ingot("build", path, "-o", tmp_path / "n.ingot", "--budget", 0.1)
    assert "verified" not in built.stdout + built.stderr


def test_build_on_a_full_disk(ingot, net, tmp_path):
    import resource

    (tmp_path / "n.ingot").write_bytes(b"before")
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))
    fails(ingot("build", net, "-o", tmp_path / "n.ingot", "--budget", 0, check=False, preexec_fn=limit), 3, "n.ingot")
    assert (tmp_path / "n.ingot").read_bytes() == b"before"
    assert len(list(tmp_path.iterdir())) == 1


def test_ctrl_c_leaves_nothing(build, root, tmp_path):
    """Early it ends the process, later the build is cancelled; in neither case is there a file."""
    import signal
    import subprocess
    import time

    net = root / "models" / "unet_cells" / "unet_cells.onnx"
    for delay in (0.2, 0.7):
        process = subprocess.Popen([build / "ingot", "build", net, "-o", tmp_path / "n.ingot", "--budget", "20"], stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True)
        time.sleep(delay)
        process.send_signal(signal.SIGINT)
        _, text = process.communicate(timeout=60)
        assert process.returncode in (10, -signal.SIGINT), (process.returncode, text)
        if process.returncode == 10:
            assert "cancelled" in text
        assert list(tmp_path.iterdir()) == []


def test_what_is_no_model(ingot, engine, tmp_path):
    (tmp_path / "text.onnx").write_text("this is no network")
    fails(ingot("run", tmp_path / "text.onnx", check=False), 4, "text.onnx")
    (tmp_path / "empty.onnx").write_text("")
    assert ingot("run", tmp_path / "empty.onnx", check=False).returncode in (4, 6)
    (tmp_path / "short.ingot").write_bytes(engine.read_bytes()[:1000])
    fails(ingot("inspect", tmp_path / "short.ingot", check=False), 4, "short.ingot")
    fails(ingot("build", engine, "-o", tmp_path / "x.ingot", check=False), 2, "an engine already")


# ---- run


def test_engine_and_network_agree(ingot, net, engine, truth, tmp_path):
    for model in (net, engine):
        ingot("run", model, "--inputs", net.with_name("in.npz"), "--outputs", tmp_path / "o.npz")
        got = np.load(tmp_path / "o.npz")["scores"]
        assert np.abs(got - truth[1]).max() <= 1e-3 * np.ptp(truth[1])


def test_outputs_are_described(ingot, net, truth):
    line = ingot("run", net, "--inputs", net.with_name("in.npz")).stdout.splitlines()[1].split()
    assert line[:3] == ["scores", "float32", "2x10"]
    np.testing.assert_allclose([float(x) for x in line[3:]], [truth[1].min(), truth[1].max(), truth[1].mean()], rtol=1e-3, atol=1e-5)


def test_engine_refuses_other_shapes(ingot, engine, tmp_path):
    np.savez(tmp_path / "big.npz", image=np.zeros((5, 3, 32, 32), "f4"))
    fails(ingot("run", engine, "--inputs", tmp_path / "big.npz", check=False), 7, "5x3x32x32", "1x3x32x32 to 4x3x32x32")


@pytest.mark.parametrize("numbered", [False, True])
def test_classes(ingot, net, truth, tmp_path, numbered):
    names = [f"thing {i}" for i in range(10)]
    (tmp_path / "labels.txt").write_text("".join(f"{i},{n}\n" if numbered else n + "\n" for i, n in enumerate(names)))
    out = ingot("run", net, "--inputs", net.with_name("in.npz"), "--top", 3, "--labels", tmp_path / "labels.txt").stdout
    rows = re.findall(r"^ *(\d+)  ([\d.]+)  (.*)$", out, re.M)
    assert len(rows) == 6
    for n in range(2):
        p = np.exp(truth[1][n] - truth[1][n].max())
        p /= p.sum()
        best = np.argsort(-p)[:3]
        assert [int(r[0]) for r in rows[3 * n : 3 * n + 3]] == list(best)
        np.testing.assert_allclose([float(r[1]) for r in rows[3 * n : 3 * n + 3]], p[best], atol=1e-4)
        assert [r[2] for r in rows[3 * n : 3 * n + 3]] == [names[i] for i in best]


def test_probabilities_stay_as_they_are(ingot, tmp_path):
    one = cli_models.identity(tmp_path / "n.onnx", "float32", [1, 4])
    np.save(tmp_path / "p.npy", np.float32([[0.1, 0.2, 0.65, 0.05]]))
    out = ingot("run", one, "--input", tmp_path / "p.npy", "--top", 2).stdout
    assert out == "     2  0.650000\n     1  0.200000\n"


# ---- bench


def test_bench_json_and_files(ingot, engine, tmp_path):
    result = ingot("bench", engine, "--json", "--dumpProfile", "--duration", 0, "--iterations", 30, "--warmUp", 1, "--threads", 1, "--exportTimes",
                   tmp_path / "t.json", "--exportProfile", tmp_path / "p.json")
    bench = json.loads(result.stdout)
    times = [t["latencyMs"] for t in json.loads((tmp_path / "t.json").read_text())]
    assert bench["iterations"] == len(times) == 30
    latency = bench["latency_ms"]
    expected = dict(min=min(times), max=max(times), mean=np.mean(times), median=np.median(times),
                    **{f"p{p}": np.percentile(times, p) for p in (90, 95, 99)})
    assert set(latency) == set(expected)
    for key, value in expected.items():
        assert latency[key] == pytest.approx(value, rel=1e-6), key
    assert bench["shapes"] == "image:2x3x32x32" and bench["threads"] == 1
    assert bench["throughput_qps"] == pytest.approx(30e3 / bench["wall_ms"], rel=1e-6)
    assert bench["items_per_second"] == pytest.approx(2 * bench["throughput_qps"], rel=1e-6)
    assert {"weights", "activations", "workspace", "process"} == set(bench["memory_bytes"])
    assert bench["memory_bytes"]["weights"] >= 4 * (16 * 27 + 32 * 16 * 9)
    profile = json.loads((tmp_path / "p.json").read_text())
    assert profile["layers"] and profile["sum_ms"] == pytest.approx(sum(l["ms"] for l in profile["layers"]), rel=1e-6)
    assert profile["sum_ms"] + profile["gaps_ms"] == pytest.approx(profile["total_ms"], rel=1e-6)
    assert 0 <= profile["gaps_ms"] < profile["total_ms"]


def test_bench_table_adds_up(ingot, net):
    out = ingot("bench", net, "--dumpProfile", "--duration", 0.1, "--iterations", 3, "--shapes", "image:3x3x32x32").stdout
    assert "throughput" in out and "median" in out and "image:3x3x32x32" in out
    rows = out[out.index("By layer") :].splitlines()[2:]
    ms = {row.split("  ")[0].strip(): float(re.findall(r"(-?\d+\.\d{4})\b", row)[0]) for row in rows}
    layers = [float(re.findall(r"(-?\d+\.\d{4})\b", row)[0]) for row in rows if not row.startswith("(")]
    assert ms["(sum of layers)"] == pytest.approx(sum(layers), abs=1e-4 * (len(layers) + 1))
    assert ms["(sum of layers)"] + ms["(gaps)"] == pytest.approx(ms["(total)"], abs=2e-4)


def test_bench_says_what_was_not_timed(ingot, net, engine):
    """A file that is compiled on the fly runs by the cost model's choice, unless --budget says otherwise: such figures are marked."""
    words = "by the cost model alone"
    assert words in ingot("bench", net, "--iterations", "2", "--duration", "0").stdout
    assert words not in ingot("bench", net, "--iterations", "2", "--duration", "0", "--budget", "0.1").stdout
    assert words not in ingot("bench", engine, "--iterations", "2", "--duration", "0").stdout


def test_bench_refuses(ingot, net, engine):
    fails(ingot("bench", net, "--duration", 0, "--iterations", 0, check=False), 2, "nothing to measure")
    fails(ingot("bench", engine, "--shapes", "image:9x3x32x32", check=False), 7, "9x3x32x32")


# ---- inspect


def test_inspect(ingot, net, engine):
    described = json.loads(ingot("inspect", engine, "--json").stdout)
    assert [t["name"] for t in described["inputs"]] == ["image"] and [t["name"] for t in described["outputs"]] == ["scores"]
    nodes = {name for layer in described["layers"] for name in layer["nodes"]}
    assert {"conv_1", "relu_1", "conv_2", "relu_2", "dense"} <= nodes
    text = ingot("inspect", engine).stdout
    for word in ("image", "scores", "4x3x32x32", "conv_1", "MFLOP", "layers"):
        assert word in text
    assert json.loads(ingot("inspect", net, "--json", "--shapes", "2x3x32x32").stdout)["layers"]


# ---- compare


def test_compare_npz(ingot, net, engine, truth, tmp_path):
    for model in (net, engine):
        assert "same" in ingot("compare", model, "--inputs", net.with_name("in.npz"), "--golden", net.with_name("golden.npz")).stdout
    off = truth[1].copy()
    off[1, 3] += 2e-3 * np.ptp(off)
    np.savez(tmp_path / "off.npz", scores=off)
    options = ["compare", engine, "--inputs", net.with_name("in.npz"), "--golden", tmp_path / "off.npz"]
    result = ingot(*options, check=False)
    assert result.returncode == 1 and "DIFFERENT: 1 of 20, most at 13" in result.stdout and result.stderr == ""
    assert ingot(*options, "--atol", 1, check=False).returncode == 0
    assert ingot(*options, "--rtol", 1e-12, check=False).returncode == 1
    np.savez(tmp_path / "shape.npz", scores=off[:1])
    assert ingot(*options[:-1], tmp_path / "shape.npz", check=False).returncode == 1
    np.savez(tmp_path / "name.npz", scores=off, other=off)
    fails(ingot(*options[:-1], tmp_path / "name.npz", check=False), 2, "'other'", "scores")
    np.savez(tmp_path / "order.npz", arr_0=truth[1])
    assert "in order" in ingot(*options[:-1], tmp_path / "order.npz").stderr
    nan = truth[1].copy()
    nan[0, 0] = np.nan
    np.savez(tmp_path / "nan.npz", scores=nan)
    assert ingot(*options[:-1], tmp_path / "nan.npz", check=False).returncode == 1


def test_compare_data_sets(ingot, net, truth, tmp_path):
    for i in range(2):
        folder = tmp_path / f"test_data_set_{i}"
        folder.mkdir()
        (folder / "input_0.pb").write_bytes(onnx.numpy_helper.from_array(truth[0][: i + 1], "any").SerializeToString())
        (folder / "output_0.pb").write_bytes(onnx.numpy_helper.from_array(truth[1][: i + 1], "any").SerializeToString())
    assert ingot("compare", net, "--data", tmp_path).stdout.count("same") == 2
    assert ingot("compare", net, "--data", tmp_path / "test_data_set_1").stdout.count("same") == 1
    (tmp_path / "test_data_set_1" / "output_0.pb").write_bytes(onnx.numpy_helper.from_array(truth[1] + 1, "any").SerializeToString())
    assert ingot("compare", net, "--data", tmp_path, check=False).returncode == 1
    (tmp_path / "test_data_set_1" / "output_0.pb").unlink()
    fails(ingot("compare", net, "--data", tmp_path, check=False), 3, "output_0.pb")
    (tmp_path / "test_data_set_0" / "input_0.pb").unlink()
    fails(ingot("compare", net, "--data", tmp_path, check=False), 2, "missing input")
    fails(ingot("compare", net, "--data", tmp_path / "nowhere", check=False), 3, "nowhere")


def test_compare_with_the_reference(ingot, net, engine):
    out = ingot("compare", net, "--layers", "--verbose").stdout
    assert re.search(r"layers: \d+ tensors compared with the reference, 0 differ", out)
    assert "scores" in out and "same" in out
    out = ingot("compare", net, "--layers", "--rtol", 0, "--atol", 1e-30, check=False)
    assert out.returncode in (0, 1)
    fails(ingot("compare", engine, check=False), 2, "--network")
    assert "0 differ" in ingot("compare", engine, "--network", net, "--layers").stdout


def test_ctrl_c_stops_a_loop_without_end(build, ingot, tmp_path):
    """The run is cancelled within its loop, and what it was to write isn't there."""
    import signal
    import subprocess
    import time

    net = cli_models.endless(tmp_path / "net.onnx")
    ingot("build", net, "-o", tmp_path / "n.ingot", "--budget", 0, "--noVerify")
    np.savez(tmp_path / "in.npz", x=np.ones(4, np.float32))
    process = subprocess.Popen([build / "ingot", "run", tmp_path / "n.ingot", "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    time.sleep(0.5)
    assert process.poll() is None
    process.send_signal(signal.SIGINT)
    _, text = process.communicate(timeout=20)
    assert process.returncode == 10 and "cancelled" in text, (process.returncode, text)
    assert not (tmp_path / "out.npz").exists()


def test_memory_limit(ingot, net, tmp_path):
    """A network that needs more fails with a message; without the option the machine's memory is the bound."""
    x = cli_models.outer(tmp_path / "outer.onnx")
    np.savez(tmp_path / "in.npz", x=np.ones(20000, np.float32))  # its outer product takes 1.6 GB
    result = ingot("run", x, "--inputs", tmp_path / "in.npz", "--noVerify", "--memoryLimit", "200M", check=False)
    fails(result, 12, "memory", "--memoryLimit is 200.0 MB")
    ingot("build", net, "-o", tmp_path / "n.ingot", "--budget", 0, "--memoryLimit", "1.5G")
    for text in ("0", "4X", "-1G", "G", "1e30G"):
        fails(ingot("inspect", tmp_path / "n.ingot", "--memoryLimit", text, check=False), 2, "--memoryLimit")
    np.savez(tmp_path / "in.npz", x=np.ones(3000000, np.float32))  # 36 TB: more than any machine here has
    fails(ingot("run", x, "--inputs", tmp_path / "in.npz", "--noVerify", check=False), 12, "memory")


def test_several_profiles(ingot, net, tmp_path):
    """Each further set of shapes is a profile of the same engine; inspect shows them, runs take what any has."""
    path = tmp_path / "n.ingot"
    one = ["--minShapes", "1x3x32x32", "--optShapes", "2x3x32x32", "--maxShapes", "4x3x32x32"]
    two = ["--minShapes", "16x3x32x32", "--optShapes", "16x3x32x32", "--maxShapes", "32x3x32x32"]
    ingot("build", net, "-o", path, "--budget", 0, "--profile=0", *one, "--profile=1", *two)
    profiles = json.loads(ingot("inspect", path, "--json").stdout)["profiles"]
    assert [p["image"]["opt"][0] for p in profiles] == [2, 16] and [p["image"]["max"][0] for p in profiles] == [4, 32]
    for n, good in ((1, True), (4, True), (8, False), (16, True), (32, True), (33, False)):
        np.savez(tmp_path / "in.npz", image=np.zeros((n, 3, 32, 32), np.float32))
        result = ingot("run", path, "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz", check=False)
        if good:
            assert result.returncode == 0 and np.load(tmp_path / "out.npz")["scores"].shape == (n, 10), result.stderr
        else:
            fails(result, 7, "profile")
    fails(ingot("build", net, "-o", path, "--budget", 0, *one, *two[:4], check=False), 2, "1 of one, 2 of another")
    fails(ingot("build", net, "-o", path, "--budget", 0, "--profile=1", *one, "--profile=0", *two, check=False), 2, "--profile 1")


def test_values_that_are_no_arrays(ingot, tmp_path):
    """Sequences and strings: built and described, but no array file has them."""
    from onnx import TensorProto, helper

    sequence = helper.make_sequence_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, None))
    graph = helper.make_graph([helper.make_node("SequenceLength", ["x"], ["y"])], "g", [helper.make_value_info("x", sequence)],
                              [helper.make_tensor_value_info("y", TensorProto.INT64, [])])
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10), tmp_path / "net.onnx")
    engine = tmp_path / "net.ingot"
    assert "x (sequence of float32)" in ingot("build", tmp_path / "net.onnx", "-o", engine).stdout
    assert "sequence of float32" in ingot("inspect", engine).stdout
    np.savez(tmp_path / "in.npz", x=np.zeros(3, "f4"))
    for command in (["run", engine, "--inputs", tmp_path / "in.npz"], ["bench", engine], ["compare", engine, "--network", tmp_path / "net.onnx"]):
        result = ingot(*command, check=False)
        assert result.returncode != 0 and "input 'x' holds a sequence of float32" in result.stderr
