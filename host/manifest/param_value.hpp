#pragma once
// The value of one parameter as a manifest writes it: type, range, formulas in epsilon, files.

#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "manifest/paths.hpp"
#include "manifest/text.hpp"
#include "unmask/params.hpp"

namespace unmask::manifest {

/// A parameter written as "${epsilon}*k" or "${epsilon}/k".
struct EpsilonUse {
  ParamSpec spec;
  bool divides = false;
  double factor = 1;
  std::string text;
  Place place;

  double at(double epsilon) const;
};

/// Reads the value of the parameter `spec` of a definition of this kind ("solver").
/// @param uses  receives the formula when the value is one in epsilon
/// @returns nullopt when the value is wrong; reported then
std::optional<ParamValue> read_param_value(const std::string& kind,
                                           const ParamSpec& spec,
                                           const Node& node,
                                           Paths& paths,
                                           std::vector<EpsilonUse>& uses,
                                           Reporter& reporter);

/// The line of help that says what a parameter is: type, range, default, meaning.
std::string declared(const ParamSpec& spec);

nlohmann::json to_json_value(const ParamValue& value);

}  // namespace unmask::manifest
