// SPDX-License-Identifier: Apache-2.0
#include "bindings/python/src/ledger.h"
namespace northwind::python {
void DefineArrays(LedgerClass&) {}
}
