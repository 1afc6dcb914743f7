#include "catalog/param_schema.hpp"

#include <cstdint>
#include <string>
#include <utility>
#include <variant>

#include "catalog/host_options.hpp"

namespace unmask::catalog {
namespace {

using nlohmann::json;

void bound_number(json& schema, const ParamSpec& spec) {
  if (spec.lower)
    schema[spec.lower->inclusive ? "minimum" : "exclusiveMinimum"] = spec.lower->value;
  if (spec.upper)
    schema[spec.upper->inclusive ? "maximum" : "exclusiveMaximum"] = spec.upper->value;
}

// 20 and 20.0 are one integer, in manifests and in JSON Schema.
json number_schema(const ParamSpec& spec, bool is_real, bool takes_epsilon) {
  json number = {{"type", is_real ? "number" : "integer"}};
  // What a double can hold exactly.
  if (!is_real) number["maximum"] = (std::int64_t{1} << 53) - 1;
  bound_number(number, spec);
  if (!is_real) return number;
  // The other ways to write a real: a ratio, and a multiple of the row's epsilon.
  std::string pattern = kRatioPattern;
  if (takes_epsilon) pattern += R"(|^\$\{epsilon\}(\s*[*/]\s*[-+.eE0-9]+\s*)?$)";
  return {{"anyOf", {number, {{"type", "string"}, {"pattern", pattern}}}}};
}

}  // namespace

json value_schema(const ParamSpec& spec, bool takes_epsilon) {
  json schema;
  switch (spec.type) {
    case ParamType::kBoolean: schema = {{"type", "boolean"}}; break;
    case ParamType::kInteger: schema = number_schema(spec, false, false); break;
    case ParamType::kReal: schema = number_schema(spec, true, takes_epsilon); break;
    // Placeholders are for paths and files.
    case ParamType::kText: schema = {{"type", "string"}, {"not", {{"pattern", R"(\$\{)"}}}}; break;
    case ParamType::kPath:
    case ParamType::kFile: schema = {{"type", "string"}}; break;
    case ParamType::kChoice: schema = {{"enum", spec.choices}}; break;
    case ParamType::kIntegerList:
    case ParamType::kRealList:
      schema = {{"type", "array"},
                {"items", number_schema(spec, spec.type == ParamType::kRealList, false)}};
      if (spec.min_length) schema["minItems"] = *spec.min_length;
      if (spec.max_length) schema["maxItems"] = *spec.max_length;
      break;
  }
  schema["description"] =
      spec.unit_text.empty() ? spec.doc : spec.doc + " [" + spec.unit_text + "]";
  if (spec.default_value) {
    schema["default"] =
        std::visit([](const auto& value) { return json(value); }, *spec.default_value);
  }
  return schema;
}

json params_properties(const PluginRecord& plugin) {
  const bool takes_epsilon = plugin.kind == "attack" || plugin.kind == "probe";
  json properties = json::object();
  for (const ParamSpec& spec : full_table(plugin)) {
    properties[spec.name] = value_schema(spec, takes_epsilon);
  }
  return properties;
}

json params_schema(const PluginRecord& plugin) {
  json required = json::array();
  for (const ParamSpec& spec : full_table(plugin)) {
    if (spec.is_required()) required.push_back(spec.name);
  }
  json schema = {{"$schema", kSchemaDialect},
                 {"title", plugin.kind + " " + plugin.id},
                 {"description", plugin.summary},
                 {"type", "object"},
                 {"properties", params_properties(plugin)},
                 {"additionalProperties", false}};
  if (!required.empty()) schema["required"] = std::move(required);
  return schema;
}

}  // namespace unmask::catalog
