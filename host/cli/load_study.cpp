#include "cli/load_study.hpp"

#include <iostream>

#include "manifest/reader.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {

manifest::Study load_study(const std::filesystem::path& file,
                           const catalog::Catalog& catalog,
                           bool errors_as_json) {
  manifest::ReadResult result = manifest::read_study(file, catalog);
  if (result.study && result.errors.empty()) return std::move(*result.study);
  if (errors_as_json) std::cout << nlohmann::json{{"errors", result.errors}}.dump(2) << "\n";
  std::string text = words::to_text(result.errors);
  // A plugin that was refused explains an "unknown plugin" better than any suggestion.
  for (const catalog::PluginRefusal& refusal : catalog.refusals) {
    text += "note: " + refusal.file.string() + " " + refusal.reason + "\n";
  }
  throw ManifestError("the manifest has errors\n" + text);
}

PlannedStudy plan_study(const std::filesystem::path& file, const HostContext& host) {
  PlannedStudy planned;
  planned.catalog = host.catalog();
  planned.study = load_study(file, planned.catalog);
  host.expect_constructible(planned.study);
  planned.preparation = host.prepare(planned.study);
  planned.plan = plan::make_plan(planned.study, planned.catalog, planned.preparation.datasets);
  return planned;
}

}  // namespace unmask::cli
