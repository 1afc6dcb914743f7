#include "text/source.hpp"

#include <algorithm>
#include <iterator>
#include <unordered_map>

#include <nlohmann/json.hpp>

#include "text/diagnostics.hpp"
#include "text/syntax.hpp"
#include "text/tokens.hpp"
#include "text/utf8.hpp"
#include "unmask/file_kind.hpp"

namespace unmask::words {
namespace {

constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

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
    const bool is_too_large = dynamic_cast<const json::out_of_range*>(&error) != nullptr;
    const SyntaxComplaint complaint = explain_syntax(impasse(is_too_large));
    errors_.push_back(diagnose(
        source_, complaint.range, complaint.code, complaint.message, complaint.help, here()));
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

  // Where the parser stands, for whoever explains why it cannot go on.
  Impasse impasse(bool is_too_large) const {
    Impasse here{text_};
    here.last = last_;
    here.is_too_large = is_too_large;
    if (frames_.empty()) {
      here.state = root_ ? Impasse::State::kDone : Impasse::State::kStart;
      return here;
    }
    const Frame& frame = frames_.back();
    here.in_object = frame.node.is(Node::Kind::kObject);
    here.state = frame.has_key           ? Impasse::State::kAfterKey
                 : frame.next_index == 0 ? Impasse::State::kFirst
                                         : Impasse::State::kAfterValue;
    const Position at = source_.position(source_.entries_[frame.node.place.entry].value.begin);
    here.is_open = std::string("the ") + (here.in_object ? "object" : "list") + " opened in line " +
                   std::to_string(at.line) + ", column " + std::to_string(at.column) +
                   " is not closed";
    return here;
  }

  Source& source_;
  const std::string& text_;
  std::vector<Diagnostic>& errors_;
  std::size_t count_;  // bytes that the parser has read
  Range last_;         // the token of the last event
  std::vector<Frame> frames_;
  std::optional<Node> root_;
};

Source::Source(std::string name, std::string text)
    : name_(std::move(name)), text_(std::move(text)) {
  line_starts_.push_back(0);
  for (std::size_t i = 0; i < text_.size(); ++i) {
    // A lone CR ends a line too: then editors and messages agree.
    const bool lone_cr = text_[i] == '\r' && (i + 1 == text_.size() || text_[i + 1] != '\n');
    if (text_[i] == '\n' || lone_cr) line_starts_.push_back(i + 1);
  }
}

namespace {

// What a file is that was taken for a manifest; empty: JSON text, or nothing that is known.
std::string foreign_kind(const std::string& text) {
  const std::size_t first = text.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first == std::string::npos || text[first] == '{') return "";
  return file_kind(std::string_view(text).substr(0, kFileKindBytes));
}

}  // namespace

std::optional<Node> Source::parse(std::vector<Diagnostic>& errors) {
  entries_.clear();
  const std::string kind = foreign_kind(text_);
  if (!kind.empty()) {
    const std::size_t end = std::min({text_.find('\n'), text_.size(), std::size_t{40}});
    errors.push_back(diagnose(*this,
                              {0, end},
                              code::kSyntax,
                              "a manifest is JSON text that begins with '{'",
                              "it is " + kind));
    return std::nullopt;
  }
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
  const auto points = std::count_if(text_.begin() + static_cast<std::ptrdiff_t>(start),
                                    text_.begin() + static_cast<std::ptrdiff_t>(byte),
                                    [](char c) { return !is_continuation(c); });
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

}  // namespace unmask::words
