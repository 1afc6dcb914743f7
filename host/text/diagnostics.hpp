#pragma once
// What is wrong with a manifest, in a form for people (compiler style, so that editors jump to it)
// and in a form for programs (JSON).

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json.hpp>

#include "text/source.hpp"

namespace unmask::words {

/// Stable codes. docs/manifest.md explains each; a number is never used again for something else.
namespace code {
inline constexpr const char* kUnreadable = "M001";
inline constexpr const char* kSyntax = "M002";
inline constexpr const char* kTrailingComma = "M003";
inline constexpr const char* kNotUtf8 = "M004";
inline constexpr const char* kDuplicateKey = "M005";
inline constexpr const char* kNumberTooLarge = "M006";
inline constexpr const char* kLimit = "M007";
inline constexpr const char* kWrongType = "M008";
inline constexpr const char* kWrongValue = "M009";
inline constexpr const char* kUnknownKey = "M010";
inline constexpr const char* kMissingKey = "M011";
inline constexpr const char* kUnknownName = "M012";
inline constexpr const char* kMatchesNothing = "M013";
inline constexpr const char* kCycle = "M014";
inline constexpr const char* kUnknownPlugin = "M015";
inline constexpr const char* kUnknownParameter = "M016";
inline constexpr const char* kParameterType = "M017";
inline constexpr const char* kParameterRange = "M018";
inline constexpr const char* kMissingParameter = "M019";
inline constexpr const char* kParametersConflict = "M020";
inline constexpr const char* kRuleNeverMatches = "M021";
inline constexpr const char* kZip = "M022";
inline constexpr const char* kPlaceholder = "M023";
inline constexpr const char* kVersion = "M025";
inline constexpr const char* kMatrixTooLarge = "M026";
inline constexpr const char* kNoCells = "M027";
inline constexpr const char* kBadName = "M028";
inline constexpr const char* kRefusedByPlugin = "M029";
}  // namespace code

/// One error. Complete in itself: it outlives the text that it is about.
struct Diagnostic {
  std::string code;
  std::string file;
  std::optional<Range> range;  ///< nullopt: about the file as a whole
  Position begin;
  Position end;             ///< just behind the range
  std::string source_line;  ///< the line of `begin`; of a long one the part around it
  std::size_t caret = 0;    ///< code points of source_line before the range
  std::string pointer;      ///< JSON pointer; "" is the root
  std::string message;
  std::string help;                      ///< may be empty; several lines are allowed
  std::vector<std::string> suggestions;  ///< words that may have been meant, best first
};

/// The diagnostic as `file:line:col: error[Mnnn]: ...`, source line, caret, pointer and help.
std::string to_text(const Diagnostic& diagnostic);

/// All of them, and the line "2 errors; nothing was run.". "" when there are none.
std::string to_text(const std::vector<Diagnostic>& diagnostics);

void to_json(nlohmann::json& json, const Diagnostic& diagnostic);

/// A piece of a manifest as messages print it: in quotes, control characters escaped, cut when
/// long.
std::string in_quotes(std::string_view text);

/// A diagnostic for these bytes of a file.
Diagnostic diagnose(const Source& source,
                    Range range,
                    std::string code,
                    std::string message,
                    std::string help = "",
                    std::string pointer = "");

/// Collects diagnostics. `incomplete` is set when a file could not be read: what may only be
/// missing because it stands in that file is not reported then.
class Reporter {
 public:
  enum class Part { kKey, kValue };

  void add(Diagnostic diagnostic) { diagnostics_.push_back(std::move(diagnostic)); }

  /// Report about the value (or its key) written at `place`.
  void error(const char* code,
             const Place& place,
             Part part,
             std::string message,
             std::string help = "",
             std::vector<std::string> suggestions = {});

  void at_value(const char* code,
                const Node& node,
                std::string message,
                std::string help = "",
                std::vector<std::string> suggestions = {}) {
    error(code,
          node.place,
          Part::kValue,
          std::move(message),
          std::move(help),
          std::move(suggestions));
  }
  void at_key(const char* code,
              const Node& node,
              std::string message,
              std::string help = "",
              std::vector<std::string> suggestions = {}) {
    error(
        code, node.place, Part::kKey, std::move(message), std::move(help), std::move(suggestions));
  }

  void set_incomplete() { incomplete_ = true; }
  std::size_t count() const { return diagnostics_.size(); }
  std::vector<Diagnostic>& raw() { return diagnostics_; }

  /// The diagnostics, ordered by file (as in `files`) and position, equal ones once.
  std::vector<Diagnostic> take(const std::vector<std::string>& files);

 private:
  std::vector<Diagnostic> diagnostics_;
  bool incomplete_ = false;
};

}  // namespace unmask::words
