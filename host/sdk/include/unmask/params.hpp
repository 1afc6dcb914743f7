#pragma once
// Parameters of a plugin, declared once. The one table validates manifests, fills defaults, prints
// `unmask plugins show`, and writes JSON Schema and documentation.
//
//   {.params = {integer("steps", "iterations").by_default(20).at_least(1),
//               real("step_size", "step of one iteration").above(0).unit("pixel range")}}
//   explicit Pgd(const Params& p) : steps_(p.get_integer("steps")) {}

#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "unmask/export.hpp"

namespace unmask {
inline namespace v1 {

enum class ParamType {
  kBoolean,
  kInteger,  ///< 64-bit signed, |value| <= 2^53 - 1
  kReal,     ///< finite double; manifests may write it as a ratio "8/255"
  kText,
  kChoice,  ///< one of `choices`
  kPath,    ///< a file or folder; never part of a cell's key
  kIntegerList,
  kRealList,
  kFile,  ///< a file; the SHA-256 of its bytes is part of a cell's key, its name is not
};

/// "integer", "real", ... as messages and documentation print it.
UNMASK_API std::string_view to_string(ParamType type);

/// A value; the alternative always fits the declared type (kText, kChoice, kPath and
/// kFile hold a string).
using ParamValue = std::variant<bool,
                                std::int64_t,
                                double,
                                std::string,
                                std::vector<std::int64_t>,
                                std::vector<double>>;

/// Text of a value as it would be written in a manifest (JSON).
UNMASK_API std::string to_text(const ParamValue& value);

/// A bound of a numeric parameter.
struct ParamBound {
  double value = 0;
  bool inclusive = true;
};

/// The declaration of one parameter. Built with the functions below, each setter returning the
/// declaration, so that a table reads as a list of sentences.
struct UNMASK_API ParamSpec {
  std::string name;
  ParamType type = ParamType::kReal;
  std::string doc;
  std::string unit_text;
  std::optional<ParamValue> default_value;
  bool is_optional = false;  ///< may be left out although it has no default
  std::optional<ParamBound> lower;
  std::optional<ParamBound> upper;
  std::vector<std::string> choices;
  std::optional<std::size_t> min_length;  ///< of a list
  std::optional<std::size_t> max_length;  ///< of a list

  ParamSpec& by_default(bool value);
  ParamSpec& by_default(int value);
  ParamSpec& by_default(std::int64_t value);
  ParamSpec& by_default(double value);
  ParamSpec& by_default(const char* value);
  ParamSpec& by_default(std::vector<std::int64_t> value);
  ParamSpec& by_default(std::vector<double> value);
  ParamSpec& optional();
  ParamSpec& at_least(double bound);
  ParamSpec& above(double bound);
  ParamSpec& at_most(double bound);
  ParamSpec& below(double bound);
  ParamSpec& unit(std::string text);
  ParamSpec& length(std::size_t min, std::size_t max);

  bool is_required() const { return !default_value && !is_optional; }

  /// "0 < x <= 1", "one of ce, margin", or "" when everything of the type is allowed.
  std::string range_text() const;

  /// nullopt when `value` has the declared type and lies in the declared range, else the violated
  /// rule as a phrase ("must be at least 1").
  std::optional<std::string> violation(const ParamValue& value) const;
};

UNMASK_API ParamSpec boolean(std::string name, std::string doc);
UNMASK_API ParamSpec integer(std::string name, std::string doc);
UNMASK_API ParamSpec real(std::string name, std::string doc);
UNMASK_API ParamSpec text(std::string name, std::string doc);
UNMASK_API ParamSpec choice(std::string name, std::vector<std::string> choices, std::string doc);
UNMASK_API ParamSpec path(std::string name, std::string doc);
UNMASK_API ParamSpec file(std::string name, std::string doc);
UNMASK_API ParamSpec integer_list(std::string name, std::string doc);
UNMASK_API ParamSpec real_list(std::string name, std::string doc);

/// nullopt when a table of declarations is sound (names unique and lower snake case, defaults
/// inside their ranges, choices given), else one sentence that says what is wrong.
UNMASK_API std::optional<std::string> table_violation(const std::vector<ParamSpec>& specs);

/// Values for one declared table: complete (defaults filled) and checked. Reading a name that was
/// not declared throws InternalError: it is a bug of the plugin, not of the user.
class UNMASK_API Params {
 public:
  Params() = default;

  /// Check `given` against `specs` and fill defaults.
  /// @throws ParamError naming the parameter, its value and the violated rule.
  Params(std::vector<ParamSpec> specs, std::map<std::string, ParamValue> given);

  bool get_boolean(std::string_view name) const;
  std::int64_t get_integer(std::string_view name) const;
  double get_real(std::string_view name) const;
  const std::string& get_text(std::string_view name) const;  ///< kText, kChoice, kPath, kFile
  const std::vector<std::int64_t>& get_integers(std::string_view name) const;
  const std::vector<double>& get_reals(std::string_view name) const;

  /// True when the declared parameter has a value (given or default).
  bool has(std::string_view name) const;

  /// Declared names that nobody has asked for. The conformance tests want none after construction.
  std::vector<std::string> unread() const;

  const std::vector<ParamSpec>& specs() const { return specs_; }
  const std::map<std::string, ParamValue>& values() const { return values_; }

 private:
  const ParamValue& value(std::string_view name, const char* wanted) const;

  std::vector<ParamSpec> specs_;
  std::map<std::string, ParamValue> values_;
  mutable std::set<std::string, std::less<>> read_;
};

}  // namespace v1
}  // namespace unmask
