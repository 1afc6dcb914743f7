#include "text/source.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>
#include <unordered_set>

#include <nlohmann/json.hpp>

#include "text/diagnostics.hpp"
#include "text/utf8.hpp"

namespace unmask::words {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

bool is_blank(char c) {
  return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}
bool is_punctuation(char c) {
  return std::string_view("{}[],:").find(c) != std::string_view::npos;
}

// First byte at or after `at` that is neither blank nor inside a comment. An unfinished comment
// counts as a token.
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

// Start of the token after a finished one: commas and colons between them belong to neither.
std::size_t next_token(const std::string& text, std::size_t at) {
  at = skip_blanks(text, at);
  while (at < text.size() && (text[at] == ',' || text[at] == ':')) at = skip_blanks(text, at + 1);
  return at;
}

// The bytes of a token of whatever kind, well-formed or not.
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

// End of the JSON number that begins at `at`: as far as the parser takes it, "0" of "0x40".
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

// Hands bytes to the JSON parser and counts them: at every event the count is the end of the token
// (for numbers one more, which is looked ahead).
class CountingIterator {
 public:
  using iterator_category = std::input_iterator_tag;
  using value_type = char;
  using difference_type = std::ptrdiff_t;
  using pointer = const char*;
  using reference = const char&;

  CountingIterator(const char* at, std::size_t* count) : at_(at), count_(count) {}
  reference operator*() const { return *at_; }
  CountingIterator& operator++() {
    ++at_;
    ++*count_;
    return *this;
  }
  CountingIterator operator++(int) {
    CountingIterator old = *this;
    ++*this;
    return old;
  }
  bool operator==(const CountingIterator& other) const { return at_ == other.at_; }
  bool operator!=(const CountingIterator& other) const { return at_ != other.at_; }

 private:
  const char* at_;
  std::size_t* count_;
};

}  // namespace

// Receives the events of the JSON parser and builds the tree and the entries.
class SourceHandler {
 public:
  using json = nlohmann::json;

  SourceHandler(Source& source, std::size_t begin, std::vector<Diagnostic>& errors)
      : source_(source), text_(source.text_), errors_(errors), count_(begin), last_{begin, begin} {}

  std::size_t* count() { return &count_; }
  std::optional<Node> take_root() { return std::move(root_); }

  bool null() {
    return scalar(Node::Kind::kNull, [](Node&) {});
  }
  bool boolean(bool value) {
    return scalar(Node::Kind::kBoolean, [&](Node& n) { n.boolean = value; });
  }
  bool number_integer(json::number_integer_t value) {
    return scalar(Node::Kind::kInteger, [&](Node& n) { n.integer = value; });
  }
  bool number_unsigned(json::number_unsigned_t value) {
    if (value > static_cast<json::number_unsigned_t>(INT64_MAX)) {
      return number_float(static_cast<double>(value), "");
    }
    return number_integer(static_cast<json::number_integer_t>(value));
  }
  bool number_float(json::number_float_t value, const json::string_t&) {
    return scalar(Node::Kind::kReal, [&](Node& n) { n.real = value; });
  }
  bool string(json::string_t& value) {
    return scalar(Node::Kind::kString, [&](Node& n) { n.string = std::move(value); });
  }
  bool binary(json::binary_t&) { return false; }

  bool start_object(std::size_t) { return open(Node::Kind::kObject); }
  bool start_array(std::size_t) { return open(Node::Kind::kArray); }
  bool end_object() { return close(); }
  bool end_array() { return close(); }

  bool key(json::string_t& value) {
    last_ = {next_token(text_, last_.end), count_};
    Frame& frame = frames_.back();
    Source::Entry entry;
    entry.key = last_;
    entry.parent = frame.node.place.entry;
    frame.pending = add(entry);
    frame.has_key = true;
    const auto [first, is_new] = frame.seen.emplace(value, frame.pending);
    frame.skip = !is_new;
    if (!is_new) {
      const Position at = source_.position(source_.entries_[first->second].key.begin);
      errors_.push_back(diagnose(source_,
                                 last_,
                                 code::kDuplicateKey,
                                 "key " + in_quotes(value) + " is given twice",
                                 "it was given first in line " + std::to_string(at.line) +
                                     ", column " + std::to_string(at.column),
                                 source_.pointer(frame.pending)));
    }
    frame.key = std::move(value);
    return true;
  }

  bool parse_error(std::size_t, const std::string&, const json::exception& error) {
    report_syntax(dynamic_cast<const json::out_of_range*>(&error) != nullptr);
    return false;
  }

 private:
  struct Frame {
    Node node;
    std::unordered_map<std::string, std::uint32_t> seen;  // key -> entry
    std::string key;
    std::uint32_t pending = Source::kNone;  // entry of the key that waits for its value
    bool has_key = false;                   // a key was read and its value not yet
    bool skip = false;                      // the key is a duplicate: drop the value
    std::uint32_t next_index = 0;
  };

  std::uint32_t add(const Source::Entry& entry) {
    source_.entries_.push_back(entry);
    return static_cast<std::uint32_t>(source_.entries_.size() - 1);
  }

  std::string here() const {
    return frames_.empty() ? "" : source_.pointer(frames_.back().node.place.entry);
  }

  // The entry of the value that begins now.
  std::uint32_t begin_value(Range range) {
    if (!frames_.empty() && frames_.back().node.is(Node::Kind::kObject)) {
      const std::uint32_t entry = frames_.back().pending;
      source_.entries_[entry].value = range;
      return entry;
    }
    Source::Entry entry;
    entry.value = range;
    if (!frames_.empty()) {
      entry.parent = frames_.back().node.place.entry;
      entry.index = frames_.back().next_index++;
    }
    return add(entry);
  }

  bool too_many() {
    if (source_.entries_.size() < kMostValues) return false;
    errors_.push_back(
        diagnose(source_,
                 last_,
                 code::kLimit,
                 "the file holds more than " + std::to_string(kMostValues) + " values",
                 "use globs and matrices in place of long lists",
                 here()));
    return true;
  }

  template <class Fill>
  bool scalar(Node::Kind kind, Fill fill) {
    const std::size_t begin = next_token(text_, last_.end);
    const bool is_number = kind == Node::Kind::kInteger || kind == Node::Kind::kReal;
    last_ = is_number ? Range{begin, number_end(text_, begin)} : token_at(text_, begin);
    if (too_many()) return false;
    Node node;
    node.kind = kind;
    node.place = {&source_, begin_value(last_)};
    fill(node);
    finish(std::move(node));
    return true;
  }

  bool open(Node::Kind kind) {
    last_ = {next_token(text_, last_.end), count_};
    if (frames_.size() >= kDeepestNesting) {
      errors_.push_back(
          diagnose(source_,
                   last_,
                   code::kLimit,
                   "nested deeper than " + std::to_string(kDeepestNesting) + " levels",
                   "",
                   here()));
      return false;
    }
    if (too_many()) return false;
    Frame frame;
    frame.node.kind = kind;
    frame.node.place = {&source_, begin_value(last_)};
    frames_.push_back(std::move(frame));
    return true;
  }

  bool close() {
    last_ = {count_ - 1, count_};
    Node node = std::move(frames_.back().node);
    frames_.pop_back();
    source_.entries_[node.place.entry].value.end = count_;
    finish(std::move(node));
    return true;
  }

  void finish(Node node) {
    if (frames_.empty()) {
      root_ = std::move(node);
      return;
    }
    Frame& frame = frames_.back();
    if (frame.node.is(Node::Kind::kArray)) {
      frame.node.items.push_back(std::move(node));
      return;
    }
    if (!frame.skip) frame.node.members.push_back({std::move(frame.key), std::move(node)});
    frame.has_key = false;
    ++frame.next_index;
  }

  // Say what is wrong with the first token that the parser could not take. Our own words, since the
  // parser's name the read head and differ between its versions.
  void report_syntax(bool out_of_range) {
    enum class State { kStart, kDone, kFirst, kAfterKey, kAfterValue };
    const bool in_object = !frames_.empty() && frames_.back().node.is(Node::Kind::kObject);
    const std::string_view closing = in_object ? "'}'" : "']'";
    State state = State::kStart;
    if (frames_.empty()) {
      state = root_ ? State::kDone : State::kStart;
    } else if (frames_.back().has_key) {
      state = State::kAfterKey;
    } else {
      state = frames_.back().next_index == 0 ? State::kFirst : State::kAfterValue;
    }

    std::size_t begin = skip_blanks(text_, last_.end);
    std::optional<std::size_t> separator;
    const char fitting = state == State::kAfterKey ? ':' : state == State::kAfterValue ? ',' : '\0';
    if (begin < text_.size() && fitting != '\0' && text_[begin] == fitting) {
      separator = begin;
      begin = skip_blanks(text_, begin + 1);
    }

    std::string expected;
    switch (state) {
      case State::kStart: expected = "an object: a manifest begins with '{'"; break;
      case State::kDone: expected = "the end of the file"; break;
      case State::kFirst:
        expected = in_object ? "a key in double quotes or '}'" : "a value or ']'";
        break;
      case State::kAfterKey: expected = separator ? "a value" : "':' after the key"; break;
      case State::kAfterValue:
        expected = !separator  ? "',' or " + std::string(closing)
                   : in_object ? "a key in double quotes"
                               : "a value";
        break;
    }

    Range token = token_at(text_, begin);
    const auto report = [&](const char* what,
                            Range range,
                            const std::string& message,
                            const std::string& help = "") {
      errors_.push_back(diagnose(source_, range, what, message, help, here()));
    };
    const std::string word = text_.substr(token.begin, token.end - token.begin);

    if (token.begin >= text_.size()) {
      // Point behind the last thing that is there rather than at an empty line.
      const std::size_t at = separator ? *separator + 1 : last_.end;
      std::string open_at;
      if (!frames_.empty()) {
        const Range container = source_.entries_[frames_.back().node.place.entry].value;
        const Position p = source_.position(container.begin);
        open_at = "the " + std::string(in_object ? "object" : "list") + " opened in line " +
                  std::to_string(p.line) + ", column " + std::to_string(p.column) +
                  " is not closed";
      }
      report(code::kSyntax,
             {at, at},
             "syntax error: the file ends where " + expected + " should be",
             open_at);
      return;
    }
    if (out_of_range) {
      report(code::kNumberTooLarge, token, "number " + word + " is too large for a double");
      return;
    }
    if (state == State::kAfterValue && separator && (word == "}" || word == "]")) {
      report(code::kTrailingComma,
             {*separator, *separator + 1},
             "trailing comma: nothing follows it before " + ("'" + word + "'"),
             "remove the comma");
      return;
    }
    if (word[0] == '"' && report_bad_string(token, report)) return;
    if (word[0] == '\'') {
      report(code::kSyntax, token, "syntax error: strings and keys need double quotes");
      return;
    }
    if (word.compare(0, 2, "/*") == 0) {
      report(code::kSyntax,
             {token.begin, token.begin + 2},
             "syntax error: the comment is never closed");
      return;
    }
    if (word[0] == '#') {
      report(code::kSyntax, token, "syntax error: unexpected '#'", "comments are // or /* */");
      return;
    }
    // "01" and "0x40" reach us as a number followed by a token that touches it.
    const auto is_word = [](char c) { return !is_blank(c) && !is_punctuation(c) && c != '"'; };
    if (token.begin == last_.end && last_.end > last_.begin && is_word(text_[last_.begin]) &&
        is_word(word[0])) {
      token.begin = last_.begin;
      const std::string both = text_.substr(token.begin, token.end - token.begin);
      report(code::kSyntax,
             token,
             "syntax error: " + in_quotes(both) + " is not a JSON value",
             "numbers look like 12, -0.5 or 1e-3");
      return;
    }
    static const std::unordered_map<std::string, std::string> kOtherLanguages = {
        {"True", "true"},
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
    if (const auto found = kOtherLanguages.find(word); found != kOtherLanguages.end()) {
      report(code::kSyntax,
             token,
             "syntax error: " + in_quotes(word) + " is not a JSON value",
             "write " + found->second);
      return;
    }
    const bool value_expected = expected.find("value") != std::string::npos;
    if (value_expected && !is_punctuation(word[0]) && word[0] != '"') {
      const bool numeric =
          word.find_first_not_of("+-.0123456789eExXabcdefABCDEF_") == std::string::npos &&
          word.find_first_of("0123456789") != std::string::npos;
      report(code::kSyntax,
             token,
             "syntax error: " + in_quotes(word) + " is not a JSON value",
             numeric ? "numbers look like 12, -0.5 or 1e-3" : "text needs double quotes");
      return;
    }
    const std::string found = word[0] == '"' ? "a string" : "'" + word.substr(0, 40) + "'";
    report(code::kSyntax,
           token,
           "syntax error: expected " + expected + ", found " + found,
           state == State::kAfterValue && !separator && !is_punctuation(word[0])
               ? "a comma is missing before it"
               : "");
  }

  // True when the string itself is malformed (and was reported).
  template <class Report>
  bool report_bad_string(Range token, const Report& report) {
    for (std::size_t i = token.begin + 1; i < token.end; ++i) {
      const char c = text_[i];
      if (c == '"' && i + 1 == token.end) return false;
      if (static_cast<unsigned char>(c) < 0x20) {
        report(code::kSyntax,
               {i, i + 1},
               "syntax error: a control character inside a string",
               c == '\t' ? "write \\t" : "write it as \\u00xx");
        return true;
      }
      if (c != '\\') continue;
      const char escaped = i + 1 < token.end ? text_[i + 1] : '\0';
      const std::size_t length = escaped == 'u' ? 6 : 2;
      const Range escape{i, std::min(i + length, token.end)};
      if (escaped == 'u') {
        const auto digits = [&](std::size_t at) {
          return at + 4 <= token.end &&
                 std::all_of(text_.begin() + static_cast<std::ptrdiff_t>(at),
                             text_.begin() + static_cast<std::ptrdiff_t>(at + 4),
                             [](unsigned char d) { return std::isxdigit(d); });
        };
        if (!digits(i + 2)) {
          report(code::kSyntax, escape, "syntax error: \\u needs four hexadecimal digits");
          return true;
        }
        const unsigned long unit = std::stoul(text_.substr(i + 2, 4), nullptr, 16);
        const bool high = unit >= 0xD800 && unit <= 0xDBFF;
        const bool low = unit >= 0xDC00 && unit <= 0xDFFF;
        const bool paired = high && text_.compare(i + 6, 2, "\\u") == 0 && digits(i + 8) &&
                            (std::stoul(text_.substr(i + 8, 4), nullptr, 16) & 0xFC00U) == 0xDC00U;
        if (low || (high && !paired)) {
          report(code::kSyntax, escape, "syntax error: half of a surrogate pair");
          return true;
        }
        i += paired ? 11 : 5;
        continue;
      }
      if (std::string_view("\"\\/bfnrt").find(escaped) == std::string_view::npos ||
          escaped == '\0') {
        if (i + 1 >= token.end) break;
        report(code::kSyntax,
               escape,
               "syntax error: unknown escape in a string",
               "a backslash is written \\\\");
        return true;
      }
      ++i;
    }
    report(code::kSyntax, token, "syntax error: the string has no closing quote on its line");
    return true;
  }

  Source& source_;
  const std::string& text_;
  std::vector<Diagnostic>& errors_;
  std::size_t count_;  // bytes that the parser has read
  Range last_;         // the token of the last event
  std::vector<Frame> frames_;
  std::optional<Node> root_;
};

const Node* Node::find(std::string_view key) const {
  const auto found = std::find_if(
      members.begin(), members.end(), [&](const Member& member) { return member.key == key; });
  return found == members.end() ? nullptr : &found->value;
}

Source::Source(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    // A lone CR ends a line too: then editors and messages agree.
    const bool lone_cr = text_[i] == '\r' && (i + 1 == text_.size() || text_[i + 1] != '\n');
    if (text_[i] == '\n' || lone_cr) line_starts_.push_back(i + 1);
  }
}

std::optional<Node> Source::parse(std::vector<Diagnostic>& errors) {
  entries_.clear();
  if (const std::size_t bad = first_invalid_utf8(text_); bad != std::string::npos) {
    static constexpr const char* kHex = "0123456789abcdef";
    const auto byte = static_cast<unsigned char>(text_[bad]);
    const bool wide = text_.size() > 1 && (text_.compare(0, 2, "\xFF\xFE") == 0 ||
                                           text_.compare(0, 2, "\xFE\xFF") == 0 || byte == 0);
    errors.push_back(diagnose(
        *this,
        {bad, bad + 1},
        code::kNotUtf8,
        std::string("the file is not UTF-8 text: byte 0x") + kHex[byte >> 4U] + kHex[byte & 15U],
        wide ? "it looks like UTF-16 or binary data; save it as UTF-8" : "save it as UTF-8"));
    return std::nullopt;
  }
  const std::size_t begin = text_.compare(0, 3, kByteOrderMark) == 0 ? kByteOrderMark.size() : 0;
  if (skip_blanks(text_, begin) == text_.size()) {
    Diagnostic d;
    d.code = code::kSyntax;
    d.file = name_;
    d.message = "the file is empty";
    d.help = "a manifest begins with { \"version\": 1,";
    errors.push_back(std::move(d));
    return std::nullopt;
  }
  SourceHandler handler(*this, begin, errors);
  const bool complete =
      nlohmann::json::sax_parse(CountingIterator(text_.data() + begin, handler.count()),
                                CountingIterator(text_.data() + text_.size(), handler.count()),
                                &handler,
                                nlohmann::json::input_format_t::json,
                                true,
                                true);
  return complete ? handler.take_root() : std::nullopt;
}

Range Source::key_range(std::uint32_t entry) const {
  const Entry& e = entries_[entry];
  return e.key.end > e.key.begin ? e.key : e.value;
}

std::string Source::key_text(const Entry& entry) const {
  const auto* begin = text_.data() + entry.key.begin;
  return nlohmann::json::parse(begin, begin + (entry.key.end - entry.key.begin)).get<std::string>();
}

std::string Source::pointer(std::uint32_t entry) const {
  std::vector<std::string> parts;
  for (std::uint32_t at = entry; at != kNone && entries_[at].parent != kNone;
       at = entries_[at].parent) {
    const Entry& e = entries_[at];
    if (e.index != kNone) {
      parts.push_back(std::to_string(e.index));
      continue;
    }
    std::string escaped;
    for (const char c : key_text(e)) {
      if (c == '~') {
        escaped += "~0";
      } else if (c == '/') {
        escaped += "~1";
      } else {
        escaped.push_back(c);
      }
    }
    parts.push_back(std::move(escaped));
  }
  std::string out;
  for (auto part = parts.rbegin(); part != parts.rend(); ++part) out += "/" + *part;
  return out;
}

std::optional<std::uint32_t> Source::find(std::string_view pointer) const {
  for (std::uint32_t i = 0; i < entries_.size(); ++i) {
    if (this->pointer(i) == pointer) return i;
  }
  return std::nullopt;
}

Position Source::position(std::size_t byte) const {
  byte = std::min(byte, text_.size());
  const auto after = std::upper_bound(line_starts_.begin(), line_starts_.end(), byte);
  const auto line = static_cast<std::size_t>(after - line_starts_.begin());
  std::size_t start = line_starts_[line - 1];
  // The byte order mark is no column.
  if (start == 0 && text_.compare(0, 3, kByteOrderMark) == 0)
    start = std::min<std::size_t>(3, byte);
  const auto points =
      std::count_if(text_.begin() + static_cast<std::ptrdiff_t>(start),
                    text_.begin() + static_cast<std::ptrdiff_t>(byte),
                    [](char c) { return (static_cast<unsigned char>(c) & 0xC0U) != 0x80U; });
  return {line, static_cast<std::size_t>(points) + 1};
}

std::string_view Source::line(std::size_t number) const {
  if (number == 0 || number > line_starts_.size()) return {};
  std::size_t begin = line_starts_[number - 1];
  std::size_t end = number < line_starts_.size() ? line_starts_[number] : text_.size();
  while (end > begin && (text_[end - 1] == '\n' || text_[end - 1] == '\r')) --end;
  if (begin == 0 && text_.compare(0, 3, kByteOrderMark) == 0) begin = 3;
  return std::string_view(text_).substr(begin, end - begin);
}

Node merge(const Node& base, const Node& over) {
  if (!base.is(Node::Kind::kObject) || !over.is(Node::Kind::kObject)) return over;
  Node out = base;
  out.place = over.place;
  std::unordered_map<std::string_view, std::size_t> index;
  for (std::size_t i = 0; i < base.members.size(); ++i) index.emplace(base.members[i].key, i);
  std::vector<bool> removed(base.members.size(), false);
  for (const Member& member : over.members) {
    const auto found = index.find(member.key);
    if (found == index.end()) {
      out.members.push_back(member);
    } else if (member.value.is(Node::Kind::kNull)) {
      removed[found->second] = true;
    } else {
      Node& value = out.members[found->second].value;
      value = merge(base.members[found->second].value, member.value);
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < out.members.size(); ++i) {
    if (i < removed.size() && removed[i]) continue;
    if (kept != i) out.members[kept] = std::move(out.members[i]);
    ++kept;
  }
  out.members.resize(kept);
  return out;
}

}  // namespace unmask::words
