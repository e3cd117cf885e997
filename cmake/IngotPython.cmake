# The Python package: its extension (cffi, limited API: one file for all Pythons from 3.9), made from ingot.h. In a build folder the package
# is complete under python/, so that PYTHONPATH=build/python uses it as it is; a wheel gets it from scikit-build-core with `pip install .`.
find_package(Python COMPONENTS Interpreter Development.Module)
if(NOT Python_Development.Module_FOUND)
  message(FATAL_ERROR "ingot's Python package needs Python's headers: install python3-dev (Debian, Ubuntu) or python3-devel (Fedora)")
endif()
set(native_c ${CMAKE_CURRENT_BINARY_DIR}/python/native.c)
add_custom_command(OUTPUT ${native_c} DEPENDS python/make_native.py include/ingot/ingot.h
                   COMMAND ${Python_EXECUTABLE} ${CMAKE_CURRENT_SOURCE_DIR}/python/make_native.py
                           ${CMAKE_CURRENT_SOURCE_DIR}/include/ingot/ingot.h ${native_c}
                   COMMENT "Writing python/native.c from ingot.h" VERBATIM)
add_library(ingot_python MODULE ${native_c})
target_include_directories(ingot_python PRIVATE include ${Python_INCLUDE_DIRS})
target_link_libraries(ingot_python PRIVATE ingot::ingot)
set_target_properties(ingot_python PROPERTIES PREFIX "" OUTPUT_NAME _native SUFFIX .abi3.so C_VISIBILITY_PRESET default INSTALL_RPATH "$ORIGIN"
                      LIBRARY_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/python/ingot)

if(SKBUILD)
  # A wheel holds no links, so its library has one name.
  set_property(TARGET ingot PROPERTY VERSION)
  set_property(TARGET ingot PROPERTY SOVERSION)
  install(TARGETS ingot_python ingot LIBRARY DESTINATION ingot COMPONENT python)
else()
  file(MAKE_DIRECTORY ${CMAKE_BINARY_DIR}/python/ingot)
  file(GLOB package CONFIGURE_DEPENDS RELATIVE ${CMAKE_CURRENT_SOURCE_DIR} python/ingot/*.py python/ingot/*.pyi python/ingot/py.typed)
  foreach(file ${package})
    file(CREATE_LINK ${CMAKE_CURRENT_SOURCE_DIR}/${file} ${CMAKE_BINARY_DIR}/${file} SYMBOLIC)
  endforeach()
endif()
