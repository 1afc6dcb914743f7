#include "catalog/params_json.hpp"

#include <algorithm>
#include <cstdint>
#include <limits>
#include <map>

#include "unmask/errors.hpp"

namespace unmask::catalog {
namespace {

using nlohmann::json;

[[noreturn]] void fail(const ParamSpec& spec, const json& value) {
  throw ParamError("parameter \"" + spec.name +
                   "\" = " + value.dump(-1, ' ', false, json::error_handler_t::replace) +
                   ": must be " + std::string(to_string(spec.type)));
}

std::int64_t integer_from(const ParamSpec& spec, const json& entry, const json& whole) {
  if (!entry.is_number_integer()) fail(spec, whole);
  if (entry.is_number_unsigned() &&
      entry.get<std::uint64_t>() >
          static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max())) {
    fail(spec, whole);
  }
  return entry.get<std::int64_t>();
}

double real_from(const ParamSpec& spec, const json& entry, const json& whole) {
  if (!entry.is_number()) fail(spec, whole);
  return entry.get<double>();
}

ParamValue value_from(const ParamSpec& spec, const json& value) {
  switch (spec.type) {
    case ParamType::kBoolean:
      if (!value.is_boolean()) fail(spec, value);
      return value.get<bool>();
    case ParamType::kInteger: return integer_from(spec, value, value);
    case ParamType::kReal: return real_from(spec, value, value);
    case ParamType::kText:
    case ParamType::kChoice:
    case ParamType::kPath:
    case ParamType::kFile:
      if (!value.is_string()) fail(spec, value);
      return value.get<std::string>();
    case ParamType::kIntegerList: {
      if (!value.is_array()) fail(spec, value);
      std::vector<std::int64_t> list;
      for (const json& entry : value) list.push_back(integer_from(spec, entry, value));
      return list;
    }
    case ParamType::kRealList: {
      if (!value.is_array()) fail(spec, value);
      std::vector<double> list;
      for (const json& entry : value) list.push_back(real_from(spec, entry, value));
      return list;
    }
  }
  fail(spec, value);
}

}  // namespace

Params params_from_json(const std::vector<ParamSpec>& specs,
                        const json& values,
                        const std::set<std::string>& ignored) {
  if (!values.is_null() && !values.is_object()) {
    throw ParamError("parameters must be an object of names and values, not " +
                     std::string(values.type_name()));
  }
  std::map<std::string, ParamValue> given;
  for (const auto& [name, value] : values.items()) {
    const auto spec = std::find_if(
        specs.begin(), specs.end(), [&name = name](const ParamSpec& s) { return s.name == name; });
    if (spec != specs.end()) {
      given.emplace(name, value_from(*spec, value));
    } else if (!ignored.contains(name)) {
      throw ParamError("unknown parameter \"" + name + "\"");
    }
  }
  return Params(specs, std::move(given));
}

}  // namespace unmask::catalog
