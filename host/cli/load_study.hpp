#pragma once
// The way from a manifest file to a plan that check, plan, run and status share.

#include <filesystem>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "cli/host_context.hpp"
#include "cli/preparation.hpp"
#include "manifest/study.hpp"
#include "plan/frozen_plan.hpp"
#include "plan/planner.hpp"

namespace unmask::cli {

/// What becomes of a plugin that takes its process down when it is constructed.
enum class Deadly {
  kRefuse,  ///< it is an error
  kWarn     ///< it is named on standard error: its cells will fail, and the others can be run
};

/// Read a manifest and construct its plugins. Plugins of it that several libraries offer are named
/// on standard error.
/// @param errors_as_json  print errors on standard output, too
/// @param endless         gets the definitions that never come to an end; may be null
/// @throws ManifestError with all diagnostics as its message; PluginError when nothing else is wrong
///         than a plugin itself
manifest::Study load_study(const std::filesystem::path& file,
                           const HostContext& host,
                           Deadly deadly,
                           bool errors_as_json = false,
                           std::vector<plan::EndlessDefinition>* endless = nullptr);

/// A study with all that follows from it.
struct PlannedStudy {
  catalog::Catalog catalog;
  manifest::Study study;
  Preparation preparation;
  plan::Plan plan;
};

PlannedStudy plan_study(const std::filesystem::path& file, const HostContext& host);

/// The same of a plan that was frozen, perhaps on another machine: nothing is planned again.
/// @throws PluginError when a plugin is missing here, or is another one than in the plan
PlannedStudy thaw(const plan::FrozenPlan& frozen, const HostContext& host);

}  // namespace unmask::cli
