#include "manifest/sweep.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {
namespace {

constexpr const char* kRuleOfNames =
    "a value becomes part of a name: numbers as they are written, \"${epsilon}\" as \"epsilon\", "
    "'/' as '_', '*' as 'x', otherwise letters, digits and '.', '_', '+', '-'";

struct SweptValue {
  std::string text;  // its part of the name
  const Node* node;
};

struct SweptParameter {
  std::string name;
  const Node* list;
  std::vector<SweptValue> values;
};

// The part of a name that a value becomes; nullopt when it cannot.
std::optional<std::string> name_part(const Node& value) {
  if (value.is(Node::Kind::kBoolean)) return value.boolean ? "true" : "false";
  if (value.is_number()) {
    const Range range = value.place.source->value_range(value.place.entry);
    return value.place.source->text().substr(range.begin, range.end - range.begin);
  }
  if (!value.is(Node::Kind::kString)) return std::nullopt;
  constexpr std::string_view kEpsilon = "${epsilon}";
  std::string text = value.string;
  for (std::size_t at; (at = text.find(kEpsilon)) != std::string::npos;) {
    text.replace(at, kEpsilon.size(), "epsilon");
  }
  std::erase(text, ' ');
  std::replace(text.begin(), text.end(), '/', '_');
  std::replace(text.begin(), text.end(), '*', 'x');
  // Only the beginning of a name has a rule of its own.
  if (text.empty() || !is_valid_name("x" + text)) return std::nullopt;
  return text;
}

std::vector<SweptValue> read_values(const Member& parameter, Reporter& reporter) {
  std::vector<SweptValue> out;
  const std::string title = in_quotes(parameter.key) + " of \"sweep\"";
  if (!expect(parameter.value, Node::Kind::kArray, title, reporter)) return out;
  if (parameter.value.items.empty()) {
    reporter.at_value(code::kWrongValue, parameter.value, title + " is an empty list");
  }
  for (const Node& item : parameter.value.items) {
    const std::optional<std::string> text = name_part(item);
    if (!text) {
      reporter.at_value(
          code::kWrongValue, item, one_line(item) + " cannot be swept over", kRuleOfNames);
      continue;
    }
    const bool is_known = std::any_of(
        out.begin(), out.end(), [&](const SweptValue& value) { return value.text == *text; });
    if (is_known) {
      reporter.at_value(code::kWrongValue,
                        item,
                        title + " has two values that are called " + in_quotes(*text),
                        kRuleOfNames);
      continue;
    }
    out.push_back({*text, &item});
  }
  return out;
}

std::vector<SweptParameter> read_parameters(const Node& definition,
                                            const Node& sweep,
                                            Reporter& reporter) {
  std::vector<SweptParameter> out;
  if (!expect(sweep, Node::Kind::kObject, "\"sweep\"", reporter)) return out;
  const Node* params = definition.find("params");
  for (const Member& member : sweep.members) {
    if (is_ignored_key(member.key)) continue;
    const Node* given = params == nullptr ? nullptr : params->find(member.key);
    if (given != nullptr && !given->is(Node::Kind::kNull)) {
      reporter.at_key(code::kParametersConflict,
                      member.value,
                      in_quotes(member.key) + " is swept, and also given in \"params\"",
                      "take it out of one of them");
    }
    out.push_back({member.key, &member.value, read_values(member, reporter)});
  }
  if (out.empty()) {
    reporter.at_key(code::kWrongValue,
                    sweep,
                    "\"sweep\" names no parameter",
                    "write \"sweep\": { \"PARAMETER\": [ values ] }");
  }
  return out;
}

// Puts the value of a swept parameter into "params".
void set_parameter(Node& definition,
                   const Node& sweep,
                   const std::string& name,
                   const Node& value) {
  auto params = std::find_if(definition.members.begin(),
                             definition.members.end(),
                             [](const Member& member) { return member.key == "params"; });
  if (params == definition.members.end()) {
    Node object;
    object.kind = Node::Kind::kObject;
    object.place = sweep.place;
    definition.members.push_back({"params", std::move(object)});
    params = definition.members.end() - 1;
  }
  if (!params->value.is(Node::Kind::kObject)) return;  // reported by whoever reads it
  for (Member& member : params->value.members) {
    if (member.key == name) {
      member.value = value;
      return;
    }
  }
  params->value.members.push_back({name, value});
}

// Every definition so far, once for each value.
std::vector<DefinitionText> crossed(const std::vector<DefinitionText>& so_far,
                                    const SweptParameter& parameter,
                                    const Node& sweep) {
  std::vector<DefinitionText> out;
  out.reserve(so_far.size() * parameter.values.size());
  for (const DefinitionText& base : so_far) {
    for (const SweptValue& value : parameter.values) {
      DefinitionText next = base;
      next.name += "." + value.text;
      next.swept[parameter.name] = parameter.list->place;
      set_parameter(next.node, sweep, parameter.name, *value.node);
      out.push_back(std::move(next));
    }
  }
  return out;
}

}  // namespace

std::vector<DefinitionText> expand_sweep(const Member& definition, Reporter& reporter) {
  std::vector<DefinitionText> out{{definition.key, "", definition.value, {}}};
  const Node* sweep =
      definition.value.is(Node::Kind::kObject) ? definition.value.find("sweep") : nullptr;
  if (sweep == nullptr) return out;
  std::erase_if(out[0].node.members, [](const Member& member) { return member.key == "sweep"; });
  if (definition.value.find("members") != nullptr) {
    reporter.at_key(code::kParametersConflict,
                    *sweep,
                    "an ensemble cannot be swept",
                    "sweep over the parameters of a member, and name the family in \"members\"");
    return out;
  }
  const std::vector<SweptParameter> parameters =
      read_parameters(definition.value, *sweep, reporter);
  if (parameters.empty()) return out;
  out[0].family = definition.key;
  std::size_t count = 1;
  for (const SweptParameter& parameter : parameters) {
    count *= parameter.values.size();
    if (count > kMostSwept) {
      reporter.at_key(
          code::kLimit,
          *sweep,
          "the sweep stands for more than " + std::to_string(kMostSwept) + " definitions");
      return {};
    }
    out = crossed(out, parameter, *sweep);
  }
  for (const DefinitionText& member : out) {
    if (is_valid_name(member.name) || !is_valid_name(definition.key)) continue;
    reporter.at_key(code::kBadName,
                    *sweep,
                    "the sweep makes the name " + in_quotes(member.name) +
                        ", which has more than 64 characters",
                    "use a shorter name");
    return {};
  }
  return out;
}

}  // namespace unmask::manifest
