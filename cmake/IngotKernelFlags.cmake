# The CPU's kernels are compiled for the instruction set that their file is named after. Sums may be contracted to fused multiply-adds
# there (their tests compare with tolerances), but nothing of -ffast-math: infinities and NaNs stay what they are.
# clang's pass-failed warns of loops that stay scalar because they call the C library; gcc knows no such warning and ignores the flag.
set(INGOT_KERNEL_FLAGS -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -Wno-pass-failed)
if(INGOT_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL Debug)
  list(REMOVE_ITEM INGOT_KERNEL_FLAGS -O3) # unrolled templates with every access checked take the compiler minutes
endif()
if(INGOT_FUZZ)
  list(APPEND INGOT_KERNEL_FLAGS -O1 -fno-sanitize=all) # the fuzzers are after what reads files
endif()
set(INGOT_KERNEL_FLAGS_portable "")
set(INGOT_KERNEL_FLAGS_avx2 -march=x86-64-v3)
set(INGOT_KERNEL_FLAGS_avx512 -march=x86-64-v4 -mprefer-vector-width=512)
set(INGOT_KERNEL_FLAGS_avx512_vnni ${INGOT_KERNEL_FLAGS_avx512} -mavx512vnni)
set(INGOT_KERNEL_FLAGS_avx512_bf16 ${INGOT_KERNEL_FLAGS_avx512} -mavx512bf16)

function(ingot_kernel_flags)
  foreach(source ${ARGN})
    get_filename_component(isa ${source} NAME_WE)
    if(source MATCHES "^src/backend/cpu/kernels/.*/" AND DEFINED INGOT_KERNEL_FLAGS_${isa})
      set(flags ${INGOT_KERNEL_FLAGS} ${INGOT_KERNEL_FLAGS_${isa}})
      if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        set(flags ${INGOT_KERNEL_FLAGS}) # the files for x86 guard their contents
      endif()
      set_source_files_properties(${source} PROPERTIES COMPILE_OPTIONS "${flags}")
    endif()
  endforeach()
endfunction()
