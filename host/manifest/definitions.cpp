#include "manifest/definitions.hpp"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <functional>
#include <system_error>
#include <unordered_map>

#include "manifest/host_options.hpp"
#include "manifest/solver_rules.hpp"
#include "manifest/suggest.hpp"
#include "manifest/text.hpp"
#include "manifest/training_rules.hpp"

namespace unmask::manifest {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1
constexpr std::size_t kLongestChain = 64;
constexpr std::size_t kNowhere = static_cast<std::size_t>(-1);

nlohmann::json to_json_value(const ParamValue& value) {
  return std::visit([](const auto& v) { return nlohmann::json(v); }, value);
}

// A real in canonical form: -0.0 and 0.0 are one value and must not make two keys.
double canonical(double value) {
  return value + 0.0;
}

std::string declared(const ParamSpec& spec) {
  std::string out = spec.name + ": " + std::string(to_string(spec.type));
  if (const std::string range = spec.range_text(); !range.empty()) out += ", " + range;
  if (spec.default_value) out += ", default " + unmask::to_text(*spec.default_value);
  return out + " - " + spec.doc;
}

// "${epsilon}", "${epsilon}*k", "${epsilon}/k"; nullopt for anything else.
std::optional<EpsilonUse> parse_epsilon_use(std::string_view text) {
  constexpr std::string_view kWord = "${epsilon}";
  if (text.substr(0, kWord.size()) != kWord) return std::nullopt;
  std::string rest;
  for (const char c : text.substr(kWord.size())) {
    if (c != ' ') rest.push_back(c);
  }
  EpsilonUse use;
  use.text = std::string(kWord) + rest;
  if (rest.empty()) return use;
  use.divides = rest.front() == '/';
  const auto factor = parse_decimal(std::string_view(rest).substr(1));
  if ((rest.front() != '*' && rest.front() != '/') || !factor || (use.divides && *factor == 0)) {
    return std::nullopt;
  }
  use.factor = *factor;
  return use;
}

// "" or why a file cannot be read.
std::string why_unreadable(const std::string& file) {
  if (file.rfind("${env:", 0) == 0) return "this environment variable is not set";
  std::error_code error;
  const std::filesystem::file_status status = std::filesystem::status(file, error);
  if (file.empty() || !std::filesystem::exists(status)) return "there is no such file";
  if (std::filesystem::is_directory(status)) return "this is a folder, not a file";
  // Opening a pipe would wait for somebody to write into it.
  if (!std::filesystem::is_regular_file(status)) return "this is not a regular file";
  if (!std::ifstream(file, std::ios::binary)) return "the file cannot be opened for reading";
  return "";
}

// 10 and 10.0 are the same integer, as in JSON Schema.
std::optional<std::int64_t> as_integer(const Node& node) {
  if (node.is(Node::Kind::kInteger)) return node.integer;
  if (node.is(Node::Kind::kReal) && std::trunc(node.real) == node.real &&
      std::abs(node.real) <= kMaxSafeInteger) {
    return static_cast<std::int64_t>(node.real);
  }
  return std::nullopt;
}

}  // namespace

const std::vector<ResolvedDefinition>& Definitions::of(std::string_view kind) const {
  static const std::vector<ResolvedDefinition> none;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? none : found->second.definitions;
}

const std::vector<std::string>& Definitions::names(std::string_view kind) const {
  static const std::vector<std::string> none;
  const auto found = kinds_.find(kind);
  return found == kinds_.end() ? none : found->second.names;
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
  for (const ParamSpec& spec : full_table(*out.plugin)) {
    if (spec.default_value) out.definition.params[spec.name] = to_json_value(*spec.default_value);
  }
  return out;
}

void Definitions::read(const Node* define) {
  if (define == nullptr || !expect(*define, Node::Kind::kObject, "\"define\"", reporter_)) return;
  check_keys(*define, Scope::kDefine, reporter_);
  // Names of all kinds first, so that help can say where a name is defined.
  for (const char* kind : loader::kKinds) {
    const Node* object = define->find(kind);
    if (object == nullptr) continue;
    if (!expect(*object, Node::Kind::kObject, "define." + std::string(kind), reporter_)) continue;
    read_names(kind, *object);
  }
  for (const char* kind : loader::kKinds) {
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
      definition.place = member.value.place;
      definition.written = member.key;
      definition.swept = text.swept;
      table.definitions.push_back(std::move(definition));
      table.texts.push_back(std::move(text));
    }
  }
}

// Lay every definition upon its parent. Iterative: a long chain must not use up the stack.
void Definitions::read_kind(const std::string& kind) {
  Kind& table = kinds_.at(kind);
  enum class State { kNew, kOnChain, kDone };
  struct Entry {
    const Node* node = nullptr;
    Node merged;
    std::size_t depth = 0;
    bool is_whole = true;  // false: some parent is missing, so keys may be missing too
    State state = State::kNew;
  };
  std::vector<Entry> entries;
  for (const DefinitionText& text : table.texts) {
    Entry entry;
    entry.node = &text.node;
    entries.push_back(std::move(entry));
  }

  for (std::size_t start = 0; start < entries.size(); ++start) {
    std::vector<std::size_t> chain;
    std::size_t base = kNowhere;  // the definition that the last of the chain extends
    bool base_is_missing = false;
    for (std::size_t at = start; entries[at].state != State::kDone;) {
      Entry& entry = entries[at];
      entry.state = State::kOnChain;
      chain.push_back(at);
      base = kNowhere;
      if (!expect(*entry.node,
                  Node::Kind::kObject,
                  "definition " + in_quotes(table.definitions[at].written),
                  reporter_)) {
        base_is_missing = true;
        break;
      }
      const Node* extends = entry.node->find("extends");
      if (extends == nullptr) break;
      if (!expect(*extends, Node::Kind::kString, "\"extends\" of a definition", reporter_)) {
        base_is_missing = true;
        break;
      }
      const auto parent = index(kind, extends->string);
      if (!parent) {
        reporter_.at_value(code::kUnknownName,
                           *extends,
                           "unknown " + kind + " " + in_quotes(extends->string) + " to extend",
                           help(kind, extends->string),
                           nearest(extends->string, names(kind)));
        base_is_missing = true;
        break;
      }
      if (entries[*parent].state == State::kOnChain) {
        std::vector<std::string> cycle;
        for (auto step = std::find(chain.begin(), chain.end(), *parent); step != chain.end();
             ++step) {
          cycle.push_back(table.names[*step]);
        }
        cycle.push_back(table.names[*parent]);
        reporter_.at_value(
            code::kCycle, *extends, "\"extends\" forms a cycle: " + chain_text(cycle));
        base_is_missing = true;
        break;
      }
      base = *parent;
      at = *parent;
    }
    for (auto at = chain.rbegin(); at != chain.rend(); ++at) {
      Entry& entry = entries[*at];
      entry.state = State::kDone;
      if (base != kNowhere) {
        const Entry& parent = entries[base];
        Node inherited = parent.merged;
        std::erase_if(inherited.members, [](const Member& m) {
          return m.key == "extends" || m.key == "description" || is_ignored_key(m.key);
        });
        entry.depth = parent.depth + 1;
        entry.is_whole = parent.is_whole;
        entry.merged = merge(inherited, *entry.node);
        if (entry.depth == kLongestChain) {
          reporter_.at_key(code::kLimit,
                           *entry.node,
                           "definition extends more than " + std::to_string(kLongestChain - 1) +
                               " others in a row");
        }
        if (entry.depth >= kLongestChain) {
          entry.merged = *entry.node;
          entry.is_whole = false;
        }
      } else {
        entry.is_whole = !base_is_missing;
        entry.merged = *entry.node;
      }
      base = *at;
    }
  }
  std::vector<bool> is_ensemble(entries.size());
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!entries[i].node->is(Node::Kind::kObject)) continue;
    is_ensemble[i] = entries[i].merged.find("members") != nullptr;
    if (is_ensemble[i]) {
      check_ensemble(kind, entries[i].merged);
    } else {
      resolve(kind, entries[i].merged, entries[i].is_whole, table.definitions[i]);
    }
  }
  if (kind != "attack") return;
  for (std::size_t i = 0; i < entries.size(); ++i) {
    if (!is_ensemble[i]) continue;
    read_members(*entries[i].merged.find("members"), is_ensemble, table, table.definitions[i]);
  }
}

void Definitions::resolve(const std::string& kind,
                          const Node& merged,
                          bool is_whole,
                          ResolvedDefinition& out) {
  const Node* plugin = merged.find("plugin");
  const loader::PluginRecord* record = nullptr;
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
      for (const char* other : loader::kKinds) {
        if (other != kind && catalog_.find(other, plugin->string) != nullptr) {
          help = in_quotes(plugin->string) + " is a plugin of the kind " + other + "\n" + help;
        }
      }
      if (!catalog_.refusals.empty()) {
        help += "\n" + std::to_string(catalog_.refusals.size()) +
                " plugin libraries were refused; \"unmask plugins list\" says why";
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
    for (const ParamSpec& spec : full_table(*record)) parameters.push_back(spec.name);
  }
  check_keys(merged, Scope::kDefinition, reporter_, parameters);
  if (const Node* description = merged.find("description")) {
    expect(*description, Node::Kind::kString, "\"description\"", reporter_);
  }
  const Node* params = merged.find("params");
  if (params != nullptr && !expect(*params, Node::Kind::kObject, "\"params\"", reporter_)) return;
  if (record == nullptr) return;

  const std::size_t before = reporter_.count();
  out.plugin = record;
  out.definition.plugin = record->id;
  out.definition.params = nlohmann::json::object();
  read_params(kind, params, is_whole, out);
  if (reporter_.count() == before) check_together(kind, params, out);
  if (reporter_.count() != before) out.plugin = nullptr;
}

void Definitions::read_params(const std::string& kind,
                              const Node* params,
                              bool is_whole,
                              ResolvedDefinition& out) {
  const std::vector<ParamSpec> table = full_table(*out.plugin);
  std::vector<std::string> names;
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
        for (const ParamSpec& spec : host_options("solver", {"adaptive"})) {
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
      if (auto value = read_value(kind, spec, *node, out)) {
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

std::optional<ParamValue> Definitions::read_value(const std::string& kind,
                                                  const ParamSpec& spec,
                                                  const Node& node,
                                                  ResolvedDefinition& out) {
  const auto wrong_type = [&](const Node& at, const std::string& wanted) {
    reporter_.at_value(
        code::kParameterType,
        at,
        "parameter " + in_quotes(spec.name) + " must be " + wanted + ", found " +
            (at.is(Node::Kind::kString) ? "the string " + in_quotes(at.string) : kind_text(at)),
        declared(spec));
    return std::nullopt;
  };
  const auto checked =
      [&](ParamValue value, const Node& at, const ParamSpec& by) -> std::optional<ParamValue> {
    const auto rule = by.violation(value);
    if (!rule) return value;
    std::string help = declared(spec);
    std::vector<std::string> near;
    if (spec.type == ParamType::kChoice) {
      near = nearest(std::get<std::string>(value), spec.choices);
      if (const std::string guess = did_you_mean(near); !guess.empty()) help = guess + "\n" + help;
    }
    reporter_.at_value(
        code::kParameterRange,
        at,
        "parameter " + in_quotes(spec.name) + " = " + unmask::to_text(value) + ": " + *rule,
        help,
        near);
    return std::nullopt;
  };
  const auto no_placeholder = [&](const Node& at) {
    if (at.string.find("${") == std::string::npos) return true;
    reporter_.at_value(code::kPlaceholder,
                       at,
                       "no placeholder is allowed in parameter " + in_quotes(spec.name),
                       "${epsilon} fits real parameters of attacks and probes; ${paths.NAME} and "
                       "${env:NAME} fit path and file parameters");
    return false;
  };
  const auto read_real = [&](const Node& at) -> std::optional<double> {
    if (at.is_number()) return canonical(at.number());
    if (at.is(Node::Kind::kString)) {
      if (const auto ratio = parse_ratio(at.string)) return canonical(*ratio);
    }
    return std::nullopt;
  };

  switch (spec.type) {
    case ParamType::kBoolean:
      if (!node.is(Node::Kind::kBoolean)) return wrong_type(node, "true or false");
      return node.boolean;
    case ParamType::kInteger: {
      if (node.is(Node::Kind::kString) && !no_placeholder(node)) return std::nullopt;
      if (const auto value = as_integer(node)) return checked(*value, node, spec);
      return wrong_type(node, "an integer");
    }
    case ParamType::kReal: {
      if (const auto value = read_real(node)) return checked(*value, node, spec);
      if (!node.is(Node::Kind::kString)) return wrong_type(node, "a number");
      if (node.string.find("${epsilon") != std::string::npos) {
        if (kind != "attack" && kind != "probe") {
          reporter_.at_value(code::kPlaceholder,
                             node,
                             "${epsilon} is known to attacks and probes only, not to a " + kind);
          return std::nullopt;
        }
        auto use = parse_epsilon_use(node.string);
        if (!use) {
          reporter_.at_value(
              code::kPlaceholder,
              node,
              in_quotes(node.string) + " is no formula in ${epsilon}",
              "write \"${epsilon}\", \"${epsilon}*k\" or \"${epsilon}/k\" with a number k");
          return std::nullopt;
        }
        use->spec = spec;
        use->place = node.place;
        out.uses.push_back(*use);
        return ParamValue(use->text);
      }
      if (!no_placeholder(node)) return std::nullopt;
      return wrong_type(node, "a number or a ratio like \"2/255\"");
    }
    case ParamType::kText:
    case ParamType::kChoice:
      if (!node.is(Node::Kind::kString)) return wrong_type(node, "a string");
      if (!no_placeholder(node)) return std::nullopt;
      return checked(node.string, node, spec);
    case ParamType::kPath:
      if (!node.is(Node::Kind::kString)) return wrong_type(node, "a path, as a string");
      return paths_.resolve(node);
    case ParamType::kFile: {
      if (!node.is(Node::Kind::kString)) return wrong_type(node, "the path of a file, as a string");
      const std::size_t before = reporter_.count();
      const std::string file = paths_.resolve(node);
      if (reporter_.count() != before) return std::nullopt;
      // The content is part of keys, so without the file nothing can be planned.
      if (const std::string problem = why_unreadable(file); !problem.empty()) {
        reporter_.at_value(
            code::kUnreadable,
            node,
            "parameter " + in_quotes(spec.name) + " = " + in_quotes(file) + ": " + problem,
            declared(spec));
        return std::nullopt;
      }
      return file;
    }
    case ParamType::kIntegerList:
    case ParamType::kRealList: break;
  }

  if (!node.is(Node::Kind::kArray)) return wrong_type(node, "a list of numbers");
  // Entries are checked one by one, so that the message points at the wrong one.
  ParamSpec entry_spec = spec;
  entry_spec.min_length.reset();
  entry_spec.max_length.reset();
  entry_spec.type = spec.type == ParamType::kRealList ? ParamType::kReal : ParamType::kInteger;
  std::vector<double> reals;
  std::vector<std::int64_t> integers;
  bool good = true;
  for (const Node& item : node.items) {
    std::optional<ParamValue> value;
    if (spec.type == ParamType::kRealList) {
      if (const auto number = read_real(item)) value = *number;
    } else if (const auto number = as_integer(item)) {
      value = *number;
    }
    if (!value) {
      wrong_type(item,
                 spec.type == ParamType::kRealList ? "a list of numbers" : "a list of integers");
    } else {
      value = checked(*value, item, entry_spec);
    }
    good = good && value;
    if (!value) continue;
    if (spec.type == ParamType::kRealList) {
      reals.push_back(std::get<double>(*value));
    } else {
      integers.push_back(std::get<std::int64_t>(*value));
    }
  }
  if (!good) return std::nullopt;
  if (spec.type == ParamType::kRealList) return checked(std::move(reals), node, spec);
  return checked(std::move(integers), node, spec);
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
    const double value = canonical(use.divides ? epsilon / use.factor : epsilon * use.factor);
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
