"""What Python tests share: where the build is, the command, and a time limit for each test (60 s, or a marker: seconds(120))."""
import atexit
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile

import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes minutes: run by name alone (./dev test python/install sets INGOT_SLOW)")
    config.addinivalue_line("markers", "seconds(n): the most that the test may take; 60 by default")


def pytest_runtest_setup(item):
    if item.get_closest_marker("slow") and not os.environ.get("INGOT_SLOW"):
        pytest.skip("takes minutes; run it by its name")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_call(item):
    mark = item.get_closest_marker("seconds")
    seconds = mark.args[0] if mark else 60

    def late(signum, frame):
        raise TimeoutError(f"took longer than {seconds} s")

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    yield
    signal.alarm(0)


@pytest.fixture(scope="session")
def root():
    return ROOT


@pytest.fixture(scope="session")
def build():
    return BUILD


@pytest.fixture(scope="session")
def ingot():
    """Runs the command: ingot("build", "x.onnx", check=True) gives a CompletedProcess with text in stdout and stderr."""
    program = BUILD / "ingot"

    def run(*args, check=True, timeout=60, **options):
        result = subprocess.run([str(program), *map(str, args)], capture_output=True, text=True, timeout=timeout, **options)
        if check and result.returncode != 0:
            raise AssertionError(f"ingot {' '.join(map(str, args))}: exit {result.returncode}\n{result.stdout}{result.stderr}")
        return result

    return run


@pytest.fixture(scope="session")
def package():
    """The Python package, as the build folder has it."""
    folder = BUILD / "python"
    if not list(folder.glob("ingot/_native*")):
        pytest.skip("the Python package is not built here: it needs Python's headers and cffi (-DINGOT_PYTHON=ON)")
    if str(folder) not in sys.path:
        sys.path.insert(0, str(folder))
    emulated = BUILD / "libcuda_emulated.so"
    real = os.environ.get("INGOT_TEST_GPU") == "1"  # ./dev test --gpu
    if emulated.exists() and not real and "INGOT_CUDA_DRIVER" not in os.environ:  # opened once in a process: before anything asks for a GPU
        os.environ["INGOT_CUDA_DRIVER"] = os.environ["INGOT_NVRTC"] = str(emulated.resolve())
        if "INGOT_CACHE" not in os.environ:
            os.environ["INGOT_CACHE"] = cache = tempfile.mkdtemp(prefix="ingot_cache_")
            atexit.register(shutil.rmtree, cache, ignore_errors=True)
    import ingot as module

    return module


@pytest.fixture(scope="session")
def torch():
    return pytest.importorskip("torch", reason="no CPU build of PyTorch here")


@pytest.fixture(scope="session")
def torchvision(torch):
    """torchvision for its networks. Its compiled operators may be for another build of PyTorch and then fail to load; the import
    only needs the names of two of them."""
    try:
        import torchvision as module
    except ImportError:
        pytest.skip("no torchvision here")
    except RuntimeError:
        library = torch.library.Library("torchvision", "DEF")
        for name in ("nms", "qnms"):
            library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
        torch.ingot_keeps_library = library  # its definitions go when it does
        for key in [key for key in sys.modules if key.split(".")[0] == "torchvision"]:
            del sys.modules[key]
        import torchvision as module
    return module
