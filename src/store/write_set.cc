// SPDX-License-Identifier: Apache-2.0
#include "src/store/write_set.h"

#include "northwind/status.h"
#include "src/store/options.h"

namespace northwind::internal {

WriteSet::Rep::Rep() : batch(0, 0, kProtectionBytesPerKey, 0) {}

rocksdb::WriteBatch& WriteSet::Rep::Build(const Database& database) {
  batch.Clear();
  for (const Operation& operation : operations) {
    const rocksdb::Slice key(bytes.data() + operation.key_begin, operation.value_begin - operation.key_begin);
    const rocksdb::Slice value(bytes.data() + operation.value_begin, operation.value_end - operation.value_begin);
    rocksdb::ColumnFamilyHandle* const handle = database.handle(operation.space);
    const rocksdb::Status status =
        operation.kind == Kind::kPut ? batch.Put(handle, key, value) : batch.Delete(handle, key);
    NW_CHECK(status.ok(), "a write set is over 4 GiB");
  }
  return batch;
}

WriteSet::WriteSet() : rep_(std::make_unique<Rep>()) {}
WriteSet::~WriteSet() = default;
WriteSet::WriteSet(WriteSet&&) noexcept = default;
WriteSet& WriteSet::operator=(WriteSet&&) noexcept = default;

void WriteSet::Put(Space space, std::string_view key, std::string_view value) {
  Put(space, key, absl::MakeConstSpan(&value, 1));
}

void WriteSet::Put(Space space, std::string_view key, absl::Span<const std::string_view> parts) {
  Rep::Operation operation{.kind = Rep::Kind::kPut, .space = space, .key_begin = rep_->bytes.size()};
  rep_->bytes.append(key);
  operation.value_begin = rep_->bytes.size();
  for (const std::string_view part : parts) rep_->bytes.append(part);
  operation.value_end = rep_->bytes.size();
  rep_->operations.push_back(operation);
}

void WriteSet::Delete(Space space, std::string_view key) {
  Rep::Operation operation{.kind = Rep::Kind::kDelete, .space = space, .key_begin = rep_->bytes.size()};
  rep_->bytes.append(key);
  operation.value_begin = rep_->bytes.size();
  operation.value_end = rep_->bytes.size();
  rep_->operations.push_back(operation);
}

void WriteSet::Clear() {
  rep_->operations.clear();
  rep_->bytes.clear();
}

bool WriteSet::empty() const { return rep_->operations.empty(); }

size_t WriteSet::ByteSize() const { return rep_->bytes.size(); }

}  // namespace northwind::internal
