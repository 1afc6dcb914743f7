#include "manifest/axis_values.hpp"

#include <algorithm>
#include <unordered_set>

#include "manifest/text.hpp"

namespace unmask::manifest::matrix {
namespace {

std::vector<AxisValue> first_values(std::size_t count) {
  std::vector<AxisValue> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back(static_cast<AxisValue>(i));
  return out;
}

constexpr std::string_view kMean = "mean(";

// Far beyond the distance of any two images of [0, 1] (their number of pixels, in l1), and far below
// what a number of an image's type may be multiplied with.
constexpr double kLargestRadius = 1e9;

// The parts of a list, blanks around them taken away.
std::vector<std::string> split(const std::string& list, char separator) {
  std::vector<std::string> out;
  std::size_t first = 0;
  while (first <= list.size()) {
    const std::size_t last = std::min(list.find(separator, first), list.size());
    const std::size_t begin = std::min(list.find_first_not_of(' ', first), last);
    std::size_t end = last;
    while (end > begin && list[end - 1] == ' ') --end;
    out.push_back(list.substr(begin, end - begin));
    first = last + 1;
  }
  return out;
}

// Where a value stands in the list of those that were read; put at its end when it is new.
template <class T>
AxisValue index_in(std::vector<T>& known, const T& value) {
  const auto found = std::find(known.begin(), known.end(), value);
  const auto index = static_cast<AxisValue>(found - known.begin());
  if (found == known.end()) known.push_back(value);
  return index;
}

}  // namespace

std::vector<const Node*> items_of(const Node& node) {
  std::vector<const Node*> out;
  if (!node.is(Node::Kind::kArray)) return {&node};
  for (const Node& item : node.items) out.push_back(&item);
  return out;
}

// --- numbers ---

std::optional<AxisValue> AxisValues::read_seed(const Node& node) {
  std::optional<AxisValue> value;
  if (node.is(Node::Kind::kInteger)) value = node.integer;
  if (node.is(Node::Kind::kReal) && node.real >= 0 &&
      node.real <= static_cast<double>(kLargestSeed) &&
      static_cast<double>(static_cast<AxisValue>(node.real)) == node.real) {
    value = static_cast<AxisValue>(node.real);
  }
  if (value && *value >= 0 && *value <= kLargestSeed) return value;
  context_.taint();
  if (!node.is_number()) {
    context_.reporter.at_value(
        code::kWrongType, node, "a seed must be an integer, found " + kind_text(node));
  } else {
    context_.reporter.at_value(
        code::kWrongValue, node, "a seed must be an integer from 0 to 9007199254740991 (2^53 - 1)");
  }
  return std::nullopt;
}

std::optional<EpsilonValue> AxisValues::read_epsilon(const Node& node) {
  Reporter& reporter = context_.reporter;
  EpsilonValue out;
  // "+ 0.0" makes -0 a plain 0.
  if (node.is_number()) {
    out = {node.number() + 0.0, number_text(node.number() + 0.0), node.place};
  } else if (node.is(Node::Kind::kString)) {
    const auto ratio = parse_ratio(node.string);
    if (!ratio) {
      reporter.at_value(code::kWrongValue,
                        node,
                        "epsilon " + in_quotes(node.string) + " is neither a number nor a ratio",
                        parse_decimal(node.string) ? "write the number without quotes"
                                                   : "write 0.03 or \"8/255\"");
      return std::nullopt;
    }
    out.value = *ratio + 0.0;
    out.place = node.place;
    for (const char c : node.string) {
      if (c != ' ') out.text.push_back(c);
    }
  } else {
    reporter.at_value(
        code::kWrongType,
        node,
        "epsilon must be a number or a ratio like \"8/255\", found " + kind_text(node));
    return std::nullopt;
  }
  if (out.value < 0) {
    reporter.at_value(code::kWrongValue, node, "epsilon must be at least 0");
    return std::nullopt;
  }
  if (!(out.value <= kLargestRadius)) {
    reporter.at_value(code::kWrongValue,
                      node,
                      "epsilon " + out.text + " is more than any two images are apart, in any norm",
                      "pixels are numbers from 0 to 1; the largest epsilon is 1e9");
    return std::nullopt;
  }
  return out;
}

std::optional<AxisValue> AxisValues::read_epsilon_of_axis(const Node& node) {
  const auto read = read_epsilon(node);
  if (!read) {
    context_.taint();
    return std::nullopt;
  }
  // 8/255 and 0.0313725... are one epsilon; the first spelling is kept.
  const auto [found, is_new] =
      epsilon_index_.emplace(read->value, static_cast<AxisValue>(epsilons_.size()));
  if (is_new) epsilons_.push_back(*read);
  return found->second;
}

std::optional<AxisValue> AxisValues::find_epsilon(double number) const {
  const auto found = epsilon_index_.find(number);
  if (found == epsilon_index_.end()) return std::nullopt;
  return found->second;
}

// --- words ---

std::vector<AxisValue> AxisValues::read_checkpoint(const Node& node, const std::string& word) {
  std::vector<AxisValue> out = checkpoints_.matching(word);
  if (!out.empty()) return out;
  context_.taint();
  // A model that is defined may be missing only because something else is wrong.
  const bool is_consequence =
      !checkpoints_.is_complete() && (is_glob(word) || word.find('/') != std::string::npos ||
                                      context_.definitions.index("model", word));
  if (is_consequence) return out;
  const std::vector<std::string> models = checkpoints_.models();
  std::string help = help_for_unknown(word, models, "trained models");
  if (!help.empty()) help += "\n";
  help +=
      "a pattern without '/' is compared with the model, one with '/' with "
      "model/dataset/objective/solver/seed";
  context_.reporter.at_value(code::kMatchesNothing,
                             node,
                             "no trained cell matches checkpoint " + in_quotes(word),
                             help,
                             nearest(word, models));
  return out;
}

std::vector<AxisValue> AxisValues::read_glob(const Axis& axis,
                                             const Node& node,
                                             const std::string& glob) {
  const std::vector<std::string>& defined = context_.definitions.names(axis.kind);
  std::vector<AxisValue> out;
  for (std::size_t i = 0; i < defined.size(); ++i) {
    if (glob_matches(glob, defined[i])) out.push_back(static_cast<AxisValue>(i));
  }
  if (out.empty()) {
    context_.taint();
    context_.reporter.at_value(code::kMatchesNothing,
                               node,
                               "no " + std::string(axis.kind) + " matches " + in_quotes(glob),
                               context_.definitions.help(axis.kind, glob));
  }
  return out;
}

std::vector<AxisValue> AxisValues::read_name(const Axis& axis,
                                             const Node& node,
                                             const std::string& name) {
  const Definitions& definitions = context_.definitions;
  if (const auto index = definitions.index(axis.kind, name))
    return {static_cast<AxisValue>(*index)};
  context_.taint();
  std::vector<std::string> tokens;
  if (axis.has_token()) tokens.emplace_back(axis.token);
  std::vector<std::string> legal = definitions.names(axis.kind);
  legal.insert(legal.end(), tokens.begin(), tokens.end());
  std::string help = definitions.help(axis.kind, name, tokens);
  if (name == "@train" || name == "@eval") {
    help = std::string(name == "@train" ? "\"@train\" is a solver of evaluate.matrix"
                                        : "\"@eval\" is a gradient of evaluate.matrix") +
           "\n" + help;
  }
  context_.reporter.at_value(code::kUnknownName,
                             node,
                             "unknown " + std::string(axis.kind) + " " + in_quotes(name),
                             help,
                             nearest(name, legal));
  return {};
}

// "mean(rk4, dopri5)": the gradient averaged over solvers.
std::vector<AxisValue> AxisValues::read_mean(const Node& node, const std::string& word) {
  const Axis& axis = kEvaluateAxes[kGradient];
  const auto wrong = [&](const std::string& message) {
    context_.taint();
    context_.reporter.at_value(
        code::kWrongValue,
        node,
        message,
        "write \"mean(a, b)\"; its entries are solvers and \"@eval\", at least two");
    return std::vector<AxisValue>{};
  };
  if (word.back() != ')') return wrong("the mean " + in_quotes(word) + " has no \")\" at its end");
  std::vector<AxisValue> parts;
  const std::string list = word.substr(kMean.size(), word.size() - kMean.size() - 1);
  for (const std::string& part : split(list, ',')) {
    if (part.empty()) return wrong("the mean " + in_quotes(word) + " has an empty entry");
    const std::vector<AxisValue> found = read_word(axis, node, part);
    if (found.empty()) return {};
    parts.insert(parts.end(), found.begin(), found.end());
  }
  if (std::unordered_set<AxisValue>(parts.begin(), parts.end()).size() < parts.size()) {
    return wrong("the mean " + in_quotes(word) + " names a solver twice");
  }
  if (parts.size() < 2) return wrong("the mean " + in_quotes(word) + " has a single solver");
  return {static_cast<AxisValue>(context_.definitions.names(axis.kind).size()) +
          index_in(means_, parts)};
}

// "PATTERN", "PATTERN:SOLVER", "@self:SOLVER".
std::vector<AxisValue> AxisValues::read_source(const Node& node, const std::string& word) {
  const std::size_t colon = word.find(':');
  const std::string pattern = word.substr(0, colon);
  std::vector<AxisValue> checkpoints{kToken};
  if (pattern != kEvaluateAxes[kSource].token) checkpoints = read_checkpoint(node, pattern);
  std::vector<AxisValue> solvers{kToken};
  if (colon != std::string::npos) {
    solvers = read_word(kEvaluateAxes[kSolver], node, word.substr(colon + 1));
  }
  std::vector<AxisValue> out;
  for (const AxisValue checkpoint : checkpoints) {
    for (const AxisValue solver : solvers) out.push_back(value_of({checkpoint, solver}));
  }
  return out;
}

std::vector<AxisValue> AxisValues::read_word(const Axis& axis,
                                             const Node& node,
                                             const std::string& word) {
  if (axis.type == AxisType::kCheckpoint) return read_checkpoint(node, word);
  if (axis.has_token() && word == axis.token) return {kToken};
  if (axis.type == AxisType::kSource) return read_source(node, word);
  if (axis.type == AxisType::kGradient && word.rfind(kMean, 0) == 0) return read_mean(node, word);
  return is_glob(word) ? read_glob(axis, node, word) : read_name(axis, node, word);
}

// --- entries and lists ---

std::vector<AxisValue> AxisValues::read_entry(std::size_t axis, const Node& node) {
  const Axis& a = context_.axes[axis];
  if (!a.is_worded()) {
    const auto value = a.type == AxisType::kSeed ? read_seed(node) : read_epsilon_of_axis(node);
    return value ? std::vector<AxisValue>{*value} : std::vector<AxisValue>{};
  }
  if (!expect(node,
              Node::Kind::kString,
              "a value of \"" + std::string(a.name) + "\"",
              context_.reporter)) {
    context_.taint();
    return {};
  }
  if (!node.string.empty() && node.string[0] == '!') {
    context_.taint();
    context_.reporter.at_value(
        code::kWrongValue, node, "\"!\" takes values away, so it fits only a list");
    return {};
  }
  return read_word(a, node, node.string);
}

// Apply the entry "!word". Returns false when it is wrong.
bool AxisValues::take_away(const Axis& axis, const Node& node, std::vector<AxisValue>& values) {
  const std::vector<AxisValue> gone = read_word(axis, node, node.string.substr(1));
  if (gone.empty()) return false;
  const std::unordered_set<AxisValue> taken(gone.begin(), gone.end());
  if (std::erase_if(values, [&](AxisValue value) { return taken.contains(value); }) > 0)
    return true;
  context_.taint();
  context_.reporter.at_value(code::kMatchesNothing,
                             node,
                             in_quotes(node.string) + " takes nothing away",
                             "what it names is not among the values before it");
  return false;
}

std::vector<AxisValue> AxisValues::read(std::size_t axis, const Node& node) {
  const Axis& a = context_.axes[axis];
  if (node.is(Node::Kind::kArray) && node.items.empty()) {
    context_.taint();
    context_.reporter.at_value(
        code::kWrongValue, node, "\"" + std::string(a.name) + "\" is an empty list");
    return {};
  }
  std::vector<AxisValue> out;
  bool is_first = true;
  bool is_good = true;
  for (const Node* item : items_of(node)) {
    const bool is_negated =
        a.is_worded() && item->is(Node::Kind::kString) && item->string.rfind('!', 0) == 0;
    if (is_negated) {
      // A list that begins with "!" begins with everything.
      if (is_first) {
        out = first_values(a.is_named() ? context_.definitions.names(a.kind).size()
                                        : checkpoints_.size());
        if (a.type == AxisType::kSource) {
          for (AxisValue& value : out) value = value_of({.checkpoint = value});
        }
      }
      is_good = take_away(a, *item, out) && is_good;
    } else {
      const std::vector<AxisValue> found = read_entry(axis, *item);
      is_good = is_good && !found.empty();
      // What is written twice counts twice (and collapses later); what a glob adds counts once.
      const bool is_set =
          a.is_worded() &&
          (is_glob(item->string) || a.type == AxisType::kCheckpoint || a.type == AxisType::kSource);
      std::unordered_set<AxisValue> present;
      if (is_set) present.insert(out.begin(), out.end());
      for (const AxisValue value : found) {
        if (!is_set || present.insert(value).second) out.push_back(value);
      }
    }
    is_first = false;
  }
  if (out.empty()) {
    context_.taint();
    if (is_good) {
      context_.reporter.at_value(
          code::kMatchesNothing, node, "nothing is left of \"" + std::string(a.name) + "\"");
    }
  }
  return out;
}

// --- names ---

void AxisValues::add_implied_name(std::string_view kind, const std::string& name) {
  implied_names_.emplace(kind, name);
}

std::vector<std::string> AxisValues::names(const Axis& a) const {
  std::vector<std::string> out;
  if (a.type == AxisType::kSource) {
    for (std::size_t i = 0; i < sources_.size(); ++i) {
      out.push_back(text(kSource, static_cast<AxisValue>(i)));
    }
    return out;
  }
  out = context_.definitions.names(a.kind);
  if (const auto implied = implied_names_.find(a.kind); implied != implied_names_.end()) {
    out.push_back(implied->second);
  }
  if (a.type == AxisType::kGradient) {
    for (std::size_t i = 0; i < means_.size(); ++i) {
      out.push_back(
          text(kGradient, static_cast<AxisValue>(context_.definitions.names(a.kind).size() + i)));
    }
  }
  return out;
}

std::vector<AxisValue> AxisValues::gradient_parts(AxisValue value) const {
  const auto solvers = static_cast<AxisValue>(context_.definitions.names("solver").size());
  if (value < solvers) return {value};
  return means_[static_cast<std::size_t>(value - solvers)];
}

AxisValue AxisValues::value_of(const SourceValue& source) {
  return index_in(sources_, source);
}

// --- texts ---

std::string AxisValues::text(std::size_t axis, AxisValue value) const {
  const Axis& a = context_.axes[axis];
  if (value == kNone) return "";
  if (value == kToken) return a.token;
  switch (a.type) {
    case AxisType::kGradient: {
      const std::vector<AxisValue> parts = gradient_parts(value);
      if (parts.size() == 1) return text(kSolver, value);
      std::string out(kMean);
      for (const AxisValue part : parts) {
        if (out.back() != '(') out += ",";
        out += part == kToken ? a.token : text(kSolver, part);
      }
      return out + ")";
    }
    case AxisType::kSource: {
      const SourceValue& from = source(value);
      std::string out = from.checkpoint == kToken ? a.token : checkpoints_.text(from.checkpoint);
      if (from.solver != kToken) out += ":" + text(kSolver, from.solver);
      return out;
    }
    case AxisType::kName: {
      const std::vector<std::string>& defined = context_.definitions.names(a.kind);
      const auto index = static_cast<std::size_t>(value);
      return index < defined.size() ? defined[index] : implied_names_.find(a.kind)->second;
    }
    case AxisType::kSeed: return std::to_string(value);
    case AxisType::kEpsilon: return epsilon(value).text;
    case AxisType::kCheckpoint: return checkpoints_.text(value);
  }
  return "";
}

std::map<std::string, std::string> AxisValues::texts(const Row& row) const {
  std::map<std::string, std::string> out;
  for (std::size_t i = 0; i < context_.axes.size(); ++i) {
    if (row[i] != kNone) out[context_.axes[i].name] = text(i, row[i]);
  }
  return out;
}

std::map<std::string, std::vector<std::string>> AxisValues::texts(
    const std::vector<Row>& rows) const {
  std::map<std::string, std::vector<std::string>> out;
  for (std::size_t i = 0; i < context_.axes.size(); ++i) {
    std::unordered_set<AxisValue> seen;
    for (const Row& row : rows) {
      if (row[i] != kNone && seen.insert(row[i]).second) {
        out[context_.axes[i].name].push_back(text(i, row[i]));
      }
    }
  }
  return out;
}

}  // namespace unmask::manifest::matrix
