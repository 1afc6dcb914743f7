#include "cli/preparation.hpp"

#include <chrono>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "base/file_stamp.hpp"
#include "catalog/catalog.hpp"
#include "catalog/host_options.hpp"
#include "manifest/visit.hpp"
#include "unmask/errors.hpp"
#include "wire/key.hpp"
#include "wire/spec.hpp"

namespace unmask::cli {
namespace {

using manifest::Definition;
using nlohmann::json;
using End = base::ItemAnswer::End;
using Moment = std::chrono::system_clock::time_point;

// Time in which a child neither answers nor reads: loading LibTorch is the longest honest one.
constexpr double kPatienceS = 120;

const catalog::PluginRecord& record_of(const catalog::Catalog& catalog,
                                       const std::string& kind,
                                       const std::string& id) {
  const catalog::PluginRecord* record = catalog.find(kind, id);
  UNMASK_CHECK(record != nullptr, kind + " " + id + " is not in the catalog");
  return *record;
}

// What an answer about a plugin with parameters depends on: its library, and what the files and
// folders hold that its parameters name. Null when that cannot be said for sure.
json dependencies(const catalog::PluginRecord& plugin, const json& params, Moment rested_at) {
  json files = json::object();
  for (const ParamSpec& spec : catalog::full_table(plugin)) {
    const bool names_files = spec.type == ParamType::kPath || spec.type == ParamType::kFile;
    if (!names_files || !params.contains(spec.name)) continue;
    const auto stamp = base::tree_stamp(params.at(spec.name).get<std::string>(), rested_at);
    if (!stamp) return nullptr;
    files[spec.name] = *stamp;
  }
  return {{"library", plugin.file_sha256}, {"files", std::move(files)}};
}

// "killed by signal 11 (Segmentation fault)" and the like as what a plugin does.
std::string deed(const base::ItemAnswer& answer) {
  switch (answer.end) {
    case End::kCrashed: return "crashes (" + answer.ending + ")";
    case End::kExited: return "ends the process (" + answer.ending + ")";
    case End::kLate: return "does not come to an end (no answer within " + answer.ending + ")";
    case End::kDisturbed: return "writes to a file descriptor that is not its own";
    case End::kAnswered: break;
  }
  return "";
}

// A data set's part in the cache.
struct DatasetQuestion {
  const Definition* definition = nullptr;
  json question;  // null: must not be remembered
};

DatasetQuestion question_about(const catalog::Catalog& catalog,
                               const Definition& definition,
                               Moment rested_at) {
  const std::string kind = "dataset";
  const catalog::PluginRecord& plugin = record_of(catalog, kind, definition.plugin);
  DatasetQuestion result{&definition, nullptr};
  // Only the plugin knows whether it reads what no parameter names.
  if (catalog.engine.empty() || !plugin.capabilities.contains("content_from_params")) return result;
  json depends = dependencies(plugin, definition.params, rested_at);
  if (depends.is_null()) return result;
  result.question = {{"engine", catalog.engine},
                     {"plugin", definition.plugin},
                     {"params", definition.params},
                     {"depends", std::move(depends)}};
  return result;
}

wire::DatasetFacts facts_from(const json& answer) {
  return {answer.at("content_hash").get<std::string>(),
          answer.at("problem").get<std::string>(),
          answer.at("test_count").get<std::int64_t>(),
          answer.at("remarks").get<std::vector<std::string>>()};
}

// Where no data set can be asked, no cell can run.
void expect_any_dataset(const std::map<std::string, wire::DatasetFacts>& datasets) {
  std::string deeds;
  for (const auto& [id, facts] : datasets) {
    if (facts.deed.empty()) return;
    deeds += (deeds.empty() ? "" : "; ") + facts.deed;
  }
  if (deeds.empty()) return;
  throw PluginError(deeds + "; every cell needs " + (datasets.size() == 1 ? "it" : "one of them") +
                    ", so nothing was run");
}

// The solvers, attacks, objectives and probes of a study as the engine is asked about them, each
// once and in a fixed order.
class Definitions {
 public:
  explicit Definitions(const manifest::Study& study) {
    // Whether data sets can be read and networks be made is asked otherwise and later.
    manifest::for_each_definition(study, [&](const std::string& kind, const Definition& one) {
      if (kind != "dataset" && kind != "model") add(kind, one);
    });
    // Whether a radius above 1 is one depends on the norm, which only the attack itself knows.
    for (const manifest::EvaluateRow& row : study.evaluate) {
      if (row.kind != wire::CellKind::kAttack || row.epsilon <= 1) continue;
      add("attack", *row.method, {{"epsilon", row.epsilon}, {"text", row.epsilon_text}});
    }
  }

  const std::map<std::string, std::pair<json, const Definition*>>& all() const { return all_; }

  json requests() const {
    json list = json::array();
    for (const auto& [id, entry] : all_) list.push_back(entry.first);
    return list;
  }

 private:
  void add(const std::string& kind, const Definition& definition, const json& radius = nullptr) {
    json request = part_of(definition);
    if (!radius.is_null()) request["radius"] = radius;
    request["kind"] = kind;
    request["name"] = definition.name;
    std::string id = wire::bytes_of(request);
    all_.try_emplace(std::move(id), std::move(request), &definition);
  }

  // As in a specification, but with paths and without fingerprints.
  static json part_of(const Definition& definition) {
    if (definition.members.empty()) {
      return {{"plugin", definition.plugin}, {"params", definition.params}};
    }
    std::vector<wire::NamedPart> members;
    for (const Definition& member : definition.members) {
      members.push_back({member.name, part_of(member)});
    }
    return wire::ensemble_part(std::move(members));
  }

  std::map<std::string, std::pair<json, const Definition*>> all_;
};

// Null when the answer must not be remembered.
json question_about(const catalog::Catalog& catalog, const json& requests, Moment rested_at) {
  if (catalog.engine.empty()) return nullptr;
  json depends = json::array();
  for (const json& request : requests) {
    const auto kind = request.at("kind").get<std::string>();
    bool is_known = true;
    wire::for_each_plugin(kind, request, [&](const std::string&, const json& one) {
      const auto& plugin = record_of(catalog, kind, one.at("plugin").get_ref<const std::string&>());
      depends.push_back(dependencies(plugin, one.at("params"), rested_at));
      is_known = is_known && !depends.back().is_null();
    });
    if (!is_known) return nullptr;
  }
  return {{"engine", catalog.engine}, {"definitions", requests}, {"depends", std::move(depends)}};
}

words::Diagnostic diagnostic_for(const manifest::Study& study,
                                 const Definition& definition,
                                 const std::string& message) {
  words::Diagnostic result;
  if (definition.written) {
    result = *definition.written;
  } else {
    result.file = study.file.string();
  }
  result.code = words::code::kRefusedByPlugin;
  result.message = message;
  return result;
}

}  // namespace

Preparation prepare(const HostContext& host, const manifest::Study& study) {
  const catalog::Catalog& catalog = host.catalog();
  const Moment start = std::chrono::system_clock::now();
  const auto used = plan::used_datasets(study);
  Preparation result;
  std::map<std::string, DatasetQuestion> open;
  for (const auto& [id, definition] : used) {
    DatasetQuestion question = question_about(catalog, definition, start);
    const auto known = question.question.is_null()
                           ? std::nullopt
                           : host.cache().find("dataset", question.question);
    if (known) {
      result.datasets[id] = facts_from(*known);
    } else {
      open.emplace(id, std::move(question));
    }
  }
  const json of_environment = {{"engine", catalog.engine}};
  const auto environment =
      catalog.engine.empty() ? std::nullopt : host.cache().find("environment", of_environment);
  if (environment) result.environment = *environment;
  if (open.empty() && environment) return result;

  json requests = json::array();
  for (const auto& [id, question] : open) {
    requests.push_back(
        {{"plugin", question.definition->plugin}, {"params", question.definition->params}});
  }
  const base::ItemAnswers answers =
      host.ask_engine_each("prepare", "datasets", requests, kPatienceS, "data sets cannot be read");
  std::size_t i = 0;
  for (const auto& [id, question] : open) {
    const base::ItemAnswer& answer = answers.items[i++];
    const Definition& definition = *question.definition;
    if (answer.end != End::kAnswered) {
      result.datasets[id].deed = "data set \"" + definition.name + "\": its plugin " +
                                 definition.plugin + " " + deed(answer) +
                                 " when it is asked what it holds";
      result.datasets[id].is_endless = answer.end == End::kLate;
      continue;
    }
    result.datasets[id] = facts_from(answer.answer);
    // What changed while it was read is not what was read.
    if (!question.question.is_null() && result.datasets[id].problem.empty() &&
        question_about(catalog, definition, start).question == question.question) {
      host.cache().store("dataset", question.question, answer.answer);
    }
  }
  expect_any_dataset(result.datasets);
  result.environment = answers.end.at("environment");
  if (!catalog.engine.empty())
    host.cache().store("environment", of_environment, result.environment);
  return result;
}

Construction construct(const HostContext& host, const manifest::Study& study) {
  const Moment start = std::chrono::system_clock::now();
  const Definitions definitions(study);
  const json requests = definitions.requests();
  const json question = question_about(host.catalog(), requests, start);
  Construction result;
  if (requests.empty()) return result;
  if (!question.is_null() && host.cache().find("construction", question)) return result;

  const base::ItemAnswers answers = host.ask_engine_each(
      "construct", "definitions", requests, kPatienceS, "plugins cannot be constructed");
  std::size_t i = 0;
  for (const auto& [id, entry] : definitions.all()) {
    const auto& [request, definition] = entry;
    const base::ItemAnswer& answer = answers.items[i++];
    const std::string title =
        request.at("kind").get<std::string>() + " \"" + definition->name + "\"";
    if (answer.end != End::kAnswered) {
      const std::string plugin =
          definition->plugin.empty() ? "a plugin of it" : "its plugin " + definition->plugin;
      const std::string sentence =
          title + ": " + plugin + " " + deed(answer) + " when it is constructed";
      result.deadly.push_back(sentence);
      if (answer.end == End::kLate) {
        result.endless.push_back({request.at("kind").get<std::string>(), *definition, sentence});
      }
    } else if (!answer.answer.is_null()) {
      const auto message = answer.answer.at("message").get<std::string>();
      if (answer.answer.at("is_fault").get<bool>()) {
        result.deadly.push_back(title + ": " + message);
      } else {
        result.errors.push_back(diagnostic_for(study, *definition, title + ": " + message));
      }
    }
  }
  // Only that all is well is remembered: what is wrong will be mended, perhaps where nobody sees it.
  if (result.is_flawless() && !question.is_null() &&
      question_about(host.catalog(), requests, start) == question) {
    host.cache().store("construction", question, true);
  }
  return result;
}

}  // namespace unmask::cli
