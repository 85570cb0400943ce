// SPDX-License-Identifier: Apache-2.0
//
// Stands in for libFuzzer where there is no clang: runs every file of the directories given, and every file with each
// byte changed, with a bit flipped, and cut short. Deterministic.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <vector>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size);

namespace {

// The changes of one file; a longer one is changed at places spread over its length.
constexpr size_t kMaxPlaces = 512;

size_t Run(const std::vector<uint8_t>& input) {
  LLVMFuzzerTestOneInput(input.data(), input.size());
  return 1;
}

size_t RunChanged(const std::vector<uint8_t>& input) {
  size_t runs = 0;
  const size_t step = std::max<size_t>(1, input.size() / kMaxPlaces);
  for (size_t i = 0; i < input.size(); i += step) {
    std::vector<uint8_t> changed = input;
    for (const uint8_t value : {uint8_t{0}, uint8_t{0xff}, static_cast<uint8_t>(input[i] ^ (1 << (i % 8)))}) {
      changed[i] = value;
      runs += Run(changed);
    }
    runs += Run({input.begin(), input.begin() + static_cast<std::ptrdiff_t>(i)});
  }
  return runs;
}

}  // namespace

int main(int argc, char** argv) {
  size_t runs = Run({});
  size_t files = 0;
  for (int i = 1; i < argc; ++i) {
    if (!std::filesystem::is_directory(argv[i])) {
      std::fprintf(stderr, "no directory %s\n", argv[i]);
      return 1;
    }
    std::vector<std::filesystem::path> paths;
    for (const auto& entry : std::filesystem::directory_iterator(argv[i])) paths.push_back(entry.path());
    std::sort(paths.begin(), paths.end());
    for (const auto& path : paths) {
      std::ifstream stream(path, std::ios::binary);
      const std::vector<uint8_t> input((std::istreambuf_iterator<char>(stream)), std::istreambuf_iterator<char>());
      runs += Run(input) + RunChanged(input);
      ++files;
    }
  }
  std::printf("%zu files, %zu runs\n", files, runs);
  return files == 0 ? 1 : 0;
}
