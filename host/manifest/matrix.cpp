#include "manifest/matrix.hpp"

#include <algorithm>
#include <array>
#include <functional>
#include <limits>
#include <optional>
#include <unordered_map>
#include <unordered_set>

#include "manifest/suggest.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest {
namespace {

constexpr std::int64_t kLargestSeed =
    9007199254740991;  // 2^53 - 1: SQLite, JavaScript and jq agree

// Values of an axis are numbers: the index of a definition, a seed, the index of an epsilon, the
// index of a train row.
using Value = std::int64_t;
constexpr Value kNone = -2;   // the row has no such axis
constexpr Value kToken = -1;  // "@train" of solver, "@eval" of gradient

enum class AxisType { kName, kSeed, kEpsilon, kCheckpoint };

struct Axis {
  const char* name;
  AxisType type;
  const char* kind;   // of names
  const char* token;  // the special name, or ""
};

constexpr std::size_t kMostAxes = 7;
using Row = std::array<Value, kMostAxes>;

constexpr std::array<Axis, 5> kTrainAxes = {{{"dataset", AxisType::kName, "dataset", ""},
                                             {"model", AxisType::kName, "model", ""},
                                             {"objective", AxisType::kName, "objective", ""},
                                             {"solver", AxisType::kName, "solver", ""},
                                             {"seed", AxisType::kSeed, "", ""}}};
enum TrainAxis : std::size_t { kDataset, kModel, kObjective, kTrainSolver, kTrainSeed };

constexpr std::array<Axis, 7> kEvaluateAxes = {{{"checkpoint", AxisType::kCheckpoint, "", ""},
                                                {"solver", AxisType::kName, "solver", "@train"},
                                                {"attack", AxisType::kName, "attack", ""},
                                                {"epsilon", AxisType::kEpsilon, "", ""},
                                                {"seed", AxisType::kSeed, "", ""},
                                                {"gradient", AxisType::kName, "solver", "@eval"},
                                                {"probe", AxisType::kName, "probe", ""}}};
enum EvaluateAxis : std::size_t {
  kCheckpoint,
  kSolver,
  kAttack,
  kEpsilon,
  kSeed,
  kGradient,
  kProbe
};

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

std::string bytes_of(const Row& row) {
  return {reinterpret_cast<const char*>(row.data()), sizeof(Value) * row.size()};
}

// One factor of the product: axes that move together, and the values they take.
struct Dimension {
  std::vector<std::size_t> axes;
  std::vector<std::vector<Value>> tuples;
};

// The items of a list, or the value itself.
std::vector<const Node*> items_of(const Node& node) {
  std::vector<const Node*> out;
  if (!node.is(Node::Kind::kArray)) return {&node};
  for (const Node& item : node.items) out.push_back(&item);
  return out;
}

struct EpsilonValue {
  double value = 0;
  std::string text;
};

// What both stages need: reading values, products, rules.
class Stage {
 public:
  Stage(const char* name,
        const Axis* axes,
        std::size_t count,
        const Definitions& definitions,
        Reporter& reporter)
      : name_(name),
        axes_(axes),
        axis_count_(count),
        definitions_(definitions),
        reporter_(reporter) {}
  Stage(const Stage&) = delete;
  Stage& operator=(const Stage&) = delete;

  /// A value was dropped because it is wrong: rules may match nothing for that reason alone.
  void taint() { tainted_ = true; }
  bool is_tainted() const { return tainted_; }
  std::size_t duplicates() const { return duplicates_; }
  const std::vector<Row>& rows() const { return rows_; }

 protected:
  virtual ~Stage() = default;

  // --- values
  // -------------------------------------------------------------------------------------

  virtual std::vector<Value> checkpoints(const std::string&) const { return {}; }
  virtual std::vector<std::string> checkpoint_words() const { return {}; }
  virtual std::size_t checkpoint_count() const { return 0; }
  virtual bool checkpoints_are_complete() const { return true; }

  std::string value_text(std::size_t axis, Value value) const {
    const Axis& a = axes_[axis];
    if (value == kNone) return "";
    switch (a.type) {
      case AxisType::kName:
        if (value == kToken) return a.token;
        return name_of(a.kind, value);
      case AxisType::kSeed: return std::to_string(value);
      case AxisType::kEpsilon: return epsilons_[static_cast<std::size_t>(value)].text;
      case AxisType::kCheckpoint: return checkpoint_text(value);
    }
    return "";
  }

  virtual std::string checkpoint_text(Value) const { return ""; }
  virtual std::string name_of(std::string_view kind, Value value) const {
    return definitions_.names(kind)[static_cast<std::size_t>(value)];
  }

  std::optional<Value> seed(const Node& node) {
    std::optional<Value> value;
    if (node.is(Node::Kind::kInteger)) value = node.integer;
    if (node.is(Node::Kind::kReal) && node.real >= 0 && node.real <= 9007199254740991.0 &&
        static_cast<double>(static_cast<Value>(node.real)) == node.real) {
      value = static_cast<Value>(node.real);
    }
    if (value && *value >= 0 && *value <= kLargestSeed) return value;
    taint();
    if (!node.is_number()) {
      reporter_.at_value(
          code::kWrongType, node, "a seed must be an integer, found " + kind_text(node));
    } else {
      reporter_.at_value(code::kWrongValue,
                         node,
                         "a seed must be an integer from 0 to 9007199254740991 (2^53 - 1)");
    }
    return std::nullopt;
  }

  std::optional<EpsilonValue> read_epsilon(const Node& node) {
    EpsilonValue out;
    if (node.is_number()) {
      out = {node.number() + 0.0, number_text(node.number() + 0.0)};
    } else if (node.is(Node::Kind::kString)) {
      const auto ratio = parse_ratio(node.string);
      if (!ratio) {
        reporter_.at_value(code::kWrongValue,
                           node,
                           "epsilon " + in_quotes(node.string) + " is neither a number nor a ratio",
                           parse_decimal(node.string) ? "write the number without quotes"
                                                      : "write 0.03 or \"8/255\"");
        return std::nullopt;
      }
      out.value = *ratio + 0.0;
      for (const char c : node.string) {
        if (c != ' ') out.text.push_back(c);
      }
    } else {
      reporter_.at_value(
          code::kWrongType,
          node,
          "epsilon must be a number or a ratio like \"8/255\", found " + kind_text(node));
      return std::nullopt;
    }
    if (out.value < 0) {
      reporter_.at_value(code::kWrongValue, node, "epsilon must be at least 0");
      return std::nullopt;
    }
    return out;
  }

  std::optional<Value> epsilon(const Node& node) {
    const auto read = read_epsilon(node);
    if (!read) {
      taint();
      return std::nullopt;
    }
    // 8/255 and 0.0313725... are one epsilon; the first spelling is kept.
    const auto [found, is_new] =
        epsilon_index_.emplace(read->value, static_cast<Value>(epsilons_.size()));
    if (is_new) epsilons_.push_back(*read);
    return found->second;
  }

  // The values that one entry (without "!") of a names or checkpoint axis stands for; empty and
  // reported when there are none.
  std::vector<Value> matches(const Axis& axis, const Node& node, const std::string& word) {
    std::vector<Value> out;
    if (axis.type == AxisType::kCheckpoint) {
      out = checkpoints(word);
      if (out.empty()) {
        taint();
        // A model that is defined may be missing only because something else is wrong.
        const bool is_consequence =
            !checkpoints_are_complete() && (is_glob(word) || word.find('/') != std::string::npos ||
                                            definitions_.index("model", word));
        if (!is_consequence) {
          std::string help = help_for_unknown(word, checkpoint_words(), "trained models");
          if (!help.empty()) help += "\n";
          reporter_.at_value(code::kMatchesNothing,
                             node,
                             "no trained cell matches checkpoint " + in_quotes(word),
                             help +
                                 "a pattern without '/' is compared with the model, one with '/' "
                                 "with model/dataset/objective/solver/seed",
                             nearest(word, checkpoint_words()));
        }
      }
      return out;
    }
    if (*axis.token != '\0' && word == axis.token) return {kToken};
    const std::vector<std::string>& names = definitions_.names(axis.kind);
    if (!is_glob(word)) {
      if (const auto index = definitions_.index(axis.kind, word)) {
        return {static_cast<Value>(*index)};
      }
      taint();
      std::vector<std::string> tokens;
      if (*axis.token != '\0') tokens.emplace_back(axis.token);
      std::vector<std::string> legal = names;
      legal.insert(legal.end(), tokens.begin(), tokens.end());
      std::string help = definitions_.help(axis.kind, word, tokens);
      if (word == "@train" || word == "@eval") {
        help = std::string(word == "@train" ? "\"@train\" is a solver of evaluate.matrix"
                                            : "\"@eval\" is a gradient of evaluate.matrix") +
               "\n" + help;
      }
      reporter_.at_value(code::kUnknownName,
                         node,
                         "unknown " + std::string(axis.kind) + " " + in_quotes(word),
                         help,
                         nearest(word, legal));
      return {};
    }
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (glob_matches(word, names[i])) out.push_back(static_cast<Value>(i));
    }
    if (out.empty()) {
      taint();
      reporter_.at_value(code::kMatchesNothing,
                         node,
                         "no " + std::string(axis.kind) + " matches " + in_quotes(word),
                         definitions_.help(axis.kind, word));
    }
    return out;
  }

  // The values of one entry; nothing when it is wrong (reported).
  std::vector<Value> entry(std::size_t axis, const Node& node) {
    const Axis& a = axes_[axis];
    if (a.type == AxisType::kSeed || a.type == AxisType::kEpsilon) {
      const auto value = a.type == AxisType::kSeed ? seed(node) : epsilon(node);
      return value ? std::vector<Value>{*value} : std::vector<Value>{};
    }
    if (!expect(
            node, Node::Kind::kString, "a value of \"" + std::string(a.name) + "\"", reporter_)) {
      taint();
      return {};
    }
    if (!node.string.empty() && node.string[0] == '!') {
      taint();
      reporter_.at_value(
          code::kWrongValue, node, "\"!\" takes values away, so it fits only a list");
      return {};
    }
    return matches(a, node, node.string);
  }

  // All values of an axis: a list (or one value) of names, globs, "!" negations and the token.
  std::vector<Value> values(std::size_t axis, const Node& node) {
    const Axis& a = axes_[axis];
    if (node.is(Node::Kind::kArray) && node.items.empty()) {
      taint();
      reporter_.at_value(
          code::kWrongValue, node, "\"" + std::string(a.name) + "\" is an empty list");
      return {};
    }
    std::vector<Value> out;
    bool is_first = true;
    bool good = true;
    for (const Node* item : items_of(node)) {
      const bool first = is_first;
      is_first = false;
      const bool by_name = a.type == AxisType::kName || a.type == AxisType::kCheckpoint;
      if (!by_name || !item->is(Node::Kind::kString) || item->string.rfind('!', 0) != 0) {
        const std::vector<Value> found = entry(axis, *item);
        good = good && !found.empty();
        // What is written twice counts twice (and collapses later); what a glob adds counts once.
        const bool is_set = by_name && (is_glob(item->string) || a.type == AxisType::kCheckpoint);
        std::unordered_set<Value> present;
        if (is_set) present.insert(out.begin(), out.end());
        for (const Value value : found) {
          if (!is_set || present.insert(value).second) out.push_back(value);
        }
        continue;
      }
      if (first) {
        const std::size_t all = a.type == AxisType::kCheckpoint ? checkpoint_count()
                                                                : definitions_.names(a.kind).size();
        for (std::size_t i = 0; i < all; ++i) out.push_back(static_cast<Value>(i));
      }
      const std::vector<Value> gone = matches(a, *item, item->string.substr(1));
      good = good && !gone.empty();
      const std::unordered_set<Value> taken(gone.begin(), gone.end());
      const std::size_t before = out.size();
      std::erase_if(out, [&](Value value) { return taken.contains(value); });
      if (!gone.empty() && out.size() == before) {
        taint();
        good = false;
        reporter_.at_value(code::kMatchesNothing,
                           *item,
                           in_quotes(item->string) + " takes nothing away",
                           "what it names is not among the values before it");
      }
    }
    if (out.empty()) {
      taint();
      if (good) {
        reporter_.at_value(
            code::kMatchesNothing, node, "nothing is left of \"" + std::string(a.name) + "\"");
      }
    }
    return out;
  }

  std::optional<std::size_t> axis_index(std::string_view name) const {
    for (std::size_t i = 0; i < axis_count_; ++i) {
      if (name == axes_[i].name) return i;
    }
    return std::nullopt;
  }

  // --- products
  // -----------------------------------------------------------------------------------

  // Dimensions of a matrix in the order in which they are written; `skip` names keys that are no
  // axes.
  std::vector<Dimension> dimensions(const Node& matrix, Scope zip_scope) {
    std::vector<Dimension> out;
    std::vector<bool> given(axis_count_, false);
    const auto claim = [&](std::size_t axis, const Node& node) {
      if (!given[axis]) {
        given[axis] = true;
        return true;
      }
      taint();
      reporter_.at_key(code::kZip,
                       node,
                       "axis \"" + std::string(axes_[axis].name) + "\" is given twice",
                       "an axis stands either in the matrix or in one zip group");
      return false;
    };
    for (const Member& member : matrix.members) {
      if (is_ignored_key(member.key)) continue;
      if (member.key == "zip") {
        for (const Node* group : items_of(member.value)) zip(*group, zip_scope, claim, out);
        continue;
      }
      const auto axis = axis_index(member.key);
      if (!axis || (*axis == kProbe && axis_count_ == kMostAxes) || !claim(*axis, member.value))
        continue;
      Dimension dimension{{*axis}, {}};
      for (const Value value : values(*axis, member.value)) dimension.tuples.push_back({value});
      out.push_back(std::move(dimension));
    }
    return out;
  }

  template <class Claim>
  void zip(const Node& group, Scope scope, const Claim& claim, std::vector<Dimension>& out) {
    if (!expect(group, Node::Kind::kObject, "a zip group", reporter_)) {
      taint();
      return;
    }
    check_keys(group, scope, reporter_);
    Dimension dimension;
    std::vector<const Node*> lists;
    std::vector<std::string> keys;
    std::size_t named = 0;
    for (const Member& member : group.members) {
      const auto axis = axis_index(member.key);
      if (!axis || is_ignored_key(member.key)) continue;
      if (*axis == kProbe && axis_count_ == kMostAxes) continue;
      ++named;
      if (!claim(*axis, member.value)) continue;
      if (!expect(member.value, Node::Kind::kArray, "an axis of a zip group", reporter_)) {
        taint();
        continue;
      }
      dimension.axes.push_back(*axis);
      lists.push_back(&member.value);
      keys.push_back(member.key);
    }
    if (lists.size() < 2) {
      taint();
      if (named < 2) reporter_.at_value(code::kZip, group, "a zip group needs at least two axes");
      return;
    }
    const std::size_t length = lists[0]->items.size();
    bool equal = length > 0;
    if (length == 0) {
      reporter_.at_value(code::kZip, *lists[0], "\"" + keys[0] + "\" of a zip group is empty");
    }
    for (std::size_t i = 1; i < lists.size(); ++i) {
      if (lists[i]->items.size() == length) continue;
      equal = false;
      reporter_.at_value(code::kZip,
                         *lists[i],
                         "the axes of a zip group differ in length: \"" + keys[0] + "\" has " +
                             std::to_string(length) + " values, \"" + keys[i] + "\" has " +
                             std::to_string(lists[i]->items.size()),
                         "values at the same place belong together");
    }
    if (!equal) {
      taint();
      return;
    }
    for (std::size_t place = 0; place < length; ++place) {
      std::vector<std::vector<Value>> tuples{{}};
      for (std::size_t i = 0; i < lists.size(); ++i) {
        std::vector<std::vector<Value>> longer;
        for (const Value value : entry(dimension.axes[i], lists[i]->items[place])) {
          for (const auto& tuple : tuples) {
            longer.push_back(tuple);
            longer.back().push_back(value);
          }
        }
        tuples = std::move(longer);
      }
      dimension.tuples.insert(dimension.tuples.end(), tuples.begin(), tuples.end());
    }
    out.push_back(std::move(dimension));
  }

  // The dimensions restricted to some axes, equal tuples once.
  static std::vector<Dimension> projected(const std::vector<Dimension>& dimensions,
                                          const std::vector<std::size_t>& axes) {
    std::vector<Dimension> out;
    for (const Dimension& dimension : dimensions) {
      std::vector<std::size_t> places;
      Dimension part;
      for (std::size_t i = 0; i < dimension.axes.size(); ++i) {
        if (std::find(axes.begin(), axes.end(), dimension.axes[i]) == axes.end()) continue;
        places.push_back(i);
        part.axes.push_back(dimension.axes[i]);
      }
      if (places.empty()) continue;
      std::unordered_set<std::string> seen;
      for (const auto& tuple : dimension.tuples) {
        std::vector<Value> values;
        for (const std::size_t place : places) values.push_back(tuple[place]);
        const std::string bytes(reinterpret_cast<const char*>(values.data()),
                                sizeof(Value) * values.size());
        if (seen.insert(bytes).second) part.tuples.push_back(std::move(values));
      }
      out.push_back(std::move(part));
    }
    return out;
  }

  // All combinations, the first dimension slowest, laid over `defaults`.
  void product(const std::vector<Dimension>& dimensions, const Row& defaults, const Node& where) {
    double count = 1;
    for (const Dimension& dimension : dimensions)
      count *= static_cast<double>(dimension.tuples.size());
    if (count == 0) return;
    if (count + static_cast<double>(written_) > static_cast<double>(kMostRows)) {
      taint();
      reporter_.at_key(code::kMatrixTooLarge,
                       where,
                       "the stage \"" + std::string(name_) + "\" has more than " +
                           std::to_string(kMostRows) + " cells");
      return;
    }
    std::vector<std::size_t> at(dimensions.size(), 0);
    while (true) {
      Row row = defaults;
      for (std::size_t d = 0; d < dimensions.size(); ++d) {
        const auto& tuple = dimensions[d].tuples[at[d]];
        for (std::size_t i = 0; i < tuple.size(); ++i) row[dimensions[d].axes[i]] = tuple[i];
      }
      add_row(row);
      std::size_t d = dimensions.size();
      while (d > 0 && ++at[d - 1] == dimensions[d - 1].tuples.size()) at[--d] = 0;
      if (d == 0) return;
    }
  }

  virtual Row normalized(Row row) const { return row; }

  void add_row(const Row& raw) {
    ++written_;
    const Row row = normalized(raw);
    if (seen_.insert(bytes_of(row)).second) {
      rows_.push_back(row);
    } else {
      ++duplicates_;
    }
  }

  // --- rules
  // --------------------------------------------------------------------------------------

  // The axis as a rule names it: its value in a row, and how its values read.
  struct RuleAxis {
    const Axis* axis = nullptr;
    std::function<Value(const Row&)> value;
    std::function<std::string(Value)> text;
    std::function<bool(const Row&)> is_token;  // "@train", "@eval"
  };
  virtual std::optional<RuleAxis> rule_axis(std::string_view key) const = 0;
  // Names of a kind as rules may write them (definitions, and "clean" among the attacks).
  virtual std::vector<std::string> rule_names(std::string_view kind) const {
    return definitions_.names(kind);
  }

  struct Condition {
    const Node* node = nullptr;
    std::string key;
    RuleAxis axis;
    std::unordered_set<Value> values;
    bool token = false;
    std::size_t matched = 0;

    bool matches(const Row& row) const {
      return values.contains(axis.value(row)) || (token && axis.is_token && axis.is_token(row));
    }
  };

  struct Rule {
    const Node* node = nullptr;
    std::string kind;  // "exclude" or "only"
    std::string why;
    std::vector<Condition> conditions;
    std::size_t matched = 0;
    bool broken = false;

    bool matches(const Row& row) const {
      return std::all_of(
          conditions.begin(), conditions.end(), [&](const Condition& c) { return c.matches(row); });
    }
  };

  // The distinct values that rows have on an axis, as text, for help lines.
  std::vector<std::string> used(const RuleAxis& axis) const {
    std::unordered_set<Value> seen;
    std::vector<std::string> out;
    for (const Row& row : rows_) {
      const Value value = axis.value(row);
      if (value != kNone && seen.insert(value).second) out.push_back(axis.text(value));
    }
    return out;
  }

  void never_matches(const Rule& rule, const Condition& condition, const Node& node, bool whole) {
    const Axis& axis = *condition.axis.axis;
    std::vector<std::string> words = used(condition.axis);
    const char* label = "used";
    if (words.empty() && axis.type == AxisType::kName) {
      words = rule_names(axis.kind);
      label = "defined";
    }
    // A number that no cell has is rarely a misspelt one.
    const bool by_name = axis.type == AxisType::kName || axis.type == AxisType::kCheckpoint;
    const std::string word = by_name && node.is(Node::Kind::kString) ? node.string : "";
    std::string help = word.empty() ? "" : help_for_unknown(word, words, label);
    if (help.empty() && !words.empty()) help = std::string(label) + ": " + listing(words);
    if (axis.type == AxisType::kName && !is_glob(word) && definitions_.index(axis.kind, word)) {
      help = in_quotes(word) + " is defined, but no cell of " + name_ + " uses it there\n" +
             (words.empty() ? "" : std::string(label) + ": " + listing(words));
    }
    reporter_.at_value(code::kRuleNeverMatches,
                       node,
                       (whole ? "" : "part of an ") + rule.kind +
                           " rule never matches: no cell has " + condition.key + " = " +
                           one_line(node),
                       help,
                       word.empty() ? std::vector<std::string>{} : nearest(word, words));
  }

  // Read one condition. Unknown words are reported at once: no row can have them.
  void read_condition(Rule& rule, Condition& condition) {
    const Node& node = *condition.node;
    const Axis& axis = *condition.axis.axis;
    if (node.is(Node::Kind::kArray) && node.items.empty()) {
      rule.broken = true;
      reporter_.at_value(code::kWrongValue, node, "\"" + condition.key + "\" is an empty list");
      return;
    }
    bool is_first = true;
    for (const Node* item : items_of(node)) {
      const bool first = is_first;
      is_first = false;
      if (axis.type == AxisType::kSeed) {
        if (const auto value = seed(*item)) {
          condition.values.insert(*value);
        } else {
          rule.broken = true;
        }
        continue;
      }
      if (axis.type == AxisType::kEpsilon) {
        const auto read = read_epsilon(*item);
        if (!read) {
          rule.broken = true;
        } else if (const auto found = epsilon_index_.find(read->value);
                   found != epsilon_index_.end()) {
          condition.values.insert(found->second);
        }
        continue;
      }
      if (!expect(*item, Node::Kind::kString, "\"" + condition.key + "\"", reporter_)) {
        rule.broken = true;
        continue;
      }
      const bool negated = item->string.rfind('!', 0) == 0;
      const std::string word = negated ? item->string.substr(1) : item->string;
      std::vector<Value> found;
      std::size_t all = 0;
      if (*axis.token != '\0' && word == axis.token && !negated) {
        condition.token = true;
        continue;
      }
      if (axis.type == AxisType::kCheckpoint) {
        found = checkpoints(word);
        all = checkpoint_count();
      } else {
        const std::vector<std::string> names = rule_names(axis.kind);
        all = names.size();
        for (std::size_t i = 0; i < names.size(); ++i) {
          if (is_glob(word) ? glob_matches(word, names[i]) : word == names[i]) {
            found.push_back(static_cast<Value>(i));
          }
        }
      }
      if (negated && first) {
        for (std::size_t i = 0; i < all; ++i) condition.values.insert(static_cast<Value>(i));
      }
      if (found.empty() && (axis.type == AxisType::kName || !is_tainted())) {
        rule.broken = true;
        never_matches(rule, condition, *item, items_of(node).size() == 1);
      }
      for (const Value value : found) {
        if (negated) {
          condition.values.erase(value);
        } else {
          condition.values.insert(value);
        }
      }
    }
  }

  std::vector<Rule> read_rules(const Node& stage, const char* kind, Scope scope) {
    std::vector<Rule> out;
    const Node* list = stage.find(kind);
    if (list == nullptr) return out;
    if (!expect(*list, Node::Kind::kArray, "\"" + std::string(kind) + "\"", reporter_)) return out;
    for (const Node& node : list->items) {
      if (!expect(node, Node::Kind::kObject, "an " + std::string(kind) + " rule", reporter_))
        continue;
      check_keys(node, scope, reporter_);
      Rule rule;
      rule.node = &node;
      rule.kind = kind;
      for (const Member& member : node.members) {
        if (is_ignored_key(member.key)) continue;
        if (member.key == "why") {
          if (expect(member.value, Node::Kind::kString, "\"why\"", reporter_)) {
            rule.why = member.value.string;
          }
          continue;
        }
        auto axis = rule_axis(member.key);
        if (!axis) {
          rule.broken = true;
          continue;
        }
        Condition condition;
        condition.node = &member.value;
        condition.key = member.key;
        condition.axis = std::move(*axis);
        read_condition(rule, condition);
        rule.conditions.push_back(std::move(condition));
      }
      if (rule.conditions.empty() && !rule.broken) {
        rule.broken = true;
        reporter_.at_value(
            code::kMissingKey,
            node,
            "this " + rule.kind + " rule names no axis, so it would match every cell");
      }
      if (rule.why.empty()) rule.why = rule.kind + " " + one_line(node);
      out.push_back(std::move(rule));
    }
    return out;
  }

  // Apply exclude and only. Returns the rows that stay; the others go to study.excluded.
  std::vector<Row> apply_rules(const Node& stage, Scope scope, Study& study) {
    std::vector<Rule> excludes = read_rules(stage, "exclude", scope);
    std::vector<Rule> onlys = read_rules(stage, "only", scope);
    std::vector<Row> kept;
    for (const Row& row : rows_) {
      const Rule* excluded_by = nullptr;
      const auto test = [&](Rule& rule) {
        bool all = true;
        for (Condition& condition : rule.conditions) {
          const bool matches = condition.matches(row);
          if (matches) ++condition.matched;
          all = all && matches;
        }
        if (all) ++rule.matched;
        return all;
      };
      for (Rule& rule : excludes) {
        if (test(rule) && excluded_by == nullptr) excluded_by = &rule;
      }
      bool selected = onlys.empty();
      for (Rule& rule : onlys) selected = test(rule) || selected;
      if (excluded_by == nullptr && selected) {
        kept.push_back(row);
        continue;
      }
      std::string why;
      if (excluded_by != nullptr) {
        why = excluded_by->why;
      } else {
        why = "not selected by: " + (onlys.size() == 1 ? onlys[0].why : std::string("only"));
      }
      study.excluded.push_back({name_, axes_text(row), why});
    }
    for (const std::vector<Rule>* rules : {&excludes, &onlys}) {
      for (const Rule& rule : *rules) report_rule(rule);
    }
    return kept;
  }

  void report_rule(const Rule& rule) {
    // With wrong values around, rows may be missing, and the rule is not to blame.
    if (rule.matched > 0 || rule.broken || is_tainted()) return;
    bool reported = false;
    for (const Condition& condition : rule.conditions) {
      if (condition.matched > 0) continue;
      never_matches(rule, condition, *condition.node, true);
      reported = true;
    }
    if (reported) return;
    std::vector<std::string> parts;
    for (const Condition& condition : rule.conditions) {
      parts.push_back(condition.key + " = " + one_line(*condition.node));
    }
    reporter_.at_value(code::kRuleNeverMatches,
                       *rule.node,
                       rule.kind + " rule never matches: no cell has " + joined(parts, " and "),
                       "each of them occurs, but not together");
  }

  virtual std::map<std::string, std::string> axes_text(const Row& row) const {
    std::map<std::string, std::string> out;
    for (std::size_t i = 0; i < axis_count_; ++i) {
      if (row[i] != kNone) out[axes_[i].name] = value_text(i, row[i]);
    }
    return out;
  }

  std::map<std::string, std::vector<std::string>> axis_values(const std::vector<Row>& rows) const {
    std::map<std::string, std::vector<std::string>> out;
    for (std::size_t i = 0; i < axis_count_; ++i) {
      std::unordered_set<Value> seen;
      for (const Row& row : rows) {
        if (row[i] != kNone && seen.insert(row[i]).second) {
          out[axes_[i].name].push_back(value_text(i, row[i]));
        }
      }
    }
    return out;
  }

  // The "add" list: complete cells whose values may be lists.
  template <class Check>
  void read_adds(const Node& stage, Scope scope, const Row& defaults, const Check& check) {
    const Node* list = stage.find("add");
    if (list == nullptr) return;
    if (!expect(*list, Node::Kind::kArray, "\"add\"", reporter_)) {
      taint();
      return;
    }
    for (const Node& node : list->items) {
      if (!expect(node, Node::Kind::kObject, "an added cell", reporter_)) {
        taint();
        continue;
      }
      check_keys(node, scope, reporter_);
      std::vector<Dimension> dims;
      for (const Member& member : node.members) {
        const auto axis = axis_index(member.key);
        if (!axis || is_ignored_key(member.key)) continue;
        Dimension dimension{{*axis}, {}};
        for (const Value value : values(*axis, member.value)) dimension.tuples.push_back({value});
        dims.push_back(std::move(dimension));
      }
      Row row = defaults;
      if (check(node, dims, row)) product(dims, row, node);
    }
  }

  bool require(const Node& object,
               std::initializer_list<const char*> keys,
               const std::string& where) {
    bool good = true;
    for (const char* key : keys) {
      if (object.find(key) != nullptr) continue;
      good = false;
      taint();
      reporter_.at_value(code::kMissingKey, object, where + " needs \"" + key + "\"");
    }
    return good;
  }

  const char* name_;
  const Axis* axes_;
  std::size_t axis_count_;
  const Definitions& definitions_;
  Reporter& reporter_;
  bool tainted_ = false;
  std::vector<EpsilonValue> epsilons_;
  std::map<double, Value> epsilon_index_;
  std::vector<Row> rows_;
  std::unordered_set<std::string> seen_;
  std::size_t written_ = 0;
  std::size_t duplicates_ = 0;
};

bool has_axis(const std::vector<Dimension>& dimensions, std::size_t axis) {
  return std::any_of(dimensions.begin(), dimensions.end(), [&](const Dimension& d) {
    return std::find(d.axes.begin(), d.axes.end(), axis) != d.axes.end();
  });
}

// --- train
// ----------------------------------------------------------------------------------------

class TrainStage final : public Stage {
 public:
  TrainStage(const Definitions& definitions, Reporter& reporter)
      : Stage("train", kTrainAxes.data(), kTrainAxes.size(), definitions, reporter) {}

  void read(const Node& train, Study& study) {
    if (!expect(train, Node::Kind::kObject, "\"train\"", reporter_)) return taint();
    check_keys(train, Scope::kTrain, reporter_);
    Row defaults;
    defaults.fill(kNone);
    defaults[kTrainSeed] = 0;
    const Node* matrix = train.find("matrix");
    if (matrix == nullptr && train.find("add") == nullptr) {
      reporter_.at_key(code::kMissingKey, train, "\"train\" needs \"matrix\" or \"add\"");
      return taint();
    }
    if (matrix != nullptr) {
      if (expect(*matrix, Node::Kind::kObject, "train.matrix", reporter_)) {
        check_keys(*matrix, Scope::kTrainMatrix, reporter_);
        const std::vector<Dimension> dims = dimensions(*matrix, Scope::kTrainZip);
        bool complete = true;
        for (const std::size_t axis : {kDataset, kModel, kObjective, kTrainSolver}) {
          if (has_axis(dims, axis)) continue;
          complete = false;  // or wrong and reported
          if (mentions(*matrix, kTrainAxes[axis].name)) continue;
          taint();
          reporter_.at_key(code::kMissingKey,
                           *matrix,
                           "train.matrix needs \"" + std::string(kTrainAxes[axis].name) + "\"",
                           "defined: " + listing(definitions_.names(kTrainAxes[axis].kind)));
        }
        if (complete) product(dims, defaults, *matrix);
      } else {
        taint();
      }
    }
    read_adds(train, Scope::kTrainAdd, defaults, [&](const Node& node, const auto&, Row&) {
      return require(node, {"dataset", "model", "objective", "solver"}, "an added train cell");
    });
    kept_ = apply_rules(train, Scope::kTrainRule, study);
    study.train_duplicates = duplicates();
    study.train_axes = axis_values(kept_);
    if (kept_.empty() && !is_tainted()) {
      reporter_.at_key(code::kNoCells, train, "no train cell is left after the rules");
      taint();  // what the evaluate stage misses follows from this
    }
  }

  const std::vector<Row>& kept() const { return kept_; }

  /// "model/dataset/objective/solver/seed": what checkpoint patterns are compared with.
  std::string text(const Row& row) const {
    std::string out;
    for (const std::size_t axis : {kModel, kDataset, kObjective, kTrainSolver}) {
      out += value_text(axis, row[axis]) + "/";
    }
    return out + std::to_string(row[kTrainSeed]);
  }

  /// True when the matrix holds the axis, itself or in a zip group.
  static bool mentions(const Node& matrix, std::string_view axis) {
    if (matrix.find(axis) != nullptr) return true;
    const Node* zip = matrix.find("zip");
    if (zip == nullptr) return false;
    for (const Node* group : items_of(*zip)) {
      if (group->find(axis) != nullptr) return true;
    }
    return false;
  }

 private:
  std::optional<RuleAxis> rule_axis(std::string_view key) const override {
    const auto axis = axis_index(key);
    if (!axis) return std::nullopt;
    return RuleAxis{&kTrainAxes[*axis],
                    [axis](const Row& row) { return row[*axis]; },
                    [this, axis](Value value) { return value_text(*axis, value); },
                    {}};
  }

  std::vector<Row> kept_;
};

// --- evaluate
// -------------------------------------------------------------------------------------

class EvaluateStage final : public Stage {
 public:
  EvaluateStage(const TrainStage& train, const Definitions& definitions, Reporter& reporter)
      : Stage("evaluate", kEvaluateAxes.data(), kEvaluateAxes.size(), definitions, reporter),
        train_(train) {
    for (const Row& row : train.kept()) texts_.push_back(train.text(row));
    if (train.is_tainted()) taint();
  }

  void read(const Node& evaluate, Study& study) {
    if (!expect(evaluate, Node::Kind::kObject, "\"evaluate\"", reporter_)) return;
    check_keys(evaluate, Scope::kEvaluate, reporter_);
    read_numbers(evaluate, study);
    const Node* matrix = evaluate.find("matrix");
    if (matrix == nullptr && evaluate.find("add") == nullptr) {
      reporter_.at_key(code::kMissingKey, evaluate, "\"evaluate\" needs \"matrix\" or \"add\"");
      return;
    }
    if (matrix != nullptr) {
      if (expect(*matrix, Node::Kind::kObject, "evaluate.matrix", reporter_)) {
        read_matrix(*matrix);
      } else {
        taint();
      }
    }
    Row defaults;
    defaults.fill(kNone);
    defaults[kSeed] = 0;
    read_adds(evaluate,
              Scope::kEvaluateAdd,
              defaults,
              [&](const Node& node, const std::vector<Dimension>& dims, Row& row) {
                return check_add(node, dims, row);
              });
    const std::vector<Row> kept = apply_rules(evaluate, Scope::kEvaluateRule, study);
    study.evaluate_duplicates = duplicates();
    study.evaluate_axes = axis_values(kept);
    if (auto found = study.evaluate_axes.find("gradient"); found != study.evaluate_axes.end()) {
      const bool some_plain = std::any_of(kept.begin(), kept.end(), [](const Row& row) {
        return row[kAttack] != kNone && row[kGradient] == kNone;
      });
      if (some_plain) found->second.insert(found->second.begin(), "@eval");
    }
    if (kept.empty() && !is_tainted()) {
      reporter_.at_key(code::kNoCells, evaluate, "no evaluate cell is left after the rules");
    }
    fill(kept, study);
  }

 private:
  Value clean_index() const { return static_cast<Value>(definitions_.names("attack").size()); }

  const ResolvedDefinition& attack(Value value) const {
    return value == clean_index() ? *clean_
                                  : definitions_.of("attack")[static_cast<std::size_t>(value)];
  }

  void read_numbers(const Node& evaluate, Study& study) {
    const auto integer = [&](const char* key, std::int64_t lowest, std::int64_t& out) {
      const Node* node = evaluate.find(key);
      if (node == nullptr) return;
      if (!expect(*node, Node::Kind::kInteger, "\"" + std::string(key) + "\"", reporter_)) return;
      if (node->integer < lowest || node->integer > kLargestSeed) {
        reporter_.at_value(
            code::kWrongValue,
            *node,
            "\"" + std::string(key) + "\" must be at least " + std::to_string(lowest));
        return;
      }
      out = node->integer;
    };
    integer("samples", 0, study.eval_samples);
    integer("batch_size", 1, study.eval_batch_size);
  }

  void read_matrix(const Node& matrix) {
    check_keys(matrix, Scope::kEvaluateMatrix, reporter_);
    const std::vector<Dimension> dims = dimensions(matrix, Scope::kEvaluateZip);
    if (const Node* source = matrix.find("source")) check_source(*source);
    const Node* clean = matrix.find("clean");
    const bool wants_clean = clean != nullptr && read_clean(*clean);
    const Node* probe_list = matrix.find("probes");
    std::vector<Value> probes;
    if (probe_list != nullptr) probes = values(kProbe, *probe_list);

    // What is not given: all checkpoints, each under its own solver, seed 0, its own gradient.
    Dimension all_checkpoints{{kCheckpoint}, {}};
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      all_checkpoints.tuples.push_back({static_cast<Value>(i)});
    }
    Row defaults;
    defaults.fill(kNone);
    defaults[kSolver] = kToken;
    defaults[kSeed] = 0;
    const auto multiply =
        [&](const std::vector<std::size_t>& axes, const Row& row, const Node& where) {
          std::vector<Dimension> part = projected(dims, axes);
          if (!has_axis(dims, kCheckpoint) && !TrainStage::mentions(matrix, "checkpoint")) {
            part.insert(part.begin(), all_checkpoints);
          }
          product(part, row, where);
        };

    const bool has_attack = TrainStage::mentions(matrix, "attack");
    const bool has_epsilon = TrainStage::mentions(matrix, "epsilon");
    const bool probes_use_epsilon =
        std::any_of(probes.begin(), probes.end(), [&](Value probe) { return uses_epsilon(probe); });
    const auto missing = [&](const std::string& message) {
      taint();
      reporter_.at_key(code::kMissingKey, matrix, message);
    };
    if (has_attack && !has_epsilon)
      missing("evaluate.matrix has \"attack\", so it needs \"epsilon\"");
    if (!has_attack && has_epsilon && !probes_use_epsilon) {
      missing("evaluate.matrix has \"epsilon\", but neither \"attack\" nor a probe that uses it");
    }
    if (!has_attack && TrainStage::mentions(matrix, "gradient")) {
      missing("evaluate.matrix has \"gradient\", but no \"attack\" that follows it");
    }
    if (!has_attack && !has_epsilon && clean == nullptr && probe_list == nullptr) {
      missing(
          "evaluate.matrix asks for nothing: give \"attack\" and \"epsilon\", \"clean\" or "
          "\"probes\"");
    }

    if (wants_clean) {
      Row row = defaults;
      row[kAttack] = clean_value_;
      row[kEpsilon] = kNone;
      multiply({kCheckpoint, kSolver}, row, *clean);
    }
    if (has_axis(dims, kAttack) && has_axis(dims, kEpsilon)) {
      Row row = defaults;
      row[kGradient] = kToken;
      // Not projected: values that are written twice are counted as duplicates.
      std::vector<Dimension> part = dims;
      if (!has_axis(dims, kCheckpoint) && !TrainStage::mentions(matrix, "checkpoint")) {
        part.insert(part.begin(), all_checkpoints);
      }
      product(part, row, matrix);
    }
    for (const Value probe : probes) {
      Row row = defaults;
      row[kProbe] = probe;
      std::vector<std::size_t> axes{kCheckpoint, kSolver, kSeed};
      if (uses_epsilon(probe)) {
        if (!has_epsilon) {
          missing("probe " +
                  in_quotes(definitions_.names("probe")[static_cast<std::size_t>(probe)]) +
                  " uses ${epsilon}, so evaluate.matrix needs \"epsilon\"");
          continue;
        }
        if (!has_axis(dims, kEpsilon)) continue;  // wrong and reported
        axes.push_back(kEpsilon);
      }
      multiply(axes, row, *probe_list);
    }
  }

  bool uses_epsilon(Value probe) const {
    return !definitions_.of("probe")[static_cast<std::size_t>(probe)].uses.empty();
  }

  bool read_clean(const Node& node) {
    if (!expect(node, Node::Kind::kBoolean, "\"clean\"", reporter_)) {
      taint();
      return false;
    }
    if (!node.boolean) return false;
    if (const auto index = definitions_.index("attack", "clean")) {
      const ResolvedDefinition& own = definitions_.of("attack")[*index];
      if (own.plugin != nullptr && own.plugin->id != "none") {
        taint();
        reporter_.at_key(
            code::kBadName,
            node,
            "\"clean\": true needs the attack name \"clean\", which is defined with the "
            "plugin " +
                in_quotes(own.plugin->id),
            "rename that attack");
        return false;
      }
      clean_value_ = static_cast<Value>(*index);
      return true;
    }
    clean_ = definitions_.plain("attack", "clean", "none");
    if (!clean_) {
      taint();
      reporter_.at_key(code::kUnknownPlugin,
                       node,
                       "\"clean\": true needs the attack plugin \"none\", which is not installed");
      return false;
    }
    clean_value_ = clean_index();
    return true;
  }

  // Attacking one network with the examples of another is not implemented; say so, whatever is
  // asked.
  void check_source(const Node& node) {
    if (node.is(Node::Kind::kArray) && node.items.empty()) {
      reporter_.at_value(code::kWrongValue, node, "\"source\" is an empty list");
      return;
    }
    for (const Node* item : items_of(node)) {
      if (!expect(*item, Node::Kind::kString, "a value of \"source\"", reporter_)) continue;
      if (item->string == "@self") continue;
      if (!matches(kEvaluateAxes[kCheckpoint], *item, item->string).empty()) {
        reporter_.at_value(code::kNotAvailable,
                           *item,
                           "transfer from another checkpoint is not yet available",
                           "leave \"source\" out, or write [\"@self\"]");
      }
    }
  }

  bool check_add(const Node& node, const std::vector<Dimension>& dims, Row& row) {
    if (const Node* source = node.find("source")) check_source(*source);
    bool good = require(node, {"checkpoint", "solver"}, "an added evaluate cell");
    const bool attack = node.find("attack") != nullptr;
    const bool probe = node.find("probe") != nullptr;
    if (attack == probe) {
      taint();
      reporter_.at_value(code::kMissingKey,
                         node,
                         attack ? "an added evaluate cell has \"attack\" or \"probe\", not both"
                                : "an added evaluate cell needs \"attack\" or \"probe\"");
      return false;
    }
    if (attack) {
      good = require(node, {"epsilon"}, "an added attack cell") && good;
      row[kGradient] = kToken;
      return good;
    }
    if (const Node* gradient = node.find("gradient")) {
      taint();
      reporter_.at_key(code::kWrongValue, *gradient, "a probe has no \"gradient\"");
      good = false;
    }
    bool some_use = false;
    for (const Dimension& dimension : dims) {
      if (dimension.axes[0] != kProbe) continue;
      for (const auto& tuple : dimension.tuples) some_use = some_use || uses_epsilon(tuple[0]);
      if (dimension.tuples.empty()) return false;
    }
    const Node* epsilon = node.find("epsilon");
    if (epsilon != nullptr && !some_use) {
      taint();
      reporter_.at_key(code::kWrongValue, *epsilon, "no probe of this cell uses ${epsilon}");
      good = false;
    }
    if (epsilon == nullptr && some_use) {
      good = require(node, {"epsilon"}, "an added cell of a probe that uses ${epsilon}") && good;
    }
    return good;
  }

  // The meaning of a row: tokens resolved, and what makes no difference taken away.
  Row normalized(Row row) const override {
    const Row& trained = train_.kept()[static_cast<std::size_t>(row[kCheckpoint])];
    if (row[kSolver] == kToken) row[kSolver] = trained[kTrainSolver];
    if (row[kGradient] == kToken || row[kGradient] == row[kSolver]) row[kGradient] = kNone;
    if (row[kAttack] != kNone) {
      const ResolvedDefinition& method = attack(row[kAttack]);
      if (method.plugin != nullptr && method.plugin->capabilities.contains("gradient_free")) {
        row[kGradient] = kNone;
      }
    }
    if (row[kProbe] != kNone && !uses_epsilon(row[kProbe])) row[kEpsilon] = kNone;
    return row;
  }

  // --- checkpoints ---
  std::vector<Value> checkpoints(const std::string& pattern) const override {
    const bool whole = pattern.find('/') != std::string::npos;
    std::vector<Value> out;
    for (std::size_t i = 0; i < texts_.size(); ++i) {
      const std::string_view text = texts_[i];
      if (glob_matches(pattern, whole ? text : text.substr(0, text.find('/')))) {
        out.push_back(static_cast<Value>(i));
      }
    }
    return out;
  }
  std::vector<std::string> checkpoint_words() const override {
    std::vector<std::string> out;
    for (const std::string& text : texts_) {
      std::string model = text.substr(0, text.find('/'));
      if (out.empty() || out.back() != model) out.push_back(std::move(model));
    }
    return out;
  }
  std::size_t checkpoint_count() const override { return texts_.size(); }
  bool checkpoints_are_complete() const override { return !train_.is_tainted(); }
  std::string checkpoint_text(Value value) const override {
    return texts_[static_cast<std::size_t>(value)];
  }
  std::string name_of(std::string_view kind, Value value) const override {
    if (kind == "attack" && value == clean_index()) return "clean";
    return Stage::name_of(kind, value);
  }

  // --- rules ---
  std::vector<std::string> rule_names(std::string_view kind) const override {
    std::vector<std::string> names = Stage::rule_names(kind);
    if (kind == "attack" && clean_) names.emplace_back("clean");
    return names;
  }

  std::optional<RuleAxis> rule_axis(std::string_view key) const override {
    // Axes of the train stage are read through the checkpoint.
    static const std::map<std::string_view, std::size_t> kOfTrain = {{"model", kModel},
                                                                     {"dataset", kDataset},
                                                                     {"objective", kObjective},
                                                                     {"train_solver", kTrainSolver},
                                                                     {"train_seed", kTrainSeed}};
    if (const auto found = kOfTrain.find(key); found != kOfTrain.end()) {
      const std::size_t axis = found->second;
      const Axis* a = &kTrainAxes[axis];
      return RuleAxis{a,
                      [this, axis](const Row& row) {
                        return train_.kept()[static_cast<std::size_t>(row[kCheckpoint])][axis];
                      },
                      [this, a](Value value) {
                        return a->type == AxisType::kSeed ? std::to_string(value)
                                                          : Stage::name_of(a->kind, value);
                      },
                      {}};
    }
    const auto axis = axis_index(key);
    if (!axis) return std::nullopt;
    RuleAxis out{&kEvaluateAxes[*axis],
                 [axis](const Row& row) { return row[*axis]; },
                 [this, axis](Value value) { return value_text(*axis, value); },
                 {}};
    if (*axis == kSolver) {
      out.is_token = [this](const Row& row) {
        return row[kSolver] ==
               train_.kept()[static_cast<std::size_t>(row[kCheckpoint])][kTrainSolver];
      };
    }
    if (*axis == kGradient) {
      out.is_token = [](const Row& row) {
        return row[kAttack] != kNone && row[kGradient] == kNone;
      };
    }
    return out;
  }

  // --- rows of the study ---
  void fill(const std::vector<Row>& kept, Study& study) {
    std::map<std::pair<Value, Value>, std::optional<Definition>> methods[2];
    const auto method = [&](const Row& row) -> const std::optional<Definition>& {
      const bool is_probe = row[kProbe] != kNone;
      const Value which = is_probe ? row[kProbe] : row[kAttack];
      const ResolvedDefinition& resolved =
          is_probe ? definitions_.of("probe")[static_cast<std::size_t>(which)] : attack(which);
      // Only methods that use epsilon differ between epsilons.
      const Value epsilon = resolved.uses.empty() ? kNone : row[kEpsilon];
      const auto [found, is_new] = methods[is_probe ? 1 : 0].try_emplace({which, epsilon});
      if (is_new && resolved.plugin != nullptr) {
        if (resolved.uses.empty()) {
          found->second = resolved.definition;
        } else if (epsilon == kNone) {
          // A clean cell whose attack the user defined himself.
          found->second = at_epsilon(resolved, 0, "0", reporter_);
        } else {
          const EpsilonValue& e = epsilons_[static_cast<std::size_t>(epsilon)];
          found->second = at_epsilon(resolved, e.value, e.text, reporter_);
        }
      }
      return found->second;
    };
    const auto& solvers = definitions_.of("solver");
    study.evaluate.reserve(kept.size());
    for (const Row& row : kept) {
      const std::optional<Definition>& definition = method(row);
      if (!definition) continue;  // reported
      EvaluateRow out;
      out.checkpoint = static_cast<std::size_t>(row[kCheckpoint]);
      out.kind = row[kProbe] != kNone ? "probe" : "attack";
      out.method = *definition;
      out.solver = solvers[static_cast<std::size_t>(row[kSolver])].definition;
      if (row[kGradient] != kNone) {
        out.gradient = solvers[static_cast<std::size_t>(row[kGradient])].definition;
      }
      if (row[kEpsilon] != kNone) {
        const EpsilonValue& e = epsilons_[static_cast<std::size_t>(row[kEpsilon])];
        out.epsilon = e.value;
        out.epsilon_text = e.text;
      }
      out.seed = row[kSeed];
      study.evaluate.push_back(std::move(out));
    }
  }

  const TrainStage& train_;
  std::vector<std::string> texts_;
  std::optional<ResolvedDefinition> clean_;
  Value clean_value_ = kNone;
};

}  // namespace

void expand(const Node* train,
            const Node* evaluate,
            const Definitions& definitions,
            Reporter& reporter,
            Study& study) {
  TrainStage trained(definitions, reporter);
  if (train != nullptr) {
    trained.read(*train, study);
  } else {
    trained.taint();
  }
  const auto definition = [&](const char* kind, Value index) -> const Definition& {
    return definitions.of(kind)[static_cast<std::size_t>(index)].definition;
  };
  study.train.reserve(trained.kept().size());
  for (const Row& row : trained.kept()) {
    study.train.push_back({definition("dataset", row[kDataset]),
                           definition("model", row[kModel]),
                           definition("objective", row[kObjective]),
                           definition("solver", row[kTrainSolver]),
                           row[kTrainSeed]});
  }
  if (evaluate != nullptr) EvaluateStage(trained, definitions, reporter).read(*evaluate, study);
}

}  // namespace unmask::manifest
