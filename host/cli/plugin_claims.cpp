#include "cli/plugin_claims.hpp"

#include <cstddef>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/child.hpp"
#include "base/items.hpp"
#include "catalog/describe.hpp"
#include "manifest/examples.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

namespace fs = std::filesystem;
using catalog::PluginRecord;
using manifest::PluginExample;
using nlohmann::json;

// The longest suite of a shipped network takes half a minute on one core.
constexpr double kTimeoutSeconds = 900;

// What became of one claim.
struct Answer {
  std::string words;
  std::vector<std::string> problems;
  std::string not_applicable;
};

PluginRecord inspect(const HostContext& host, const fs::path& file) {
  const catalog::Catalog catalog = host.inspect({fs::absolute(file)});
  for (const catalog::PluginRefusal& refusal : catalog.refusals) {
    throw PluginError(refusal.file.string() + " " + refusal.reason);
  }
  UNMASK_CHECK(catalog.plugins.size() == 1, "one library gave several plugins");
  return catalog.plugins.front();
}

std::vector<PluginExample> examples_for(const ClaimRequest& request, const PluginRecord& plugin) {
  if (request.params) return {manifest::parse_example(*request.params, plugin)};
  if (request.examples) return manifest::read_examples(*request.examples, plugin);
  if (const auto file = manifest::examples_beside(plugin.file))
    return manifest::read_examples(*file, plugin);
  if (auto example = manifest::default_example(plugin)) return {*std::move(example)};
  return {};
}

std::string how_to_give(const PluginRecord& plugin) {
  return "required: " + manifest::required_parameters(plugin) +
         "; give them with --params JSON, or in an examples.json beside the plugin's source";
}

// In a child, since a plugin may do anything; what it was trying last is then the culprit.
std::vector<Answer> try_claims(const HostContext& host,
                               const PluginRecord& plugin,
                               const PluginExample& example,
                               bool only_declaration) {
  const json request = {{"file", plugin.file.string()},
                        {"params", example.params},
                        {"only_declaration", only_declaration}};
  const base::ChildOutput child =
      base::run_child({host.executable().string(), kEngineCommand, "claims"},
                      kTimeoutSeconds,
                      std::size_t{16} << 20,
                      {"OMP_NUM_THREADS=1", "OPENBLAS_NUM_THREADS=1", "MKL_NUM_THREADS=1"},
                      base::encode_request(request));
  std::vector<Answer> answers;
  std::string trying;
  std::istringstream lines(child.out);
  for (std::string line; std::getline(lines, line);) {
    const json answer = json::parse(line, nullptr, /*allow_exceptions=*/false);
    if (!answer.is_object()) continue;  // a plugin that wrote where it should not
    if (answer.contains("done")) return answers;
    if (answer.contains("trying")) {
      trying = answer.at("trying").get<std::string>();
    } else {
      trying.clear();
      answers.push_back({answer.at("words").get<std::string>(),
                         answer.at("problems").get<std::vector<std::string>>(),
                         answer.at("not_applicable").get<std::string>()});
    }
  }
  std::string end = child.timed_out ? "it did not come to an end within " +
                                          std::to_string(static_cast<int>(kTimeoutSeconds)) + " s"
                                    : "it took the process down: " + base::describe(child.status);
  if (trying.empty()) {
    throw PluginError("'" + plugin.file.string() + "' cannot be tried: " + end +
                      (child.err.empty() ? "" : "; it said: " + child.err));
  }
  answers.push_back({trying, {std::move(end)}, ""});
  return answers;
}

std::string failures_text(const std::vector<Answer>& answers, const std::string& indent) {
  std::string text;
  for (const Answer& answer : answers) {
    if (answer.problems.empty()) continue;
    text += indent + "does not hold: " + answer.words + "\n";
    for (const std::string& problem : answer.problems) text += indent + "  " + problem + "\n";
  }
  return text;
}

// A name that the host offers already: what a manifest then means depends on the order of folders.
std::string note_on_name(const HostContext& host, const PluginRecord& plugin) {
  const catalog::Catalog& catalog = host.catalog();
  const PluginRecord* other = catalog.find(plugin.kind, plugin.id);
  if (other == nullptr || other->fingerprint == plugin.fingerprint) return "";
  return "note: " + plugin.kind + " " + plugin.id + " is also offered by '" + other->file.string() +
         "'; choose another id, or mind which folder comes first\n";
}

}  // namespace

int check_plugin(const HostContext& host, const ClaimRequest& request) {
  const PluginRecord plugin = inspect(host, request.file);
  std::cout << catalog::show_text(plugin);
  const std::vector<PluginExample> examples = examples_for(request, plugin);
  std::string failures;
  for (const PluginExample& example : examples) {
    const auto answers = try_claims(host, plugin, example, /*only_declaration=*/true);
    if (const std::string text = failures_text(answers, "  "); !text.empty()) {
      failures +=
          "with the parameters \"" + example.name + "\" " + example.params.dump() + "\n" + text;
    }
  }
  if (!failures.empty()) {
    failures.pop_back();
    throw PluginError(plugin.file.string() + " would be accepted, and its plugin is wrong:\n" +
                      failures);
  }
  std::cout << "\n" << note_on_name(host, plugin);
  if (examples.empty()) {
    std::cout << "It would be accepted. It was not constructed: " << how_to_give(plugin) << ".\n";
  } else {
    std::cout << "It would be accepted, and can be constructed.\n";
  }
  return 0;
}

int test_plugin(const HostContext& host, const ClaimRequest& request) {
  const PluginRecord plugin = inspect(host, request.file);
  const std::vector<PluginExample> examples = examples_for(request, plugin);
  if (examples.empty()) throw UsageError("nothing to try the plugin with; " + how_to_give(plugin));
  json report = {{"kind", plugin.kind}, {"id", plugin.id}, {"examples", json::array()}};
  int tried = 0, failed = 0;
  if (!request.as_json)
    std::cout << plugin.kind << " " << plugin.id << " " << plugin.version << "\n";
  for (const PluginExample& example : examples) {
    if (!request.as_json) {
      std::cout << "\nwith the parameters \"" << example.name << "\" " << example.params << "\n"
                << std::flush;
    }
    json claims = json::array();
    for (const Answer& answer : try_claims(host, plugin, example, /*only_declaration=*/false)) {
      const bool holds = answer.problems.empty();
      const bool applies = answer.not_applicable.empty();
      tried += applies ? 1 : 0;
      failed += holds ? 0 : 1;
      claims.push_back({{"claim", answer.words},
                        {"holds", holds},
                        {"problems", answer.problems},
                        {"not_applicable", answer.not_applicable}});
      if (request.as_json) continue;
      std::cout << (!holds    ? "  FAILS  "
                    : applies ? "  holds  "
                              : "  -      ")
                << answer.words << (applies ? "" : ": " + answer.not_applicable) << "\n";
      for (const std::string& problem : answer.problems)
        std::cout << "         " << problem << "\n";
    }
    report["examples"].push_back(
        {{"name", example.name}, {"params", example.params}, {"claims", std::move(claims)}});
  }
  if (request.as_json) {
    std::cout << report.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) << "\n";
  } else {
    std::cout << "\n"
              << (failed == 0 ? "All " + std::to_string(tried) + " claims hold."
                              : std::to_string(failed) + " of " + std::to_string(tried) +
                                    " claims do not hold.")
              << "\n";
  }
  return failed == 0 ? 0 : static_cast<int>(ExitCode::kPlugin);
}

}  // namespace unmask::cli
