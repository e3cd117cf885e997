# Benchmarks: bench/NAME.py against other runtimes, bench/NAME.c for parts of the library. Sourced by dev.
bench() {
  local name=${1:-} script found=
  if [ -n "$name" ] && [ -e "bench/$name.c" ]; then
    shift
    compile "$BUILD" benchmarks
    "$BUILD/bench/$name" "$@"
    return
  fi
  need_python
  if [ -n "$name" ] && [ -e "bench/$name.py" ]; then
    shift
    $VENV/bin/python "bench/$name.py" "$@"
    return
  fi
  for script in bench/*.py; do
    grep -q '^if __name__' "$script" 2>/dev/null || continue # others are what benchmarks are made of
    found=1
    say "== $script"
    $VENV/bin/python "$script" "$@"
  done
  [ -n "$found" ] || die "there is no benchmark in bench/"
}
