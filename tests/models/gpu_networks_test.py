"""Networks on a GPU: torchvision's against PyTorch, real ones against ONNX Runtime; float32 without TF32 within 1e-3 of the outputs' range, float16
within 1e-2, or where random weights make more of its rounding, no further off than PyTorch in float16. On the emulated GPU a few small ones; INGOT_TEST_GPU=1 takes the real one and all of them, at full size."""
import os
import pathlib
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("INGOT_DATA", ROOT.parent / "shared" / "data"))
sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(ROOT / "bench")]
sys.path.insert(1, str(ROOT / "fuzz" / "graphs"))
onnx = pytest.importorskip("onnx", reason="no onnx package here")
import exact_sums  # noqa: E402
from differences import worst  # noqa: E402

REAL = os.environ.get("INGOT_TEST_GPU") == "1"
PRECISIONS = {"": 1e-3, "fp16": 1e-2}
MORE = {"tf32": 1e-2, "bf16": 8e-2}  # of two networks on the real GPU
# Name, pixels a side (0: the network's own).
SMALL = [("squeezenet1_1", 48), ("small_vit", 0)]
FULL = [("alexnet", 0), ("squeezenet1_1", 0), ("vgg11_bn", 0), ("resnet18", 0), ("resnet50", 0), ("densenet121", 0), ("mobilenet_v2", 0),
        ("mobilenet_v3_small", 0), ("googlenet", 0), ("inception_v3", 0), ("shufflenet_v2_x1_0", 0), ("mnasnet1_0", 0), ("efficientnet_b0", 0),
        ("regnet_y_400mf", 0), ("convnext_tiny", 0), ("vit_b_16", 0), ("swin_t", 0), ("small_swin", 0), ("unet_small", 0), ("ssd300", 0)]
# Files of ../shared/data and what fixes their free dims; those that choose by comparing (quantisers) may differ by a step.
FILES = {"classify/squeezenet_fp16.onnx": 1e-2, "classify/mnist/model.onnx": 1e-3, "classify/mobilenet_qdq/model.onnx": 5e-2,
         "detect/ultraface_rfb320.onnx": 1e-3, "detect/yolox_nano.onnx": 1e-3, "segment/portrait_prisma.onnx": 1e-3, "ocr/en_rec.onnx": 1e-3,
         "face/mobilefacenet.onnx": 1e-3, "audio/silero_vad.onnx": 1e-3, "audio/gtcrn_simple.onnx": 1e-3,
         "restore/super_resolution_10/model.onnx": 1e-3, "transformer/cct_2_opset20.onnx": 1e-3}
FREE = {"ocr/en_rec.onnx": {"x": {3: 320}}, "audio/silero_vad.onnx": {"input": {1: 576}}}
ON_EMULATION = ("classify/mnist/model.onnx", "transformer/cct_2_opset20.onnx")


@pytest.fixture(scope="module")
def library(package):
    """The C library through ctypes; `package` has chosen the GPU."""
    if package.device_count() == 0:
        pytest.skip("no GPU, and the emulated one isn't built here")
    import ingot_library

    return ingot_library


def arrays(result):
    """A model's outputs, one or several, as float32."""
    return [t.float().numpy() for t in (result if isinstance(result, tuple) else (result,))]


@pytest.mark.seconds(600)
@pytest.mark.parametrize("name, size", FULL if REAL else SMALL)
def test_torchvision(library, tmp_path, name, size):
    torch = pytest.importorskip("torch", reason="no PyTorch here")
    networks = pytest.importorskip("networks", reason="no torchvision here")
    model, shape = networks.make(name, size or None)
    path = networks.export(model, shape, tmp_path / "n.onnx")
    rng = torch.Generator().manual_seed(1)
    runs = []
    for batch in (1, 3, 1) if REAL else (2,):
        x = torch.randn(batch, *shape, generator=rng)
        with torch.inference_mode():
            runs.append((x.numpy(), arrays(model(x))))
    errors, bounds = {}, {**PRECISIONS, **(MORE if REAL and name in ("resnet18", "small_swin") else {})}
    for precision in bounds:
        engine = library.Engine(path, {"input": ((1, *shape), (1, *shape), (4, *shape))}, budget=0.2 if REAL else 0, device="cuda:0",
                                precision=precision)
        errors[precision] = 0.0
        for x, want in runs:
            engine.set({"input": x})
            engine.run()
            errors[precision] = max(errors[precision], worst(engine.get(), want))
        del engine
    path.unlink()
    if errors["fp16"] > bounds["fp16"]:
        with torch.inference_mode():
            bounds["fp16"] = worst(arrays(model.half()(torch.from_numpy(runs[0][0]).half())), runs[0][1])
    print(name, errors)
    assert all(errors[precision] <= bound for precision, bound in bounds.items()), (errors, bounds)


def feeds_of(path, name, rng):
    """Random inputs such as the network may be given; small whole numbers and a rate where it wants integers."""
    model = onnx.load(str(path))
    constants = {w.name for w in model.graph.initializer}
    feeds = {}
    for value in model.graph.input:
        if value.name in constants:
            continue
        kind = onnx.helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        free = FREE.get(name, {}).get(value.name, {})
        shape = [d.dim_value or free.get(i, 1) for i, d in enumerate(value.type.tensor_type.shape.dim)]
        if np.issubdtype(kind, np.integer):
            feeds[value.name] = np.full(shape, 16000, kind)
        else:
            scale = 255 if name.startswith(("detect/yolox", "classify/squeezenet")) else 1
            feeds[value.name] = (rng.random(shape) * scale).astype(kind)
    return feeds


@pytest.mark.seconds(600)
@pytest.mark.skipif(not (DATA / "README.md").exists(), reason="no folder of real networks (INGOT_DATA)")
@pytest.mark.parametrize("name", FILES if REAL else ON_EMULATION)
def test_real_network(library, name):
    ort = pytest.importorskip("onnxruntime", reason="no ONNX Runtime here")
    path, rng = DATA / name, np.random.default_rng(1)
    options = ort.SessionOptions()
    options.log_severity_level = 4
    if not exact_sums.exact():
        options.add_session_config_entry("session.x64quantprecision", "1")  # which ONNX Runtime 1.30 can't load a quantised MobileNet with
    session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    runs = [(feeds, session.run(None, feeds)) for feeds in (feeds_of(path, name, rng) for _ in range(3))]
    errors, bounds = {}, {"": FILES[name], "fp16": max(FILES[name], PRECISIONS["fp16"])}
    for precision in bounds:
        shapes = {k: v.shape for k, v in runs[0][0].items() if v.shape}
        engine = library.Engine(path, shapes, budget=0.2 if REAL else 0, device="cuda:0", precision=precision)
        errors[precision] = 0.0
        for feeds, want in runs:
            engine.set(feeds)
            engine.run()
            errors[precision] = max(errors[precision], worst(engine.get(), want))
        del engine
    print(name, errors)
    assert all(errors[precision] <= bound for precision, bound in bounds.items()), errors


def letterbox(image, side=416):
    """A picture as YOLOX takes it: BGR from 0 to 255, as large as fits, the rest grey."""
    scale = side / max(image.size)
    image = image.resize((int(image.size[0] * scale), int(image.size[1] * scale)))
    x = np.full((side, side, 3), 114, np.float32)
    x[: image.size[1], : image.size[0]] = np.asarray(image, np.float32)
    return np.ascontiguousarray(x[:, :, ::-1].transpose(2, 0, 1))[None]


def line(image, width=640):
    """A line of text, 32 pixels high, from -1 to 1."""
    x = np.asarray(image.resize((width, 32)), np.float32) / 127.5 - 1
    return np.ascontiguousarray(x.transpose(2, 0, 1))[None]


@pytest.mark.seconds(600)
@pytest.mark.skipif(not REAL or not (DATA / "images").exists(), reason="on a GPU, with the folder of real networks and pictures (INGOT_DATA)")
@pytest.mark.parametrize("name, prepare, pictures", [
    ("detect/yolox_nano.onnx", letterbox, ("dog.jpg", "eagle.jpg", "giraffe.jpg", "person.jpg", "fish.png")),
    ("ocr/en_rec.onnx", line, ("en_rec.jpg",))])
def test_pictures(library, name, prepare, pictures):
    """Networks that float16 alone moves by several hundredths on pictures."""
    ort = pytest.importorskip("onnxruntime", reason="no ONNX Runtime here")
    Image = pytest.importorskip("PIL.Image", reason="no Pillow here")
    session = ort.InferenceSession(str(DATA / name), providers=["CPUExecutionProvider"])
    feeds = [prepare(Image.open(DATA / "images" / picture).convert("RGB")) for picture in pictures]
    key = session.get_inputs()[0].name
    engine, errors = library.Engine(DATA / name, {key: feeds[0].shape}, budget=0.2, device="cuda:0", precision="tf32,fp16"), {}
    for picture, x in zip(pictures, feeds, strict=True):
        engine.set({key: x})
        engine.run()
        errors[picture] = worst(engine.get(), session.run(None, {key: x}))
    print(name, errors)
    assert max(errors.values()) <= PRECISIONS["fp16"], errors
