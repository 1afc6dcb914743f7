#include "fingerprint/tokens.hpp"

#include <algorithm>
#include <array>

namespace unmask::fingerprint {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\t' || c == '\v' || c == '\f' || c == '\r';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Bytes beyond ASCII are letters: a name may be written in any alphabet.
bool is_name_part(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == '$' ||
         static_cast<unsigned char>(c) >= 0x80;
}

// Longest first: a token is the longest run of characters that can be one.
constexpr std::array<std::string_view, 26> kLongPunctuators = {
    "<=>", "->*", "<<=", ">>=", "...", "::", "->", "++", "--", "<<", ">>", "<=", ">=",
    "==",  "!=",  "&&",  "||",  "+=",  "-=", "*=", "/=", "%=", "^=", "&=", "|=", "##"};

// The text without its continued lines, except inside raw strings, where a backslash at the end of a line stays.
class Lexer {
 public:
  explicit Lexer(std::string_view text) : text_(text) {}

  SourceText run() {
    while (at_ < text_.size()) step();
    end_line();
    return std::move(result_);
  }

 private:
  char peek(std::size_t ahead = 0) const {
    return at_ + ahead < text_.size() ? text_[at_ + ahead] : '\0';
  }

  void emit(std::string_view token) {
    result_.tokens += token;
    result_.tokens += '\n';
    is_line_begun_ = true;
  }

  void end_line() {
    if (is_directive_) emit("");
    is_directive_ = false;
    is_line_begun_ = false;
    words_ = 0;
  }

  void step() {
    const char c = peek();
    if (c == '\n') {
      ++at_;
      end_line();
    } else if (is_space(c)) {
      ++at_;
    } else if (const std::size_t joint = continued_line(at_)) {
      at_ += joint;
    } else if (c == '/' && peek(1) == '/') {
      skip_line_comment();
    } else if (c == '/' && peek(1) == '*') {
      const std::size_t end = text_.find("*/", at_ + 2);
      at_ = end == std::string_view::npos ? text_.size() : end + 2;
    } else if (is_digit(c) || (c == '.' && is_digit(peek(1)))) {
      take_number();
    } else if (is_name_part(c)) {
      take_name();
    } else if (c == '"' || c == '\'') {
      take_literal("");
    } else {
      take_punctuator();
    }
  }

  // The length of a backslash and the line end behind it, or 0.
  std::size_t continued_line(std::size_t at) const {
    if (at >= text_.size() || text_[at] != '\\') return 0;
    std::size_t end = at + 1;
    while (end < text_.size() && is_space(text_[end])) ++end;
    return end < text_.size() && text_[end] == '\n' ? end + 1 - at : 0;
  }

  void skip_line_comment() {
    while (at_ < text_.size() && text_[at_] != '\n') {
      const std::size_t joint = continued_line(at_);
      at_ += joint ? joint : 1;
    }
  }

  // The characters from here on that satisfy `belongs`, over continued lines.
  template <typename Predicate>
  std::string take_while(Predicate belongs) {
    std::string taken;
    while (at_ < text_.size()) {
      if (const std::size_t joint = continued_line(at_)) {
        at_ += joint;
      } else if (belongs(text_[at_], taken)) {
        taken += text_[at_++];
      } else {
        break;
      }
    }
    return taken;
  }

  // A "preprocessing number": also 1e-5, 0x1p+3, 1'000, 2.5f.
  void take_number() {
    emit(take_while([](char c, const std::string& taken) {
      const char last = taken.empty() ? '\0' : taken.back();
      const bool is_exponent = last == 'e' || last == 'E' || last == 'p' || last == 'P';
      return is_name_part(c) || c == '.' || c == '\'' || (is_exponent && (c == '+' || c == '-'));
    }));
  }

  void take_name() {
    const std::string name = take_while([](char c, const std::string&) { return is_name_part(c); });
    const bool is_prefix = name == "R" || name == "u8" || name == "u" || name == "U" ||
                           name == "L" || name == "u8R" || name == "uR" || name == "UR" ||
                           name == "LR";
    if (is_prefix && (peek() == '"' || (peek() == '\'' && name.back() != 'R'))) {
      name.back() == 'R' ? take_raw_string(name) : take_literal(name);
      return;
    }
    if (is_directive_ && words_++ == 0) is_include_ = name == "include";
    emit(name);
  }

  void take_literal(const std::string& prefix) {
    const char quote = text_[at_++];
    bool is_escaped = false;
    const std::string body = take_while([&](char c, const std::string&) {
      if (c == '\n' || (c == quote && !is_escaped)) return false;
      is_escaped = c == '\\' && !is_escaped;
      return true;
    });
    if (peek() == quote) ++at_;
    if (is_directive_ && is_include_ && quote == '"') result_.quoted_includes.push_back(body);
    emit(prefix + quote + body + quote);
  }

  void take_raw_string(const std::string& prefix) {
    const std::size_t open = text_.find('(', at_);
    const std::string close =
        ")" +
        std::string(text_.substr(at_ + 1, open == std::string_view::npos ? 0 : open - at_ - 1)) +
        "\"";
    const std::size_t found = open == std::string_view::npos ? open : text_.find(close, open);
    const std::size_t end = found == std::string_view::npos ? text_.size() : found + close.size();
    emit(prefix + std::string(text_.substr(at_, end - at_)));
    at_ = end;
  }

  void take_punctuator() {
    if (peek() == '#' && !is_line_begun_) {
      is_directive_ = true;
      is_include_ = false;
    }
    const std::string_view rest = text_.substr(at_);
    const auto found =
        std::find_if(kLongPunctuators.begin(), kLongPunctuators.end(), [&](std::string_view token) {
          return rest.starts_with(token);
        });
    const std::string_view token = found != kLongPunctuators.end() ? *found : rest.substr(0, 1);
    at_ += token.size();
    emit(token);
  }

  std::string_view text_;
  std::size_t at_ = 0;
  SourceText result_;
  bool is_line_begun_ = false;  // a token of this line was seen
  bool is_directive_ = false;   // this line began with '#'
  bool is_include_ = false;     // ... and its first word is "include"
  int words_ = 0;               // of a directive
};

}  // namespace

SourceText read_tokens(std::string_view text) {
  return Lexer(text).run();
}

}  // namespace unmask::fingerprint
