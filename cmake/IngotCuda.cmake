# The CUDA sources of src/backend/cuda/kernels as a C file: they are compiled for the GPU at hand, when an engine is built for it.
file(GLOB_RECURSE cuda_sources CONFIGURE_DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/backend/cuda/kernels/*.cu
     ${CMAKE_CURRENT_SOURCE_DIR}/src/backend/cuda/kernels/*.cuh ${CMAKE_CURRENT_SOURCE_DIR}/src/backend/cuda/kernels/*.h)
set(cuda_sources_file ${CMAKE_BINARY_DIR}/cuda_sources.c)
add_custom_command(
  OUTPUT ${cuda_sources_file}
  COMMAND ${CMAKE_COMMAND} -DFOLDER=${CMAKE_CURRENT_SOURCE_DIR}/src/backend/cuda/kernels -DOUT=${cuda_sources_file}
          -P ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_sources.cmake
  DEPENDS ${cuda_sources} ${CMAKE_CURRENT_SOURCE_DIR}/cmake/embed_sources.cmake
  COMMENT "Embedding the CUDA sources")
