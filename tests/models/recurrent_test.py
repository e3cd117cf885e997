"""Networks over time, small: recurrent ones as PyTorch exports them, one with its own loop, speech from samples on, a dynamically quantised
transformer, an unrolled recurrence. Against PyTorch or ONNX Runtime, at more than one length."""
import pathlib
import sys
import warnings

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="no PyTorch here")
onnx = pytest.importorskip("onnx", reason="no onnx package here")
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import ingot_library  # noqa: E402

nn = torch.nn


def export(model, args, path, names, free):
    """free: {input: {axis: symbol}}. By PyTorch's older exporter, which writes LSTM, GRU, Loop and STFT."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(model.eval(), args, str(path), dynamo=False, input_names=names, dynamic_axes=free, opset_version=17)


def build(path, *feeds):
    """An engine for the shapes of all feeds, tuned for the first."""
    shapes = {}
    for name, first in feeds[0].items():
        dims = [np.array(f[name].shape, int) for f in feeds]
        shapes[name] = (tuple(np.min(dims, 0)), tuple(first.shape), tuple(np.max(dims, 0)))
    return ingot_library.Engine(path, shapes=shapes, threads=2, budget=0.2)


def close(got, want, bound=1e-4):
    assert got.shape == want.shape
    assert want.size == 0 or np.abs(got.astype(np.float64) - want).max() <= bound * max(float(np.ptp(want)), 1e-6)


def check(model, path, feeds, names, free):
    export(model, tuple(torch.from_numpy(feeds[0][n]) for n in names), path, names, free)
    engine = build(path, *feeds)
    for feed in feeds:
        with torch.inference_mode():
            want = model(*(torch.from_numpy(feed[n]) for n in names))
        engine.set(feed)
        engine.run()
        for got, w in zip(engine.get(), want if isinstance(want, tuple) else (want,)):
            close(got, w.numpy())


def x(*shape):
    return np.random.default_rng(3).standard_normal(shape).astype(np.float32)


class Stack(nn.Module):
    def __init__(self, kind, **more):
        super().__init__()
        self.r, self.f = kind(12, 20, 2, bidirectional=True, batch_first=True, **more), nn.Linear(40, 5)

    def forward(self, v):
        y, state = self.r(v)
        return self.f(y), state[0] if isinstance(state, tuple) else state


@pytest.mark.parametrize("kind, more", [(nn.LSTM, {}), (nn.GRU, {}), (nn.RNN, {"nonlinearity": "relu"})], ids=["lstm", "gru", "rnn"])
def test_stack(tmp_path, kind, more):
    torch.manual_seed(1)
    check(Stack(kind, **more), tmp_path / "m.onnx", [{"v": x(2, 11, 12)}, {"v": x(1, 3, 12)}, {"v": x(3, 30, 12)}], ["v"], {"v": {0: "B", 1: "T"}})


class Packed(nn.Module):
    def __init__(self):
        super().__init__()
        self.r = nn.LSTM(12, 20, 2, bidirectional=True)

    def forward(self, v, lengths):
        y, (h, c) = self.r(nn.utils.rnn.pack_padded_sequence(v, lengths))
        return nn.utils.rnn.pad_packed_sequence(y)[0], h, c


def test_sequences_of_their_own_lengths(tmp_path):
    torch.manual_seed(2)
    feeds = [{"v": x(9, 3, 12), "lengths": np.array([9, 4, 1])}, {"v": x(5, 2, 12), "lengths": np.array([5, 5])}]
    check(Packed(), tmp_path / "m.onnx", feeds, ["v", "lengths"], {"v": {0: "T", 1: "B"}, "lengths": {0: "B"}})


@torch.jit.script
def decode(e: torch.Tensor, h: torch.Tensor, n: torch.Tensor, w: torch.Tensor, u: torch.Tensor):
    """Attention over e at each of n steps, as a loop that the exporter keeps."""
    out = h.unsqueeze(0)[:0]
    for i in range(int(n)):
        share = torch.softmax(torch.matmul(e.transpose(0, 1), h.unsqueeze(-1)).squeeze(-1), -1)
        context = torch.matmul(share.unsqueeze(1), e.transpose(0, 1)).squeeze(1)
        h = torch.tanh(torch.matmul(context, w) + torch.matmul(h, u))
        out = torch.cat([out, h.unsqueeze(0)], 0)
    return out


class Translate(nn.Module):
    def __init__(self):
        super().__init__()
        self.enc = nn.GRU(12, 16)
        self.w, self.u = nn.Parameter(torch.randn(16, 16) / 4), nn.Parameter(torch.randn(16, 16) / 4)

    def forward(self, v, n):
        e, h = self.enc(v)
        return decode(e, h[0], n, self.w, self.u)


def test_a_loop_with_attention(tmp_path):
    torch.manual_seed(3)
    feeds = [{"v": x(7, 2, 12), "n": np.array(6)}, {"v": x(3, 2, 12), "n": np.array(1)}, {"v": x(7, 2, 12), "n": np.array(0)}]
    check(Translate(), tmp_path / "m.onnx", feeds, ["v", "n"], {"v": {0: "T"}})


class Speech(nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("w", torch.hann_window(80))
        self.register_buffer("mel", torch.rand(41, 16))
        self.c, self.r, self.f = nn.Conv1d(16, 24, 3, 2, 1), nn.GRU(24, 16, batch_first=True, bidirectional=True), nn.Linear(32, 9)

    def forward(self, v):
        z = torch.stft(v, 80, 32, window=self.w, center=False, return_complex=False, onesided=True)
        power = torch.log(torch.clamp((z * z).sum(-1).transpose(1, 2) @ self.mel, min=1e-10)).transpose(1, 2)
        return torch.log_softmax(self.f(self.r(torch.relu(self.c(power)).transpose(1, 2))[0]), -1)


def test_speech_from_samples_on(tmp_path):
    """PyTorch's stft with return_complex=False is what its exporter knows."""
    torch.manual_seed(4)
    model, path, feeds = Speech(), tmp_path / "m.onnx", [{"v": x(1, 1600)}, {"v": x(1, 900)}]
    export(model, (torch.from_numpy(feeds[0]["v"]),), path, ["v"], {"v": {1: "N"}})
    engine = build(path, *feeds)
    ort = pytest.importorskip("onnxruntime", reason="no onnxruntime here")
    session = ort.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    for feed in feeds:
        engine.set(feed)
        engine.run()
        close(engine.get()[0], session.run(None, feed)[0])


def test_dynamically_quantised(tmp_path):
    """A perceptron of three layers: where no rounding is at stake the result is ONNX Runtime's; a level that falls the other way is a 255th."""
    pytest.importorskip("onnxruntime", reason="no onnxruntime here")
    import onnxruntime as ort
    from onnxruntime.quantization import QuantType, quantize_dynamic

    torch.manual_seed(5)
    model = nn.Sequential(nn.Linear(64, 96), nn.GELU(), nn.Linear(96, 70), nn.LayerNorm(70), nn.Linear(70, 20))
    export(model, (torch.from_numpy(x(3, 5, 64)),), tmp_path / "f.onnx", ["v"], {"v": {0: "B"}})
    for kind, per_channel in ((QuantType.QInt8, False), (QuantType.QUInt8, True)):
        quantize_dynamic(tmp_path / "f.onnx", tmp_path / "q.onnx", weight_type=kind, per_channel=per_channel)
        feed = {"v": x(4, 5, 64)}
        options = ort.SessionOptions()
        options.add_session_config_entry("session.x64quantprecision", "1")  # without VNNI its 8-bit products overflow otherwise
        want = ort.InferenceSession(str(tmp_path / "q.onnx"), options, providers=["CPUExecutionProvider"]).run(None, feed)[0]
        engine = build(tmp_path / "q.onnx", feed)
        engine.set(feed)
        engine.run()
        got = engine.get()[0]
        close(got, want, 0.01)
        assert np.sqrt(((got - want) ** 2).mean()) < 2e-3 * np.ptp(want)


class Unrolled(nn.Module):
    def __init__(self):
        super().__init__()
        self.wi, self.wh = nn.Linear(8, 128), nn.Linear(32, 128)

    def forward(self, v):
        h = c = torch.zeros(2, 32)
        out = []
        for t in range(60):
            i, f, g, o = (self.wi(v[t]) + self.wh(h)).chunk(4, 1)
            c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
            h = torch.sigmoid(o) * torch.tanh(c)
            out.append(h)
        return torch.stack(out)


def test_an_unrolled_recurrence_keeps_its_weights_once(tmp_path, ingot):
    torch.manual_seed(6)
    check(Unrolled(), tmp_path / "m.onnx", [{"v": x(60, 2, 8)}], ["v"], {})
    ingot("build", tmp_path / "m.onnx", "-o", tmp_path / "m.ingot", "--budget", "0")
    assert (tmp_path / "m.ingot").stat().st_size < 700_000  # 1.5 MB with a copy of the packed weights for each step
