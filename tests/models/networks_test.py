"""Real networks on real pictures and sounds: against golden outputs, ONNX Runtime, and what should be seen in the picture."""
import os
import pathlib
import sys
import wave

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DATA = pathlib.Path(os.environ.get("INGOT_DATA", ROOT.parent / "shared" / "data"))
Image = pytest.importorskip("PIL.Image", reason="no Pillow here")
sys.path.insert(0, str(ROOT / "bench"))
import ingot_library  # noqa: E402

needs_data = pytest.mark.skipif(not (DATA / "README.md").exists(), reason="no folder of real networks (INGOT_DATA)")
BUDGET = 0.5


def picture(name, size=None):
    """A picture as RGB floats (H, W, 3), 0..255; resized to (width, height)."""
    image = Image.open(DATA / "images" / name).convert("RGB")
    return np.asarray(image.resize(size, Image.BILINEAR) if size else image, np.float32)


def sound(name):
    """A sound's samples, -1..1."""
    with wave.open(str(DATA / "audio" / name)) as file:
        return np.frombuffer(file.readframes(file.getnframes()), "<i2").astype(np.float32) / 32768


def nchw(image):
    return np.ascontiguousarray(image.transpose(2, 0, 1)[None])


def run(engine, **feeds):
    engine.set(feeds)
    engine.run()
    return engine.get()


def session(path):
    """The network in ONNX Runtime, or nothing where that isn't there."""
    ort = pytest.importorskip("onnxruntime", reason="no ONNX Runtime here")
    options = ort.SessionOptions()
    options.log_severity_level = 4
    options.add_session_config_entry("session.x64quantprecision", "1")  # without VNNI its 8-bit products overflow otherwise
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def close(got, want, bound=1e-3):
    """The same within `bound` of the expected output's range."""
    assert got.shape == want.shape
    spread = max(float(np.ptp(want.astype(np.float64))), 1e-6)
    assert np.abs(got.astype(np.float64) - want.astype(np.float64)).max() <= bound * spread


def golden(folder):
    """[(input, output), ..] of a network's test_data_set folders."""
    onnx = pytest.importorskip("onnx", reason="no onnx package here")

    def read(path):
        return onnx.numpy_helper.to_array(onnx.load_tensor(str(path)))

    return [(read(s / "input_0.pb"), read(s / "output_0.pb")) for s in sorted((DATA / folder).glob("test_data_set_*"))]


def overlaps(box, boxes):
    """Intersection over union of one box (x0, y0, x1, y1) with others."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    return common / (np.prod(box[2:] - box[:2]) + np.prod(boxes[:, 2:] - boxes[:, :2], axis=1) - common)


def keep_best(boxes, scores, overlap):
    """Non-maximum suppression: indices of the boxes to keep."""
    order, kept = np.argsort(-scores), []
    while order.size:
        i, order = order[0], order[1:]
        kept.append(i)
        order = order[overlaps(boxes[i], boxes[order]) <= overlap]
    return kept


# ---- Classification


def squeezenet_input(name):
    image = Image.open(DATA / "images" / name).convert("RGB")
    scale = 224 / min(image.size)
    image = image.resize([max(224, round(s * scale)) for s in image.size], Image.BILINEAR)
    left, top = (image.width - 224) // 2, (image.height - 224) // 2
    image = image.crop((left, top, left + 224, top + 224))
    return nchw(np.asarray(image, np.float32)[..., ::-1]).astype(np.float16)


@needs_data
def test_squeezenet():
    path = DATA / "classify" / "squeezenet_fp16.onnx"
    engine = ingot_library.Engine(path, budget=BUDGET)
    for name, best, chance in (("kitten_224.png", 281, 0.93), ("fish.png", 0, 0.74), ("cat_720p.jpg", 285, 0.56)):
        scores = run(engine, data_0=squeezenet_input(name))[0].reshape(-1)
        assert scores.argmax() == best, name
        assert scores[best] == pytest.approx(chance, abs=0.03), name


@needs_data
def test_squeezenet_by_the_command(ingot):
    out = ingot("run", DATA / "classify" / "squeezenet_fp16.onnx", "--input", DATA / "images" / "kitten_224.png", "--bgr", "--top", "5",
                "--labels", DATA / "classify" / "imagenet_labels.txt").stdout
    assert "tabby" in out and "0.93" in out


@needs_data
def test_mnist():
    engine = ingot_library.Engine(DATA / "classify" / "mnist" / "model.onnx", budget=BUDGET)
    sets = golden("classify/mnist")
    assert len(sets) == 3
    for x, want in sets:
        close(run(engine, Input3=x)[0], want, 1e-5)


@needs_data
def test_quantised_mobilenet():
    """8-bit Q/DQ: the golden output is of integer arithmetic."""
    (x, want), = golden("classify/mobilenet_qdq")
    path = DATA / "classify" / "mobilenet_qdq" / "model.onnx"
    close(run(ingot_library.Engine(path, {"image": x.shape}, budget=BUDGET), image=x)[0], want)
    dims = x.shape[1:]
    engine = ingot_library.Engine(path, {"image": ((1, *dims), (1, *dims), (2, *dims))}, budget=BUDGET)
    close(run(engine, image=np.concatenate([x, x[..., ::-1]]))[0][:1], want)


@needs_data
def test_transformer():
    folder = DATA / "transformer"
    x, want = (next(iter(np.load(folder / f"{n}.npz").values())) for n in ("inputs", "outputs"))
    close(run(ingot_library.Engine(folder / "cct_2_opset20.onnx", budget=BUDGET), input=x.astype(np.float32))[0], want)


# ---- Detection


def ultraface_boxes(places):
    """The network's four values a box to corners, 0..1: offsets from boxes of fixed sizes at the cells of four maps."""
    fixed = []
    for step, sizes in ((8, (10, 16, 24)), (16, (32, 48)), (32, (64, 96)), (64, (128, 192, 256))):
        for y in range(-(-240 // step)):
            for x in range(-(-320 // step)):
                fixed += [((x + 0.5) * step / 320, (y + 0.5) * step / 240, s / 320, s / 240) for s in sizes]
    fixed = np.clip(fixed, 0, 1)
    centre, half = fixed[:, :2] + 0.1 * places[:, :2] * fixed[:, 2:], np.exp(0.2 * places[:, 2:]) * fixed[:, 2:] / 2
    return np.concatenate([centre - half, centre + half], 1)


@needs_data
def test_faces():
    path = DATA / "detect" / "ultraface_rfb320.onnx"
    engine, other = ingot_library.Engine(path, budget=BUDGET), session(path)
    for name, expected in (("faces_1.jpg", 44), ("faces_2.jpg", 4), ("dog.jpg", 0)):
        x = nchw((picture(name, (320, 240)) - 127) / 128)
        scores, places = run(engine, input=x)
        for got, want in zip((scores, places), other.run(None, {"input": x})):
            close(got, want)
        boxes = ultraface_boxes(places[0])
        chosen = scores[0, :, 1] > 0.7
        assert len(keep_best(boxes[chosen], scores[0, chosen, 1], 0.3)) == expected, name


def yolox(engine, name):
    """The input, the output and the boxes seen, best first, by class."""
    image = picture(name)
    scale = 416 / max(image.shape[:2])
    height, width = (int(s * scale) for s in image.shape[:2])
    x = np.full((416, 416, 3), 114, np.float32)
    x[:height, :width] = picture(name, (width, height))
    x = nchw(x[..., ::-1])
    out = run(engine, images=x)[0]
    cells = [np.stack([g % (416 // s), g // (416 // s), np.full_like(g, s)], -1) for s in (8, 16, 32) for g in [np.arange((416 // s) ** 2)]]
    grid = np.concatenate(cells)
    centre, half = (out[0, :, :2] + grid[:, :2]) * grid[:, 2:], np.exp(out[0, :, 2:4]) * grid[:, 2:] / 2
    boxes, scores = np.concatenate([centre - half, centre + half], 1) / scale, out[0, :, 4:5] * out[0, :, 5:]
    found = {}
    for k, name in enumerate((DATA / "detect" / "coco_classes.txt").read_text().splitlines()):
        mine = np.flatnonzero(scores[:, k] > 0.25)
        if mine.size:
            found[name.strip()] = boxes[mine[keep_best(boxes[mine], scores[mine, k], 0.45)]]
    return x, out, found


@needs_data
def test_objects():
    path = DATA / "detect" / "yolox_nano.onnx"
    engine, other = ingot_library.Engine(path, budget=BUDGET), session(path)
    wanted = {"dog.jpg": {"dog", "bicycle", "truck"}, "horses.jpg": {"horse"}, "giraffe.jpg": {"giraffe"}, "person.jpg": {"person", "dog", "horse"}}
    for name, classes in wanted.items():
        x, out, found = yolox(engine, name)
        close(out, other.run(None, {"images": x})[0])
        assert classes <= set(found), (name, found)
        if name == "dog.jpg":  # where they are, read off the picture
            for kind, box in (("dog", (131, 220, 309, 540)), ("bicycle", (124, 134, 568, 421)), ("truck", (475, 85, 689, 168))):
                assert overlaps(np.array(box), found[kind][:1])[0] > 0.7, (kind, found[kind])


# ---- Pictures to pictures


@needs_data
def test_portrait():
    path = DATA / "segment" / "portrait_prisma.onnx"
    one, two = (1, 3, 256, 256), (2, 3, 256, 256)
    engine, other = ingot_library.Engine(path, {"input_3": (one, one, two)}, budget=BUDGET), session(path)
    both = np.concatenate([nchw(picture(n, (256, 256)) / 255) for n in ("face.jpg", "person.jpg")])
    for x in (both[:1], both):
        close(run(engine, input_3=x)[0], other.run(None, {"input_3": x})[0])


@needs_data
def test_super_resolution():
    (x, want), = golden("restore/super_resolution_10")
    dims = (1, 224, 224)
    path = DATA / "restore" / "super_resolution_10" / "model.onnx"
    engine = ingot_library.Engine(path, {"input": ((1, *dims), (1, *dims), (3, *dims))}, budget=BUDGET)
    close(run(engine, input=x)[0], want)
    got = run(engine, input=np.concatenate([x, 1 - x, x]))[0]
    close(got[:1], want)
    close(got[2:], want)


@needs_data
def test_face_embedding():
    path = DATA / "face" / "mobilefacenet.onnx"
    x = nchw((picture("face.jpg", (112, 112)) / 255 - 0.5) / 0.5)
    close(run(ingot_library.Engine(path, budget=BUDGET), input0=x)[0], session(path).run(None, {"input0": x})[0])


def dice(a, b):
    return 2 * (a & b).sum() / max((a.sum() + b.sum()), 1)


def test_cells():
    """models/unet_cells on its held-out samples, three at a time."""
    folder = ROOT / "models" / "unet_cells"
    files = sorted(p for p in (folder / "samples").glob("*.png") if "truth" not in p.name)
    assert len(files) == 12
    dims = (1, 512, 512)
    engine = ingot_library.Engine(folder / "unet_cells.onnx", {"input": ((1, *dims), (3, *dims), (3, *dims))}, budget=BUDGET)
    scores = []
    for i in range(0, 12, 3):
        x = np.stack([np.asarray(Image.open(p), np.float32)[None] / 255 for p in files[i:i + 3]])
        logits = run(engine, input=x)[0]
        for p, y in zip(files[i:i + 3], logits):
            truth = np.asarray(Image.open(p.with_name(p.stem + "_truth.png"))) > 127
            scores.append(dice(y[1] > y[0], truth))
    assert np.mean(scores) >= 0.92
    # What train.py measured in PyTorch, in RESULTS.md.
    assert np.abs(np.array(scores) - [0.988, 0.9933, 0.9874, 0.9766, 0.9693, 0.9901, 0.9881, 0.9812, 0.9819, 0.9825, 0.9938, 0.9831]).max() < 2e-3


# ---- Text and sound


def read_line(out):
    """CTC: the best class at each step, repeats and blanks dropped."""
    characters = [""] + (DATA / "ocr" / "en_dict.txt").read_text().split("\n")[:95] + [" "]
    best = out[0].argmax(-1)
    return "".join(characters[k] for i, k in enumerate(best) if k and (i == 0 or best[i - 1] != k))


@needs_data
def test_text_line():
    """One engine for lines of any width."""
    path = DATA / "ocr" / "en_rec.onnx"
    engine = ingot_library.Engine(path, {"x": ((1, 3, 32, 64), (1, 3, 32, 320), (2, 3, 32, 1024))}, budget=BUDGET)
    other, image = session(path), picture("en_rec.jpg")
    width = round(32 * image.shape[1] / image.shape[0])
    line = nchw((picture("en_rec.jpg", (width, 32))[..., ::-1] / 255 - 0.5) / 0.5)
    for x in (line, np.ascontiguousarray(line[..., :320]), np.concatenate([line[..., :203], line[..., 203:406]])):
        out = run(engine, x=x)[0]
        close(out, other.run(None, {"x": x})[0])
        if x is line:
            assert read_line(out) == "To facilitate the shot type analysis in videos, we collect MovieShots, a large-scale"


@needs_data
def test_speech():
    """Speech probabilities of windows of 512 samples behind 64 of context, the state carried from one to the next on either side."""
    path = DATA / "audio" / "silero_vad.onnx"
    other, samples = session(path), sound("silero_test.wav")
    engine = ingot_library.Engine(path, {"input": (1, 576), "state": (2, 1, 128)}, budget=BUDGET)
    rate = np.array(16000, np.int64)
    ours = theirs = np.zeros((2, 1, 128), np.float32)
    window, chances = np.zeros((1, 576), np.float32), []
    for start in range(0, min(len(samples), 16000 * 30) - 511, 512):
        window = np.concatenate([window[:, -64:], samples[None, start:start + 512]], 1)
        a, ours = run(engine, input=window, state=ours, sr=rate)
        b, theirs = other.run(None, {"input": window, "state": theirs, "sr": rate})
        chances.append((a.item(), b.item()))
    chances = np.array(chances)
    assert np.abs(chances[:, 0] - chances[:, 1]).max() < 1e-3
    assert (chances[:, 0] > 0.9).any() and (chances[:, 0] < 0.1).any()


@needs_data
def test_cleaned_speech():
    """A stream through GTCRN, a frame at a time with its caches carried, against the sound that its authors made."""
    samples, want = sound("mix.wav"), sound("enh_stream.wav")
    engine = ingot_library.Engine(DATA / "audio" / "gtcrn_simple.onnx", budget=BUDGET)
    root_hann = np.sqrt(0.5 - 0.5 * np.cos(2 * np.pi * np.arange(512) / 512))
    padded = np.pad(samples, 256, mode="reflect")
    caches = {"conv_cache": np.zeros((2, 1, 16, 16, 33)), "tra_cache": np.zeros((2, 3, 1, 1, 16)), "inter_cache": np.zeros((2, 1, 33, 16))}
    total, weight = np.zeros(len(padded)), np.zeros(len(padded))
    for start in range(0, len(padded) - 511, 256):
        bins = np.fft.rfft(padded[start:start + 512] * root_hann)
        mix = np.stack([bins.real, bins.imag], -1)[None, :, None]
        enh, *new = run(engine, mix=mix, **caches)
        caches = dict(zip(caches, new))
        total[start:start + 512] += np.fft.irfft(enh[0, :, 0, 0] + 1j * enh[0, :, 0, 1]) * root_hann
        weight[start:start + 512] += root_hann**2
    got = (total / np.maximum(weight, 1e-9))[256:256 + len(want)]
    assert np.abs(got - want).max() < 1e-3
