// SPDX-License-Identifier: Apache-2.0
#ifndef NORTHWIND_BINDINGS_PYTHON_STORE_H_
#define NORTHWIND_BINDINGS_PYTHON_STORE_H_

#include <memory>

#include "bindings/python/src/handle.h"
#include "northwind/store.h"

namespace northwind::python {

class PyStore final : public Closable {
 public:
  static std::shared_ptr<PyStore> Open(const StoreOptions& options);
  std::shared_ptr<Store> Get() const { return handle_.Get(); }
  Use NewUse() const { return handle_.NewUse(); }
  // Whether anything stands on it but `own` uses.
  bool UsedBeside(int own) const { return handle_.UsedBeside(own); }
  void CheckOpen() const { static_cast<void>(handle_.Get()); }
  bool closed() const { return handle_.closed(); }
  void Close() override;

  const std::string& path() const { return path_; }

 private:
  Handle<Store> handle_{"store"};
  std::string path_;
};

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_STORE_H_
