#include "cli/load_study.hpp"

#include <iostream>
#include <set>
#include <utility>

#include "manifest/reader.hpp"
#include "manifest/visit.hpp"
#include "unmask/errors.hpp"
#include "wire/cell.hpp"
#include "wire/spec.hpp"

namespace unmask::cli {
namespace {

using manifest::Definition;

// Kinds and ids of the plugins that a study names.
std::set<std::pair<std::string, std::string>> used_plugins(const manifest::Study& study) {
  std::set<std::pair<std::string, std::string>> used;
  const auto add = [&](const std::string& kind, const Definition& definition) {
    if (definition.members.empty()) used.emplace(kind, definition.plugin);
    for (const Definition& member : definition.members) used.emplace(kind, member.plugin);
  };
  manifest::for_each_definition(study, add);
  return used;
}

void print_notes(const catalog::Catalog& catalog, const manifest::Study& study) {
  if (catalog.notes.empty()) return;
  const auto used = used_plugins(study);
  for (const catalog::PluginNote& note : catalog.notes) {
    if (used.contains({note.kind, note.id})) std::cerr << "note: " << note.text << "\n";
  }
}

void print_errors_as_json(const std::vector<words::Diagnostic>& errors,
                          const std::vector<std::string>& faults) {
  nlohmann::json list = errors;
  for (const std::string& fault : faults) list.push_back({{"message", fault}});
  std::cout << nlohmann::json{{"errors", std::move(list)}}.dump(
                   2, ' ', false, nlohmann::json::error_handler_t::replace)
            << "\n";
}

// Throws when a plugin refuses its parameters or is wrong itself.
void expect_constructible(const HostContext& host,
                          const manifest::Study& study,
                          Deadly deadly,
                          bool errors_as_json,
                          std::vector<plan::EndlessDefinition>* endless) {
  Construction found = construct(host, study);
  if (endless != nullptr) *endless = found.endless;
  for (const std::string& sentence : found.deadly) {
    if (deadly == Deadly::kRefuse) {
      found.faults.push_back(sentence);
    } else {
      std::cerr << "warning: " << sentence << "; its cells will fail\n";
    }
  }
  if (found.errors.empty() && found.faults.empty()) return;
  if (errors_as_json) print_errors_as_json(found.errors, found.faults);
  std::string faults;
  for (const std::string& fault : found.faults) faults += fault + "\n";
  if (found.errors.empty()) {
    throw PluginError("plugins of the manifest are wrong; nothing was run\n" + faults);
  }
  throw ManifestError("the manifest has errors\n" + words::to_text(found.errors) + faults);
}

// Every plugin that the plan names is here, made of the same sources.
void expect_plugins(const plan::Plan& plan, const catalog::Catalog& catalog) {
  std::set<std::string> wrong;
  for (const wire::Cell& cell : plan.cells) {
    wire::for_each_part(
        cell.spec, [&](const std::string&, const std::string& kind, const nlohmann::json& part) {
          const auto id = part.at("plugin").get<std::string>();
          const auto planned = part.at("fingerprint").get<std::string>();
          const catalog::PluginRecord* here = catalog.find(kind, id);
          if (here != nullptr && here->fingerprint == planned) return;
          wrong.insert(
              "  " + kind + " " + id + ": planned with sources " + planned.substr(0, 12) + ", " +
              (here == nullptr ? "not here" : "here " + here->fingerprint.substr(0, 12)) + "\n");
        });
  }
  if (wrong.empty()) return;
  std::string text = "plugins of this machine are not those of the plan; nothing was run\n";
  for (const std::string& line : wrong) text += line;
  throw PluginError(text +
                    "install the same build everywhere (--plugin-dir names folders of your "
                    "own plugins), or submit again");
}

// What is allowed and may surprise.
void print_remarks(const manifest::Study& study, const Preparation& preparation) {
  for (const auto& [id, definition] : plan::used_datasets(study)) {
    const wire::DatasetFacts& facts = preparation.datasets.at(id);
    if (!facts.deed.empty()) {
      std::cerr << "warning: " << facts.deed << "; its cells will fail\n";
      continue;
    }
    const std::string title = "note: data set \"" + definition.name + "\": ";
    for (const std::string& remark : facts.remarks) std::cerr << title << remark << "\n";
    if (facts.problem.empty() && !study.evaluate.empty() && study.eval_samples > facts.test_count) {
      std::cerr << title << "its test split has " << facts.test_count << " samples, fewer than the "
                << study.eval_samples << " that \"samples\" asks for; all of them are used\n";
    }
  }
}

}  // namespace

manifest::Study load_study(const std::filesystem::path& file,
                           const HostContext& host,
                           Deadly deadly,
                           bool errors_as_json,
                           std::vector<plan::EndlessDefinition>* endless) {
  const catalog::Catalog& catalog = host.catalog();
  manifest::ReadResult result = manifest::read_study(file, catalog);
  if (result.study && result.errors.empty()) {
    print_notes(catalog, *result.study);
    expect_constructible(host, *result.study, deadly, errors_as_json, endless);
    return std::move(*result.study);
  }
  if (errors_as_json) print_errors_as_json(result.errors, {});
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
  std::vector<plan::EndlessDefinition> endless;
  planned.study = load_study(file, host, Deadly::kWarn, false, &endless);
  planned.preparation = prepare(host, planned.study);
  print_remarks(planned.study, planned.preparation);
  planned.plan =
      plan::make_plan(planned.study, planned.catalog, planned.preparation.datasets, endless);
  return planned;
}

PlannedStudy thaw(const plan::FrozenPlan& frozen, const HostContext& host) {
  PlannedStudy planned;
  planned.catalog = host.catalog();
  expect_plugins(frozen.plan, planned.catalog);
  static_cast<wire::ManifestRecord&>(planned.study) = frozen.study;
  planned.study.run = frozen.run;
  planned.plan = frozen.plan;
  planned.preparation = prepare(host, planned.study);
  return planned;
}

}  // namespace unmask::cli
