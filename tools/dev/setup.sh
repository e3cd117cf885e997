# What ./dev needs on the machine: found, or installed by package name, saying so. Sourced by dev.

say() { printf '%s\n' "$*"; }
die() { printf 'dev: %s\n' "$*" >&2; exit 1; }
cores() { nproc 2>/dev/null || echo 2; }

# install PACKAGE...: with the system's package manager (names are Debian's and Ubuntu's).
install_packages() {
  local sudo=
  if ! command -v apt-get >/dev/null; then
    die "these are missing here; install what your system calls them, then run this again: $*"
  fi
  if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || die "missing packages; as root: apt-get install $*"
    sudo=sudo
  fi
  say "installing: $*"
  local log
  log=$(mktemp)
  if ! { $sudo apt-get update -q && $sudo env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@"; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -f "$log"
    die "could not install: $*"
  fi
  rm -f "$log"
}

# The compiler, CMake and the libraries. Asks each time; it takes some milliseconds when all is there.
need_tools() {
  local missing=()
  if ! command -v "${CC:-cc}" >/dev/null || ! command -v make >/dev/null; then missing+=(build-essential); fi
  command -v cmake >/dev/null || missing+=(cmake)
  command -v ninja >/dev/null || missing+=(ninja-build)
  if command -v pkg-config >/dev/null; then
    local pair
    for pair in libxxhash:libxxhash-dev jansson:libjansson-dev zlib:zlib1g-dev libjpeg:libjpeg-dev libpng:libpng-dev cmocka:libcmocka-dev; do
      pkg-config --exists "${pair%:*}" || missing+=("${pair#*:}")
    done
  else
    missing+=(pkg-config libxxhash-dev libjansson-dev zlib1g-dev libjpeg-dev libpng-dev libcmocka-dev)
  fi
  [ ${#missing[@]} = 0 ] || install_packages "${missing[@]}"
}

# What the Python package's extension is built with, switched on in the build folder: Python's headers, and cffi of .venv.
need_python_package() {
  need_python
  $VENV/bin/python -c 'import os, sysconfig; exit(not os.path.exists(sysconfig.get_path("include") + "/Python.h"))' || install_packages python3-dev
  if ! grep -q '^INGOT_PYTHON:BOOL=ON' "$BUILD/CMakeCache.txt" 2>/dev/null; then
    configure "$BUILD" -DINGOT_PYTHON=ON -DPython_EXECUTABLE="$ROOT/$VENV/bin/python"
  fi
}

# Python in .venv with the packages that tests and benchmarks take as their second opinion. PyTorch is taken in its CPU build only (the
# other one brings gigabytes of CUDA): where that can't be had, the tests that need it say so and skip.
need_python() {
  local packages=tests/requirements.txt nvrtc=nvidia-cuda-nvrtc==13.5.37 stamp log
  stamp=$VENV/ready-$({ cat $packages; echo "torch $nvrtc"; } | cksum | cut -d' ' -f1)
  [ -e "$stamp" ] && return
  if ! command -v python3 >/dev/null || ! python3 -c 'import ensurepip, venv' 2>/dev/null; then
    install_packages python3 python3-venv python3-pip ca-certificates
  fi
  log=$(mktemp)
  say "making $VENV with the packages of $packages"
  rm -rf "$VENV"
  if ! { python3 -m venv $VENV && $VENV/bin/pip install -q -r $packages; } >"$log" 2>&1; then
    tail -n 15 "$log" >&2
    rm -rf "$log" "$VENV"
    die "could not make the Python environment; without it './dev test' can't compare with other runtimes"
  fi
  # CUDA's compiler, which needs no GPU: for tests/cuda/compile_test.c.
  timeout 300 $VENV/bin/pip install -q $nvrtc >"$log" 2>&1 || say "no NVRTC here: CUDA kernels aren't compiled for real GPUs"
  # A dry run tells which file would be taken; its version ends in +cpu where the index at hand offers the CPU build.
  local want
  for want in torch==2.13.0 torch==2.13.0+cpu; do
    if timeout 300 $VENV/bin/pip install --dry-run --no-deps --ignore-installed -q --report "$log" $want >/dev/null 2>&1 && grep -q '"version": "2.13.0+cpu"' "$log"; then
      say "installing torch 2.13.0+cpu and torchvision into $VENV"
      timeout 900 $VENV/bin/pip install -q $want >"$log" 2>&1 && timeout 300 $VENV/bin/pip install -q --no-deps torchvision==0.28.* >>"$log" 2>&1 || tail -n 5 "$log"
      break
    fi
  done
  $VENV/bin/python -c 'import torch' 2>/dev/null || say "no CPU build of torch 2.13.0 here: the tests that compare with PyTorch are skipped"
  rm -f "$log"
  touch "$stamp"
}
