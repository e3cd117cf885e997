# Fuzzers. `graphs` compares random models by all engines (fuzz/graphs.py); the others are fuzz/*_fuzz.c with clang's libFuzzer, with what
# they found before as their corpus (build-fuzz/corpus/NAME), the seeds in fuzz/corpus/NAME and, for ONNX, the onnx package's node tests.
# Sourced by dev.

# The environment's Python, or the one that PYTHON names.
fuzz_python() {
  if [ -n "${PYTHON:-}" ]; then "$PYTHON" "$@"; else "$VENV/bin/python" "$@"; fi
}

run_graphs() { # [SECONDS] [--count N] [--seed S] ..
  need_tools
  configure "$BUILD"
  compile "$BUILD" libingot.so
  [ -n "${PYTHON:-}" ] || need_python
  fuzz_python fuzz/graphs.py "$@"
}

onnx_seeds() {
  [ -d build-fuzz/seeds/onnx ] && return
  [ -n "${PYTHON:-}" ] || need_python
  fuzz_python fuzz/seeds.py build-fuzz/seeds/onnx 2>/dev/null || say "no seeds: the onnx package is missing"
}

run_fuzzer() { # NAME [SECONDS | --runs N]
  local name=${1:-} seeds=() limit probe
  if [ "$name" = graphs ]; then
    shift
    run_graphs "$@"
    return
  fi
  [ -n "$name" ] && [ -e "fuzz/${name}_fuzz.c" ] ||
    die "usage: ./dev fuzz NAME [SECONDS | --runs N]; there are: graphs $(ls fuzz/*_fuzz.c 2>/dev/null | sed 's/.*\///; s/_fuzz.c//' | tr '\n' ' ')"
  limit=-max_total_time=${2:-60}
  [ "${2:-}" = --runs ] && limit=-runs=${3:-1000000}
  need_tools
  command -v clang >/dev/null || install_packages clang
  probe=$(mktemp -d)
  echo 'int LLVMFuzzerTestOneInput(const unsigned char *d, unsigned long n) { return d && n > 1e9; }' >"$probe/a.c"
  if ! clang -fsanitize=fuzzer,address "$probe/a.c" -o "$probe/a" 2>/dev/null; then
    install_packages "libclang-rt-$(clang -dumpversion | cut -d. -f1)-dev" # a package of its own in newer releases
  fi
  rm -r "$probe"
  [ -e build-fuzz/build.ninja ] || configure build-fuzz -DCMAKE_C_COMPILER=clang -DCMAKE_BUILD_TYPE=Release -DINGOT_FUZZ=ON \
    -DINGOT_SANITIZE=address,undefined -DINGOT_CLI=OFF -DINGOT_EXAMPLES=OFF -DINGOT_TESTS=OFF
  compile build-fuzz "${name}_fuzz"
  mkdir -p "build-fuzz/corpus/$name"
  [ -d "fuzz/corpus/$name" ] && seeds=("fuzz/corpus/$name")
  case $name in onnx | model) onnx_seeds; [ -d build-fuzz/seeds/onnx ] && seeds+=(build-fuzz/seeds/onnx) ;; esac
  build-fuzz/"${name}_fuzz" "$limit" -max_len=8192 -timeout=20 -rss_limit_mb=3000 -verbosity=0 -print_final_stats=1 \
    -artifact_prefix="build-fuzz/$name-" "build-fuzz/corpus/$name" ${seeds[@]+"${seeds[@]}"} ||
    die "the fuzzer stopped; the input that did it is build-fuzz/$name-..."
  say "$name: no finding"
}
