# SPDX-License-Identifier: Apache-2.0
# Installs the library, its headers, a CMake package and a pkg-config file.
include(CMakePackageConfigHelpers)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/northwind)

install(TARGETS northwind EXPORT northwind-targets)
install(DIRECTORY include/northwind TYPE INCLUDE FILES_MATCHING PATTERN "*.h")
# The schema of payment events, for those who produce them in any language.
install(DIRECTORY proto/northwind DESTINATION ${CMAKE_INSTALL_DATADIR}/northwind/proto FILES_MATCHING PATTERN "*.proto")
install(EXPORT northwind-targets NAMESPACE northwind:: DESTINATION ${cmake_dir})

configure_package_config_file(cmake/northwind-config.cmake.in ${PROJECT_BINARY_DIR}/northwind-config.cmake
  INSTALL_DESTINATION ${cmake_dir} NO_SET_AND_CHECK_MACRO)
# While the major version is 0, a minor version may change the API; a patch version never does. From 1.0 on this
# becomes SameMajorVersion.
write_basic_package_version_file(${PROJECT_BINARY_DIR}/northwind-config-version.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/northwind-config.cmake ${PROJECT_BINARY_DIR}/northwind-config-version.cmake
        DESTINATION ${cmake_dir})

# pkg-config. Public headers need Abseil whichever way the library was built; a static library needs all the rest on
# the link line too, and as nothing but the static library is then there, it is not hidden behind --static.
set(pc_requires absl_any_invocable absl_inlined_vector absl_int128 absl_span absl_status absl_statusor absl_strings
                absl_time)
set(pc_private absl_btree absl_flat_hash_map absl_flat_hash_set absl_synchronization libcrypto protobuf rocksdb)
if(BUILD_SHARED_LIBS)
  set(pc_requires_private ${pc_private})
else()
  list(APPEND pc_requires ${pc_private})
  set(pc_libs_more " -pthread")
endif()
list(JOIN pc_requires " " pc_requires)
list(JOIN pc_requires_private " " pc_requires_private)
if(IS_ABSOLUTE "${CMAKE_INSTALL_LIBDIR}" OR IS_ABSOLUTE "${CMAKE_INSTALL_INCLUDEDIR}")
  set(pc_prefix ${CMAKE_INSTALL_PREFIX})
else()
  # Relative to the file itself, so that the tree can be moved.
  file(RELATIVE_PATH pc_up "/${CMAKE_INSTALL_LIBDIR}/pkgconfig" "/")
  string(REGEX REPLACE "/$" "" pc_up "${pc_up}")
  set(pc_prefix "\${pcfiledir}/${pc_up}")
endif()
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_LIBDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_libdir)
cmake_path(ABSOLUTE_PATH CMAKE_INSTALL_INCLUDEDIR BASE_DIRECTORY "\${prefix}" OUTPUT_VARIABLE pc_includedir)
configure_file(cmake/northwind.pc.in ${PROJECT_BINARY_DIR}/northwind.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/northwind.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
