#pragma once
// The way from a manifest file to a plan that check, plan, run and status share.

#include <filesystem>
#include <string>

#include "catalog/catalog.hpp"
#include "cli/host_context.hpp"
#include "manifest/study.hpp"
#include "plan/planner.hpp"

namespace unmask::cli {

/// Read a manifest; every error is printed. @throws ManifestError with the diagnostics as its
/// message
manifest::Study load_study(const std::filesystem::path& file,
                           const catalog::Catalog& catalog,
                           bool errors_as_json = false);

/// A study with all that follows from it.
struct PlannedStudy {
  catalog::Catalog catalog;
  manifest::Study study;
  Preparation preparation;
  plan::Plan plan;
};

PlannedStudy plan_study(const std::filesystem::path& file, const HostContext& host);

}  // namespace unmask::cli
