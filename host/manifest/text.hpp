#pragma once
// Small readings of text that a manifest uses in several places: names, globs, ratios, and which
// keys an object may hold.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "manifest/diagnostics.hpp"
#include "manifest/source.hpp"

namespace unmask::manifest {

/// True when `text` holds a '*'.
bool is_glob(std::string_view text);

/// '*' stands for any run of characters, also none; everything else for itself.
bool glob_matches(std::string_view pattern, std::string_view text);

/// A name of a definition or a path: letters, digits, '.', '_', '+', '-', beginning with a letter
/// or digit, at most 64 characters.
bool is_valid_name(std::string_view name);

/// The value of a ratio "8/255" (blanks around the stroke allowed); nullopt for any other text, a
/// zero denominator or a value that is not finite.
std::optional<double> parse_ratio(std::string_view text);

/// A plain finite decimal number, the whole of `text`.
std::optional<double> parse_decimal(std::string_view text);

/// Shortest decimal that reads back as the same double.
std::string number_text(double value);

/// "a string", "an integer", ... for messages.
std::string kind_text(const Node& node);

/// "a -> b -> c".
std::string chain_text(const std::vector<std::string>& chain);

/// A value on one line, as JSON.
std::string one_line(const Node& node);

/// True for "$comment" and "x-...": allowed in every object and ignored.
bool is_ignored_key(std::string_view key);

/// The objects of a manifest whose keys are fixed.
enum class Scope {
  kRoot,
  kDefine,
  kDefinition,
  kTrain,
  kTrainMatrix,
  kTrainAdd,
  kTrainZip,
  kTrainRule,
  kEvaluate,
  kEvaluateMatrix,
  kEvaluateAdd,
  kEvaluateZip,
  kEvaluateRule,
  kRun,
  kRetries
};

/// The legal keys of such an object.
const std::vector<std::string>& keys_of(Scope scope);

/// Report every member of `object` whose key is not legal there, with the likeliest intention: a
/// misspelling, or the object in which the key does exist. `parameters` are the names
/// that belong into "params" of a definition.
void check_keys(const Node& object,
                Scope scope,
                Reporter& reporter,
                const std::vector<std::string>& parameters = {});

/// True when `node` has this kind; else reports `what must be ..., found ...`.
bool expect(const Node& node, Node::Kind kind, const std::string& what, Reporter& reporter);

}  // namespace unmask::manifest
