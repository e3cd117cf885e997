"""PyTorch's networks through both of its exporters: engines with a free batch, run at batches 1 and 3, against PyTorch itself.

By default one network of each family, where it can be at a small size; INGOT_TEST_ALL=1 takes more of them, all by both exporters, at
full size.
"""
import os
import pathlib
import sys

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch here")
pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
networks = pytest.importorskip("networks", reason="no torchvision here")
import ingot_library  # noqa: E402

ALL = os.environ.get("INGOT_TEST_ALL") == "1"
# Name, pixels a side (0: the network's own: its head needs them, or its windows do), also by the newer exporter?
SMALL = [("alexnet", 0, False), ("squeezenet1_1", 96, False), ("vgg11_bn", 0, False), ("resnet18", 64, True), ("densenet121", 64, False),
         ("mobilenet_v2", 96, False), ("mobilenet_v3_small", 96, True), ("googlenet", 96, False), ("inception_v3", 128, False),
         ("shufflenet_v2_x1_0", 96, True), ("mnasnet0_5", 96, False), ("efficientnet_b0", 96, False), ("regnet_y_400mf", 64, False),
         ("convnext_tiny", 64, False), ("small_vit", 0, True), ("small_swin", 0, True), ("unet_small", 0, True), ("ssd300", 0, False)]
FULL = ["alexnet", "squeezenet1_0", "squeezenet1_1", "vgg16", "vgg11_bn", "resnet18", "resnet50", "resnext50_32x4d", "wide_resnet50_2", "densenet121",
        "mobilenet_v2", "mobilenet_v3_small", "mobilenet_v3_large", "googlenet", "inception_v3", "shufflenet_v2_x1_0", "mnasnet1_0",
        "efficientnet_b0", "efficientnet_v2_s", "regnet_x_400mf", "regnet_y_400mf", "convnext_tiny", "vit_b_16", "swin_t", "swin_v2_t", "unet",
        "ssd300"]
CASES = [(n, 0, d) for n in FULL for d in (False, True)] if ALL else [(n, s, d) for n, s, both in SMALL for d in sorted({False, both})]


def outputs(result):
    return [t.numpy() for t in (result if isinstance(result, tuple) else (result,))]


def compare(engine, model, x):
    with torch.inference_mode():
        want = outputs(model(x))
    engine.set({"input": x.numpy()})
    engine.run()
    got = engine.get()
    assert len(got) == len(want)
    for g, w in zip(got, want):
        assert g.shape == w.shape
        spread = np.ptp(w)
        assert spread > 1e-3, "the expected output is constant: it would tell nothing"
        assert np.abs(g - w).max() <= 1e-3 * spread


@pytest.fixture(scope="module")
def made():
    """The network made last: both exporters take the same."""
    last = {}

    def get(name, size):
        if (name, size) not in last:
            last.clear()
            last[name, size] = networks.make(name, size or None)
        return last[name, size]

    return get


@pytest.mark.seconds(900 if ALL else 120)
@pytest.mark.parametrize("name, size, dynamo", CASES, ids=[f"{n}-{'dynamo' if d else 'script'}" for n, _, d in CASES])
def test_network(made, tmp_path, name, size, dynamo):
    if dynamo:
        pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs onnxscript")
    model, shape = made(name, size)
    path = networks.export(model, shape, tmp_path / "n.onnx", dynamo=dynamo)
    engine = ingot_library.Engine(path, {"input": ((1, *shape), (1, *shape), (4, *shape))}, budget=0.5)
    rng = torch.Generator().manual_seed(1)
    for batch in (1, 3, 1):
        compare(engine, model, torch.randn(batch, *shape, generator=rng))
    del engine
    path.unlink()


def test_free_picture_size(tmp_path):
    """One engine for pictures of many sizes."""
    model, _ = networks.make("unet_small")
    path = tmp_path / "n.onnx"
    torch.onnx.export(model, (torch.randn(1, 1, 64, 64),), str(path), dynamo=False, opset_version=17, input_names=["input"],
                      dynamic_axes={"input": {0: "N", 2: "H", 3: "W"}})
    engine = ingot_library.Engine(path, {"input": ((1, 1, 32, 32), (1, 1, 64, 64), (2, 1, 160, 160))}, budget=0.5)
    for n, h, w in ((1, 64, 64), (2, 96, 48), (1, 160, 32), (1, 64, 64)):
        compare(engine, model, torch.randn(n, 1, h, w))


def test_external_data(tmp_path):
    """Weights in a file beside the model, as the newer exporter writes them."""
    pytest.importorskip("onnxscript", reason="PyTorch's newer exporter needs onnxscript")
    model, shape = networks.make("squeezenet1_1", 64)
    path = networks.export(model, shape, tmp_path / "n.onnx", dynamo=True, external=True)
    data = [f for f in tmp_path.iterdir() if f != path]
    assert data and data[0].stat().st_size > 4_000_000 > path.stat().st_size
    compare(ingot_library.Engine(path, budget=0), model, torch.randn(1, *shape))
    data[0].rename(tmp_path / "elsewhere")
    with pytest.raises(RuntimeError, match=data[0].name):
        ingot_library.Engine(path, budget=0)


@pytest.mark.parametrize("opset", [9, 11, 13, 18, 20])
def test_opsets(tmp_path, opset):
    model, shape = networks.make("mobilenet_v3_small", 64)
    path = tmp_path / "n.onnx"
    torch.onnx.export(model, (torch.randn(1, *shape),), str(path), dynamo=False, opset_version=opset, input_names=["input"])
    compare(ingot_library.Engine(path, budget=0), model, torch.randn(1, *shape))
