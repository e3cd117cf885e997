# Tests: the C ones by ctest, the Python ones by pytest, the source tree's rules, and sanitized runs. Sourced by dev.
passed=0 failed=0 skipped=0
results=() # the lines as JSON

# count NAME PASSED FAILED SKIPPED SECONDS: adds up, keeps and prints a line.
count() {
  passed=$((passed + $2)) failed=$((failed + $3)) skipped=$((skipped + $4))
  results+=("{\"name\": \"$1\", \"passed\": $2, \"failed\": $3, \"skipped\": $4, \"seconds\": $5}")
  if [ $(($2 + $3 + $4)) -gt 0 ]; then printf '%-22s %5d passed, %d failed, %d skipped  (%d s)\n' "$1" "$2" "$3" "$4" "$5"; fi
}

# run_ctest NAME FOLDER CTEST-ARGS...: counts the cases of all test programs; prints what the failing ones said.
run_ctest() {
  local name=$1 folder=$2 start=$SECONDS log=$2/Testing/Temporary/LastTest.log jobs result
  shift 2
  jobs=$(cores)
  rm -f "$log"
  # ThreadSanitizer of older compilers can't work where addresses are spread as widely as newer kernels do.
  local plain=()
  if [ "$name" = TSAN ] && setarch -R true 2>/dev/null; then plain=(setarch -R); fi
  ${plain[@]+"${plain[@]}"} ctest --test-dir "$folder" -j "$jobs" --no-tests=ignore "$@" >"$folder/ctest.log" 2>&1 || :
  [ -e "$log" ] || { count "$name" 0 0 0 0; return; }
  # ctest's own lines tell how each program ended, its log what the program said: cmocka tells of each case; a program that says nothing
  # of cases counts as one, and so does one that ends without a word (a crash, a time-out).
  result=$(awk -v out="$folder/failures.log" '
    NR == FNR {
      if (match($0, /#[0-9]+: [^ ]+/)) {
        name = substr($0, RSTART, RLENGTH); sub(/^#[0-9]+: /, "", name)
        if (match($0, /Passed|\*\*\*[A-Z][a-z]+( Run)?/)) verdict[name] = substr($0, RSTART, RLENGTH)
      }
      next
    }
    /^[0-9]+\/[0-9]+ Testing: / { t = $3; lines = 0; split("", seen) }
    /^\[       OK \]/ { ok[t]++ }
    /^\[  (SKIPPED|FAILED)  ?\]/ && !/test\(s\)/ { if (!($4 in seen)) { if ($2 == "SKIPPED") skips[t]++; else fails[t]++ }; seen[$4] = 1 }
    !/^\[( RUN     |      OK) \]|^Command: |^"|^[0-9]+\/[0-9]+ Test|^Directory: |^-----|^Output:|^<end of|^End testing|^Test (time|[FP])|^[a-z]+ += +[0-9.]+ sec|^$/ { if (lines++ < 300) text[t] = text[t] $0 "\n" }
    END {
      printf "" > out
      for (t in verdict) {
        pass += ok[t]; skip += skips[t]; v = verdict[t]
        if (v == "Passed") pass += ok[t] + skips[t] == 0
        else if (v ~ /Skipped/) skip++
        else { fail += fails[t] ? fails[t] : 1; printf "---- %s: %s\n%s", t, substr(v, 4), text[t] > out }
      }
      print pass + 0, fail + 0, skip + 0
    }' "$folder/ctest.log" "$log")
  # shellcheck disable=SC2086
  set -- $result
  count "$name" "$1" "$2" "$3" $((SECONDS - start))
  if [ "$2" -gt 0 ]; then
    head -n 150 "$folder/failures.log" | cut -c1-400
    say "all of it: $log"
  fi
}

run_pytest() { # NAME LOG ARGUMENTS...
  local name=$1 log=$2 start=$SECONDS summary
  shift 2
  timeout 1200 "${PYTHON:-$VENV/bin/python}" -m pytest -c tests/pytest.ini --rootdir . -q "$@" >"$log" 2>&1 || :
  summary=$(grep -E '^[0-9]+ (passed|failed|skipped|error)|^(no tests ran)' "$log" | tail -n 1)
  number() { printf '%s\n' "$summary" | grep -oE "[0-9]+ $1" | grep -oE '[0-9]+' || echo 0; }
  local bad=$(($(number failed) + $(number 'errors?')))
  [ -n "$summary" ] || bad=1 # it was cut off, or didn't start
  count "$name" "$(number passed)" "$bad" "$(number skipped)" $((SECONDS - start))
  if [ "$bad" -gt 0 ]; then
    tail -n 80 "$log" | cut -c1-300
    say "all of it: $log"
  fi
}

# sanitized KIND SANITIZERS [CTEST-ARGS]: builds the tests into build-KIND and runs them; with a label, only those that carry it.
sanitized() {
  local kind=$1 sanitizers=$2 folder=build-$1 target=all
  shift 2
  [ -e "$folder/build.ninja" ] || configure "$folder" -DINGOT_SANITIZE="$sanitizers" -DINGOT_CLI=OFF -DINGOT_EXAMPLES=OFF -DCMAKE_BUILD_TYPE=Sanitize
  [ "${1:-}" = -L ] && target=tests_$2
  compile "$folder" "$target"
  export ASAN_OPTIONS=detect_leaks=1:allocator_may_return_null=1:detect_stack_use_after_return=1 UBSAN_OPTIONS=print_stacktrace=1
  export TSAN_OPTIONS=halt_on_error=1:second_deadlock_stack=1
  run_ctest "${kind^^}" "$folder" "$@"
}

summary() {
  say "$passed passed, $failed failed, $skipped skipped"
  [ "$failed" = 0 ]
}

run_tests() {
  local filter=${1:-} python
  need_tools
  python=$(find tests -name '*_test.py' 2>/dev/null | grep -E -- "$filter" || :)
  [ -z "$python" ] || need_python_package
  build
  export INGOT_TEST_NVRTC=${INGOT_TEST_NVRTC:-$(find "$ROOT/$VENV/lib" -name 'libnvrtc.so.1*' 2>/dev/null | head -n 1)}
  run_ctest C "$BUILD" ${filter:+-R "$filter"}
  if [ -n "$python" ]; then
    [ -z "$filter" ] || export INGOT_SLOW=1 # what takes minutes is run by its name
    # shellcheck disable=SC2086
    run_pytest Python "$BUILD/pytest.log" $python
  fi
  if [ -z "$filter" ]; then
    sanitized asan address,undefined -L asan
    sanitized tsan thread -L tsan
    if check_all; then count "source tree" 1 0 0 0; else count "source tree" 0 1 0 0; fi
  fi
  [ $((passed + failed + skipped)) -gt 0 ] || die "no test's name holds '$filter'"
  summary
}

run_sanitizers() {
  need_tools
  sanitized asan address,undefined ${1:+-R "$1"}
  sanitized tsan thread ${1:+-R "$1"}
  summary
}
