# The tests on a real NVIDIA GPU: `./dev test --gpu`. What has INGOT_TEST_ON_GPU (C) or INGOT_TEST_GPU (Python) in its text runs on it, then some of it under
# compute-sanitizer. Sourced by dev, after test.sh.
log_of() { printf '%s/gpu_%s.log' "$BUILD" "${1//[^a-z0-9]/_}"; } # NAME
# start_program NAME SECONDS COMMAND...: a test program, in the background; count_program NAME SECONDS waits for it: cmocka tells of its cases, and one that
# ends otherwise has failed.
declare -A started=() # the process of each
start_program() {
  local log limit=$2 name=$1
  log=$(log_of "$name")
  shift 2
  rm -f "$log.rc"
  {
    local rc=0 start=$SECONDS
    timeout -k 10 "$limit" "$@" >"$log" 2>&1 || rc=$?
    echo "$rc $((SECONDS - start))" >"$log.rc"
  } &
  started[$name]=$!
}
count_program() {
  local name=$1 limit=$2 log rc=1 took=0 ok bad skips
  log=$(log_of "$name")
  wait "${started[$name]}" || :
  read -r rc took <"$log.rc" || :
  rm -f "$log.rc"
  ok=$(grep -c '^\[       OK \]' "$log" || :)
  bad=$(grep '^\[  FAILED  \]' "$log" | grep -vc 'test(s)' || :)
  skips=$(grep '^\[  SKIPPED \]' "$log" | grep -vc 'test(s)' || :)
  bad=$((bad / 2)) skips=$(((skips + 1) / 2)) # told of twice
  if [ $rc = 77 ]; then ok=0 bad=0 skips=1; elif [ $rc != 0 ] && [ "$bad" = 0 ]; then bad=1; fi
  count "$name" "$ok" "$bad" "$skips" "$took"
  if [ "$bad" -gt 0 ]; then
    [ $rc != 124 ] || say "$name: took longer than $limit s"
    grep -v '^\[ RUN' "$log" | head -n 60 | cut -c1-300
    say "all of it: $log"
  fi
}

run_program() { # NAME SECONDS COMMAND...
  start_program "$@"
  count_program "$1" "$2"
}

# The checks of memory and of races between threads, of NVIDIA's compute-sanitizer: on a choice of the kernels and on whole networks, all beside each
# other and beside the Python tests: each keeps one processor busy and the GPU hardly. The choice goes in parts, for it takes long, and without
# vendors' kernels (racecheck reports races within cuBLASLt's). Racecheck looks within a kernel, so threads that launch the same kernels show it nothing, and
# once it lost track of a launch among theirs ("Internal Sanitizer Error"): it does without them.
#
# Racecheck orders what a thread has written before an mbarrier only if that thread arrives at it itself: kernels keep to that where they hand elements from
# warp to warp (one lane that arrives for a warp behind __syncwarp() is right as well, and reported).
sanitized_programs=() # NAME SECONDS, of what runs
sanitizer_started=''
start_sanitized() {   # NAME SECONDS COMMAND...
  local name=$1 seconds=$2
  shift 2
  sanitized_programs+=("$name" "$seconds")
  start_program "$name" "$seconds" nice "$@" # the tests that go on one after the other are what the end waits for
}
start_compute_sanitizer() {
  local tool sanitizer probe part parts=$(($(cores) < 4 ? 1 : $(cores) > 16 ? 16 : $(cores)))
  sanitizer=$(command -v compute-sanitizer || ls -d /usr/local/cuda*/bin/compute-sanitizer 2>/dev/null | tail -n 1 || :)
  if [ -z "$sanitizer" ]; then
    say "compute-sanitizer isn't here (it comes with CUDA's toolkit): skipped"
    count "memcheck" 0 0 1 0
    return
  fi
  probe=$BUILD/gpu_sanitizer.log
  if ! timeout 120 "$sanitizer" --report-api-errors no --error-exitcode 9 "$PYTHON" -c 'import sys; sys.path.insert(0, "bench"); import ingot_library
ingot_library.describe_device()' >"$probe" 2>&1 && grep -q 'Device not supported' "$probe"; then
    say "compute-sanitizer can't work with this GPU here: skipped"
    count "memcheck" 0 0 1 0
    return
  fi
  local checked=("$sanitizer" --report-api-errors no --error-exitcode 9)
  start_sanitized "memcheck, networks" 600 "${checked[@]}" --tool memcheck "$BUILD/tests/test_cuda_engine"
  INGOT_TEST_ONE_THREAD=1 start_sanitized "racecheck, networks" 600 "${checked[@]}" --tool racecheck "$BUILD/tests/test_cuda_engine"
  for tool in racecheck memcheck; do
    for ((part = 0; part < parts; part++)); do
      INGOT_TEST_FULL=0 INGOT_TEST_OURS=1 INGOT_TEST_SLICES=once INGOT_TEST_SHARE=$part/$parts \
        start_sanitized "$tool, kernels $part/$parts" 900 "${checked[@]}" --tool "$tool" "$BUILD/tests/test_backend_cuda_kernels"
    done
  done
}
start_sanitizer_once() { # FILTER of names
  [ -z "$sanitizer_started" ] && [[ sanitizer =~ $1 ]] || return 0
  sanitizer_started=1
  start_compute_sanitizer
}
count_compute_sanitizer() {
  local i
  for ((i = 0; i < ${#sanitized_programs[@]}; i += 2)); do count_program "${sanitized_programs[i]}" "${sanitized_programs[i + 1]}"; done
}

# The GPU, as JSON.
gpu_machine() {
  "$PYTHON" -c 'import json, sys; sys.path.insert(0, "bench"); import ingot_library
words = ingot_library.describe_device().split(", ")
print(json.dumps({"device": words[0], "is": ", ".join(words[1:])}))'
}

# Where it ran and what came of it.
save_gpu_results() {
  local machine slug
  machine=$(gpu_machine) || return 0
  slug=$(printf '%s' "$machine" | sed -E 's/.*"device": "([^"]*)".*/\1/' | tr 'A-Z ' 'a-z_' | tr -cd 'a-z0-9_')
  {
    printf '{"machine": %s,\n "date": "%s", "commit": "%s",\n "tests": [' "$machine" "$(date +%Y-%m-%d)" "$(git rev-parse --short HEAD 2>/dev/null || echo unknown)"
    local IFS=$'\n' first=1 line
    for line in "${results[@]}"; do
      [ $first = 1 ] || printf ','
      printf '\n  %s' "$line"
      first=0
    done
    printf ']}\n'
  } >"bench/results/gpu_tests_$slug.json"
  say "written: bench/results/gpu_tests_$slug.json"
}

run_gpu_tests() { # [--no-build] [FILTER of names]
  local filter='' no_build='' word source name seconds python
  for word in "$@"; do
    case $word in --no-build) no_build=1 ;; *) filter=$word ;; esac
  done
  if [ -z "$no_build" ]; then
    need_tools
    need_python_package
    build
  fi
  [ -e "$BUILD/libingot.so" ] || die "nothing is built in $BUILD"
  if [ -z "${PYTHON:-}" ]; then PYTHON=$VENV/bin/python && [ -x "$PYTHON" ] || PYTHON=python3; fi
  export PYTHON INGOT_TEST_GPU=1 INGOT_CACHE=${INGOT_CACHE:-$ROOT/$BUILD/cuda_cache_gpu}
  gpu_machine || die "no GPU that tests could run on"
  while read -r source; do
    name=$(printf '%s' "${source#tests/}" | sed 's/_test\.c$//')
    [[ $name =~ $filter ]] || continue
    seconds=$(grep -oE 'INGOT_TEST_SECONDS [0-9]+' "$source" | grep -oE '[0-9]+' || echo 120)
    run_program "$name" "$seconds" "$BUILD/tests/test_${name//\//_}"
    if [ "$name" = cuda/failures ]; then start_sanitizer_once "$filter"; fi # the kernels are compiled by now, and nobody else takes all memory
  done < <(grep -lE 'INGOT_TEST_ON_GPU' -r tests --include='*_test.c' | sort)
  start_sanitizer_once "$filter"
  # Where pytest can run several tests at once they do: most of their time goes to the compilers.
  local together=() threads=$((($(cores) + 7) / 8)) # PyTorch's, in each of them
  if "$PYTHON" -c 'import xdist' 2>/dev/null; then
    together=(-n "$(($(cores) < 16 ? ($(cores) + 1) / 2 : 8))" -p no:benchmark)
  fi
  for python in $(grep -l INGOT_TEST_GPU -r tests --include='*_test.py' | sort); do
    [[ $python =~ $filter ]] || continue
    OMP_NUM_THREADS=$threads run_pytest "${python#tests/}" "$BUILD/gpu_$(basename "$python" .py).log" ${together[@]+"${together[@]}"} "$python"
  done
  count_compute_sanitizer
  [ -n "$filter" ] || save_gpu_results
  summary
}
