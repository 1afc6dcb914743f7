#include "text/shell_words.hpp"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdio>

#include "text/utf8.hpp"

namespace unmask::words {
namespace {

bool is_plain(char c) {
  constexpr std::string_view kHarmless = "_@%+=:,./-";
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || kHarmless.find(c) != kHarmless.npos;
}

bool is_control(char c) {
  const auto byte = static_cast<unsigned char>(c);
  return byte < 0x20 || byte == 0x7F;
}

}  // namespace

std::string shell_word(std::string_view word) {
  if (!word.empty() && std::all_of(word.begin(), word.end(), is_plain)) return std::string(word);
  const bool is_text = words::first_invalid_utf8(word) == std::string_view::npos;
  if (is_text && std::none_of(word.begin(), word.end(), is_control)) {
    std::string quoted = "'";
    for (const char c : word) {
      if (c == '\'') {
        quoted += "'\\''";
      } else {
        quoted += c;
      }
    }
    return quoted + "'";
  }
  std::string quoted = "$'";
  for (const char c : word) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '\'' || c == '\\') {
      quoted += '\\';
      quoted += c;
    } else if (is_control(c) || byte >= 0x80) {
      std::array<char, 8> octal{};  // three digits always, so that no digit behind joins them
      std::snprintf(octal.data(), octal.size(), "\\%03o", static_cast<unsigned>(byte));
      quoted += octal.data();
    } else {
      quoted += c;
    }
  }
  return quoted + "'";
}

std::string shell_command(const std::vector<std::string>& argv) {
  std::string command;
  for (const std::string& word : argv) {
    if (!command.empty()) command += ' ';
    command += shell_word(word);
  }
  return command;
}

}  // namespace unmask::words
