#include "text/tokens.hpp"

#include <algorithm>
#include <string_view>

namespace unmask::words {

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_punctuation(char c) {
  return std::string_view("{}[],:").find(c) != std::string_view::npos;
}

std::size_t skip_blanks(const std::string& text, std::size_t at) {
  while (at < text.size()) {
    if (is_blank(text[at])) {
      ++at;
    } else if (text.compare(at, 2, "//") == 0) {
      while (at < text.size() && text[at] != '\n' && text[at] != '\r') ++at;
    } else if (text.compare(at, 2, "/*") == 0) {
      const std::size_t end = text.find("*/", at + 2);
      if (end == std::string::npos) return at;
      at = end + 2;
    } else {
      return at;
    }
  }
  return at;
}

std::size_t next_token(const std::string& text, std::size_t at) {
  at = skip_blanks(text, at);
  while (at < text.size() && (text[at] == ',' || text[at] == ':')) at = skip_blanks(text, at + 1);
  return at;
}

Range token_at(const std::string& text, std::size_t begin) {
  if (begin >= text.size()) return {begin, begin};
  std::size_t end = begin + 1;
  if (text[begin] == '"') {
    while (end < text.size() && text[end] != '"' && text[end] != '\n' && text[end] != '\r') {
      end += text[end] == '\\' && end + 1 < text.size() ? 2 : 1;
    }
    if (end < text.size() && text[end] == '"') ++end;
  } else if (!is_punctuation(text[begin])) {
    while (end < text.size() && !is_blank(text[end]) && !is_punctuation(text[end]) &&
           text[end] != '"' && text.compare(end, 2, "//") != 0 && text.compare(end, 2, "/*") != 0) {
      ++end;
    }
  }
  return {begin, std::min(end, text.size())};
}

std::size_t number_end(const std::string& text, std::size_t at) {
  const auto digits = [&] {
    const std::size_t begin = at;
    while (at < text.size() && text[at] >= '0' && text[at] <= '9') ++at;
    return at > begin;
  };
  if (at < text.size() && text[at] == '-') ++at;
  if (at < text.size() && text[at] == '0') {
    ++at;
  } else {
    digits();
  }
  if (at + 1 < text.size() && text[at] == '.') {
    ++at;
    digits();
  }
  if (at < text.size() && (text[at] == 'e' || text[at] == 'E')) {
    ++at;
    if (at < text.size() && (text[at] == '+' || text[at] == '-')) ++at;
    digits();
  }
  return at;
}

}  // namespace unmask::words
