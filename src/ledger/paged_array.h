// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_SRC_LEDGER_PAGED_ARRAY_H_
#define NORTHWIND_SRC_LEDGER_PAGED_ARRAY_H_

#include <cstddef>
#include <memory>
#include <vector>

namespace northwind::internal {

// An array that grows by pages: no element ever moves, and no memory is wasted on doubling. Thread-compatible.
template <typename T>
class PagedArray {
 public:
  size_t size() const { return size_; }
  T& operator[](size_t i) { return pages_[i >> kPageBits][i & kPageMask]; }
  const T& operator[](size_t i) const { return pages_[i >> kPageBits][i & kPageMask]; }

  T& Append() {
    if ((size_ & kPageMask) == 0 && (size_ >> kPageBits) == pages_.size()) {
      pages_.push_back(std::make_unique<T[]>(kPageMask + 1));
    }
    return (*this)[size_++];
  }
  void GrowTo(size_t size) {
    while (size_ < size) Append();
  }

 private:
  static constexpr size_t kPageBits = 10;
  static constexpr size_t kPageMask = (size_t{1} << kPageBits) - 1;

  std::vector<std::unique_ptr<T[]>> pages_;
  size_t size_ = 0;
};

}  // namespace northwind::internal

#endif  // NORTHWIND_SRC_LEDGER_PAGED_ARRAY_H_
