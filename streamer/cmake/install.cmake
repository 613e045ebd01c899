# Installs the library, the public headers, what find_package(leat) reads, and leat.pc.
include(CMakePackageConfigHelpers)

set(config_folder ${CMAKE_INSTALL_LIBDIR}/cmake/leat)
install(DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR}/include/leat DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")

# One export for each kind, so that who wants the shared library alone needs none of the libraries it was made from.
foreach(name shared static)
  install(TARGETS leat_${name} EXPORT leat-${name}
    LIBRARY DESTINATION ${CMAKE_INSTALL_LIBDIR} ARCHIVE DESTINATION ${CMAKE_INSTALL_LIBDIR})
  install(EXPORT leat-${name} NAMESPACE leat:: FILE leat-${name}.cmake DESTINATION ${config_folder})
endforeach()

set(leat_private_modules liblz4)
if(URING_FOUND)
  list(APPEND leat_private_modules liburing)
endif()
configure_package_config_file(${CMAKE_CURRENT_LIST_DIR}/leat-config.cmake.in ${CMAKE_CURRENT_BINARY_DIR}/leat-config.cmake
  INSTALL_DESTINATION ${config_folder})
# 0.x: a minor version may break; the soname says so as well.
write_basic_package_version_file(${CMAKE_CURRENT_BINARY_DIR}/leat-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/leat-config.cmake ${CMAKE_CURRENT_BINARY_DIR}/leat-config-version.cmake
  DESTINATION ${config_folder})

list(JOIN leat_private_modules " " leat_private_modules_text)
# Relative to the .pc file's folder, so that an installed tree can be moved.
file(RELATIVE_PATH leat_prefix_from_pc /${CMAKE_INSTALL_LIBDIR}/pkgconfig /)
configure_file(${CMAKE_CURRENT_LIST_DIR}/leat.pc.in ${CMAKE_CURRENT_BINARY_DIR}/leat.pc @ONLY)
install(FILES ${CMAKE_CURRENT_BINARY_DIR}/leat.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
