// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_POSTGRES_BATCH_SIZE_H_
#define NORTHWIND_SRC_POSTGRES_BATCH_SIZE_H_

#include <algorithm>
#include <cstddef>

namespace northwind::internal::postgres {

// How many records the next batch may have: a batch that a server cannot do in time is not tried for ever as it is.
class BatchSize {
 public:
  explicit BatchSize(size_t most) : most_(most), size_(most) {}

  size_t get() const { return size_; }
  // A batch of `records` was given up.
  void TookTooLong(size_t records) { size_ = std::max<size_t>(std::min(size_, records) / 2, 1); }
  // One went through with time to spare: a somewhat larger one will as well.
  void WentFast(size_t records) {
    size_ = std::max(size_, std::min(most_, records + std::max<size_t>(records / 4, 1)));
  }

 private:
  size_t most_;
  size_t size_;
};

}  // namespace northwind::internal::postgres

#endif  // NORTHWIND_SRC_POSTGRES_BATCH_SIZE_H_
