"""Pictures as inputs, against Pillow and the plain definition in NumPy: within one level."""
import pathlib
import sys

import numpy as np
import pytest

pytest.importorskip("onnx", reason="no onnx package here")
Image = pytest.importorskip("PIL.Image", reason="no Pillow here")
sys.path.insert(0, str(pathlib.Path(__file__).parent))
import cli_models  # noqa: E402


@pytest.fixture(scope="module")
def picture(tmp_path_factory):
    """A picture with smooth parts, edges and noise, 83 wide and 61 high."""
    y, x = np.mgrid[0:61, 0:83]
    r = np.random.default_rng(3)
    rgb = np.stack([x * 3, y * 4, (x * y) % 256], -1).astype(float)
    rgb[20:40, 30:60] = [250, 10, 120]
    rgb += r.normal(0, 10, rgb.shape)
    path = tmp_path_factory.mktemp("picture") / "p.png"
    Image.fromarray(rgb.clip(0, 255).astype("u1")).save(path)
    return path


@pytest.fixture(scope="module")
def engines(ingot, tmp_path_factory):
    folder = tmp_path_factory.mktemp("nets")
    made = {}

    def get(dims, dtype="float32"):
        key = (tuple(dims), dtype)
        if key not in made:
            made[key] = cli_models.identity(folder / f"{len(made)}.onnx", dtype, list(dims))
        return made[key]

    return get


def run(ingot, net, picture, out, *options):
    ingot("run", net, "--input", f"x={picture}", "--outputs", out, *options)
    return np.load(out)["y"]


def bilinear(image, width, height):
    """The definition: output pixel centres map to input coordinates; four neighbours, edges repeated."""
    image = image.astype(float)
    for axis, size in ((0, height), (1, width)):
        n = image.shape[axis]
        at = np.clip((np.arange(size) + 0.5) * n / size - 0.5, 0, n - 1)
        low = np.floor(at).astype(int)
        high = np.minimum(low + 1, n - 1)
        part = (at - low).reshape([-1 if a == axis else 1 for a in range(image.ndim)])
        image = np.take(image, low, axis) * (1 - part) + np.take(image, high, axis) * part
    return image


def chw(image):
    return np.asarray(image, float).transpose(2, 0, 1)[None]


def test_as_it_is(ingot, engines, picture, tmp_path):
    got = run(ingot, engines((1, 3, 61, 83)), picture, tmp_path / "o.npz")
    np.testing.assert_array_equal(got, chw(Image.open(picture)))


@pytest.mark.parametrize("size", [(40, 30), (83, 20), (200, 150), (7, 5)])
def test_resize(ingot, engines, picture, tmp_path, size):
    w, h = size
    got = run(ingot, engines((1, 3, h, w)), picture, tmp_path / "o.npz", "--resize", f"{w}x{h}")
    expected = chw(bilinear(np.asarray(Image.open(picture)), w, h))
    assert np.abs(got - expected).max() <= 1
    smooth = run(ingot, engines((1, 3, h, w)), picture, tmp_path / "o.npz", "--resize", f"{w}x{h}", "--antialias")
    expected = chw(Image.open(picture).resize((w, h), Image.BILINEAR))
    assert np.abs(smooth - expected).max() <= 1


def test_scaled_without_being_asked(ingot, engines, picture, tmp_path):
    result = ingot("run", engines((1, 3, 30, 40)), "--input", picture, "--outputs", tmp_path / "o.npz")
    assert "scaled from 83x61 to the network's 40x30" in result.stderr


def test_shorter_side_crop_mean_scale(ingot, engines, picture, tmp_path):
    got = run(ingot, engines((1, 3, 32, 32)), picture, tmp_path / "o.npz", "--resize", 40, "--antialias", "--crop", 32,
              "--mean", "123.675,116.28,103.53", "--scale", "1/58.395,1/57.12,1/57.375")
    image = Image.open(picture).resize((int(40 * 83 / 61), 40), Image.BILINEAR)
    left, top = round((image.width - 32) / 2), round((image.height - 32) / 2)
    expected = np.asarray(image.crop((left, top, left + 32, top + 32)), float) / 255
    expected = chw((expected - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    assert np.abs(got - expected).max() <= 1.01 / 255 / 0.224


def test_preset_imagenet_is_torchvisions(ingot, engines, picture, tmp_path):
    got = run(ingot, engines((1, 3, 224, 224)), picture, tmp_path / "o.npz", "--preset", "imagenet")
    image = Image.open(picture).resize((int(256 * 83 / 61), 256), Image.BILINEAR)
    left, top = round((image.width - 224) / 2), round((image.height - 224) / 2)
    expected = np.asarray(image.crop((left, top, left + 224, top + 224)), float) / 255
    expected = chw((expected - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225])
    assert np.abs(got - expected).max() <= 1.01 / 255 / 0.224


def test_bgr_layout_and_types(ingot, engines, picture, tmp_path):
    rgb = np.asarray(Image.open(picture))
    got = run(ingot, engines((1, 3, 61, 83)), picture, tmp_path / "o.npz", "--bgr", "--mean", "1,2,3")
    np.testing.assert_array_equal(got, chw(rgb[..., ::-1].astype(float) - [1, 2, 3]))
    got = run(ingot, engines((1, 61, 83, 3)), picture, tmp_path / "o.npz", "--layout", "nhwc")
    np.testing.assert_array_equal(got, rgb[None])
    got = run(ingot, engines((1, 61, 83, 3)), picture, tmp_path / "o.npz")
    np.testing.assert_array_equal(got, rgb[None])
    got = run(ingot, engines((61, 83, 3), "uint8"), picture, tmp_path / "o.npz")
    np.testing.assert_array_equal(got, rgb)
    got = run(ingot, engines((1, 3, 61, 83), "float16"), picture, tmp_path / "o.npz", "--scale", "1/255")
    np.testing.assert_array_equal(got, (chw(rgb) / 255).astype("f2"))
    got = run(ingot, engines(("N", "C", "H", "W")), picture, tmp_path / "o.npz")
    np.testing.assert_array_equal(got, chw(rgb))


def test_grey(ingot, engines, picture, tmp_path):
    got = run(ingot, engines((1, 1, 61, 83)), picture, tmp_path / "o.npz")
    np.testing.assert_array_equal(got[0, 0], np.asarray(Image.open(picture).convert("L")))
    Image.open(picture).convert("L").save(tmp_path / "grey.png")
    got = run(ingot, engines((1, 3, 61, 83)), tmp_path / "grey.png", tmp_path / "o.npz")
    np.testing.assert_array_equal(got[0], np.stack([np.asarray(Image.open(tmp_path / "grey.png"))] * 3))


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P", "L", "1", "I;16"])
def test_png_kinds(ingot, engines, picture, tmp_path, mode):
    image = Image.open(picture)
    if mode == "I;16":
        Image.fromarray(np.asarray(image.convert("L")).astype("u2") * 257).save(tmp_path / "m.png")
        expected = np.stack([np.asarray(image.convert("L"))] * 3, -1)
    else:
        if mode in ("RGBA", "LA"):
            image.putalpha(Image.fromarray((np.arange(61 * 83).reshape(61, 83) % 255 + 1).astype("u1")))
        image.convert(mode).save(tmp_path / "m.png")
        opened = Image.open(tmp_path / "m.png")
        expected = np.asarray((opened.convert("LA").getchannel(0) if mode == "LA" else opened).convert("RGB"))
    got = run(ingot, engines((1, 3, 61, 83)), tmp_path / "m.png", tmp_path / "o.npz")
    assert np.abs(got - chw(expected)).max() <= (1 if mode == "I;16" else 0)


@pytest.mark.parametrize("mode, options", [("RGB", {}), ("RGB", {"progressive": True}), ("L", {}), ("CMYK", {}), ("RGB", {"subsampling": 2})])
def test_jpeg_kinds(ingot, engines, picture, tmp_path, mode, options):
    Image.open(picture).convert(mode).save(tmp_path / "p.jpg", quality=90, **options)
    got = run(ingot, engines((1, 3, 61, 83)), tmp_path / "p.jpg", tmp_path / "o.npz")
    expected = chw(Image.open(tmp_path / "p.jpg").convert("RGB"))
    assert np.abs(got - expected).max() <= (2 if mode == "CMYK" else 1)


@pytest.mark.parametrize("corner", [False, True])
def test_letterbox(ingot, engines, picture, tmp_path, corner):
    got = run(ingot, engines((1, 3, 64, 64)), picture, tmp_path / "o.npz", "--letterbox", ("corner:" if corner else "") + "64x64")
    w, h = int(83 * 64 / 83), int(61 * 64 / 83)
    expected = np.full((64, 64, 3), 114.0)
    top = 0 if corner else (64 - h) // 2
    expected[top : top + h, :w] = bilinear(np.asarray(Image.open(picture)), w, h)
    assert np.abs(got - chw(expected)).max() <= 1


# ---- What isn't a picture, or not whole


@pytest.mark.seconds(300)
@pytest.mark.parametrize("ending", ["png", "jpg", "progressive.jpg"])
def test_cut_at_every_percent(ingot, engines, picture, tmp_path, ending):
    options = {"progressive": True} if "progressive" in ending else {}
    Image.open(picture).save(tmp_path / f"whole.{ending}", **options)
    data = (tmp_path / f"whole.{ending}").read_bytes()
    ingot("build", engines((1, 3, 61, 83)), "-o", tmp_path / "n.ingot", "--budget", 0, "--quiet")
    file = tmp_path / f"p.{ending}"
    for percent in range(100):
        file.write_bytes(data[: len(data) * percent // 100])
        result = ingot("run", tmp_path / "n.ingot", "--input", file, "--outputs", tmp_path / "o.npz", check=False)
        assert result.returncode == 4, (percent, result)
        assert result.stderr.count("\n") == 1 and file.name in result.stderr
        assert not (tmp_path / "o.npz").exists()


def test_bits_flipped(ingot, engines, picture, tmp_path):
    """Any answer but a crash, and errors are format errors."""
    Image.open(picture).save(tmp_path / "whole.jpg")
    net = tmp_path / "n.ingot"
    ingot("build", engines((1, 3, 61, 83)), "-o", net, "--budget", 0, "--quiet")
    r = np.random.default_rng(4)
    for whole in (tmp_path / "whole.jpg", picture):
        data = whole.read_bytes()
        for _ in range(60):
            broken = bytearray(data)
            for at in r.integers(0, len(data), 3):
                broken[at] ^= 1 << r.integers(0, 8)
            (tmp_path / "p").write_bytes(broken)
            result = ingot("run", net, "--input", f"x={tmp_path}/p", check=False)
            assert result.returncode in (0, 4, 5, 7, 9), result


@pytest.mark.parametrize("options, status, word", [
    (["--resize", "0x3"], 2, "--resize"),
    (["--resize", "axb"], 2, "--resize"),
    (["--resize", "99999x99999"], 2, "--resize"),
    (["--resize", "16384x16384", "--crop", "61"], 9, "2^27"),
    (["--crop", "1000"], 7, "larger"),
    (["--resize", "40x30"], 7, "the network takes 83x61"),
    (["--mean", "1,x"], 2, "--mean"),
    (["--mean", "1,2"], 2, "--mean"),
    (["--scale", "1/0"], 2, "--scale"),
    (["--layout", "hwc"], 2, "--layout"),
    (["--preset", "coco"], 2, "imagenet"),
    (["--letterbox", "64"], 2, "--letterbox"),
])
def test_wrong_options(ingot, engines, picture, options, status, word):
    result = ingot("run", engines((1, 3, 61, 83)), "--input", picture, *options, check=False)
    assert result.returncode == status and word in result.stderr


def test_wrong_networks(ingot, engines, picture):
    for dims, word in (((5,), "isn't a picture"), ((1, 4, 61, 83), "channels"), ((2, 3, 61, 83), "2 pictures")):
        result = ingot("run", engines(dims), "--input", picture, check=False)
        assert result.returncode == 7 and word in result.stderr
    result = ingot("run", engines((1, 3, 61, 83), "int64"), "--input", picture, check=False)
    assert result.returncode == 8 and "int64" in result.stderr
