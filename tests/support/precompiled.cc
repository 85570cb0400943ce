// SPDX-License-Identifier: Apache-2.0
// Nothing: what is wanted of this file are the headers that are compiled with it, see tests/CMakeLists.txt.
