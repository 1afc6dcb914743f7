// How wide texts are on a terminal, and lines of a width.

#include <algorithm>
#include <iterator>
#include <utility>

#include "table/table.hpp"
#include "text/utf8.hpp"

namespace unmask::table {
namespace {

using Range = std::pair<char32_t, char32_t>;

// Unicode 15: marks that combine with what stands before them, and invisible characters.
constexpr Range kZeroWidth[] = {{0x0300, 0x036F},
                                {0x0483, 0x0489},
                                {0x0591, 0x05BD},
                                {0x1AB0, 0x1AFF},
                                {0x1DC0, 0x1DFF},
                                {0x200B, 0x200F},
                                {0x2060, 0x2064},
                                {0x20D0, 0x20FF},
                                {0xFE00, 0xFE0F},
                                {0xFE20, 0xFE2F},
                                {0xE0100, 0xE01EF}};

// East Asian wide and full-width characters, and emoji.
constexpr Range kWide[] = {{0x1100, 0x115F},
                           {0x2E80, 0x303E},
                           {0x3041, 0x33FF},
                           {0x3400, 0x4DBF},
                           {0x4E00, 0x9FFF},
                           {0xA000, 0xA4CF},
                           {0xAC00, 0xD7A3},
                           {0xF900, 0xFAFF},
                           {0xFE30, 0xFE6F},
                           {0xFF00, 0xFF60},
                           {0xFFE0, 0xFFE6},
                           {0x1F300, 0x1F64F},
                           {0x1F680, 0x1F6FF},
                           {0x1F900, 0x1F9FF},
                           {0x20000, 0x3FFFD}};

template <std::size_t N>
bool is_in(const Range (&ranges)[N], char32_t value) {
  return std::any_of(std::begin(ranges), std::end(ranges), [&](const Range& range) {
    return range.first <= value && value <= range.second;
  });
}

}  // namespace

std::string wrapped(std::string_view text, std::size_t width, std::size_t indent) {
  std::string result;
  std::size_t column = 0;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find(' ', 1), text.size());
    const std::string_view word = text.substr(0, end);  // with the blank before it
    const std::size_t size = display_width(word);
    if (column > 0 && column + size > width) {
      result += "\n" + std::string(indent, ' ');
      result += word.substr(1);
      column = indent + size - 1;
    } else {
      result += word;
      column += size;
    }
    text.remove_prefix(end);
  }
  return result;
}

std::size_t display_width(std::string_view text) {
  std::size_t width = 0;
  for (std::size_t at = 0; at < text.size();) {
    const words::CodePoint point = words::code_point_at(text, at);
    at += point.bytes;
    if (point.is_valid && is_in(kZeroWidth, point.value)) continue;
    width += point.is_valid && is_in(kWide, point.value) ? 2 : 1;
  }
  return width;
}

}  // namespace unmask::table
