// SPDX-License-Identifier: Apache-2.0
//
// The command lines of the examples: --name value, --name=value and --flag, nothing else.
//
//   CommandLine line(argc, argv);
//   const std::string path = line.Text("--output", "-");
//   const uint64_t events = line.Number("--events", 1000, 1, 1'000'000'000);
//   if (!line.ok()) ...   // line.error() says what is wrong
#ifndef NORTHWIND_EXAMPLES_COMMAND_LINE_H_
#define NORTHWIND_EXAMPLES_COMMAND_LINE_H_

#include <charconv>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace northwind::examples {

class CommandLine {
 public:
  CommandLine(int argc, char** argv) : words_(argv + 1, argv + argc), used_(words_.size()) {}

  // Takes a word that stands alone.
  bool Flag(std::string_view name) {
    bool found = false;
    for (size_t i = 0; i < words_.size(); ++i) {
      if (words_[i] == name && !used_[i]) found = used_[i] = true;
    }
    return found;
  }

  std::string Text(std::string_view name, std::string_view otherwise) {
    std::string value(otherwise);
    for (size_t i = 0; i < words_.size(); ++i) {
      if (used_[i]) continue;
      const std::string_view word = words_[i];
      if (word == name) {
        used_[i] = true;
        if (i + 1 == words_.size() || used_[i + 1]) {
          Fail(std::string(name) + " needs a value");
          break;
        }
        value = words_[++i];
        used_[i] = true;
      } else if (word.size() > name.size() && word.substr(0, name.size()) == name && word[name.size()] == '=') {
        used_[i] = true;
        value = word.substr(name.size() + 1);
      }
    }
    return value;
  }

  uint64_t Number(std::string_view name, uint64_t otherwise, uint64_t least, uint64_t most) {
    const std::string text = Text(name, std::to_string(otherwise));
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size() || value < least || value > most) {
      Fail(std::string(name) + " must be a whole number from " + std::to_string(least) + " to " + std::to_string(most) +
           ", not '" + text + "'");
      return otherwise;
    }
    return value;
  }

  // False after a bad value, or if a word was left over: ask last.
  bool ok() {
    for (size_t i = 0; i < words_.size(); ++i) {
      if (!used_[i]) Fail("unknown argument '" + std::string(words_[i]) + "'");
    }
    return error_.empty();
  }
  const std::string& error() const { return error_; }

 private:
  void Fail(std::string error) {
    if (error_.empty()) error_ = std::move(error);
  }

  std::vector<std::string_view> words_;
  std::vector<bool> used_;
  std::string error_;
};

}  // namespace northwind::examples

#endif  // NORTHWIND_EXAMPLES_COMMAND_LINE_H_
