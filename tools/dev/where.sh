# Finds a thing by its name: rows of the .def tables, definitions of functions, files, tests. Sourced by dev.
where() {
  local name=${1:-} found
  [ -n "$name" ] || die "usage: ./dev where NAME (Conv, fuse_activations, INGOT_E_SHAPE, ingot_build, ...)"
  local places=(src include cli examples python tests docs fuzz bench)
  local there=()
  for p in "${places[@]}"; do [ -e "$p" ] && there+=("$p"); done
  found=$({
    # Rows of the tables: the name as the first or second argument.
    find src -name '*.def' -exec grep -HnE "^ *INGOT_[A-Z_]+\( *\"?(E_)?($name|${name#INGOT_E_})\"?," {} + || :
    find src -name '*.def' -exec grep -HnE "^ *INGOT_[A-Z_]+\([A-Za-z0-9_]+, *\"?$name\"?," {} + || :
    # Kernels of templates: INGOT__KERNEL(name without the instruction set).
    grep -rnE "INGOT__KERNEL\((${name%_*}|$name)\)" src --include='*.inc' --include='*.c' || :
    # Definitions: a line that begins with a type and has the name, or its form for operators, kernels and passes, before '(' or '='.
    grep -rnE "^[A-Za-z][A-Za-z0-9_ *]*[ *](ingot_+)?((infer|ref|workspace|cpu|pass|import)_)?$name( ?=|\[|\().*" "${there[@]}" --include='*.c' --include='*.h' --include='*.inc' || :
    grep -rnE "^(#define|typedef (struct|enum)) (ingot_+|INGOT_+)?$name\b|^\} (ingot_+)?$name;|^ *\"?(ingot_+)?$name\"? = INGOT" "${there[@]}" --include='*.c' --include='*.h' || :
    find "${there[@]}" -iname "*$name*" -type f -not -name '*.pyc' | sed 's/$/:1: the file/'
    grep -rln -w -- "$name" tests --include='*_test.c' --include='*_test.py' 2>/dev/null | sed 's/$/: uses it/' || :
  } | cut -c1-160 | awk '!seen[$0]++')
  [ -n "$found" ] || die "nothing here is called $name"
  say "$found"
}
