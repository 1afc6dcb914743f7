#pragma once
// Parameters that the host itself gives a meaning to, for every plugin of a kind: driver options of
// a solver, optimiser and schedule of an objective, subsets of a data set, batch size of an attack.
// In a manifest they stand in "params" beside the plugin's own; the same table type declares them.

#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "unmask/params.hpp"

namespace unmask::catalog {

/// Host-side options for a plugin of this kind with these capabilities. A solver without the
/// capability "adaptive" gets the fixed-step table (step_size), one with it the adaptive table.
std::vector<ParamSpec> host_options(const std::string& kind,
                                    const std::set<std::string>& capabilities);

/// The plugin's own parameters followed by the host's options: all that "params" may hold.
std::vector<ParamSpec> full_table(const PluginRecord& plugin);

}  // namespace unmask::catalog
