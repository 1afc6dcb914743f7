#include "text/syntax.hpp"

#include <algorithm>
#include <cctype>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <utility>

#include "text/diagnostics.hpp"
#include "text/tokens.hpp"

namespace unmask::words {
namespace {

using State = Impasse::State;

constexpr const char* kNumberHelp = "numbers look like 12, -0.5 or 1e-3";

// The impasse with what a look at the text adds to it.
struct Site {
  const Impasse& impasse;
  const std::string& text;
  std::optional<std::size_t> separator;  // the ',' or ':' that rightly stands before the token
  Range token;
  std::string word;      // the bytes of the token; empty at the end of the file
  std::string expected;  // what may stand here

  bool expects_value() const { return expected.find("value") != std::string::npos; }
};

std::string expected_at(const Impasse& impasse, bool has_separator) {
  switch (impasse.state) {
    case State::kStart: return "an object: a manifest begins with '{'";
    case State::kDone: return "the end of the file";
    case State::kFirst:
      return impasse.in_object ? "a key in double quotes or '}'" : "a value or ']'";
    case State::kAfterKey: return has_separator ? "a value" : "':' after the key";
    case State::kAfterValue: break;
  }
  if (!has_separator) return impasse.in_object ? "',' or '}'" : "',' or ']'";
  return impasse.in_object ? "a key in double quotes" : "a value";
}

Site look_at(const Impasse& impasse) {
  Site site{impasse, impasse.text, std::nullopt, {}, "", ""};
  std::size_t begin = skip_blanks(site.text, impasse.last.end);
  const char fitting = impasse.state == State::kAfterKey     ? ':'
                       : impasse.state == State::kAfterValue ? ','
                                                             : '\0';
  if (begin < site.text.size() && fitting != '\0' && site.text[begin] == fitting) {
    site.separator = begin;
    begin = skip_blanks(site.text, begin + 1);
  }
  site.expected = expected_at(impasse, site.separator.has_value());
  site.token = token_at(site.text, begin);
  site.word = site.text.substr(site.token.begin, site.token.end - site.token.begin);
  return site;
}

// Each of the checks below knows one mistake. They are asked in the order of kChecks, so that a
// later one may rely on what earlier ones have ruled out: after ends_early() there is a word.

std::optional<SyntaxComplaint> ends_early(const Site& site) {
  if (!site.word.empty()) return std::nullopt;
  // Point behind the last thing that is there rather than at an empty line.
  const std::size_t at = site.separator ? *site.separator + 1 : site.impasse.last.end;
  return SyntaxComplaint{code::kSyntax,
                         {at, at},
                         "syntax error: the file ends where " + site.expected + " should be",
                         site.impasse.is_open};
}

std::optional<SyntaxComplaint> is_too_large(const Site& site) {
  if (!site.impasse.is_too_large) return std::nullopt;
  return SyntaxComplaint{
      code::kNumberTooLarge, site.token, "number " + site.word + " is too large for a double"};
}

std::optional<SyntaxComplaint> has_trailing_comma(const Site& site) {
  const bool closes = site.word == "}" || site.word == "]";
  if (site.impasse.state != State::kAfterValue || !site.separator || !closes) return std::nullopt;
  return SyntaxComplaint{code::kTrailingComma,
                         {*site.separator, *site.separator + 1},
                         "trailing comma: nothing follows it before '" + site.word + "'",
                         "remove the comma"};
}

// The four digits of an escape \uXXXX that begins at `at`; nullopt when they are none.
std::optional<unsigned long> escaped_unit(const std::string& text, std::size_t at, Range token) {
  if (at + 6 > token.end || text.compare(at, 2, "\\u") != 0) return std::nullopt;
  const std::string digits = text.substr(at + 2, 4);
  if (!std::all_of(digits.begin(), digits.end(), [](unsigned char d) { return std::isxdigit(d); }))
    return std::nullopt;
  return std::stoul(digits, nullptr, 16);
}

// The bytes of an escape that begins at `at`, and what is wrong with it.
std::pair<std::size_t, std::optional<SyntaxComplaint>> read_escape(const Site& site,
                                                                   std::size_t at) {
  const Range& token = site.token;
  const char escaped = at + 1 < token.end ? site.text[at + 1] : '\0';
  const std::size_t length = escaped == 'u' ? 6 : 2;
  const auto wrong = [&](std::string message, std::string help = "") {
    const Range range{at, std::min(at + length, token.end)};
    return std::pair(length,
                     SyntaxComplaint{code::kSyntax, range, std::move(message), std::move(help)});
  };
  if (escaped != 'u') {
    const bool is_known =
        escaped != '\0' && std::string_view("\"\\/bfnrt").find(escaped) != std::string_view::npos;
    if (is_known || at + 1 >= token.end) return {length, std::nullopt};
    return wrong("syntax error: unknown escape in a string", "a backslash is written \\\\");
  }
  const auto unit = escaped_unit(site.text, at, token);
  if (!unit) return wrong("syntax error: \\u needs four hexadecimal digits");
  const bool is_high = *unit >= 0xD800 && *unit <= 0xDBFF;
  const bool is_low = *unit >= 0xDC00 && *unit <= 0xDFFF;
  const auto next = is_high ? escaped_unit(site.text, at + 6, token) : std::nullopt;
  const bool is_pair = next && (*next & 0xFC00U) == 0xDC00U;
  if (is_low || (is_high && !is_pair)) return wrong("syntax error: half of a surrogate pair");
  return {is_pair ? length * 2 : length, std::nullopt};
}

std::optional<SyntaxComplaint> is_bad_string(const Site& site) {
  if (site.word[0] != '"') return std::nullopt;
  const Range& token = site.token;
  for (std::size_t i = token.begin + 1; i < token.end;) {
    const char c = site.text[i];
    if (c == '"' && i + 1 == token.end) return std::nullopt;  // well-formed
    if (static_cast<unsigned char>(c) < 0x20) {
      return SyntaxComplaint{code::kSyntax,
                             {i, i + 1},
                             "syntax error: a control character inside a string",
                             c == '\t' ? "write \\t" : "write it as \\u00xx"};
    }
    if (c != '\\') {
      ++i;
      continue;
    }
    auto [length, wrong] = read_escape(site, i);
    if (wrong) return wrong;
    i += length;
  }
  return SyntaxComplaint{
      code::kSyntax, token, "syntax error: the string has no closing quote on its line"};
}

std::optional<SyntaxComplaint> has_single_quotes(const Site& site) {
  if (site.word[0] != '\'') return std::nullopt;
  return SyntaxComplaint{
      code::kSyntax, site.token, "syntax error: strings and keys need double quotes"};
}

std::optional<SyntaxComplaint> is_open_comment(const Site& site) {
  if (site.word.compare(0, 2, "/*") != 0) return std::nullopt;
  return SyntaxComplaint{code::kSyntax,
                         {site.token.begin, site.token.begin + 2},
                         "syntax error: the comment is never closed"};
}

std::optional<SyntaxComplaint> is_other_comment(const Site& site) {
  if (site.word[0] != '#') return std::nullopt;
  return SyntaxComplaint{
      code::kSyntax, site.token, "syntax error: unexpected '#'", "comments are // or /* */"};
}

// "01" and "0x40" reach us as a number followed by a token that touches it.
std::optional<SyntaxComplaint> touches_number(const Site& site) {
  const auto is_word = [](char c) { return !is_blank(c) && !is_punctuation(c) && c != '"'; };
  const Range& last = site.impasse.last;
  if (site.token.begin != last.end || last.end <= last.begin || !is_word(site.text[last.begin]) ||
      !is_word(site.word[0])) {
    return std::nullopt;
  }
  const Range both{last.begin, site.token.end};
  const std::string word = site.text.substr(both.begin, both.end - both.begin);
  return SyntaxComplaint{code::kSyntax,
                         both,
                         "syntax error: " + in_quotes(word) + " is not a JSON value",
                         kNumberHelp};
}

std::optional<SyntaxComplaint> is_of_another_language(const Site& site) {
  static const std::unordered_map<std::string, std::string> kWords = {{"True", "true"},
                                                                      {"TRUE", "true"},
                                                                      {"False", "false"},
                                                                      {"FALSE", "false"},
                                                                      {"None", "null"},
                                                                      {"NULL", "null"},
                                                                      {"nil", "null"},
                                                                      {"undefined", "null"},
                                                                      {"yes", "true"},
                                                                      {"no", "false"},
                                                                      {"Null", "null"}};
  const auto found = kWords.find(site.word);
  if (found == kWords.end()) return std::nullopt;
  return SyntaxComplaint{code::kSyntax,
                         site.token,
                         "syntax error: " + in_quotes(site.word) + " is not a JSON value",
                         "write " + found->second};
}

std::optional<SyntaxComplaint> is_no_value(const Site& site) {
  if (!site.expects_value() || is_punctuation(site.word[0]) || site.word[0] == '"')
    return std::nullopt;
  const bool is_numeric =
      site.word.find_first_not_of("+-.0123456789eExXabcdefABCDEF_") == std::string::npos &&
      site.word.find_first_of("0123456789") != std::string::npos;
  return SyntaxComplaint{code::kSyntax,
                         site.token,
                         "syntax error: " + in_quotes(site.word) + " is not a JSON value",
                         is_numeric ? kNumberHelp : "text needs double quotes"};
}

constexpr std::optional<SyntaxComplaint> (*kChecks[])(const Site&) = {ends_early,
                                                                      is_too_large,
                                                                      has_trailing_comma,
                                                                      is_bad_string,
                                                                      has_single_quotes,
                                                                      is_open_comment,
                                                                      is_other_comment,
                                                                      touches_number,
                                                                      is_of_another_language,
                                                                      is_no_value};

}  // namespace

SyntaxComplaint explain_syntax(const Impasse& impasse) {
  const Site site = look_at(impasse);
  for (const auto& check : kChecks) {
    if (auto complaint = check(site)) return *std::move(complaint);
  }
  const std::string found = site.word[0] == '"' ? "a string" : "'" + site.word.substr(0, 40) + "'";
  const bool misses_comma =
      impasse.state == State::kAfterValue && !site.separator && !is_punctuation(site.word[0]);
  return {code::kSyntax,
          site.token,
          "syntax error: expected " + site.expected + ", found " + found,
          misses_comma ? "a comma is missing before it" : ""};
}

}  // namespace unmask::words
