# The demo: the U-Net example on its images. Sourced by dev.
demo() {
  local program=$BUILD/examples/segment_cells
  [ -x "$program" ] || die "there is no $program: the example examples/segment_cells was not built"
  "$program" "$@"
}
