# The CPU's kernels are compiled for the instruction set that their file is named after. Sums may be contracted to fused multiply-adds
# there (their tests compare with tolerances), but nothing of -ffast-math: infinities and NaNs stay what they are.
# clang's pass-failed warns of loops that stay scalar because they call the C library; gcc knows no such warning and ignores the flag.
set(INGOT_KERNEL_FLAGS -O3 -ffp-contract=fast -fno-math-errno -fno-trapping-math -Wno-pass-failed)
if(INGOT_SANITIZE OR CMAKE_BUILD_TYPE STREQUAL Debug)
  list(REMOVE_ITEM INGOT_KERNEL_FLAGS -O3) # unrolled templates with every access checked take the compiler minutes
endif()
if(INGOT_SANITIZE MATCHES "address" AND CMAKE_C_COMPILER_ID STREQUAL GNU)
  # gcc 12 misplaces variables aligned to 64 bytes, which AVX-512's moves rely on, in the frames that find uses after return.
  list(APPEND INGOT_KERNEL_FLAGS --param=asan-use-after-return=0)
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

# A kernel that is one file for all instruction sets, kernels/<family>/<name>.isa.c, is compiled once for each: through a file in the build
# folder, named after the set as ingot_kernel_flags() wants it, which defines INGOT__ISA and includes it.
function(ingot_isa_sources result)
  set(made "")
  foreach(source ${ARGN})
    get_filename_component(name ${source} NAME)
    string(REPLACE ".isa.c" "" name ${name})
    foreach(isa portable avx2 avx512)
      set(file ${CMAKE_BINARY_DIR}/kernels/${name}/${isa}.c)
      set(text "#define INGOT__ISA ${isa}\n#include \"${CMAKE_CURRENT_SOURCE_DIR}/${source}\"\n")
      file(CONFIGURE OUTPUT ${file} CONTENT "${text}" @ONLY)
      set(flags ${INGOT_KERNEL_FLAGS})
      if(name MATCHES "typed")
        list(APPEND flags -fwrapv) # integers wrap, as they do in ONNX
      endif()
      if(CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
        list(APPEND flags ${INGOT_KERNEL_FLAGS_${isa}})
      endif()
      set_source_files_properties(${file} PROPERTIES COMPILE_OPTIONS "${flags}" OBJECT_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/${source})
      list(APPEND made ${file})
    endforeach()
  endforeach()
  set(${result} ${made} PARENT_SCOPE)
endfunction()
