#pragma once
// "timeout" of the run and of a definition.

#include <optional>

#include "manifest/text.hpp"

namespace unmask::manifest {

/// Seconds of a number, or of a text like "90s", "30m", "2h"; nullopt when it is no positive time,
/// which is reported.
std::optional<double> read_time_limit(const Node& node, Reporter& reporter);

}  // namespace unmask::manifest
