#include "manifest/text.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <map>

#include <nlohmann/json.hpp>

#include "manifest/suggest.hpp"

namespace unmask::manifest {
namespace {

struct ScopeInfo {
  const char* where;  // as messages call the object
  std::vector<std::string> keys;
};

const std::map<Scope, ScopeInfo>& scopes() {
  static const std::map<Scope, ScopeInfo> table = {
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
         "paths",
         "dtype"}}},
      {Scope::kDefine, {"define", {"dataset", "model", "objective", "solver", "attack", "probe"}}},
      {Scope::kDefinition,
       {"a definition", {"plugin", "params", "extends", "description", "sweep", "members"}}},
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
      {Scope::kRetries, {"run.retries", {"crash"}}},
  };
  return table;
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
    case Scope::kRun: return Scope::kRoot;
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

// Where else a key exists: one level up, one level down, or anywhere.
std::string elsewhere(std::string_view key, Scope scope) {
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

nlohmann::ordered_json to_ordered(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return nullptr;
    case Node::Kind::kBoolean: return node.boolean;
    case Node::Kind::kInteger: return node.integer;
    case Node::Kind::kReal: return node.real;
    case Node::Kind::kString: return node.string;
    case Node::Kind::kArray: {
      auto out = nlohmann::ordered_json::array();
      for (const Node& item : node.items) out.push_back(to_ordered(item));
      return out;
    }
    case Node::Kind::kObject: {
      auto out = nlohmann::ordered_json::object();
      for (const Member& member : node.members) out[member.key] = to_ordered(member.value);
      return out;
    }
  }
  return nullptr;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

}  // namespace

bool is_glob(std::string_view text) {
  return text.find('*') != std::string_view::npos;
}

bool glob_matches(std::string_view pattern, std::string_view text) {
  // Greedy with one point to return to: linear in practice, never exponential.
  std::size_t p = 0;
  std::size_t t = 0;
  std::size_t star = std::string_view::npos;
  std::size_t resume = 0;
  while (t < text.size()) {
    if (p < pattern.size() && pattern[p] == '*') {
      star = p++;
      resume = t;
    } else if (p < pattern.size() && pattern[p] == text[t]) {
      ++p;
      ++t;
    } else if (star != std::string_view::npos) {
      p = star + 1;
      t = ++resume;
    } else {
      return false;
    }
  }
  while (p < pattern.size() && pattern[p] == '*') ++p;
  return p == pattern.size();
}

bool is_valid_name(std::string_view name) {
  const auto alphanumeric = [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
  };
  return !name.empty() && name.size() <= 64 && alphanumeric(name.front()) &&
         std::all_of(name.begin(), name.end(), [&](char c) {
           return alphanumeric(c) || c == '.' || c == '_' || c == '+' || c == '-';
         });
}

std::optional<double> parse_decimal(std::string_view text) {
  if (text.empty() || text.find_first_not_of("0123456789.eE+-") != std::string_view::npos) {
    return std::nullopt;
  }
  double value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || result.ptr != text.data() + text.size() ||
      !std::isfinite(value)) {
    return std::nullopt;
  }
  return value;
}

std::optional<double> parse_ratio(std::string_view text) {
  const std::size_t stroke = text.find('/');
  if (stroke == std::string_view::npos) return std::nullopt;
  const auto numerator = parse_decimal(trimmed(text.substr(0, stroke)));
  const auto denominator = parse_decimal(trimmed(text.substr(stroke + 1)));
  if (!numerator || !denominator || *denominator == 0) return std::nullopt;
  const double value = *numerator / *denominator;
  return std::isfinite(value) ? std::optional<double>(value) : std::nullopt;
}

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

std::string kind_text(const Node& node) {
  switch (node.kind) {
    case Node::Kind::kNull: return "null";
    case Node::Kind::kBoolean: return node.boolean ? "true" : "false";
    case Node::Kind::kInteger: return "an integer";
    case Node::Kind::kReal: return "a number";
    case Node::Kind::kString: return "a string";
    case Node::Kind::kArray: return "a list";
    case Node::Kind::kObject: return "an object";
  }
  return "?";
}

std::string chain_text(const std::vector<std::string>& chain) {
  std::string out;
  for (const std::string& name : chain) out += (out.empty() ? "" : " -> ") + name;
  return out;
}

std::string one_line(const Node& node) {
  return to_ordered(node).dump();
}

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

bool expect(const Node& node, Node::Kind kind, const std::string& what, Reporter& reporter) {
  if (node.is(kind)) return true;
  Node wanted;
  wanted.kind = kind;
  const std::string wanted_text =
      kind == Node::Kind::kBoolean ? "true or false" : kind_text(wanted);
  reporter.at_value(
      code::kWrongType, node, what + " must be " + wanted_text + ", found " + kind_text(node));
  return false;
}

}  // namespace unmask::manifest
