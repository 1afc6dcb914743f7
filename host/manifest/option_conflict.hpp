#pragma once
// What is wrong with a combination of options of one definition, and the frame of those who look
// for it.

#include <functional>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json.hpp>

#include "manifest/text.hpp"

namespace unmask::manifest {

struct OptionConflict {
  std::vector<std::string> options;  ///< reported at the first of them that is written
  std::string message;
  std::string help;
};

/// True for options that stand in the manifest and are not filled in.
using IsWritten = std::function<bool(const std::string&)>;

/// Collects conflicts. Derive from it for the options of one kind.
class OptionRules {
 protected:
  using Names = std::vector<std::string>;

  /// Both must outlive the rules.
  OptionRules(const nlohmann::json& values, const IsWritten& is_written)
      : values_(values), is_written_(is_written) {}

  const nlohmann::json& values() const { return values_; }

  void add(Names options, std::string message, std::string help) {
    conflicts_.push_back({std::move(options), std::move(message), std::move(help)});
  }

  /// Report options that are written although `because` leaves them without effect.
  void expect_unwritten(const Names& options, const std::string& because) {
    for (const std::string& option : options) {
      if (!is_written_(option)) continue;
      add({option},
          in_quotes(option) + " has no effect: " + because,
          "take it out, or change what makes it useless");
    }
  }

  std::vector<OptionConflict> take_conflicts() { return std::move(conflicts_); }

 private:
  const nlohmann::json& values_;
  const IsWritten& is_written_;
  std::vector<OptionConflict> conflicts_;
};

}  // namespace unmask::manifest
