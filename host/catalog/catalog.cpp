#include "catalog/catalog.hpp"

#include <algorithm>
#include <type_traits>

namespace unmask::catalog {
namespace {

using nlohmann::json;

json value_to_json(const ParamValue& value) {
  return std::visit([](const auto& v) { return json(v); }, value);
}

ParamValue value_from_json(const json& j, ParamType type) {
  switch (type) {
    case ParamType::kBoolean: return j.get<bool>();
    case ParamType::kInteger: return j.get<std::int64_t>();
    case ParamType::kReal: return j.get<double>();
    case ParamType::kText:
    case ParamType::kChoice:
    case ParamType::kPath:
    case ParamType::kFile: return j.get<std::string>();
    case ParamType::kIntegerList: return j.get<std::vector<std::int64_t>>();
    case ParamType::kRealList: return j.get<std::vector<double>>();
  }
  return false;
}

json bound_to_json(const ParamBound& bound) {
  return {{"value", bound.value}, {"inclusive", bound.inclusive}};
}

json spec_to_json(const ParamSpec& spec) {
  json j = {{"name", spec.name},
            {"type", static_cast<int>(spec.type)},
            {"doc", spec.doc},
            {"unit", spec.unit_text},
            {"optional", spec.is_optional}};
  if (spec.default_value) j["default"] = value_to_json(*spec.default_value);
  if (spec.lower) j["lower"] = bound_to_json(*spec.lower);
  if (spec.upper) j["upper"] = bound_to_json(*spec.upper);
  if (!spec.choices.empty()) j["choices"] = spec.choices;
  if (spec.min_length) j["min_length"] = *spec.min_length;
  if (spec.max_length) j["max_length"] = *spec.max_length;
  return j;
}

std::optional<ParamBound> bound_from_json(const json& spec, const char* key) {
  const auto found = spec.find(key);
  if (found == spec.end()) return std::nullopt;
  return ParamBound{found->at("value").get<double>(), found->at("inclusive").get<bool>()};
}

ParamSpec spec_from_json(const json& j) {
  ParamSpec spec;
  j.at("name").get_to(spec.name);
  spec.type = static_cast<ParamType>(j.at("type").get<int>());
  j.at("doc").get_to(spec.doc);
  j.at("unit").get_to(spec.unit_text);
  j.at("optional").get_to(spec.is_optional);
  if (const auto d = j.find("default"); d != j.end()) {
    spec.default_value = value_from_json(*d, spec.type);
  }
  spec.lower = bound_from_json(j, "lower");
  spec.upper = bound_from_json(j, "upper");
  if (const auto c = j.find("choices"); c != j.end()) c->get_to(spec.choices);
  if (const auto m = j.find("min_length"); m != j.end()) spec.min_length = m->get<std::size_t>();
  if (const auto m = j.find("max_length"); m != j.end()) spec.max_length = m->get<std::size_t>();
  return spec;
}

}  // namespace

const PluginRecord* Catalog::find(std::string_view kind, std::string_view id) const {
  const auto found = std::find_if(plugins.begin(), plugins.end(), [&](const PluginRecord& p) {
    return p.kind == kind && p.id == id;
  });
  return found == plugins.end() ? nullptr : &*found;
}

std::vector<std::string> Catalog::ids(std::string_view kind) const {
  std::vector<std::string> result;
  for (const PluginRecord& p : plugins) {
    if (p.kind == kind) result.push_back(p.id);
  }
  return result;
}

void to_json(json& j, const Catalog& catalog) {
  j = {{"plugins", json::array()},
       {"refusals", json::array()},
       {"notes", json::array()},
       {"cuda_devices", catalog.cuda_devices}};
  for (const PluginRecord& p : catalog.plugins) {
    json params = json::array();
    for (const ParamSpec& spec : p.params) params.push_back(spec_to_json(spec));
    j["plugins"].push_back({{"kind", p.kind},
                            {"id", p.id},
                            {"version", p.version},
                            {"summary", p.summary},
                            {"source", p.source},
                            {"params", params},
                            {"capabilities", p.capabilities},
                            {"fingerprint", p.fingerprint},
                            {"file", p.file.string()},
                            {"file_sha256", p.file_sha256},
                            {"build_tag", p.build_tag}});
  }
  for (const PluginRefusal& r : catalog.refusals) {
    j["refusals"].push_back({{"file", r.file.string()}, {"reason", r.reason}});
  }
  for (const PluginNote& n : catalog.notes) {
    j["notes"].push_back({{"kind", n.kind}, {"id", n.id}, {"text", n.text}});
  }
}

void from_json(const json& j, Catalog& catalog) {
  catalog = Catalog{};
  for (const json& p : j.at("plugins")) {
    PluginRecord record;
    p.at("kind").get_to(record.kind);
    p.at("id").get_to(record.id);
    p.at("version").get_to(record.version);
    p.at("summary").get_to(record.summary);
    p.at("source").get_to(record.source);
    for (const json& spec : p.at("params")) record.params.push_back(spec_from_json(spec));
    p.at("capabilities").get_to(record.capabilities);
    p.at("fingerprint").get_to(record.fingerprint);
    record.file = p.at("file").get<std::string>();
    p.at("file_sha256").get_to(record.file_sha256);
    p.at("build_tag").get_to(record.build_tag);
    catalog.plugins.push_back(std::move(record));
  }
  for (const json& r : j.at("refusals")) {
    catalog.refusals.push_back(
        {r.at("file").get<std::string>(), r.at("reason").get<std::string>()});
  }
  for (const json& n : j.at("notes")) {
    catalog.notes.push_back({n.at("kind").get<std::string>(),
                             n.at("id").get<std::string>(),
                             n.at("text").get<std::string>()});
  }
  j.at("cuda_devices").get_to(catalog.cuda_devices);
}

}  // namespace unmask::catalog
