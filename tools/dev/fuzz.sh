# A fuzzer of fuzz/, with what it found before as its corpus (build-fuzz/corpus/NAME) and the seeds in fuzz/corpus/NAME. Sourced by dev.
run_fuzzer() {
  local name=${1:-} seconds=${2:-60} seeds=() probe
  [ -n "$name" ] && [ -e "fuzz/${name}_fuzz.c" ] || die "usage: ./dev fuzz NAME [SECONDS]; there are: $(ls fuzz/*_fuzz.c 2>/dev/null | sed 's/.*\///; s/_fuzz.c//' | tr '\n' ' ')"
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
  build-fuzz/"${name}_fuzz" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 -verbosity=0 -print_final_stats=0 \
    -artifact_prefix="build-fuzz/$name-" "build-fuzz/corpus/$name" "${seeds[@]}" ||
    die "the fuzzer stopped; the input that did it is build-fuzz/$name-..."
  say "$name: $seconds s without a finding"
}
