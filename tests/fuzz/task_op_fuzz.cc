// SPDX-License-Identifier: Apache-2.0
//
// A block of the scheduler's log of any bytes: refused, or exactly what the writer makes of what was read. As few inputs
// match their hash by chance, the input is also taken for what follows the hash of a block, under a hash that is right.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "northwind/status.h"
#include "src/base/coding.h"
#include "src/scheduler/task_op.h"

namespace nwi = northwind::internal;

namespace {

constexpr uint64_t kNumber = 5;

// Whether it is sound.
bool Walk(std::string_view block) {
  nwi::TaskBlockReader reader(block);
  nwi::TaskBlockHeader header;
  if (!reader.ReadHeader(kNumber, header)) return false;
  nwi::TaskBlockWriter writer;
  writer.Begin(header);
  nwi::TaskOp op;
  while (reader.Next(op)) {
    NW_CHECK(op.offset + op.bytes <= block.size(), "an op lies within its block");
    nwi::TaskOp there;
    NW_CHECK(nwi::TaskBlockReader(block).ReadAt(op.offset, there) && there.kind == op.kind && there.slot == op.slot &&
                 there.number == op.number && there.bytes == op.bytes && there.due == op.due && there.until == op.until,
             "an op is found again at its place");
    std::string_view error;
    NW_CHECK(op.error_offset == 0 || (nwi::ReadErrorAt(block, op.error_offset, error) && error == op.error),
             "so is its error");
    const uint32_t offset = op.offset;
    writer.Add(op);
    NW_CHECK(op.offset == offset, "an op has one encoding");
  }
  if (!reader.ok()) return false;
  NW_CHECK(writer.Finish(kNumber) == block, "a block that no writer makes was accepted");
  return true;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  Walk(input);
  std::string block(1, '\1');
  nwi::PutBigEndian64(block, XXH3_64bits_withSeed(input.data(), input.size(), kNumber));
  Walk(block.append(input));
  return 0;
}
