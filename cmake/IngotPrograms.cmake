# The command `ingot` (cli/*.c) and the examples: examples/<folder>/*.c is one program named after the folder, unless the folder has a
# CMakeLists.txt of its own. They link the public library and, where they use them, the libraries for images, archives and JSON.
pkg_check_modules(JANSSON REQUIRED IMPORTED_TARGET jansson)
pkg_check_modules(LIBZIP REQUIRED IMPORTED_TARGET libzip)
find_package(JPEG REQUIRED)
find_package(PNG REQUIRED)

function(ingot_program name)
  add_executable(${name} ${ARGN})
  target_link_libraries(${name} PRIVATE ingot_flags ingot::ingot PkgConfig::JANSSON PkgConfig::LIBZIP JPEG::JPEG PNG::PNG Threads::Threads m)
  target_link_options(${name} PRIVATE LINKER:--as-needed)
endfunction()

file(GLOB cli_sources CONFIGURE_DEPENDS cli/*.c)
if(INGOT_CLI AND cli_sources)
  ingot_program(ingot_cli ${cli_sources})
  target_include_directories(ingot_cli PRIVATE src) # for the table status.def alone: ./dev check holds the rule
  set_target_properties(ingot_cli PROPERTIES OUTPUT_NAME ingot INSTALL_RPATH "$ORIGIN/../${CMAKE_INSTALL_LIBDIR}")
  install(TARGETS ingot_cli RUNTIME DESTINATION ${CMAKE_INSTALL_BINDIR})
endif()

if(INGOT_EXAMPLES)
  file(GLOB example_folders CONFIGURE_DEPENDS LIST_DIRECTORIES true examples/*)
  foreach(folder ${example_folders})
    get_filename_component(name ${folder} NAME)
    file(GLOB sources CONFIGURE_DEPENDS ${folder}/*.c)
    if(EXISTS ${folder}/CMakeLists.txt)
      add_subdirectory(${folder})
    elseif(sources)
      ingot_program(example_${name} ${sources})
      set_target_properties(example_${name} PROPERTIES OUTPUT_NAME ${name} RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/examples)
    endif()
  endforeach()
endif()
