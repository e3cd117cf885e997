# The rules of the source tree, in seconds and with the shell alone. Sourced by dev.

# Room: the rooms whose headers its files may include. Anyone may include its own folder's headers and the .def tables.
INCLUDE_RULES='
base:     base
ir:       base ir
ops:      base ir ops
backend:  base ir ops backend
engine:   base ir ops backend engine
runtime:  base ir ops backend engine runtime
import:   base ir ops backend engine runtime import
passes:   base ir ops backend engine runtime passes
quant:    base ir ops backend engine runtime quant
tune:     base ir ops backend engine runtime tune
plan:     base ir ops backend engine runtime plan
compile:  base ir ops backend engine runtime import passes quant tune plan compile
api:      base ir ops backend engine runtime import passes quant tune plan compile api
'
LONGEST_FILE=800 LONGEST_LINE=150

# Everything a person wrote; no build folders, no environments.
sources() {
  find . \( -name .git -o -name 'build*' -o -path "./${BUILD#./}" -o -name .venv -o -name __pycache__ -o -name '*.egg-info' -o -name shared \) -prune -o -type f \
    \( -name '*.c' -o -name '*.h' -o -name '*.inc' -o -name '*.def' -o -name '*.cu' -o -name '*.cuh' -o -name '*.py' -o -name '*.sh' -o -name '*.cmake' \
    -o -name 'CMakeLists.txt' -o -name '*.md' -o -name '*.in' -o -name '*.map' -o -name dev -o -path './.ci/*' \) -print | sed 's/^\.\///' | sort
}

# rule NAME: reads the lines that break it.
broken_rules=0 rules=0
rule() {
  local lines
  lines=$(cat)
  rules=$((rules + 1))
  if [ -n "$lines" ]; then
    broken_rules=$((broken_rules + 1))
    printf '%s:\n' "$1"
    printf '%s\n' "$lines" | sed 's/^/  /' | head -n 20
  fi
}

includes() { # file:line:header of every #include "header"
  grep -nE '^[[:space:]]*#[[:space:]]*include[[:space:]]*"' "$@" /dev/null | sed -E 's/^([^:]*:[0-9]+):[^"]*"([^"]*)".*/\1:\2/'
}

check_all() {
  set +e +o pipefail # greps that find nothing are the good case
  local all code
  all=$(sources)
  code=$(printf '%s\n' "$all" | grep -E '\.(c|h|inc|cu|cuh)$')
  # What NVRTC compiles sees the sources below kernels/ and nothing else, by their paths from there; so do the headers that it shares with C.
  local kernels=src/backend/cuda/kernels device
  device=$(printf '%s\n' "$code" | grep -E "^$kernels/.*\.(cu|cuh)$")
  includes $device $(includes $device | cut -d: -f3 | grep '\.h$' | sort -u | sed "s,^,$kernels/,") 2>/dev/null | while IFS=: read -r file line header; do
    [[ -e "$kernels/$header" || $header = emulated* ]] || printf '%s:%s: "%s" is not below %s\n' "$file" "$line" "$header" $kernels
  done | rule "device code includes device code"
  printf '%s\n' "$device" | xargs grep -nE '^[^/]*__shared__' /dev/null | grep -vE ':  extern __shared__ __align__\(1024\)' |
    rule "kernels share memory by SHARED() alone, whose size the host gives"
  includes $(printf '%s\n' "$code" | grep '^src/' | grep -vE '^src/backend/cuda/kernels/.*\.(cu|cuh)$') | awk -F: -v table="$INCLUDE_RULES" '
    BEGIN { n = split(table, line, "\n"); for (i = 1; i <= n; i++) { split(line[i], part, ":"); if (part[1] != "") may[part[1]] = part[2] " " } }
    { split($1, path, "/"); room = path[2]; at = index($3, "/"); other = at ? substr($3, 1, at - 1) : ""
      if (at == 0 || other == "ingot" || ($1 ~ /[.]cuh?$/ && $1 ~ /^src\/backend\/cuda\/kernels\//)) next # those see kernels/ alone, by its folders
      if (!(room in may)) { print $1 ":" $2 ": the table in tools/dev/check.sh has no row for " room; next }
      if (index(may[room], " " other " ") == 0 && path[3] != other) print $1 ":" $2 ": src/" room " must not include \"" $3 "\"" }' |
    rule "includes point one way"
  includes $(printf '%s\n' "$code" | grep -E '^(cli|examples|python)/') | awk -F: '$3 ~ /\// && $3 != "ingot/ingot.h" { print $1 ":" $2 ": " $3 }' |
    rule "cli, examples and python see ingot/ingot.h alone"
  { includes $(printf '%s\n' "$code" | grep '^src/backend/cpu/') | grep ':backend/cuda/' || :
    includes $(printf '%s\n' "$code" | grep '^src/backend/cuda/') | grep ':backend/cpu/' || :; } | rule "backends don't include each other"
  printf '%s\n' "$all" | xargs wc -l | awk -v max=$LONGEST_FILE '$2 != "total" && $1 > max { print $2 ": " $1 " lines, the most is " max }' |
    rule "files have one idea each"
  printf '%s\n' "$code" | xargs awk -v max=$LONGEST_LINE 'length($0) > max { print FILENAME ":" FNR ": " length($0) " columns, the most is " max }' |
    rule "lines fit"
  printf '%s\n' "$all" | grep -iE '(^|/)(utils?|common|helpers?|misc)(\.[a-z]+|/)' | rule "names say what is inside"
  printf '%s\n' "$all" | xargs grep -nE '/w[o]rk/|/f[a]rm/|/home/[a-z]' /dev/null | cut -c1-140 | rule "no paths of one machine"
  printf '%s\n' "$all" | grep -vE '^tests/|^tools/dev/check' | xargs grep -nE '"/t[m]p' /dev/null | grep -v TMPDIR | rule "no fixed temporary folder outside tests"
  printf '%s\n' "$all" | xargs grep -nwE 'TO[D]O|FIX[M]E|X[X]X|HA[C]K' /dev/null | cut -c1-140 | rule "nothing is left for later"
  printf '%s\n' "$all" | xargs grep -nP '\t|[ \r]+$' /dev/null | grep -vE '^[^:]*\.(md|map):' | cut -c1-120 | rule "no tabs, no trailing blanks (./dev format)"
  # Library code allocates through base/mem.h and prints through base/log.h, and never ends the process.
  printf '%s\n' "$code" | grep '^src/' | grep -vE '^src/base/(mem|log)\.c$' |
    xargs grep -nE '(^|[^A-Za-z0-9_>.])(malloc|calloc|realloc|strdup|asprintf|alloca|free|printf|puts|perror|abort|exit|_exit) ?\(' /dev/null |
    grep -vE ':[0-9]+: *(/\*|\*|//)' | cut -c1-140 | rule "memory and messages go through base/"
  check_symbols
  if [ $broken_rules = 0 ]; then say "check: $rules rules hold"; else say "check: $broken_rules of $rules rules are broken"; fi
  [ $broken_rules = 0 ]
}

# What the linker sees: needs a build.
check_symbols() {
  local library=$BUILD/libingot.so header=include/ingot/ingot.h objects
  if [ ! -e "$library" ]; then
    say "no $library yet: exported symbols are not checked (./dev build)"
    return
  fi
  nm -D --defined-only "$library" | awk '$3 !~ /^ingot_[a-z]/ { print $3 }' | rule "libingot.so exports ingot_* alone"
  { sed -nE 's/^INGOT_API [^(]*[ *](ingot_[a-z0-9_]+)\(.*/\1/p' $header | sort -u >"$BUILD/api.declared"
    nm -D --defined-only "$library" | awk '{ print $3 }' | sort -u >"$BUILD/api.exported"
    comm -23 "$BUILD/api.declared" "$BUILD/api.exported" | sed 's/$/ is declared and not there/'
    comm -13 "$BUILD/api.declared" "$BUILD/api.exported" | sed 's/$/ is exported and not declared/'; } | rule "$header and libingot.so agree"
  objects=$(find "$BUILD/CMakeFiles" -path '*_objects.dir/*.o' -newer CMakeLists.txt)
  [ -z "$objects" ] || printf '%s\n' "$objects" | xargs nm -g --defined-only 2>/dev/null | awk 'NF == 3 && $3 !~ /^(ingot_|__asan|__odr|__tsan|__ubsan)/ { print $3 }' |
    rule "names between files begin with ingot_"
}

format_all() {
  local file
  sources | grep -vE '\.md$' | while read -r file; do
    if grep -qP '\t|[ \r]+$' "$file" || [ -n "$(tail -c 1 "$file")" ]; then
      [ "${file##*.}" = map ] || sed -i -E 's/[ \t\r]+$//; s/\t/  /g' "$file"
      [ -z "$(tail -c 1 "$file")" ] || echo >>"$file"
      say "formatted $file"
    fi
  done
  sources | grep -E '\.(c|h|inc|cu|cuh)$' | xargs awk -v max=$LONGEST_LINE 'length($0) > max { print FILENAME ":" FNR ": " length($0) " columns, the most is " max }'
}
