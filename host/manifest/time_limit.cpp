#include "manifest/time_limit.hpp"

#include <cmath>
#include <map>

namespace unmask::manifest {

std::optional<double> read_time_limit(const Node& node, Reporter& reporter) {
  std::optional<double> seconds;
  if (node.is_number()) {
    seconds = node.number();
  } else if (node.is(Node::Kind::kString)) {
    static const std::map<char, double> kUnits = {{'s', 1}, {'m', 60}, {'h', 3600}};
    const auto unit = node.string.empty() ? kUnits.end() : kUnits.find(node.string.back());
    if (unit != kUnits.end()) {
      if (const auto number = parse_decimal(node.string.substr(0, node.string.size() - 1))) {
        seconds = *number * unit->second;
      }
    }
  }
  if (seconds && *seconds > 0 && std::isfinite(*seconds)) return seconds;
  reporter.at_value(
      node.is_number() || node.is(Node::Kind::kString) ? code::kWrongValue : code::kWrongType,
      node,
      "timeout must be a positive time",
      "write \"90s\", \"30m\", \"2h\" or seconds");
  return std::nullopt;
}

}  // namespace unmask::manifest
