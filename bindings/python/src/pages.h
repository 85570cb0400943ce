// SPDX-License-Identifier: Apache-2.0
//
// Iterators that read a page when the page before is used up.
#ifndef NORTHWIND_BINDINGS_PYTHON_PAGES_H_
#define NORTHWIND_BINDINGS_PYTHON_PAGES_H_

#include <pybind11/pybind11.h>

#include <functional>
#include <memory>
#include <utility>
#include <vector>

namespace northwind::python {

namespace py = pybind11;

class Pages {
 public:
  // Gives the next object, or null at the end.
  using Next = std::function<py::object()>;
  explicit Pages(Next next) : next_(std::move(next)) {}

  py::object operator()() {
    py::object object = next_();
    if (!object) throw py::stop_iteration();
    return object;
  }

 private:
  Next next_;
};

// `fetch(std::vector<T>& page)` fills a page and says whether there may be more after it; an empty page that has more after it is
// asked for again. `show` makes the object of one of its entries.
struct Cast {
  template <typename T>
  py::object operator()(T value) const {
    return py::cast(std::move(value));
  }
};
template <typename T, typename Fetch, typename Show = Cast>
Pages PagesOf(Fetch fetch, Show show = {}) {
  struct State {
    Fetch fetch;
    std::vector<T> page;
    size_t next = 0;
    bool more = true;
  };
  auto state = std::make_shared<State>(State{std::move(fetch), {}, 0, true});
  return Pages([state, show]() -> py::object {
    while (state->next == state->page.size()) {
      if (!state->more) return {};
      state->page.clear();
      state->next = 0;
      if (PyErr_CheckSignals() != 0) throw py::error_already_set();
      state->more = state->fetch(state->page);
    }
    return show(std::move(state->page[state->next++]));
  });
}

}  // namespace northwind::python

#endif  // NORTHWIND_BINDINGS_PYTHON_PAGES_H_
