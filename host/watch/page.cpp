#include "watch/page.hpp"

#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "watch/page_parts.hpp"

namespace unmask::watch {
namespace {

std::string with(std::string text, std::string_view mark, std::string_view part) {
  const std::size_t at = text.find(mark);
  UNMASK_CHECK(at != std::string::npos, "the page lacks " + std::string(mark));
  return text.replace(at, mark.size(), part);
}

unsigned digit(char c) {
  return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10);
}

std::string source_of(std::string_view part) {
  return "'sha256-" + base64_of_hex(sha256_hex(part)) + "'";
}

}  // namespace

const std::string& page() {
  static const std::string text =
      with(with(kPageHtml, "/*STYLE*/", kPageCss), "/*SCRIPT*/", kPageJs);
  return text;
}

std::string content_security_policy() {
  return "default-src 'none'; script-src " + source_of(kPageJs) + "; style-src " +
         source_of(kPageCss) +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

std::string base64_of_hex(std::string_view hex) {
  constexpr char kLetters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string result;
  unsigned bits = 0, count = 0;
  for (const char c : hex) {
    bits = bits << 4 | digit(c);
    count += 4;
    if (count < 6) continue;
    count -= 6;
    result += kLetters[bits >> count & 63];
    bits &= (1U << count) - 1;
  }
  if (count > 0) result += kLetters[bits << (6 - count) & 63];
  while (result.size() % 4 != 0) result += '=';
  return result;
}

}  // namespace unmask::watch
