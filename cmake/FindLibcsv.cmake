# SPDX-License-Identifier: Apache-2.0
# libcsv::libcsv. The library comes without a CMake package or pkg-config file.
find_path(Libcsv_INCLUDE_DIR csv.h)
find_library(Libcsv_LIBRARY csv)
mark_as_advanced(Libcsv_INCLUDE_DIR Libcsv_LIBRARY)
# csv.h is a common name: look into it.
set(Libcsv_VERSION "")
if(Libcsv_INCLUDE_DIR)
  foreach(part MAJOR MINOR RELEASE)
    file(STRINGS ${Libcsv_INCLUDE_DIR}/csv.h line REGEX "^#define CSV_${part} +[0-9]+")
    if(line MATCHES "([0-9]+)")
      list(APPEND Libcsv_VERSION ${CMAKE_MATCH_1})
    endif()
  endforeach()
  list(JOIN Libcsv_VERSION "." Libcsv_VERSION)
endif()

include(FindPackageHandleStandardArgs)
find_package_handle_standard_args(Libcsv REQUIRED_VARS Libcsv_LIBRARY Libcsv_INCLUDE_DIR VERSION_VAR Libcsv_VERSION)
if(Libcsv_FOUND AND NOT TARGET libcsv::libcsv)
  set(scope "")
  if(CMAKE_FIND_PACKAGE_TARGETS_GLOBAL)
    set(scope GLOBAL)
  endif()
  add_library(libcsv::libcsv UNKNOWN IMPORTED ${scope})
  set_target_properties(libcsv::libcsv PROPERTIES
    IMPORTED_LOCATION ${Libcsv_LIBRARY} INTERFACE_INCLUDE_DIRECTORIES ${Libcsv_INCLUDE_DIR})
endif()
