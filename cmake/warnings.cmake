# SPDX-License-Identifier: Apache-2.0
# Flags for northwind's own targets only; nothing here reaches a consumer.
add_library(northwind_private_flags INTERFACE)
target_compile_options(northwind_private_flags INTERFACE
  -Wall -Wextra -Wshadow -Wconversion -Wno-sign-conversion -Wnon-virtual-dtor -Woverloaded-virtual -Wimplicit-fallthrough
  # GCC 12 takes every omitted designated initialiser for a mistake; options structs are made to be used so.
  -Wno-missing-field-initializers
  # GCC 12's optimiser sees overlapping copies in "text" + std::string (GCC bug 105651) and reads of the empty inline
  # storage of absl::InlinedVector.
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  $<$<CXX_COMPILER_ID:GNU>:-Wno-maybe-uninitialized>
  $<$<CXX_COMPILER_ID:Clang>:-Wthread-safety>)
if(NORTHWIND_WERROR)
  target_compile_options(northwind_private_flags INTERFACE -Werror)
endif()
if(NORTHWIND_SANITIZE)
  target_compile_options(northwind_private_flags INTERFACE
    -fsanitize=${NORTHWIND_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(northwind_private_flags INTERFACE -fsanitize=${NORTHWIND_SANITIZE})
endif()
if(NORTHWIND_BUILD_FUZZERS)
  # Coverage counters in the library; the fuzzers themselves add libFuzzer's main function.
  target_compile_options(northwind_private_flags INTERFACE -fsanitize=fuzzer-no-link)
endif()
