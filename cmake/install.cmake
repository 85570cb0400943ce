# SPDX-License-Identifier: Apache-2.0
# Installs the libraries, their headers, a CMake package and pkg-config files. The adapters are components of the
# package, in files of their own: who does not ask for one does not need what it needs.
include(CMakePackageConfigHelpers)
set(cmake_dir ${CMAKE_INSTALL_LIBDIR}/cmake/northwind)

install(TARGETS northwind EXPORT northwind-targets)
install(DIRECTORY include/northwind TYPE INCLUDE FILES_MATCHING PATTERN "*.h"
  PATTERN postgres.h EXCLUDE PATTERN sqs.h EXCLUDE PATTERN webhook.h EXCLUDE)
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
if(NOT BUILD_SHARED_LIBS)
  install(FILES cmake/FindLibcsv.cmake DESTINATION ${cmake_dir})
endif()
# pkg-config.
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

# northwind_pkg_config(NAME LIBRARY DESCRIPTION PUBLIC package... PRIVATE package... [LIBS flag...]): NAME.pc; LIBS is for what is
# private and has no .pc. To link a static library, what is private is needed too, and as nothing but the static library is then
# there, it is not hidden behind --static.
function(northwind_pkg_config pc_name pc_library pc_description)
  cmake_parse_arguments(ARG "" "" "PUBLIC;PRIVATE;LIBS" ${ARGN})
  list(JOIN ARG_LIBS " " pc_libs_private)
  set(pc_libs_more "")
  if(NOT BUILD_SHARED_LIBS)
    list(APPEND ARG_PUBLIC ${ARG_PRIVATE})
    set(ARG_PRIVATE "")
    list(APPEND ARG_LIBS -pthread)
    list(JOIN ARG_LIBS " " pc_libs_more)
    string(PREPEND pc_libs_more " ")
    set(pc_libs_private "")
  endif()
  list(JOIN ARG_PUBLIC ", " pc_requires)
  list(JOIN ARG_PRIVATE ", " pc_requires_private)
  configure_file(cmake/northwind.pc.in ${PROJECT_BINARY_DIR}/${pc_name}.pc @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/${pc_name}.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()

# Public headers need Abseil whichever way the library was built.
northwind_pkg_config(northwind northwind "${PROJECT_DESCRIPTION}"
  PUBLIC absl_any_invocable absl_inlined_vector absl_int128 absl_span absl_status absl_statusor absl_strings absl_time
  PRIVATE absl_btree absl_flat_hash_map absl_flat_hash_set absl_synchronization libcrypto protobuf rocksdb
  LIBS -lcsv)

# northwind_component(NAME DESCRIPTION PUBLIC package... PRIVATE package...): the adapter northwind_NAME with its header, its
# dependencies from cmake/northwind-NAME-dependencies.cmake.in, and northwind-NAME.pc with those packages.
function(northwind_component name description)
  cmake_parse_arguments(PARSE_ARGV 2 ARG "" "" "PUBLIC;PRIVATE")
  set_target_properties(northwind_${name} PROPERTIES EXPORT_NAME ${name})
  install(TARGETS northwind_${name} EXPORT northwind-${name}-targets)
  install(FILES include/northwind/${name}.h DESTINATION ${CMAKE_INSTALL_INCLUDEDIR}/northwind)
  install(EXPORT northwind-${name}-targets NAMESPACE northwind:: DESTINATION ${cmake_dir})
  configure_file(cmake/northwind-${name}-dependencies.cmake.in
                 ${PROJECT_BINARY_DIR}/northwind-${name}-dependencies.cmake @ONLY)
  install(FILES ${PROJECT_BINARY_DIR}/northwind-${name}-dependencies.cmake DESTINATION ${cmake_dir})
  northwind_pkg_config(northwind-${name} northwind_${name} "${description}"
    PUBLIC "northwind = ${PROJECT_VERSION}" ${ARG_PUBLIC} PRIVATE ${ARG_PRIVATE})
endfunction()

if(NORTHWIND_BUILD_HTTP)
  northwind_component(sqs "Payment events from Amazon SQS for northwind"
    PUBLIC absl_status absl_statusor absl_time
    PRIVATE absl_any_invocable absl_cord absl_flat_hash_map absl_strings absl_synchronization libcrypto
            "libcurl >= 7.85" expat)
  northwind_component(webhook "Webhooks of northwind"
    PUBLIC absl_span absl_status absl_statusor absl_time
    PRIVATE absl_any_invocable absl_cord absl_flat_hash_map absl_strings absl_synchronization libcrypto
            "libcurl >= 7.85")
endif()
if(NORTHWIND_BUILD_POSTGRES)
  northwind_component(postgres "The PostgreSQL mirror of northwind"
    PUBLIC absl_int128 absl_status absl_statusor absl_time
    PRIVATE absl_flat_hash_map absl_flat_hash_set absl_random_random absl_strings absl_synchronization "libpq >= 14")
endif()
