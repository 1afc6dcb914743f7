#pragma once
// What must be known of a study's plugins and data before it can be planned: content hashes of its
// data sets, and whether its plugins can be constructed. Children find out; what they found is
// remembered for as long as no library, data file or parameter changes.

#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "cli/host_context.hpp"
#include "manifest/study.hpp"
#include "plan/planner.hpp"
#include "text/diagnostics.hpp"

namespace unmask::cli {

/// What the engine says before a study can be planned.
struct Preparation {
  std::map<std::string, wire::DatasetFacts> datasets;  ///< by plan::dataset_id
  nlohmann::json environment;                          ///< "libtorch", "blas"
};

/// A data set whose plugin crashes, ends the process or hangs has a `deed` in its facts.
/// @throws PluginError when this is so of every data set: then nothing can run
Preparation prepare(const HostContext& host, const manifest::Study& study);

/// What constructing the solvers, attacks, objectives and probes of a study tells beyond their
/// declared parameters.
struct Construction {
  std::vector<words::Diagnostic> errors;  ///< parameters that plugins refuse
  std::vector<std::string> faults;        ///< plugins that are wrong themselves, a sentence each
  std::vector<std::string> deadly;  ///< plugins that take their process down; their cells will fail
  std::vector<plan::EndlessDefinition> endless;  ///< those of them that never come to an end

  bool is_flawless() const { return errors.empty() && faults.empty() && deadly.empty(); }
};

Construction construct(const HostContext& host, const manifest::Study& study);

}  // namespace unmask::cli
