"""Arrays in and out: no copies of what is dense, right results of what isn't, all data types, DLPack."""
import sys

import numpy as np
import pytest

onnx = pytest.importorskip("onnx")
from onnx import TensorProto, helper  # noqa: E402

sys.path.insert(0, __file__.rsplit("/", 1)[0])
import models  # noqa: E402


@pytest.fixture(scope="module")
def double(package):
    return package.build(models.elementwise(), shapes={"x": ((0, 4), (2, 4), (64, 4))}, budget=0)


def test_dense_inputs_are_read_where_they_are(package):
    from ingot import arrays

    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    x.flags.writeable = False
    taken = arrays.as_array(x, 1, "x")
    assert taken is x
    data, owner = arrays.pointer(taken, 1)
    assert int(package._native.ffi.cast("uintptr_t", data)) == x.ctypes.data and owner is x


def test_no_copy_of_inputs_in_the_library_either(package):
    """The input has 64 MB and the context may hold 1."""
    net = models.model([helper.make_node("Slice", ["x", "a", "b"], ["y"])], [("x", TensorProto.FLOAT, (1 << 24,))],
                       [("y", TensorProto.FLOAT, (2,))], {"a": np.array([5]), "b": np.array([7])})
    engine = package.Engine.deserialize(package.build(net, budget=0, verify=False).serialize(), memory_limit=1 << 20)
    x = np.zeros(1 << 24, np.float32)
    x[5:7] = 3, 4
    assert engine(x).tolist() == [3, 4]


def test_outputs_are_written_where_they_shall_be(double):
    x = np.arange(12, dtype=np.float32).reshape(3, 4)
    out = np.empty((3, 4), np.float32)
    result = double.run({"x": x}, out={"y": out})["y"]
    assert result is out and np.array_equal(out, x + x)
    for wrong in (np.empty((3, 5), np.float32), np.empty((3, 4), np.float64), np.empty((4, 3), np.float32).T):
        with pytest.raises(TypeError, match="out\\['y'\\]"):
            double.run({"x": x}, out={"y": wrong})


def test_results_stay_when_the_engine_runs_again(double):
    first = double(np.ones((1, 4), np.float32))
    double(np.zeros((1, 4), np.float32))
    assert first.tolist() == [[2, 2, 2, 2]]


@pytest.mark.parametrize("make", [lambda x: x[::2], lambda x: x[::-1], lambda x: np.asfortranarray(x), lambda x: x.repeat(2, 1)[:, ::2],
                                  lambda x: np.broadcast_to(x[0], (5, 4)), lambda x: x.astype(">f4").view(), lambda x: x.tolist()])
def test_any_strides(double, make):
    given = make(np.arange(24, dtype=np.float32).reshape(6, 4))
    if isinstance(given, np.ndarray) and given.dtype.byteorder == ">":
        given = given.astype(np.float32)
    assert np.array_equal(double(given), np.asarray(given, np.float32) * 2)


def test_empty(double):
    assert double(np.empty((0, 4), np.float32)).shape == (0, 4)


@pytest.mark.parametrize("name", ["uint8", "int8", "uint16", "int16", "int32", "int64", "uint32", "uint64", "float16", "float64", "bfloat16"])
def test_types(package, name):
    import ml_dtypes

    dtype = np.dtype(getattr(ml_dtypes, name, name))
    engine = package.build(models.elementwise(helper.np_dtype_to_tensor_dtype(dtype), (2, 3)), budget=0)
    x = np.arange(6).reshape(2, 3).astype(dtype)
    assert engine.inputs[0].dtype == dtype
    y = engine(x)
    assert y.dtype == dtype and np.array_equal(y.astype(np.float64), x.astype(np.float64) * 2)


@pytest.mark.parametrize("name", ["float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "int4", "uint4", "bool"])
def test_narrow_types_come_back(package, name):
    """Through Cast to float and back; ml_dtypes is the judge."""
    import ml_dtypes

    dtype = np.dtype(getattr(ml_dtypes, name, name))
    number = helper.np_dtype_to_tensor_dtype(dtype)
    net = models.model([helper.make_node("Cast", ["x"], ["f"], to=TensorProto.FLOAT), helper.make_node("Cast", ["f"], ["y"], to=number)],
                       [("x", number, (7,))], [("f", TensorProto.FLOAT, (7,)), ("y", number, (7,))])
    x = np.array([0, 1, 2, 3, 4, 5, 7]).astype(dtype)
    if dtype.name == "int4":
        x = np.array([0, 1, -8, 7, -1, 5, -3]).astype(dtype)
    f, y = package.build(net, budget=0)(x)
    assert np.array_equal(f, x.astype(np.float32))
    assert y.dtype == dtype and np.array_equal(y.view(np.uint8), x.view(np.uint8))


def test_wrong_type_is_refused(double):
    with pytest.raises(TypeError, match="input 'x' is float32, an array of float64 was given"):
        double(np.zeros((1, 4)))


def test_output_of_unknown_size(package):
    engine = package.build(models.nonzero(), shapes={"x": ((1, 1), (2, 3), (9, 9))}, budget=0)
    for shape in ((2, 3), (4, 5), (2, 3)):
        x = (np.arange(np.prod(shape)).reshape(shape) % 3).astype(np.float32)
        assert np.array_equal(engine(x), np.stack(np.nonzero(x)))


def test_dlpack_of_torch_without_copies(package, torch, double):
    t = torch.arange(8, dtype=torch.float32).reshape(2, 4)
    assert package.dlpack.to_array(t).ctypes.data == t.data_ptr()
    y = double(t)
    assert isinstance(y, torch.Tensor) and torch.equal(y, t + t)
    strided = torch.arange(24, dtype=torch.float32).reshape(4, 6).T[::3]
    assert torch.equal(double(strided), strided * 2)
    out = np.empty((2, 4), np.float32)
    double.run({"x": t.requires_grad_()}, out={"y": out})
    back = torch.from_dlpack(package.Tensor(out))
    assert back.data_ptr() == out.ctypes.data and torch.equal(back, t.detach() * 2)


@pytest.mark.parametrize("name", ["bfloat16", "float8_e4m3fn", "float8_e5m2", "float16", "bool", "uint8", "int64", "complex64"])
def test_dlpack_types_both_ways(package, torch, name):
    t = torch.tensor([[0, 1, 1], [1, 0, 1]]).to(getattr(torch, name))
    a = package.dlpack.to_array(t)
    assert a.dtype.name == name and a.ctypes.data == t.data_ptr()
    back = torch.from_dlpack(package.Tensor(a))
    assert back.dtype == t.dtype and back.data_ptr() == t.data_ptr()
    assert torch.equal(back.view(torch.uint8) if name.startswith("float8") else back, t.view(torch.uint8) if name.startswith("float8") else t)
    turned = package.dlpack.to_array(t.T)
    assert turned.shape == (3, 2) and turned.strides == (t.element_size(), 3 * t.element_size())


def test_bfloat16_of_torch_runs(package, torch):
    engine = package.build(models.elementwise(TensorProto.BFLOAT16, (2, 3)), budget=0)
    t = torch.tensor([[1, 2, 3], [4, 5, 6]], dtype=torch.bfloat16)
    y = engine(t)
    assert y.dtype == torch.bfloat16 and torch.equal(y, t + t)


def test_dlpack_keeps_and_frees(package, torch):
    """Memory lives as long as someone looks at it, and no longer."""
    lent = package.dlpack._lent
    before = len(lent)
    t = torch.arange(3.0)
    a = package.dlpack.to_array(t)
    del t
    assert a.tolist() == [0, 1, 2]
    b = torch.from_dlpack(package.Tensor(a))
    del a
    assert len(lent) == before + 1 and b.tolist() == [0, 1, 2]
    del b
    capsule = package.Tensor(np.zeros(3)).__dlpack__()  # nobody takes this one
    assert len(lent) == before + 1
    del capsule
    assert len(lent) == before
