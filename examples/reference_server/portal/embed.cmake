# SPDX-License-Identifier: Apache-2.0
# cmake -DFOLDER=... "-DPAGES=portal/index.html;..." -DOUT=file.cc -P embed.cmake: one source that holds every page, as pages.h
# declares them, by path in ascending order.
set(types "html=text/html; charset=utf-8|js=text/javascript; charset=utf-8|css=text/css; charset=utf-8")
set(arrays "")
set(table "")
set(number 0)
list(SORT PAGES)
foreach(page IN LISTS PAGES)
  get_filename_component(extension ${page} LAST_EXT)
  string(SUBSTRING ${extension} 1 -1 extension)
  if(NOT "|${types}" MATCHES "[|]${extension}=([^|]*)")
    message(FATAL_ERROR "${page}: no content type is known for .${extension}")
  endif()
  set(type ${CMAKE_MATCH_1})
  file(SHA256 ${FOLDER}/${page} hash)
  file(READ ${FOLDER}/${page} bytes HEX)
  string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
  string(APPEND arrays "constexpr char kPage${number}[] = {${bytes}};\n")
  string(APPEND table "    {\"/${page}\", \"${type}\", {kPage${number}, sizeof(kPage${number})}, \"\\\"${hash}\\\"\"},\n")
  math(EXPR number "${number} + 1")
endforeach()
file(WRITE ${OUT} "// Made by embed.cmake; not to be edited.
#include \"examples/reference_server/portal/pages.h\"

namespace northwind::server {
namespace {

${arrays}
constexpr Page kPages[] = {
${table}};

}  // namespace

absl::Span<const Page> Pages() { return kPages; }

}  // namespace northwind::server
")
