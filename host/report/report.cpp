#include "report/report.hpp"

#include <string_view>

#include "base/base64.hpp"
#include "report/page_parts.hpp"
#include "report/report_data.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::report {
namespace {

std::string with(std::string_view text, std::string_view mark, std::string_view part) {
  const std::size_t at = text.find(mark);
  UNMASK_CHECK(at != std::string::npos, "the page lacks " + std::string(mark));
  return std::string(text).replace(at, mark.size(), part);
}

// As JSON that no HTML parser takes for anything else: no "<", no "&", and no line separators of
// Unicode, which old scripts took for the end of a line.
std::string harmless(const nlohmann::json& data) {
  const std::string text =
      data.dump(-1, ' ', /*ensure_ascii=*/true, nlohmann::json::error_handler_t::replace);
  std::string result;
  result.reserve(text.size() + text.size() / 50);
  for (const char c : text) {
    if (c == '<') {
      result += "\\u003c";
    } else if (c == '>') {
      result += "\\u003e";
    } else if (c == '&') {
      result += "\\u0026";
    } else {
      result += c;
    }
  }
  return result;
}

std::string hash_source(std::string_view part) {
  return "'sha256-" + base::base64_of_hex(sha256_hex(part)) + "'";
}

}  // namespace

std::string page_of(const nlohmann::json& data) {
  // Styles inline, since the drawings carry some; nothing that they could load is allowed.
  const std::string policy = "default-src 'none'; script-src " + hash_source(kPlotJs) + " " +
                             hash_source(kDrawingsJs) + " " + hash_source(kPageJs) +
                             "; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
                             "form-action 'none'";
  std::string page = with(kPageHtml, "/*STYLE*/", kPageCss);
  page = with(page, "<!--POLICY-->", policy);
  page = with(page, "/*PLOT*/", kPlotJs);
  page = with(page, "/*DRAWINGS*/", kDrawingsJs);
  page = with(page, "/*SCRIPT*/", kPageJs);
  return with(std::move(page), "/*DATA*/", harmless(compact(data)));
}

}  // namespace unmask::report
