#include "unmask/params.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <cstdio>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1

std::string number_text(double value) {
  std::array<char, 32> buffer{};
  const auto result = std::to_chars(buffer.data(), buffer.data() + buffer.size(), value);
  return {buffer.data(), result.ptr};
}

std::string quoted(const std::string& text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') out.push_back('\\');
    out.push_back(c);
  }
  return out + "\"";
}

template <class T>
std::string list_text(const std::vector<T>& list) {
  std::string out = "[";
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (i > 0) out += ", ";
    out += number_text(static_cast<double>(list[i]));
  }
  return out + "]";
}

bool has_type(const ParamValue& value, ParamType type) {
  switch (type) {
    case ParamType::kBoolean: return std::holds_alternative<bool>(value);
    case ParamType::kInteger: return std::holds_alternative<std::int64_t>(value);
    case ParamType::kReal: return std::holds_alternative<double>(value);
    case ParamType::kText:
    case ParamType::kChoice:
    case ParamType::kPath:
    case ParamType::kFile: return std::holds_alternative<std::string>(value);
    case ParamType::kIntegerList: return std::holds_alternative<std::vector<std::int64_t>>(value);
    case ParamType::kRealList: return std::holds_alternative<std::vector<double>>(value);
  }
  return false;
}

std::string joined(const std::vector<std::string>& words) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : ", ") + word;
  return out;
}

bool is_lower_snake(std::string_view name) {
  return !name.empty() && name.front() >= 'a' && name.front() <= 'z' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
         });
}

}  // namespace

std::string_view to_string(ParamType type) {
  switch (type) {
    case ParamType::kBoolean: return "boolean";
    case ParamType::kInteger: return "integer";
    case ParamType::kReal: return "real";
    case ParamType::kText: return "text";
    case ParamType::kChoice: return "choice";
    case ParamType::kPath: return "path";
    case ParamType::kFile: return "file";
    case ParamType::kIntegerList: return "list of integers";
    case ParamType::kRealList: return "list of reals";
  }
  return "?";
}

std::string to_text(const ParamValue& value) {
  struct Visitor {
    std::string operator()(bool v) const { return v ? "true" : "false"; }
    std::string operator()(std::int64_t v) const { return std::to_string(v); }
    std::string operator()(double v) const { return number_text(v); }
    std::string operator()(const std::string& v) const { return quoted(v); }
    std::string operator()(const std::vector<std::int64_t>& v) const { return list_text(v); }
    std::string operator()(const std::vector<double>& v) const { return list_text(v); }
  };
  return std::visit(Visitor{}, value);
}

ParamSpec& ParamSpec::by_default(bool value) {
  default_value = value;
  return *this;
}
ParamSpec& ParamSpec::by_default(int value) {
  return by_default(static_cast<std::int64_t>(value));
}
ParamSpec& ParamSpec::by_default(std::int64_t value) {
  if (type == ParamType::kReal) {
    default_value = static_cast<double>(value);
  } else {
    default_value = value;
  }
  return *this;
}
ParamSpec& ParamSpec::by_default(double value) {
  default_value = value;
  return *this;
}
ParamSpec& ParamSpec::by_default(const char* value) {
  default_value = std::string(value);
  return *this;
}
ParamSpec& ParamSpec::by_default(std::vector<std::int64_t> value) {
  default_value = std::move(value);
  return *this;
}
ParamSpec& ParamSpec::by_default(std::vector<double> value) {
  default_value = std::move(value);
  return *this;
}
ParamSpec& ParamSpec::optional() {
  is_optional = true;
  return *this;
}
ParamSpec& ParamSpec::at_least(double bound) {
  lower = ParamBound{bound, true};
  return *this;
}
ParamSpec& ParamSpec::above(double bound) {
  lower = ParamBound{bound, false};
  return *this;
}
ParamSpec& ParamSpec::at_most(double bound) {
  upper = ParamBound{bound, true};
  return *this;
}
ParamSpec& ParamSpec::below(double bound) {
  upper = ParamBound{bound, false};
  return *this;
}
ParamSpec& ParamSpec::unit(std::string text) {
  unit_text = std::move(text);
  return *this;
}
ParamSpec& ParamSpec::length(std::size_t min, std::size_t max) {
  min_length = min;
  max_length = max;
  return *this;
}

std::string ParamSpec::range_text() const {
  if (type == ParamType::kChoice) return "one of " + joined(choices);
  std::string out;
  if (lower) out += number_text(lower->value) + (lower->inclusive ? " <= " : " < ");
  if (lower || upper) out += "x";
  if (upper) out += (upper->inclusive ? " <= " : " < ") + number_text(upper->value);
  if (min_length && max_length && *min_length == *max_length) {
    out += (out.empty() ? "" : ", ") + std::to_string(*min_length) + " entries";
  } else if (min_length && max_length) {
    out += (out.empty() ? "" : ", ") + std::to_string(*min_length) + " to " +
           std::to_string(*max_length) + " entries";
  }
  return out;
}

std::optional<std::string> ParamSpec::violation(const ParamValue& value) const {
  if (!has_type(value, type)) return "must be " + std::string(to_string(type));

  const auto number = [this](double x) -> std::optional<std::string> {
    if (!std::isfinite(x)) return "must be finite";
    if (type != ParamType::kReal && type != ParamType::kRealList && std::abs(x) > kMaxSafeInteger) {
      return "must be at most 2^53 - 1 in magnitude";
    }
    if (lower && (lower->inclusive ? x < lower->value : x <= lower->value)) {
      return (lower->inclusive ? "must be at least " : "must be above ") +
             number_text(lower->value);
    }
    if (upper && (upper->inclusive ? x > upper->value : x >= upper->value)) {
      return (upper->inclusive ? "must be at most " : "must be below ") + number_text(upper->value);
    }
    return std::nullopt;
  };
  const auto list = [&](const auto& entries) -> std::optional<std::string> {
    if ((min_length && entries.size() < *min_length) ||
        (max_length && entries.size() > *max_length)) {
      return *min_length == *max_length ? "must have " + std::to_string(*min_length) + " entries"
                                        : "must have " + std::to_string(*min_length) + " to " +
                                              std::to_string(*max_length) + " entries";
    }
    for (const auto entry : entries) {
      if (auto rule = number(static_cast<double>(entry))) return "every entry " + *rule;
    }
    return std::nullopt;
  };

  switch (type) {
    case ParamType::kInteger: return number(static_cast<double>(std::get<std::int64_t>(value)));
    case ParamType::kReal: return number(std::get<double>(value));
    case ParamType::kIntegerList: return list(std::get<std::vector<std::int64_t>>(value));
    case ParamType::kRealList: return list(std::get<std::vector<double>>(value));
    case ParamType::kChoice: {
      const auto& word = std::get<std::string>(value);
      if (std::find(choices.begin(), choices.end(), word) == choices.end()) {
        return "must be one of " + joined(choices);
      }
      return std::nullopt;
    }
    case ParamType::kBoolean:
    case ParamType::kText:
    case ParamType::kPath:
    case ParamType::kFile: return std::nullopt;
  }
  return std::nullopt;
}

namespace {
ParamSpec make(std::string name, ParamType type, std::string doc) {
  ParamSpec spec;
  spec.name = std::move(name);
  spec.type = type;
  spec.doc = std::move(doc);
  return spec;
}
}  // namespace

ParamSpec boolean(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kBoolean, std::move(doc));
}
ParamSpec integer(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kInteger, std::move(doc));
}
ParamSpec real(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kReal, std::move(doc));
}
ParamSpec text(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kText, std::move(doc));
}
ParamSpec choice(std::string name, std::vector<std::string> choices, std::string doc) {
  ParamSpec spec = make(std::move(name), ParamType::kChoice, std::move(doc));
  spec.choices = std::move(choices);
  return spec;
}
ParamSpec path(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kPath, std::move(doc));
}
ParamSpec file(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kFile, std::move(doc));
}
ParamSpec integer_list(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kIntegerList, std::move(doc));
}
ParamSpec real_list(std::string name, std::string doc) {
  return make(std::move(name), ParamType::kRealList, std::move(doc));
}

std::optional<std::string> table_violation(const std::vector<ParamSpec>& specs) {
  std::set<std::string> names;
  for (const ParamSpec& spec : specs) {
    if (!is_lower_snake(spec.name)) {
      return "parameter name \"" + spec.name + "\" is not lower_snake_case";
    }
    if (!names.insert(spec.name).second) return "parameter \"" + spec.name + "\" is declared twice";
    if (spec.doc.empty()) return "parameter \"" + spec.name + "\" has no description";
    if (spec.type == ParamType::kChoice && spec.choices.empty()) {
      return "parameter \"" + spec.name + "\" is a choice without choices";
    }
    if (spec.default_value) {
      if (auto rule = spec.violation(*spec.default_value)) {
        return "default " + to_text(*spec.default_value) + " of parameter \"" + spec.name + "\" " +
               *rule;
      }
    }
  }
  return std::nullopt;
}

Params::Params(std::vector<ParamSpec> specs, std::map<std::string, ParamValue> given)
    : specs_(std::move(specs)), values_(std::move(given)) {
  std::set<std::string, std::less<>> declared;
  for (const ParamSpec& spec : specs_) {
    declared.insert(spec.name);
    const auto found = values_.find(spec.name);
    if (found == values_.end()) {
      if (spec.default_value) {
        values_.emplace(spec.name, *spec.default_value);
      } else if (!spec.is_optional) {
        throw ParamError("parameter \"" + spec.name + "\" is required");
      }
      continue;
    }
    if (auto rule = spec.violation(found->second)) {
      throw ParamError("parameter \"" + spec.name + "\" = " + to_text(found->second) + ": " +
                       *rule);
    }
  }
  for (const auto& [name, value] : values_) {
    if (!declared.contains(name)) throw ParamError("unknown parameter \"" + name + "\"");
  }
}

namespace {
[[noreturn]] void fail_undeclared(std::string_view name) {
  throw PluginError("it reads the parameter \"" + std::string(name) +
                    "\", which its info() does not declare");
}
}  // namespace

const ParamValue& Params::value(std::string_view name, const char* wanted) const {
  const auto spec = std::find_if(
      specs_.begin(), specs_.end(), [&](const ParamSpec& s) { return s.name == name; });
  if (spec == specs_.end()) fail_undeclared(name);
  read_.emplace(name);
  const auto found = values_.find(std::string(name));
  UNMASK_CHECK(
      found != values_.end(),
      "parameter \"" + std::string(name) + "\" has no value; ask has() for optional ones first");
  UNMASK_CHECK(has_type(found->second, spec->type),
               "parameter \"" + std::string(name) + "\" was read as " + wanted);
  return found->second;
}

namespace {
template <class T>
const T& get_as(const ParamValue& value, std::string_view name) {
  const T* typed = std::get_if<T>(&value);
  UNMASK_CHECK(typed != nullptr,
               "parameter \"" + std::string(name) + "\" was read as another type");
  return *typed;
}
}  // namespace

bool Params::get_boolean(std::string_view name) const {
  return get_as<bool>(value(name, "boolean"), name);
}
std::int64_t Params::get_integer(std::string_view name) const {
  return get_as<std::int64_t>(value(name, "integer"), name);
}
double Params::get_real(std::string_view name) const {
  return get_as<double>(value(name, "real"), name);
}
const std::string& Params::get_text(std::string_view name) const {
  return get_as<std::string>(value(name, "text"), name);
}
const std::vector<std::int64_t>& Params::get_integers(std::string_view name) const {
  return get_as<std::vector<std::int64_t>>(value(name, "list of integers"), name);
}
const std::vector<double>& Params::get_reals(std::string_view name) const {
  return get_as<std::vector<double>>(value(name, "list of reals"), name);
}

bool Params::has(std::string_view name) const {
  const bool declared =
      std::any_of(specs_.begin(), specs_.end(), [&](const ParamSpec& s) { return s.name == name; });
  if (!declared) fail_undeclared(name);
  read_.emplace(name);
  return values_.contains(std::string(name));
}

std::vector<std::string> Params::unread() const {
  std::vector<std::string> names;
  for (const ParamSpec& spec : specs_) {
    if (!read_.contains(spec.name)) names.push_back(spec.name);
  }
  return names;
}

}  // namespace v1
}  // namespace unmask
