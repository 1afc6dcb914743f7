#include "manifest/schema.hpp"

#include <cstdint>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "catalog/host_options.hpp"
#include "catalog/param_schema.hpp"
#include "catalog/verdict_thresholds.hpp"
#include "manifest/keys.hpp"
#include "unmask/params.hpp"
#include "wire/failure_class.hpp"

namespace unmask::manifest {
namespace schemas {
namespace {

using catalog::Catalog;
using catalog::PluginRecord;
using nlohmann::json;

constexpr const char* kNamePattern = R"(^(?!x-)[A-Za-z0-9][A-Za-z0-9._+-]{0,63}$)";
constexpr std::int64_t kLargestSeed = (std::int64_t{1} << 53) - 1;

json described(json schema, std::string text) {
  schema["description"] = std::move(text);
  return schema;
}

json text(std::string description) {
  return described({{"type", "string"}}, std::move(description));
}

json reference(const std::string& name) {
  return {{"$ref", "#/definitions/" + name}};
}

// An object with these keys and the ones that are ignored everywhere.
json object(json properties) {
  properties["$comment"] = json::object();
  return {{"type", "object"},
          {"properties", std::move(properties)},
          {"patternProperties", {{"^x-", json::object()}}},
          {"additionalProperties", false}};
}

// One value, or a list of them that is not empty.
json one_or_many(const json& value) {
  return {{"anyOf", {value, {{"type", "array"}, {"items", value}, {"minItems", 1}}}}};
}

// One word, or a list of words in which "!" may take away. Words that begin with "@" are tokens.
json words_of(bool may_negate, const std::string& tokens, const std::string& more = "") {
  std::string rest = tokens.empty() ? "" : "|(" + tokens + ")$";
  if (!more.empty()) rest += "|" + more;
  const json single = {{"type", "string"}, {"pattern", "^([^@!]" + rest + ")"}};
  const json entry = {{"type", "string"},
                      {"pattern", (may_negate ? "^!?([^@!]" : "^([^@!]") + rest + ")"}};
  return {{"anyOf", {single, {{"type", "array"}, {"items", entry}, {"minItems", 1}}}}};
}

json require(std::vector<std::string> keys) {
  return {{"required", std::move(keys)}};
}

json any_of(const std::vector<std::string>& keys) {
  json options = json::array();
  for (const std::string& key : keys) options.push_back(require({key}));
  return {{"anyOf", std::move(options)}};
}

// What a value of an axis may be, in the train or in the evaluate stage.
json axis(const std::string& name, bool is_evaluate, bool may_negate) {
  if (name == "seed" || name == "train_seed") {
    return described(one_or_many({{"type", "integer"}, {"minimum", 0}, {"maximum", kLargestSeed}}),
                     "seeds, each of them a cell of its own");
  }
  if (name == "epsilon") {
    return described(one_or_many({{"anyOf",
                                   {{{"type", "number"}, {"minimum", 0}},
                                    {{"type", "string"}, {"pattern", catalog::kRatioPattern}}}}}),
                     "radii of the attack, for pixels in [0, 1]: 0.03 or \"8/255\"");
  }
  if (name == "solver" && is_evaluate) {
    return described(words_of(may_negate, "@train"),
                     "names or globs of define.solver, or \"@train\"");
  }
  if (name == "gradient") {
    json schema = words_of(may_negate, "@eval");
    // A mean has at least two entries.
    const json is_mean = {{"type", "string"},
                          {"pattern", R"(^(?!!?mean\()|^!?mean\([^,()]+(,[^,()]+)+\)$)"}};
    schema["allOf"] = json::array({one_or_many(is_mean)});
    return described(
        std::move(schema),
        "solvers that the attack differentiates through, \"@eval\", or \"mean(a, b)\"");
  }
  if (name == "source") {
    return described(words_of(may_negate, "@self", "@self:"),
                     "networks on which images are made that others judge, or \"@self\"");
  }
  static const std::map<std::string, const char*> kMeaning = {
      {"checkpoint",
       "trained networks: globs over models, or over model/dataset/objective/solver/seed"},
      {"train_solver", "names or globs of define.solver: what the network was trained under"},
      {"probes", "names or globs of define.probe"}};
  const auto known = kMeaning.find(name);
  return described(words_of(may_negate, ""),
                   known != kMeaning.end() ? known->second : "names or globs of define." + name);
}

// The axes among the keys of a scope.
json axes(Scope scope) {
  const bool is_evaluate = scope == Scope::kEvaluateMatrix || scope == Scope::kEvaluateAdd ||
                           scope == Scope::kEvaluateZip || scope == Scope::kEvaluateRule;
  const bool may_negate = scope != Scope::kEvaluateZip && scope != Scope::kTrainZip;
  json properties = json::object();
  for (const std::string& key : keys_of(scope)) {
    if (key != "zip" && key != "clean" && key != "why")
      properties[key] = axis(key, is_evaluate, may_negate);
  }
  return properties;
}

// One complete cell: all axes but those that have a default.
json added_cell(Scope scope) {
  json schema = object(axes(scope));
  if (scope == Scope::kTrainAdd) {
    schema["required"] = {"dataset", "model", "objective", "solver"};
    return schema;
  }
  schema["required"] = {"checkpoint", "solver"};
  const json of_probe = {{"required", {"probe"}},
                         {"not", any_of({"attack", "gradient", "source"})}};
  const json of_attack = {{"required", {"attack", "epsilon"}}, {"not", require({"probe"})}};
  schema["anyOf"] = {of_attack, of_probe};
  return schema;
}

json matrix(Scope scope, Scope zip) {
  json properties = axes(scope);
  json group = object(axes(zip));
  group["minProperties"] = 2;
  properties["zip"] =
      described(one_or_many(group), "axes that move together instead of being multiplied");
  if (scope == Scope::kEvaluateMatrix) {
    properties["clean"] =
        described({{"type", "boolean"}}, "add one cell without attack for each network and solver");
  }
  return object(std::move(properties));
}

json rules(Scope scope, std::string description) {
  json properties = axes(scope);
  std::vector<std::string> names;
  for (const auto& item : properties.items()) names.push_back(item.key());
  properties["why"] = text("for people");
  json rule = object(std::move(properties));
  rule["anyOf"] = any_of(names)["anyOf"];
  return described({{"type", "array"}, {"items", std::move(rule)}}, std::move(description));
}

json stage(Scope matrix_scope, Scope zip, Scope add, Scope rule, json more = json::object()) {
  json cells = {{"type", "array"}, {"items", added_cell(add)}};
  more["matrix"] = described(matrix(matrix_scope, zip), "every combination of these axes");
  more["add"] = described(std::move(cells), "further cells");
  more["exclude"] = rules(rule, "a cell that one of these rules matches is taken out");
  more["only"] = rules(rule, "a cell stays only if one of these rules matches it");
  return object(std::move(more));
}

json time_limit(const char* meaning) {
  return described({{"anyOf",
                     {{{"type", "number"}, {"exclusiveMinimum", 0}},
                      {{"type", "string"}, {"pattern", "^[.eE0-9+]+[smh]$"}}}}},
                   meaning);
}

json retries() {
  json properties = json::object();
  for (const wire::FailureRule& rule : wire::failure_rules()) {
    if (!wire::may_be_retried(rule.failure_class)) continue;
    properties[rule.name] = {
        {"type", "integer"}, {"minimum", 0}, {"maximum", 100}, {"default", rule.retries}};
  }
  return described(object(std::move(properties)),
                   "how often a cell is tried again after a failure of a class");
}

json run() {
  const auto whole = [](int least, int most, const char* meaning) {
    return described({{"type", "integer"}, {"minimum", least}, {"maximum", most}}, meaning);
  };
  return described(
      object({{"workers", whole(1, 4096, "worker processes")},
              {"threads", whole(1, 4096, "threads of one worker")},
              {"timeout", time_limit("limit for one cell: \"90s\", \"30m\", \"2h\" or seconds")},
              {"retries", retries()},
              {"fail_fast", described({{"type", "boolean"}}, "stop at the first failed cell")}}),
      "how to run; changes no result");
}

json verdict() {
  json properties = json::object();
  for (const catalog::VerdictThreshold& t : catalog::verdict_thresholds()) {
    json number = {{"type", "number"}, {"minimum", t.lowest}, {"maximum", t.highest}};
    number["default"] = t.value;
    properties[t.name] = described(std::move(number), t.meaning);
  }
  return described(object(std::move(properties)),
                   "thresholds of verdicts in place of the defaults; changes no result");
}

// A value, or null, which takes an inherited one away.
json or_null(json schema) {
  json both = {{"anyOf", {schema, {{"type", "null"}}}}};
  // Where editors look for them.
  for (const char* key : {"description", "default"}) {
    if (schema.contains(key)) both[key] = schema[key];
  }
  return both;
}

json params(const PluginRecord& plugin) {
  json properties = catalog::params_properties(plugin);
  for (auto& [name, schema] : properties.items()) schema = or_null(schema);
  return object(std::move(properties));
}

json swept(const PluginRecord& plugin) {
  json properties = catalog::params_properties(plugin);
  for (auto& [name, schema] : properties.items()) {
    schema = {{"type", "array"}, {"items", json(schema)}, {"minItems", 1}};
  }
  json schema = object(std::move(properties));
  schema["minProperties"] = 1;
  return schema;
}

std::string params_name(const PluginRecord& plugin) {
  return plugin.kind + "_" + plugin.id + "_params";
}

// A definition that names this plugin.
json when_plugin(const PluginRecord& plugin) {
  json then = {
      {"properties", {{"params", reference(params_name(plugin))}, {"sweep", swept(plugin)}}}};
  json required = json::array();
  for (const ParamSpec& spec : catalog::full_table(plugin)) {
    if (spec.is_required()) required.push_back(spec.name);
  }
  if (!required.empty()) {
    // What is not inherited and not swept must be given.
    then["anyOf"] = {
        {{"required", {"extends"}}},
        {{"required", {"sweep"}}},
        {{"required", {"params"}}, {"properties", {{"params", {{"required", required}}}}}}};
  }
  return {{"if", {{"required", {"plugin"}}, {"properties", {{"plugin", {{"const", plugin.id}}}}}}},
          {"then", std::move(then)}};
}

json definition(const Catalog& catalog, const std::string& kind) {
  json ids = json::array();
  json summaries = json::array();
  json conditions = json::array();
  for (const PluginRecord& plugin : catalog.plugins) {
    if (plugin.kind != kind) continue;
    ids.push_back(plugin.id);
    summaries.push_back(plugin.summary);
    conditions.push_back(when_plugin(plugin));
  }
  // An extended file may leave the plugin to the one that extends it.
  json properties = {
      {"plugin",
       {{"enum", std::move(ids)},
        {"enumDescriptions", std::move(summaries)},
        {"description", "id of a plugin; `unmask plugins list` shows all"}}},
      {"params", described({{"type", "object"}}, "parameters of the plugin, options of the host")},
      {"extends", text("another definition of this kind, on which this one is laid")},
      {"sweep",
       described({{"type", "object"},
                  {"minProperties", 1},
                  {"additionalProperties",
                   {{"type", "array"},
                    {"minItems", 1},
                    {"items", {{"type", {"boolean", "number", "string"}}}}}}},
                 "parameter -> list of values: one definition for each")},
      {"description", text("for people")}};
  if (kind == "attack" || kind == "probe" || kind == "objective") {
    properties["timeout"] = time_limit("limit for one of its cells, in place of that of \"run\"");
  }
  if (kind == "attack") {
    properties["members"] =
        described({{"type", "array"}, {"items", {{"type", "string"}}}, {"minItems", 1}},
                  "attacks of an ensemble: later ones see what earlier ones did not fool");
  }
  if (kind == "probe") {
    properties["gradients"] =
        described({{"type", "array"},
                   {"items", {{"type", "string"}, {"pattern", "^[a-z][a-z0-9_]*$"}}},
                   {"uniqueItems", true}},
                  "solvers whose gradients the probe compares");
  }
  json schema = object(std::move(properties));
  if (kind == "attack") {
    conditions.push_back({{"if", {{"required", {"members"}}}},
                          {"then",
                           {{"not",
                             {{"anyOf",
                               {{{"required", {"plugin"}}},
                                {{"required", {"params"}}},
                                {{"required", {"extends"}}},
                                {{"required", {"sweep"}}}}}}}}}});
  }
  if (!conditions.empty()) schema["allOf"] = std::move(conditions);
  return schema;
}

json define() {
  json properties = json::object();
  for (const char* kind : catalog::kKinds) {
    json names = {{"type", "object"},
                  {"properties", {{"$comment", json::object()}}},
                  {"patternProperties", json::object()},
                  {"additionalProperties", false}};
    names["patternProperties"][kNamePattern] = reference(kind);
    names["patternProperties"]["^x-"] = json::object();
    properties[kind] = described(std::move(names), "name -> plugin and parameters");
  }
  return described(object(std::move(properties)), "definitions, by kind and name");
}

// A file that extends nothing is whole by itself: what is not in it is missing. One without version
// and train is for others to extend.
json when_whole() {
  const json cells = any_of({"matrix", "add"});
  json kinds = json::object();
  for (const char* kind : catalog::kKinds) {
    json names = json::object();
    names[kNamePattern] = any_of({"plugin", "extends", "members"});
    kinds[kind] = {{"patternProperties", std::move(names)}};
  }
  // A group of zip may hold any axis.
  json evaluate = cells;
  evaluate["properties"]["matrix"] = any_of({"attack", "clean", "probes", "zip"});
  evaluate["properties"]["matrix"]["dependencies"] = {
      {"attack", any_of({"epsilon", "zip"})},
      {"epsilon", any_of({"attack", "probes", "zip"})},
      {"gradient", any_of({"attack", "zip"})},
      {"source", any_of({"attack", "zip"})}};
  json train = cells;
  train["properties"]["matrix"] = {
      {"anyOf", {require({"dataset", "model", "objective", "solver"}), require({"zip"})}}};
  json condition = any_of({"version", "train"});
  condition["not"] = require({"extends"});
  return {{"if", std::move(condition)},
          {"then",
           {{"required", {"version", "train"}},
            {"properties",
             {{"define", {{"properties", std::move(kinds)}}},
              {"train", std::move(train)},
              {"evaluate", std::move(evaluate)}}}}}};
}

json whole(const Catalog& catalog) {
  json definitions = json::object();
  for (const PluginRecord& plugin : catalog.plugins) {
    definitions[params_name(plugin)] = params(plugin);
  }
  for (const char* kind : catalog::kKinds) definitions[kind] = definition(catalog, kind);

  json numbers = {
      {"samples",
       described({{"type", "integer"}, {"minimum", 0}},
                 "use the first n samples of the evaluation split; 0: all")},
      {"batch_size",
       described({{"type", "integer"}, {"minimum", 1}},
                 "the canonical batch, at which predictions and verdicts are taken")},
      {"save", described(one_or_many({{"enum", {"adversarials"}}}), "keep the images of attacks")}};
  json schema = object(
      {{"$schema", text("for editors")},
       {"version", described({{"const", 1}}, "of this format")},
       {"name", text("of the study; default: the file's name")},
       {"description", text("for people")},
       {"extends",
        described({{"type", "array"}, {"items", {{"type", "string"}}}},
                  "files merged below this one")},
       {"define", define()},
       {"train",
        described(stage(Scope::kTrainMatrix, Scope::kTrainZip, Scope::kTrainAdd, Scope::kTrainRule),
                  "which networks")},
       {"evaluate",
        described(stage(Scope::kEvaluateMatrix,
                        Scope::kEvaluateZip,
                        Scope::kEvaluateAdd,
                        Scope::kEvaluateRule,
                        std::move(numbers)),
                  "what happens to them")},
       {"run", run()},
       {"verdict", verdict()},
       {"paths",
        described({{"type", "object"}, {"additionalProperties", {{"type", "string"}}}},
                  "names for files and folders, used as ${paths.NAME}")},
       {"dtype", described({{"enum", {"float32", "float64"}}}, "number type of all tensors")}});
  schema["$schema"] = catalog::kSchemaDialect;
  schema["title"] = "Manifest of unmask";
  schema["definitions"] = std::move(definitions);
  schema["allOf"] = json::array({when_whole()});
  return schema;
}

}  // namespace
}  // namespace schemas

nlohmann::json manifest_schema(const catalog::Catalog& catalog) {
  return schemas::whole(catalog);
}

}  // namespace unmask::manifest
