#pragma once
// The text of one manifest file with positions: every value and every key of it knows the bytes it
// was written in. Values are copied and merged freely; a `Place` goes with them, so that a message
// about a merged value still names the right file, line and column.
//
//   Source source("study.json", text);
//   std::vector<Diagnostic> errors;
//   if (std::optional<Node> root = source.parse(errors)) use(*root);

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace unmask::words {

struct Diagnostic;
class Source;

/// Bytes [begin, end) of a file.
struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// A line and a column, both counted from 1. Columns count code points.
struct Position {
  std::size_t line = 1;
  std::size_t column = 1;
};

/// Where a value was written. The Source must outlive it.
struct Place {
  const Source* source = nullptr;
  std::uint32_t entry = 0;
};

struct Member;

/// A JSON value in the order of the file.
struct Node {
  enum class Kind { kNull, kBoolean, kInteger, kReal, kString, kArray, kObject };

  Kind kind = Kind::kNull;
  Place place;
  bool boolean = false;
  std::int64_t integer = 0;
  double real = 0;  ///< of kReal; also of an integer that needs more than 63 bits
  std::string string;
  std::vector<Node> items;
  std::vector<Member> members;

  bool is(Kind wanted) const { return kind == wanted; }
  bool is_number() const { return kind == Kind::kInteger || kind == Kind::kReal; }

  /// The value of a number.
  double number() const { return kind == Kind::kInteger ? static_cast<double>(integer) : real; }

  /// The member of this name, or nullptr.
  const Node* find(std::string_view key) const;
};

struct Member {
  std::string key;
  Node value;
};

/// Limits that keep a hostile or mistaken file from costing memory.
inline constexpr std::size_t kLargestFile = std::size_t{16} << 20;
inline constexpr std::size_t kDeepestNesting = 64;
inline constexpr std::size_t kMostValues = 500'000;

class Source {
 public:
  /// @param name  how messages call the file
  Source(std::string name, std::string text);
  Source(const Source&) = delete;
  Source& operator=(const Source&) = delete;
  ~Source() = default;

  const std::string& name() const { return name_; }
  const std::string& text() const { return text_; }

  /// One pass over the text. Comments (// and /* */), a byte order mark and CRLF are accepted.
  /// Duplicate keys are reported and the first one is kept; a syntax error, text that is not UTF-8,
  /// a number no double can hold, too deep nesting or too many values end the pass.
  /// @return  the root, or nullopt when the pass ended early
  std::optional<Node> parse(std::vector<Diagnostic>& errors);

  Range value_range(std::uint32_t entry) const { return entries_[entry].value; }

  /// The bytes of the key, quotes included; of a list item or the root, those of the value.
  Range key_range(std::uint32_t entry) const;

  /// JSON pointer of an entry ("" is the root).
  std::string pointer(std::uint32_t entry) const;

  /// The entry with this pointer, as last parsed.
  std::optional<std::uint32_t> find(std::string_view pointer) const;

  Position position(std::size_t byte) const;

  /// The line (counted from 1) without its end.
  std::string_view line(std::size_t number) const;

 private:
  friend class SourceHandler;

  static constexpr std::uint32_t kNone = UINT32_MAX;

  struct Entry {
    Range key;
    Range value;
    std::uint32_t parent = kNone;
    std::uint32_t index = kNone;  ///< of a list item
  };

  std::string key_text(const Entry& entry) const;

  std::string name_;
  std::string text_;
  std::vector<std::size_t> line_starts_;
  std::vector<Entry> entries_;
};

/// `over` laid upon `base`: objects merge key by key, null takes a key away, everything else
/// replaces. A null that takes nothing away stays, for whoever merges or reads next.
Node merge(const Node& base, const Node& over);

}  // namespace unmask::words
