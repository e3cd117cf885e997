# Configuring and building, quietly. Sourced by dev.

# configure FOLDER [CMAKE ARGS]: once, and again when arguments are given or the last try failed.
configure() {
  local folder=$1 log=$1/configure.log
  shift
  if [ $# = 0 ] && [ -e "$folder/build.ninja" ]; then return; fi
  mkdir -p "$folder"
  cmake -G Ninja -S . -B "$folder" "$@" >"$log" 2>&1 || { tail -n 30 "$log" >&2; rm -f "$folder/build.ninja"; die "CMake failed; all of it: $log"; }
}

# compile FOLDER [TARGETS]: prints what fails and nothing else.
compile() {
  local folder=$1 log=$1/build.log
  shift
  if ! ninja -C "$folder" "$@" >"$log" 2>&1; then
    grep -v -E '^\[[0-9]+/[0-9]+\] |^ninja: Entering' "$log" | head -n 60 >&2
    die "the build failed; all of it: $log"
  fi
  grep -E 'warning:' "$log" | sort -u | head -n 20 >&2 || :
}

build() {
  local start=$SECONDS
  configure "$BUILD" "$@"
  compile "$BUILD"
  if [ $((SECONDS - start)) -ge 2 ]; then say "build: $((SECONDS - start)) s"; fi
}
