// SPDX-License-Identifier: Apache-2.0
#include <string>

#include "bindings/python/src/casters.h"
#include "bindings/python/src/errors.h"
#include "bindings/python/src/parts.h"
#include "northwind/amount.h"

namespace northwind::python {
namespace {

int CheckedScale(int scale) {
  if (scale < 0 || scale > kMaxScale) RaiseNamed("InvalidArgument", "a scale is a number from 0 to 18");
  return scale;
}

// The scale of "USD/2", or the number itself.
int ScaleOf(const py::object& asset) {
  if (PyUnicode_Check(asset.ptr())) return Must(Asset::Parse(asset.cast<std::string>())).scale;
  return CheckedScale(asset.cast<int>());
}

}  // namespace

void BindAmounts(py::module_& m) {
  m.attr("MAX_AMOUNT") = Amount::Max();
  m.def(
      "parse_amount",
      [](const std::string& text, const py::object& asset) { return Must(Amount::Parse(text, ScaleOf(asset))); },
      py::arg("text"), py::arg("asset"),
      "Minor units of a decimal such as \"12.34\"; `asset` is \"USD/2\", or a scale alone. No sign, blanks or "
      "exponent.");
  m.def(
      "format_amount", [](absl::int128 units, const py::object& asset) { return FormatUnits(units, ScaleOf(asset)); },
      py::arg("units"), py::arg("asset"), "Decimal text of minor units: format_amount(-5, \"USD/2\") == \"-0.05\".");
}

}  // namespace northwind::python
