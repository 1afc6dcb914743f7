#include "text/utf8.hpp"

namespace unmask::words {
namespace {

// Copies the text with '?' for every byte that begins no code point and for every code point that
// `is_refused` takes exception to.
template <class Refuse>
std::string replaced(std::string_view text, const Refuse& is_refused) {
  std::string out;
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text, i);
    if (!point.is_valid || is_refused(point.value)) {
      out += '?';
    } else {
      out += text.substr(i, point.bytes);
    }
    i += point.bytes;
  }
  return out;
}

}  // namespace

bool is_continuation(char byte) {
  return (static_cast<unsigned char>(byte) & 0xC0U) == 0x80U;
}

CodePoint code_point_at(std::string_view text, std::size_t at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[at + i]); };
  const unsigned char lead = byte(0);
  const CodePoint none{lead, 1, false};
  if (lead < 0x80) return {lead, 1, true};
  if (lead < 0xC2 || lead > 0xF4) return none;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (at + length > text.size()) return none;
  // The smallest and largest second byte: no overlong form, no surrogate, nothing above U+10FFFF.
  const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
  const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return none;
  constexpr unsigned char kLeadBits[] = {0, 0, 0x1F, 0x0F, 0x07};
  char32_t value = lead & kLeadBits[length];
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_continuation(text[at + i])) return none;
    value = (value << 6U) | (byte(i) & 0x3FU);
  }
  return {value, length, true};
}

std::size_t first_invalid_utf8(std::string_view text) {
  for (std::size_t i = 0; i < text.size();) {
    const CodePoint point = code_point_at(text, i);
    if (!point.is_valid || point.value == 0) return i;
    i += point.bytes;
  }
  return std::string_view::npos;
}

std::string valid_utf8(std::string_view text) {
  return replaced(text, [](char32_t value) { return value == 0; });
}

std::string printable(std::string_view text) {
  return replaced(text, [](char32_t value) {
    return (value < 0x20 && value != '\n' && value != '\t') || value == 0x7F;
  });
}

}  // namespace unmask::words
