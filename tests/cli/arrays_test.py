"""Arrays in and out of `ingot run`: .npy and .npz of every type, order and byte order, ONNX tensors, damaged and hostile files."""
import io
import pathlib
import sys
import zipfile

import numpy as np
import pytest

onnx = pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cli_models  # noqa: E402

TYPES = ["float32", "float64", "float16", "int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64", "bool"]
IO, FORMAT, UNSUPPORTED, SHAPE, TYPE, LIMIT = 3, 4, 5, 7, 8, 9


def values(dtype, shape, seed=1):
    r = np.random.default_rng(seed)
    if dtype == "bool":
        return r.integers(0, 2, shape).astype(bool)
    if np.dtype(dtype).kind == "f":
        return r.standard_normal(shape).astype(dtype)
    info = np.iinfo(dtype)
    return r.integers(info.min, info.max, shape, dtype=dtype, endpoint=True)


def one_line(result, status, *words):
    """A failed run: the exit status, and one error that has these words."""
    assert result.returncode == status, result.stderr
    errors = [line for line in result.stderr.splitlines() if line.startswith("ingot: error: ")]
    assert len(errors) == 1, result.stderr
    for word in words:
        assert word in result.stderr
    return errors[0]


@pytest.mark.parametrize("dtype", TYPES)
def test_npz_there_and_back(ingot, tmp_path, dtype):
    x = values(dtype, (3, 5, 2))
    net = cli_models.identity(tmp_path / "n.onnx", dtype, [3, 5, 2])
    np.savez(tmp_path / "in.npz", x=x)
    ingot("run", net, "--inputs", tmp_path / "in.npz", "--outputs", tmp_path / "out.npz")
    with np.load(tmp_path / "out.npz") as out:
        assert list(out) == ["y"]
        assert out["y"].dtype == x.dtype
        np.testing.assert_array_equal(out["y"], x)


@pytest.mark.parametrize("how", ["fortran", "big", "version2", "version3", "compressed", "python2"])
def test_npy_kinds(ingot, tmp_path, how):
    x = values("float32", (4, 3, 5))
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [4, 3, 5])
    file = tmp_path / "x.npy"
    option = ["--input", f"x={file}"]
    if how == "fortran":
        np.save(file, np.asfortranarray(x))
    elif how == "big":
        np.save(file, x.astype(">f4"))
    elif how.startswith("version"):
        with open(file, "wb") as f:
            np.lib.format.write_array(f, x, version=(int(how[-1]), 0))
    elif how == "python2":
        head = b"{'shape': (4L, 3L, 5L), 'descr': '<f4', 'fortran_order': False}"
        file.write_bytes(b"\x93NUMPY\x01\x00" + len(head).to_bytes(2, "little") + head + x.tobytes())
    else:
        np.savez_compressed(tmp_path / "x.npz", x=x)
        option = ["--inputs", tmp_path / "x.npz"]
    ingot("run", net, *option, "--outputs", tmp_path / "out.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "out.npz")["y"], x)


@pytest.mark.parametrize("shape", [(), (0,), (1,), (7,), (2, 1, 3)])
def test_shapes(ingot, tmp_path, shape):
    x = values("float32", shape)
    net = cli_models.identity(tmp_path / "n.onnx", "float32", list(shape))
    np.save(tmp_path / "x.npy", x)
    result = ingot("run", net, "--input", tmp_path / "x.npy", "--outputs", tmp_path / "o.npz", check=shape != (0,))
    if result.returncode == 0:
        out = np.load(tmp_path / "o.npz")["y"]
        assert out.shape == shape
        np.testing.assert_array_equal(out, x)
    else:
        one_line(result, SHAPE)


@pytest.mark.parametrize("raw", [True, False])
@pytest.mark.parametrize("dtype", TYPES)
def test_onnx_tensors(ingot, tmp_path, dtype, raw):
    x = values(dtype, (2, 3))
    net = cli_models.identity(tmp_path / "n.onnx", dtype, [2, 3])
    kind = onnx.helper.np_dtype_to_tensor_dtype(x.dtype)
    tensor = onnx.helper.make_tensor("anything", kind, x.shape, x.tobytes() if raw else x.flatten().tolist(), raw=raw)
    (tmp_path / "x.pb").write_bytes(tensor.SerializeToString())
    ingot("run", net, "--input", tmp_path / "x.pb", "--outputs", tmp_path / "o.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"], x)


def test_conversions(ingot, tmp_path):
    net = cli_models.identity(tmp_path / "f.onnx", "float32", [3])
    np.save(tmp_path / "d.npy", np.array([1.5, -2, 1e-3]))
    result = ingot("run", net, "--input", tmp_path / "d.npy", "--outputs", tmp_path / "o.npz")
    assert "converted from float64 to float32" in result.stderr
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"], np.array([1.5, -2, 1e-3], "f4"))
    assert ingot("run", net, "--input", tmp_path / "d.npy", "--outputs", tmp_path / "o.npz", "--quiet").stderr == ""
    np.save(tmp_path / "i.npy", np.array([1, 2, 3]))
    one_line(ingot("run", net, "--input", tmp_path / "i.npy", check=False), TYPE, "'x'", "int64", "float32")
    small = cli_models.identity(tmp_path / "i.onnx", "int32", [3])
    ingot("run", small, "--input", tmp_path / "i.npy", "--outputs", tmp_path / "o.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"], np.array([1, 2, 3], "i4"))
    np.save(tmp_path / "i.npy", np.array([1, 2, 2**31]))
    one_line(ingot("run", small, "--input", tmp_path / "i.npy", check=False), TYPE, "2147483648")


def test_half_values(ingot, tmp_path):
    """Every float16 becomes the float32 that NumPy makes of it, and back."""
    half = np.arange(65536, dtype="u2").view("f2")
    wide = cli_models.identity(tmp_path / "w.onnx", "float32", [65536])
    np.save(tmp_path / "h.npy", half)
    ingot("run", wide, "--input", tmp_path / "h.npy", "--outputs", tmp_path / "o.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"], half.astype("f4"))
    r = np.random.default_rng(2)
    x = (r.standard_normal(65536) * 10.0 ** r.integers(-9, 6, 65536)).astype("f4")
    x[:8] = [0, -0.0, np.inf, -np.inf, 65519, 65520, 2**-24, 2**-25]
    np.save(tmp_path / "f.npy", x)
    narrow = cli_models.identity(tmp_path / "n.onnx", "float16", [65536])
    ingot("run", narrow, "--input", tmp_path / "f.npy", "--outputs", tmp_path / "o.npz")
    with np.errstate(over="ignore"):
        np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"].view("u2"), x.astype("f2").view("u2"))


def test_names(ingot, tmp_path):
    net = cli_models.add(tmp_path / "n.onnx")
    a, b = values("float32", (2, 4)), values("float32", (2, 4), 5)
    np.savez(tmp_path / "ab.npz", a=a, b=b)
    ingot("run", net, "--inputs", tmp_path / "ab.npz", "--outputs", tmp_path / "o.npz")
    out = np.load(tmp_path / "o.npz")
    np.testing.assert_array_equal(out["sum"], a + b)
    np.testing.assert_array_equal(out["difference"], a - b)
    np.savez(tmp_path / "none.npz", c=a)
    line = one_line(ingot("run", net, "--inputs", tmp_path / "none.npz", check=False), 2, "none.npz", "'c'")
    assert "a (float32" in line and "b (float32" in line
    np.save(tmp_path / "a.npy", a)
    one_line(ingot("run", net, "--input", f"a={tmp_path}/a.npy", check=False), 2, "missing input: b")
    one_line(ingot("run", net, check=False), 2, "missing inputs: a (float32", "b (float32")
    one_line(ingot("run", net, "--input", f"{tmp_path}/a.npy", check=False), 2, "which input?")
    one_line(ingot("run", net, "--input", f"aa={tmp_path}/a.npy", check=False), 2, "did you mean 'a'")
    np.save(tmp_path / "wrong.npy", values("float32", (2, 5)))
    one_line(ingot("run", net, "--input", f"a={tmp_path}/wrong.npy", "--input", f"b={tmp_path}/a.npy", check=False), SHAPE, "'a'", "2x5", "?x4")


def test_names_with_slashes(ingot, tmp_path):
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [2], "in/x:0", "out/y=0")
    np.savez(tmp_path / "i.npz", **{"in/x:0": np.float32([1, 2])})
    ingot("run", net, "--inputs", tmp_path / "i.npz", "--outputs", tmp_path / "o.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["out/y=0"], [1, 2])


# ---- Damaged, hostile, missing


@pytest.mark.seconds(300)
@pytest.mark.parametrize("kind", ["npy", "npz", "packed", "pb"])
def test_cut_at_every_percent(ingot, tmp_path, kind):
    x = values("float32", (25, 40))
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [25, 40])
    ingot("build", net, "-o", tmp_path / "n.ingot", "--budget", 0, "--quiet")
    whole, file = tmp_path / f"whole.{kind}", tmp_path / ("x.npz" if kind == "packed" else f"x.{kind}")
    if kind == "npy":
        np.save(whole, x)
    elif kind == "pb":
        whole.write_bytes(onnx.numpy_helper.from_array(x, "x").SerializeToString())
    else:
        with open(whole, "wb") as f:
            (np.savez if kind == "npz" else np.savez_compressed)(f, x=x)
    data = whole.read_bytes()
    option = ["--inputs", file] if file.suffix == ".npz" else ["--input", f"x={file}"]
    for percent in range(100):
        file.write_bytes(data[: len(data) * percent // 100])
        result = ingot("run", tmp_path / "n.ingot", *option, "--outputs", tmp_path / "o.npz", check=False)
        line = one_line(result, FORMAT)
        assert file.name in line
        assert not (tmp_path / "o.npz").exists()


def header(text):
    text = text.encode()
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text


@pytest.mark.parametrize(
    "data, status",
    [
        (b"", FORMAT),
        (b"hello, this is no array", FORMAT),
        (b"\x93NUMPY\x09\x00\x10\x00" + b" " * 16, UNSUPPORTED),
        (b"\x93NUMPY\x02\x00\xff\xff\xff\xff" + b" " * 16, FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (2"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': Maybe, 'shape': (2,), }"), FORMAT),
        (header("{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': (2,), }"), FORMAT),
        (header("{'descr': '<f4', 'shape': (2,), }"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (-2,), }"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (4611686018427387904, 4611686018427387904), }"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1099511627776,), }"), FORMAT),
        (header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }") + bytes(4), LIMIT),
        (header("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }") + bytes(64), UNSUPPORTED),
        (header("{'descr': '<U5', 'fortran_order': False, 'shape': (2,), }") + bytes(64), UNSUPPORTED),
        (header("{'descr': '<c8', 'fortran_order': False, 'shape': (2,), }") + bytes(64), UNSUPPORTED),
        (header("{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (2,), }") + bytes(64), UNSUPPORTED),
    ],
)
def test_hostile_npy(ingot, tmp_path, data, status):
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [2])
    (tmp_path / "x.npy").write_bytes(data)
    one_line(ingot("run", net, "--input", tmp_path / "x.npy", check=False), status, "x.npy")


def test_bomb_and_lies(ingot, tmp_path):
    net = cli_models.identity(tmp_path / "n.onnx", "float32", ["N"])
    text = io.BytesIO()
    np.lib.format.write_array_header_1_0(text, {"descr": "<f4", "fortran_order": False, "shape": (100 << 20,)})
    with zipfile.ZipFile(tmp_path / "bomb.npz", "w", zipfile.ZIP_DEFLATED) as z, z.open("x.npy", "w", force_zip64=True) as f:
        f.write(text.getvalue())
        for _ in range(400):
            f.write(bytes(1 << 20))
    one_line(ingot("run", net, "--inputs", tmp_path / "bomb.npz", check=False), LIMIT, "bomb")
    with zipfile.ZipFile(tmp_path / "twice.npz", "w") as z, pytest.warns(UserWarning):
        for _ in range(2):
            z.writestr("x.npy", header("{'descr': '<f4', 'fortran_order': False, 'shape': (1,), }") + bytes(4))
    one_line(ingot("run", net, "--inputs", tmp_path / "twice.npz", check=False), FORMAT)
    np.savez(tmp_path / "flip.npz", x=values("float32", (1000,)))
    data = bytearray((tmp_path / "flip.npz").read_bytes())
    data[1000] ^= 4  # in the data: the checksum tells
    (tmp_path / "flip.npz").write_bytes(data)
    one_line(ingot("run", net, "--inputs", tmp_path / "flip.npz", check=False), FORMAT, "checksum")


def test_wide_archives(ingot, tmp_path, monkeypatch):
    """Sizes, offsets and counts in 64 bits, as archives of more than 4 GB have them: Python's writer is told that everything is so large."""
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [2])
    monkeypatch.setattr(zipfile, "ZIP64_LIMIT", 10)
    monkeypatch.setattr(zipfile, "ZIP_FILECOUNT_LIMIT", 0)
    np.savez(tmp_path / "i.npz", x=np.float32([3, 4]))
    monkeypatch.undo()
    assert b"PK\x06\x06" in (tmp_path / "i.npz").read_bytes()
    ingot("run", net, "--inputs", tmp_path / "i.npz", "--outputs", tmp_path / "o.npz")
    np.testing.assert_array_equal(np.load(tmp_path / "o.npz")["y"], [3, 4])


def test_missing_files_and_folders(ingot, tmp_path):
    net = cli_models.identity(tmp_path / "n.onnx", "float32", [2])
    for name in ("nothing.npy", "nothing.npz", "nothing.png"):
        option = ["--inputs"] if name.endswith("npz") else ["--input"]
        one_line(ingot("run", net, *option, tmp_path / name, check=False), IO, "No such file")
    one_line(ingot("run", net, "--inputs", tmp_path, check=False), IO, "folder")
    one_line(ingot("run", tmp_path / "nothing.onnx", check=False), IO, "nothing.onnx")
    one_line(ingot("run", tmp_path, check=False), IO, "folder")


def test_full_disk(ingot, tmp_path):
    """A limit on file sizes stands for the full disk: nothing half-written stays, and what was there before does."""
    import resource

    net = cli_models.identity(tmp_path / "n.onnx", "float32", [100000])
    np.save(tmp_path / "x.npy", values("float32", (100000,)))
    (tmp_path / "o.npz").write_bytes(b"before")
    before = sorted(p.name for p in tmp_path.iterdir())
    limit = lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    result = ingot("run", net, "--input", tmp_path / "x.npy", "--outputs", tmp_path / "o.npz", check=False, preexec_fn=limit)
    one_line(result, IO, "o.npz")
    assert (tmp_path / "o.npz").read_bytes() == b"before"
    assert sorted(p.name for p in tmp_path.iterdir()) == before
    one_line(ingot("run", net, "--input", tmp_path / "x.npy", "--outputs", tmp_path / "no" / "o.npz", check=False), IO)
    one_line(ingot("run", net, "--input", tmp_path / "x.npy", "--outputs", tmp_path, check=False), IO, "folder")
    with open("/dev/full", "w") as full:
        import subprocess

        program = ingot.__closure__ and [c.cell_contents for c in ingot.__closure__][0]
        done = subprocess.run([str(program), "--help"], stdout=full, stderr=subprocess.PIPE, text=True)
        assert done.returncode == IO and "standard output" in done.stderr
