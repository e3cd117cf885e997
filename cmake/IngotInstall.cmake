# Header, libraries, CMake package and pkg-config files.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ingot)
install(TARGETS ingot ingot_rt EXPORT ingot LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR})
install(FILES ${CMAKE_CURRENT_SOURCE_DIR}/include/ingot/ingot.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/ingot)
install(EXPORT ingot NAMESPACE ingot:: FILE ingotTargets.cmake DESTINATION ${package_dir})
configure_package_config_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/ingotConfig.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/ingotConfig.cmake
                              INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/ingotConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/ingotConfig.cmake ${CMAKE_CURRENT_BINARY_DIR}/ingotConfigVersion.cmake DESTINATION ${package_dir})
file(RELATIVE_PATH up /p/${CMAKE_INSTALL_LIBDIR}/pkgconfig /p) # the files find their prefix themselves, wherever the tree is moved
string(REGEX REPLACE "/$" "" up ${up})
foreach(library ingot ingot_rt)
  configure_file(${CMAKE_CURRENT_SOURCE_DIR}/cmake/ingot.pc.in ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc @ONLY)
  install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endforeach()
