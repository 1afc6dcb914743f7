#include "manifest/keys.hpp"

#include <algorithm>
#include <map>
#include <optional>

#include "catalog/verdict_thresholds.hpp"
#include "wire/failure_class.hpp"

namespace unmask::manifest {
namespace {

struct ScopeInfo {
  const char* where;  // as messages call the object
  std::vector<std::string> keys;
};

std::vector<std::string> threshold_names() {
  std::vector<std::string> names;
  for (const catalog::VerdictThreshold& t : catalog::verdict_thresholds())
    names.emplace_back(t.name);
  return names;
}

std::vector<std::string> retry_names() {
  std::vector<std::string> names;
  for (const wire::FailureRule& rule : wire::failure_rules()) {
    if (wire::may_be_retried(rule.failure_class)) names.emplace_back(rule.name);
  }
  return names;
}

// Long: a table, one row for every object of a manifest.
const std::map<Scope, ScopeInfo>& scopes() {
  static const std::map<Scope, ScopeInfo> kTable = {
      {Scope::kRoot,
       {"the manifest",
        {"$schema",
         "version",
         "name",
         "description",
         "extends",
         "define",
         "train",
         "evaluate",
         "run",
         "verdict",
         "paths",
         "dtype"}}},
      {Scope::kDefine, {"define", {"dataset", "model", "objective", "solver", "attack", "probe"}}},
      {Scope::kDefinition,
       {"a definition",
        {"plugin",
         "params",
         "extends",
         "description",
         "sweep",
         "members",
         "gradients",
         "timeout"}}},
      {Scope::kTrain, {"train", {"matrix", "add", "exclude", "only"}}},
      {Scope::kTrainMatrix,
       {"train.matrix", {"dataset", "model", "objective", "solver", "seed", "zip"}}},
      {Scope::kTrainAdd, {"train.add", {"dataset", "model", "objective", "solver", "seed"}}},
      {Scope::kTrainZip, {"zip", {"dataset", "model", "objective", "solver", "seed"}}},
      {Scope::kTrainRule,
       {"a rule of train", {"dataset", "model", "objective", "solver", "seed", "why"}}},
      {Scope::kEvaluate,
       {"evaluate", {"matrix", "add", "exclude", "only", "samples", "batch_size", "save"}}},
      {Scope::kEvaluateMatrix,
       {"evaluate.matrix",
        {"checkpoint",
         "solver",
         "attack",
         "epsilon",
         "seed",
         "gradient",
         "source",
         "clean",
         "probes",
         "zip"}}},
      {Scope::kEvaluateAdd,
       {"evaluate.add",
        {"checkpoint", "solver", "attack", "probe", "epsilon", "seed", "gradient", "source"}}},
      {Scope::kEvaluateZip,
       {"zip", {"checkpoint", "solver", "attack", "epsilon", "seed", "gradient", "source"}}},
      {Scope::kEvaluateRule,
       {"a rule of evaluate",
        {"checkpoint",
         "solver",
         "attack",
         "probe",
         "epsilon",
         "seed",
         "gradient",
         "source",
         "model",
         "dataset",
         "objective",
         "train_solver",
         "train_seed",
         "why"}}},
      {Scope::kRun, {"run", {"workers", "threads", "timeout", "retries", "fail_fast"}}},
      {Scope::kRetries, {"run.retries", retry_names()}},
      {Scope::kVerdict, {"verdict", threshold_names()}},
  };
  return kTable;
}

bool has(const std::vector<std::string>& words, std::string_view word) {
  return std::find(words.begin(), words.end(), word) != words.end();
}

std::optional<Scope> parent(Scope scope) {
  switch (scope) {
    case Scope::kRoot:
    case Scope::kDefinition: return std::nullopt;
    case Scope::kDefine:
    case Scope::kTrain:
    case Scope::kEvaluate:
    case Scope::kRun:
    case Scope::kVerdict: return Scope::kRoot;
    case Scope::kTrainMatrix:
    case Scope::kTrainAdd:
    case Scope::kTrainRule: return Scope::kTrain;
    case Scope::kTrainZip: return Scope::kTrainMatrix;
    case Scope::kEvaluateMatrix:
    case Scope::kEvaluateAdd:
    case Scope::kEvaluateRule: return Scope::kEvaluate;
    case Scope::kEvaluateZip: return Scope::kEvaluateMatrix;
    case Scope::kRetries: return Scope::kRun;
  }
  return std::nullopt;
}

// Networks are chosen where they are trained; an evaluation names the trained ones.
std::string as_checkpoint(std::string_view key, Scope scope) {
  static const std::vector<std::string> kOfTraining = {"model", "dataset", "objective"};
  const bool is_evaluation = scope == Scope::kEvaluateMatrix || scope == Scope::kEvaluateAdd ||
                             scope == Scope::kEvaluateZip;
  if (!is_evaluation || !has(kOfTraining, key)) return "";
  return "an evaluation chooses among the trained networks with \"checkpoint\": a pattern is "
         "compared "
         "with model/dataset/objective/solver/seed, so \"checkpoint\": [\"resnet\"] is every "
         "network "
         "of the model \"resnet\"";
}

// Where else a key exists: one level up, one level down, or anywhere.
std::string elsewhere(std::string_view key, Scope scope) {
  if (std::string help = as_checkpoint(key, scope); !help.empty()) return help;
  if (const auto up = parent(scope); up && has(keys_of(*up), key)) {
    return "this key exists one level up, in " + std::string(scopes().at(*up).where);
  }
  const ScopeInfo* other = nullptr;
  for (const auto& [candidate, info] : scopes()) {
    if (candidate == scope || !has(info.keys, key)) continue;
    if (parent(candidate) == scope) return "this key belongs in " + std::string(info.where);
    if (other == nullptr) other = &info;
  }
  return other == nullptr ? "" : "this key belongs in " + std::string(other->where);
}

}  // namespace

bool is_ignored_key(std::string_view key) {
  return key == "$comment" || key.substr(0, 2) == "x-";
}

const std::vector<std::string>& keys_of(Scope scope) {
  return scopes().at(scope).keys;
}

void check_keys(const Node& object,
                Scope scope,
                Reporter& reporter,
                const std::vector<std::string>& parameters) {
  const ScopeInfo& info = scopes().at(scope);
  for (const Member& member : object.members) {
    if (is_ignored_key(member.key) || has(info.keys, member.key)) continue;
    const std::string message =
        "unknown key " + in_quotes(member.key) + " in " + std::string(info.where);
    std::string help;
    std::vector<std::string> near;
    if (has(parameters, member.key)) {
      help = "it is a parameter of the plugin: write it inside \"params\"";
    } else {
      near = nearest(member.key, info.keys);
      help = elsewhere(member.key, scope);
      const std::string allowed = help_for_unknown(member.key, info.keys, "allowed");
      help = help.empty() ? allowed : help + "\n" + allowed;
    }
    reporter.at_key(code::kUnknownKey, member.value, message, help, near);
  }
}

}  // namespace unmask::manifest
