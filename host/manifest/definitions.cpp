#include "manifest/definitions.hpp"

#include <algorithm>
#include <functional>
#include <memory>

#include "base/counted.hpp"
#include "catalog/host_options.hpp"
#include "manifest/inheritance.hpp"
#include "manifest/keys.hpp"
#include "manifest/solver_rules.hpp"
#include "manifest/text.hpp"
#include "manifest/time_limit.hpp"
#include "manifest/training_rules.hpp"
#include "text/article.hpp"

namespace unmask::manifest {

const std::vector<ResolvedDefinition>& Definitions::of(std::string_view kind) const {
  static const std::vector<ResolvedDefinition> kNone;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? kNone : found->second.definitions;
}

const std::vector<std::string>& Definitions::names(std::string_view kind) const {
  static const std::vector<std::string> kNone;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? kNone : found->second.names;
}

std::optional<std::size_t> Definitions::index(std::string_view kind, std::string_view name) const {
  const auto found = kinds_.find(kind);
  if (found == kinds_.end()) return std::nullopt;
  const auto entry = found->second.index.find(name);
  if (entry == found->second.index.end()) return std::nullopt;
  return entry->second;
}

std::string Definitions::help(std::string_view kind,
                              std::string_view name,
                              const std::vector<std::string>& tokens) const {
  std::vector<std::string> legal = names(kind);
  legal.insert(legal.end(), tokens.begin(), tokens.end());
  std::string out = help_for_unknown(name, legal, "defined");
  if (const auto table = kinds_.find(kind);
      table != kinds_.end() && table->second.families.contains(name)) {
    out = in_quotes(name) + " is swept and stands for several definitions: use " +
          in_quotes(std::string(name) + ".*") + " or one of them\n" + out;
  }
  if (out.empty()) out = "nothing is defined under define." + std::string(kind);
  for (const auto& [other, table] : kinds_) {
    if (other != kind && table.index.contains(name)) {
      out = in_quotes(name) + " is defined under define." + other + "\n" + out;
    }
  }
  if (is_ignored_key(name)) {
    out = "keys that begin with \"x-\" are comments: a definition needs another name\n" + out;
  }
  if (catalog_.find(kind, name) != nullptr && names(kind).empty()) {
    out += "\na plugin is not a definition: add \"define\": { \"" + std::string(kind) + "\": { \"" +
           std::string(name) + "\": { \"plugin\": \"" + std::string(name) + "\" } } }";
  }
  return out;
}

std::optional<ResolvedDefinition> Definitions::plain(const std::string& kind,
                                                     const std::string& name,
                                                     const std::string& plugin) const {
  ResolvedDefinition out;
  out.plugin = catalog_.find(kind, plugin);
  if (out.plugin == nullptr) return std::nullopt;
  out.definition = {name, plugin, nlohmann::json::object()};
  for (const ParamSpec& spec : catalog::full_table(*out.plugin)) {
    if (spec.default_value) out.definition.params[spec.name] = to_json_value(*spec.default_value);
  }
  return out;
}

void Definitions::read(const Node* define) {
  if (define == nullptr || !expect(*define, Node::Kind::kObject, "\"define\"", reporter_)) return;
  check_keys(*define, Scope::kDefine, reporter_);
  // Names of all kinds first, so that help can say where a name is defined.
  for (const char* kind : catalog::kKinds) {
    const Node* object = define->find(kind);
    if (object == nullptr) continue;
    if (!expect(*object, Node::Kind::kObject, "define." + std::string(kind), reporter_)) continue;
    read_names(kind, *object);
  }
  for (const char* kind : catalog::kKinds) {
    if (kinds_.contains(kind)) read_kind(kind);
  }
}

void Definitions::read_names(const std::string& kind, const Node& object) {
  Kind& table = kinds_[kind];
  for (const Member& member : object.members) {
    if (is_ignored_key(member.key)) continue;
    if (!is_valid_name(member.key)) {
      reporter_.at_key(code::kBadName,
                       member.value,
                       in_quotes(member.key) + " cannot be the name of a definition",
                       "use letters, digits, '.', '_', '+' and '-', beginning with a letter or "
                       "digit, at most 64 characters");
    }
    const Place& place = member.value.place;
    const auto written =
        std::make_shared<const Diagnostic>(diagnose(*place.source,
                                                    place.source->key_range(place.entry),
                                                    "",
                                                    "",
                                                    "",
                                                    place.source->pointer(place.entry)));
    for (DefinitionText& text : expand_sweep(member, reporter_)) {
      if (!text.family.empty()) table.families.insert(text.family);
      const auto [known, is_new] = table.index.emplace(text.name, table.names.size());
      if (!is_new) {
        const std::string& other = table.texts[known->second].family;
        reporter_.at_key(code::kBadName,
                         member.value,
                         text.family.empty()
                             ? "the name " + in_quotes(text.name) + " is made by the sweep of " +
                                   in_quotes(other) + " already"
                             : "the sweep of " + in_quotes(text.family) + " makes the name " +
                                   in_quotes(text.name) + ", which is defined already",
                         "rename one of them");
        continue;
      }
      table.names.push_back(text.name);
      ResolvedDefinition definition;
      definition.definition.name = text.name;
      definition.definition.written = written;
      definition.place = member.value.place;
      definition.written = member.key;
      definition.swept = text.swept;
      table.definitions.push_back(std::move(definition));
      table.texts.push_back(std::move(text));
    }
  }
}

void Definitions::read_kind(const std::string& kind) {
  Kind& table = kinds_.at(kind);
  const FindParent find_parent = [&](const Node& extends) {
    const auto parent = index(kind, extends.string);
    if (!parent) {
      reporter_.at_value(code::kUnknownName,
                         extends,
                         "unknown " + kind + " " + in_quotes(extends.string) + " to extend",
                         help(kind, extends.string),
                         nearest(extends.string, names(kind)));
    }
    return parent;
  };
  const std::vector<MergedText> merged = lay_upon_parents(table.texts, find_parent, reporter_);

  std::vector<bool> is_ensemble(merged.size());
  for (std::size_t i = 0; i < merged.size(); ++i) {
    const Node& node = merged[i].node;
    if (!node.is(Node::Kind::kObject)) continue;
    is_ensemble[i] = node.find("members") != nullptr;
    if (is_ensemble[i]) {
      check_ensemble(kind, node, table.definitions[i]);
    } else {
      resolve(kind, node, merged[i].is_whole, table.definitions[i]);
    }
  }
  if (kind != "attack") return;
  for (std::size_t i = 0; i < merged.size(); ++i) {
    if (!is_ensemble[i]) continue;
    read_members(*merged[i].node.find("members"), is_ensemble, table, table.definitions[i]);
  }
}

void Definitions::resolve(const std::string& kind,
                          const Node& merged,
                          bool is_whole,
                          ResolvedDefinition& out) {
  const Node* plugin = merged.find("plugin");
  const catalog::PluginRecord* record = nullptr;
  const std::string title = kind + " " + in_quotes(out.written);
  if (plugin == nullptr) {
    if (is_whole) {
      reporter_.error(code::kMissingKey,
                      out.place,
                      Reporter::Part::kKey,
                      title + " names no plugin",
                      "add \"plugin\" or \"extends\"");
    }
  } else if (expect(*plugin, Node::Kind::kString, "\"plugin\"", reporter_)) {
    record = catalog_.find(kind, plugin->string);
    if (record == nullptr) {
      std::string help = help_for_unknown(plugin->string, catalog_.ids(kind), "installed");
      if (help.empty()) help = "no " + kind + " plugin is installed";
      for (const char* other : catalog::kKinds) {
        if (other != kind && catalog_.find(other, plugin->string) != nullptr) {
          help = in_quotes(plugin->string) + " is a plugin of the kind " + other + "\n" + help;
        }
      }
      if (!catalog_.refusals.empty()) {
        const std::size_t refused = catalog_.refusals.size();
        help += "\n" + base::counted(refused, "plugin library", "plugin libraries") +
                (refused == 1 ? " was" : " were") + " refused; \"unmask plugins list\" says why";
      }
      reporter_.at_value(code::kUnknownPlugin,
                         *plugin,
                         "unknown " + kind + " plugin " + in_quotes(plugin->string),
                         help,
                         nearest(plugin->string, catalog_.ids(kind)));
    }
  }
  std::vector<std::string> parameters;
  if (record != nullptr) {
    for (const ParamSpec& spec : catalog::full_table(*record)) parameters.push_back(spec.name);
  }
  check_keys(merged, Scope::kDefinition, reporter_, parameters);
  read_own_keys(kind, merged, out);
  const Node* params = merged.find("params");
  if (params != nullptr && !expect(*params, Node::Kind::kObject, "\"params\"", reporter_)) return;
  if (record == nullptr) return;

  const std::size_t before = reporter_.count();
  out.plugin = record;
  out.definition.plugin = record->id;
  out.definition.params = nlohmann::json::object();
  read_params(kind, params, is_whole, out);
  if (const Node* gradients = merged.find("gradients")) read_gradients(kind, *gradients, out);
  if (reporter_.count() == before) check_together(kind, params, out);
  if (reporter_.count() != before) out.plugin = nullptr;
}

// What a definition says of itself, whatever its plugin.
void Definitions::read_own_keys(const std::string& kind,
                                const Node& merged,
                                ResolvedDefinition& out) {
  if (const Node* description = merged.find("description")) {
    expect(*description, Node::Kind::kString, "\"description\"", reporter_);
  }
  const Node* timeout = merged.find("timeout");
  if (timeout == nullptr) return;
  if (kind == "attack" || kind == "probe" || kind == "objective") {
    out.definition.timeout_s = read_time_limit(*timeout, reporter_);
  } else {
    reporter_.at_key(code::kUnknownKey,
                     *timeout,
                     with_article(kind) + " has no \"timeout\"",
                     "the limit of a cell stands with its attack, its probe or, of a training, its "
                     "objective; that of all cells in \"run\"");
  }
}

void Definitions::read_params(const std::string& kind,
                              const Node* params,
                              bool is_whole,
                              ResolvedDefinition& out) {
  const std::vector<ParamSpec> table = catalog::full_table(*out.plugin);
  std::vector<std::string> names;
  names.reserve(table.size());
  for (const ParamSpec& spec : table) names.push_back(spec.name);
  if (params != nullptr) {
    for (const Member& member : params->members) {
      if (is_ignored_key(member.key) ||
          std::find(names.begin(), names.end(), member.key) != names.end()) {
        continue;
      }
      std::string help = help_for_unknown(member.key, names, "parameters");
      if (help.empty()) help = "this plugin has no parameters";
      const auto& definition_keys = keys_of(Scope::kDefinition);
      if (std::find(definition_keys.begin(), definition_keys.end(), member.key) !=
          definition_keys.end()) {
        help = "this key exists one level up, in the definition\n" + help;
      }
      if (kind == "solver" && !out.plugin->capabilities.contains("adaptive")) {
        for (const ParamSpec& spec : catalog::host_options("solver", {"adaptive"})) {
          if (spec.name != member.key) continue;
          help = in_quotes(member.key) + " is an option of adaptive methods; " +
                 in_quotes(out.plugin->id) + " takes fixed steps\n" + help;
        }
      }
      const auto swept = out.swept.find(member.key);
      reporter_.error(code::kUnknownParameter,
                      swept == out.swept.end() ? member.value.place : swept->second,
                      Reporter::Part::kKey,
                      "the " + kind + " plugin " + in_quotes(out.plugin->id) +
                          " has no parameter " + in_quotes(member.key),
                      help,
                      nearest(member.key, names));
    }
  }
  for (const ParamSpec& spec : table) {
    const Node* node = params == nullptr ? nullptr : params->find(spec.name);
    // null stands for "as if it were not written": it takes away an inherited value.
    if (node != nullptr && !node->is(Node::Kind::kNull)) {
      if (const auto value = read_param_value(kind, spec, *node, paths_, out.uses, reporter_)) {
        out.definition.params[spec.name] = to_json_value(*value);
      }
    } else if (spec.default_value) {
      out.definition.params[spec.name] = to_json_value(*spec.default_value);
    } else if (!spec.is_optional && is_whole) {
      reporter_.error(code::kMissingParameter,
                      out.place,
                      Reporter::Part::kKey,
                      kind + " " + in_quotes(out.written) + " needs the parameter " +
                          in_quotes(spec.name) + " of its plugin " + in_quotes(out.plugin->id),
                      declared(spec));
    }
  }
}

// Rules between host options. Reported where one of the values was written, else at the definition.
void Definitions::check_together(const std::string& kind,
                                 const Node* params,
                                 const ResolvedDefinition& definition) {
  const nlohmann::json& values = definition.definition.params;
  const auto find_written = [&](const std::string& name) -> const Node* {
    const Node* node = params == nullptr ? nullptr : params->find(name);
    return node == nullptr || node->is(Node::Kind::kNull) ? nullptr : node;
  };
  const std::function<bool(const std::string&)> is_written = [&](const std::string& name) {
    return find_written(name) != nullptr;
  };
  const auto report = [&](const std::vector<std::string>& options,
                          const std::string& message,
                          const std::string& help) {
    for (const std::string& name : options) {
      if (const Node* node = find_written(name)) {
        reporter_.at_value(code::kParametersConflict, *node, message, help);
        return;
      }
    }
    reporter_.error(
        code::kParametersConflict, definition.place, Reporter::Part::kKey, message, help);
  };
  if (kind == "solver") {
    for (const OptionConflict& conflict : solver_conflicts(values, is_written)) {
      report(conflict.options, conflict.message, conflict.help);
    }
  }
  if (kind == "objective" && is_written("weights_names") && !is_written("weights")) {
    report({"weights_names"},
           "\"weights_names\" maps the names of a file that \"weights\" does not give",
           "add \"weights\", or leave \"weights_names\" out");
  }
  if (kind == "objective") {
    for (const OptionConflict& conflict : training_conflicts(values, is_written)) {
      report(conflict.options, conflict.message, conflict.help);
    }
  }
}

bool ResolvedDefinition::uses_epsilon() const {
  return !uses.empty() ||
         std::any_of(members.begin(), members.end(), [](const ResolvedDefinition& member) {
           return member.uses_epsilon();
         });
}

bool ResolvedDefinition::is_gradient_free() const {
  if (plugin != nullptr) return plugin->capabilities.contains("gradient_free");
  return is_ensemble() &&
         std::all_of(members.begin(), members.end(), [](const ResolvedDefinition& member) {
           return member.is_gradient_free();
         });
}

std::optional<Definition> at_epsilon(const ResolvedDefinition& definition,
                                     double epsilon,
                                     const std::string& epsilon_text,
                                     Reporter& reporter) {
  Definition out = definition.definition;
  bool good = true;
  for (const EpsilonUse& use : definition.uses) {
    const double value = use.at(epsilon);
    if (const auto rule = use.spec.violation(value)) {
      reporter.error(code::kParameterRange,
                     use.place,
                     Reporter::Part::kValue,
                     "parameter " + in_quotes(use.spec.name) + " = " + use.text + " is " +
                         number_text(value) + " at epsilon " + epsilon_text + ": " + *rule,
                     declared(use.spec));
      good = false;
    }
    out.params[use.spec.name] = value;
  }
  out.members.clear();
  for (const ResolvedDefinition& member : definition.members) {
    auto resolved = at_epsilon(member, epsilon, epsilon_text, reporter);
    good = good && resolved;
    if (resolved) out.members.push_back(std::move(*resolved));
  }
  return good ? std::optional<Definition>(std::move(out)) : std::nullopt;
}

}  // namespace unmask::manifest
