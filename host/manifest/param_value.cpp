#include "manifest/param_value.hpp"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string_view>
#include <system_error>
#include <utility>

#include "manifest/text.hpp"
#include "text/article.hpp"

namespace unmask::manifest {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;  // 2^53 - 1

// A real in canonical form: -0.0 and 0.0 are one value and must not make two keys.
double canonical(double value) {
  return value + 0.0;
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

// A number, or a ratio as a string: "2/255".
std::optional<double> as_real(const Node& node) {
  if (node.is_number()) return canonical(node.number());
  if (node.is(Node::Kind::kString)) {
    if (const auto ratio = parse_ratio(node.string)) return canonical(*ratio);
  }
  return std::nullopt;
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

class Reading {
 public:
  Reading(const std::string& kind,
          const ParamSpec& spec,
          Paths& paths,
          std::vector<EpsilonUse>& uses,
          Reporter& reporter)
      : kind_(kind), spec_(spec), paths_(paths), uses_(uses), reporter_(reporter) {}

  std::optional<ParamValue> read(const Node& node) {
    switch (spec_.type) {
      case ParamType::kBoolean:
        if (!node.is(Node::Kind::kBoolean)) return wrong_type(node, "true or false");
        return node.boolean;
      case ParamType::kInteger:
        if (node.is(Node::Kind::kString) && !has_no_placeholder(node)) return std::nullopt;
        if (const auto value = as_integer(node)) return checked(*value, node, spec_);
        return wrong_type(node, "an integer");
      case ParamType::kReal: return read_real(node);
      case ParamType::kText:
      case ParamType::kChoice:
        if (!node.is(Node::Kind::kString)) return wrong_type(node, "a string");
        if (!has_no_placeholder(node)) return std::nullopt;
        return checked(node.string, node, spec_);
      case ParamType::kPath:
        if (!node.is(Node::Kind::kString)) return wrong_type(node, "a path, as a string");
        return paths_.resolve(node);
      case ParamType::kFile: return read_file(node);
      case ParamType::kIntegerList:
        return read_list<std::int64_t>(node, ParamType::kInteger, as_integer, "a list of integers");
      case ParamType::kRealList:
        return read_list<double>(node, ParamType::kReal, as_real, "a list of numbers");
    }
    return std::nullopt;
  }

 private:
  std::nullopt_t wrong_type(const Node& at, const std::string& wanted) {
    reporter_.at_value(
        code::kParameterType,
        at,
        "parameter " + in_quotes(spec_.name) + " must be " + wanted + ", found " +
            (at.is(Node::Kind::kString) ? "the string " + in_quotes(at.string) : kind_text(at)),
        declared(spec_));
    return std::nullopt;
  }

  std::optional<ParamValue> checked(ParamValue value, const Node& at, const ParamSpec& by) {
    const auto rule = by.violation(value);
    if (!rule) return value;
    std::string help = declared(spec_);
    std::vector<std::string> near;
    if (spec_.type == ParamType::kChoice) {
      near = nearest(std::get<std::string>(value), spec_.choices);
      if (const std::string guess = did_you_mean(near); !guess.empty()) help = guess + "\n" + help;
    }
    reporter_.at_value(
        code::kParameterRange,
        at,
        "parameter " + in_quotes(spec_.name) + " = " + unmask::to_text(value) + ": " + *rule,
        help,
        near);
    return std::nullopt;
  }

  bool has_no_placeholder(const Node& at) {
    if (at.string.find("${") == std::string::npos) return true;
    reporter_.at_value(code::kPlaceholder,
                       at,
                       "no placeholder is allowed in parameter " + in_quotes(spec_.name),
                       "${epsilon} fits real parameters of attacks and probes; ${paths.NAME} and "
                       "${env:NAME} fit path and file parameters");
    return false;
  }

  std::optional<ParamValue> read_real(const Node& node) {
    if (const auto value = as_real(node)) return checked(*value, node, spec_);
    if (!node.is(Node::Kind::kString)) return wrong_type(node, "a number");
    if (node.string.find("${epsilon") != std::string::npos) return read_formula(node);
    if (!has_no_placeholder(node)) return std::nullopt;
    return wrong_type(node, "a number or a ratio like \"2/255\"");
  }

  // Its value is known, and checked, when the definition meets a radius.
  std::optional<ParamValue> read_formula(const Node& node) {
    if (kind_ != "attack" && kind_ != "probe") {
      reporter_.at_value(
          code::kPlaceholder,
          node,
          "${epsilon} is known to attacks and probes only, not to " + with_article(kind_));
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
    use->spec = spec_;
    use->place = node.place;
    uses_.push_back(*use);
    return ParamValue(use->text);
  }

  // The content is part of keys, so without the file nothing can be planned.
  std::optional<ParamValue> read_file(const Node& node) {
    if (!node.is(Node::Kind::kString)) return wrong_type(node, "the path of a file, as a string");
    const std::size_t before = reporter_.count();
    const std::string file = paths_.resolve(node);
    if (reporter_.count() != before) return std::nullopt;
    const std::string problem = why_unreadable(file);
    if (problem.empty()) return file;
    reporter_.at_value(
        code::kUnreadable,
        node,
        "parameter " + in_quotes(spec_.name) + " = " + in_quotes(file) + ": " + problem,
        declared(spec_));
    return std::nullopt;
  }

  // Entries are checked one by one, so that the message points at the wrong one.
  template <class T>
  std::optional<ParamValue> read_list(const Node& node,
                                      ParamType entry_type,
                                      std::optional<T> (*as_entry)(const Node&),
                                      const std::string& wanted) {
    if (!node.is(Node::Kind::kArray)) return wrong_type(node, "a list of numbers");
    ParamSpec entry_spec = spec_;
    entry_spec.min_length.reset();
    entry_spec.max_length.reset();
    entry_spec.type = entry_type;
    std::vector<T> values;
    for (const Node& item : node.items) {
      const auto value = as_entry(item);
      if (!value) {
        wrong_type(item, wanted);
      } else if (checked(*value, item, entry_spec)) {
        values.push_back(*value);
      }
    }
    if (values.size() != node.items.size()) return std::nullopt;
    return checked(std::move(values), node, spec_);
  }

  const std::string& kind_;
  const ParamSpec& spec_;
  Paths& paths_;
  std::vector<EpsilonUse>& uses_;
  Reporter& reporter_;
};

}  // namespace

double EpsilonUse::at(double epsilon) const {
  return canonical(divides ? epsilon / factor : epsilon * factor);
}

std::optional<ParamValue> read_param_value(const std::string& kind,
                                           const ParamSpec& spec,
                                           const Node& node,
                                           Paths& paths,
                                           std::vector<EpsilonUse>& uses,
                                           Reporter& reporter) {
  return Reading(kind, spec, paths, uses, reporter).read(node);
}

std::string declared(const ParamSpec& spec) {
  std::string out = spec.name + ": " + std::string(to_string(spec.type));
  if (const std::string range = spec.range_text(); !range.empty()) out += ", " + range;
  if (spec.default_value) out += ", default " + unmask::to_text(*spec.default_value);
  return out + " - " + spec.doc;
}

nlohmann::json to_json_value(const ParamValue& value) {
  return std::visit([](const auto& v) { return nlohmann::json(v); }, value);
}

}  // namespace unmask::manifest
