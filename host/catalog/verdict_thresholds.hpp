#pragma once
// The numbers by which a verdict is decided, once: the room `verdict` reads them, manifests may say
// others ("verdict": {...}), and docs/verdicts.md lists them.

#include <map>
#include <span>
#include <string>
#include <string_view>

namespace unmask::catalog {

struct VerdictThreshold {
  const char* name;  ///< as manifests write it
  double value;      ///< unless a manifest says another
  double lowest;
  double highest;
  const char* meaning;
};

/// In the order in which to list them.
std::span<const VerdictThreshold> verdict_thresholds();

/// The threshold of this name, or nullptr.
const VerdictThreshold* find_verdict_threshold(std::string_view name);

/// All of them by name, with those that a manifest says instead.
/// @param instead  names of the table alone
/// @throws InternalError for any other name
std::map<std::string, double> verdict_thresholds_with(const std::map<std::string, double>& instead);

}  // namespace unmask::catalog
