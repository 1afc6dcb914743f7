#include "watch/page.hpp"

#include "base/base64.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "watch/page_parts.hpp"

namespace unmask::watch {
namespace {

std::string with(std::string_view text, std::string_view mark, std::string_view part) {
  const std::size_t at = text.find(mark);
  UNMASK_CHECK(at != std::string::npos, "the page lacks " + std::string(mark));
  return std::string(text).replace(at, mark.size(), part);
}

std::string source_of(std::string_view part) {
  return "'sha256-" + base::base64_of_hex(sha256_hex(part)) + "'";
}

}  // namespace

const std::string& page() {
  static const std::string kText =
      with(with(kPageHtml, "/*STYLE*/", kPageCss), "/*SCRIPT*/", kPageJs);
  return kText;
}

std::string content_security_policy() {
  return "default-src 'none'; script-src " + source_of(kPageJs) + "; style-src " +
         source_of(kPageCss) +
         "; connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
         "frame-ancestors 'none'";
}

}  // namespace unmask::watch
