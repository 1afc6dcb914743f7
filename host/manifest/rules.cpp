#include "manifest/rules.hpp"

#include <algorithm>
#include <unordered_set>

#include "manifest/keys.hpp"
#include "manifest/text.hpp"

namespace unmask::manifest::matrix {
namespace {

struct Condition {
  const Node* node = nullptr;
  std::string key;
  RuleAxis axis;
  std::unordered_set<AxisValue> values;
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
  bool is_broken = false;  // wrong and reported

  // Counts what matches. Every condition is tested, also when one before it fails: messages name
  // those that never match.
  bool test(const Row& row) {
    bool all = true;
    for (Condition& condition : conditions) {
      const bool matches = condition.matches(row);
      if (matches) ++condition.matched;
      all = all && matches;
    }
    if (all) ++matched;
    return all;
  }
};

std::string joined(const std::vector<std::string>& words, const char* separator) {
  std::string out;
  for (const std::string& word : words) out += (out.empty() ? "" : separator) + word;
  return out;
}

// Reads the rules of a stage, and reports those that matched nothing.
class RuleReader {
 public:
  RuleReader(const std::vector<Row>& rows, const FindRuleAxis& find_axis, AxisValues& values)
      : rows_(rows), find_axis_(find_axis), values_(values), context_(values.context()) {}

  std::vector<Rule> read(const Node& stage, const char* kind, Scope scope);
  void report_unmatched(const Rule& rule);

 private:
  Rule read_rule(const Node& node, const char* kind);
  void read_condition(Rule& rule, Condition& condition);
  bool read_number(const Node& item, Condition& condition);
  void read_word(const Node& item, bool is_first, Rule& rule, Condition& condition);
  void never_matches(const Rule& rule, const Condition& condition, const Node& node, bool is_whole);
  std::vector<std::string> used(const RuleAxis& axis) const;

  const std::vector<Row>& rows_;
  const FindRuleAxis& find_axis_;
  AxisValues& values_;
  StageContext& context_;
};

std::vector<Rule> RuleReader::read(const Node& stage, const char* kind, Scope scope) {
  Reporter& reporter = context_.reporter;
  std::vector<Rule> out;
  const Node* list = stage.find(kind);
  if (list == nullptr) return out;
  if (!expect(*list, Node::Kind::kArray, "\"" + std::string(kind) + "\"", reporter)) return out;
  for (const Node& node : list->items) {
    if (!expect(node, Node::Kind::kObject, "an " + std::string(kind) + " rule", reporter)) continue;
    check_keys(node, scope, reporter);
    out.push_back(read_rule(node, kind));
  }
  return out;
}

Rule RuleReader::read_rule(const Node& node, const char* kind) {
  Reporter& reporter = context_.reporter;
  Rule rule;
  rule.node = &node;
  rule.kind = kind;
  for (const Member& member : node.members) {
    if (is_ignored_key(member.key)) continue;
    if (member.key == "why") {
      if (expect(member.value, Node::Kind::kString, "\"why\"", reporter)) {
        rule.why = member.value.string;
      }
      continue;
    }
    auto axis = find_axis_(member.key);
    if (!axis) {
      rule.is_broken = true;
      continue;
    }
    Condition condition;
    condition.node = &member.value;
    condition.key = member.key;
    condition.axis = std::move(*axis);
    read_condition(rule, condition);
    rule.conditions.push_back(std::move(condition));
  }
  if (rule.conditions.empty() && !rule.is_broken) {
    rule.is_broken = true;
    reporter.at_value(code::kMissingKey,
                      node,
                      "this " + rule.kind + " rule names no axis, so it would match every cell");
  }
  if (rule.why.empty()) rule.why = rule.kind + " " + one_line(node);
  return rule;
}

void RuleReader::read_condition(Rule& rule, Condition& condition) {
  Reporter& reporter = context_.reporter;
  const Node& node = *condition.node;
  if (node.is(Node::Kind::kArray) && node.items.empty()) {
    rule.is_broken = true;
    reporter.at_value(code::kWrongValue, node, "\"" + condition.key + "\" is an empty list");
    return;
  }
  bool is_first = true;
  for (const Node* item : items_of(node)) {
    if (!condition.axis.axis->is_worded()) {
      if (!read_number(*item, condition)) rule.is_broken = true;
    } else if (expect(*item, Node::Kind::kString, "\"" + condition.key + "\"", reporter)) {
      read_word(*item, is_first, rule, condition);
    } else {
      rule.is_broken = true;
    }
    is_first = false;
  }
}

// A seed or an epsilon. Returns false when it is wrong.
bool RuleReader::read_number(const Node& item, Condition& condition) {
  if (condition.axis.axis->type == AxisType::kSeed) {
    const auto seed = values_.read_seed(item);
    if (seed) condition.values.insert(*seed);
    return seed.has_value();
  }
  const auto epsilon = values_.read_epsilon(item);
  if (!epsilon) return false;
  if (const auto value = values_.find_epsilon(epsilon->value)) condition.values.insert(*value);
  return true;
}

// A name, a pattern, a negation or the token. Unknown words are reported at once: no row can have
// them.
void RuleReader::read_word(const Node& item, bool is_first, Rule& rule, Condition& condition) {
  const Axis& axis = *condition.axis.axis;
  const bool is_negated = item.string.rfind('!', 0) == 0;
  const std::string word = is_negated ? item.string.substr(1) : item.string;
  if (axis.has_token() && word == axis.token && !is_negated) {
    condition.token = true;
    return;
  }
  std::vector<AxisValue> found;
  std::size_t all = 0;
  if (axis.type == AxisType::kCheckpoint) {
    found = values_.checkpoints().matching(word);
    all = values_.checkpoints().size();
  } else {
    const std::vector<std::string> names = values_.names(axis);
    all = names.size();
    for (std::size_t i = 0; i < names.size(); ++i) {
      if (is_glob(word) ? glob_matches(word, names[i]) : word == names[i]) {
        found.push_back(static_cast<AxisValue>(i));
      }
    }
  }
  if (is_negated && is_first) {
    for (std::size_t i = 0; i < all; ++i) condition.values.insert(static_cast<AxisValue>(i));
  }
  if (found.empty() && (axis.is_named() || !context_.is_tainted())) {
    rule.is_broken = true;
    never_matches(rule, condition, item, items_of(*condition.node).size() == 1);
  }
  for (const AxisValue value : found) {
    if (is_negated) {
      condition.values.erase(value);
    } else {
      condition.values.insert(value);
    }
  }
}

void RuleReader::report_unmatched(const Rule& rule) {
  // With wrong values around, rows may be missing, and the rule is not to blame.
  if (rule.matched > 0 || rule.is_broken || context_.is_tainted()) return;
  bool is_reported = false;
  for (const Condition& condition : rule.conditions) {
    if (condition.matched > 0) continue;
    never_matches(rule, condition, *condition.node, true);
    is_reported = true;
  }
  if (is_reported) return;
  std::vector<std::string> parts;
  for (const Condition& condition : rule.conditions) {
    parts.push_back(condition.key + " = " + one_line(*condition.node));
  }
  context_.reporter.at_value(
      code::kRuleNeverMatches,
      *rule.node,
      rule.kind + " rule never matches: no cell has " + joined(parts, " and "),
      "each of them occurs, but not together");
}

// Report `node`, the whole value of a condition or one entry of it.
void RuleReader::never_matches(const Rule& rule,
                               const Condition& condition,
                               const Node& node,
                               bool is_whole) {
  const Axis& axis = *condition.axis.axis;
  std::vector<std::string> words = used(condition.axis);
  const char* label = "used";
  if (words.empty() && axis.is_named()) {
    words = values_.names(axis);
    label = "defined";
  }
  // A number that no cell has is rarely a misspelt one.
  const std::string word = axis.is_worded() && node.is(Node::Kind::kString) ? node.string : "";
  std::string help = word.empty() ? "" : help_for_unknown(word, words, label);
  const std::string list = words.empty() ? "" : std::string(label) + ": " + listing(words);
  if (help.empty()) help = list;
  if (axis.is_named() && !is_glob(word) && context_.definitions.index(axis.kind, word)) {
    help = in_quotes(word) + " is defined, but no cell of " + context_.name + " uses it there\n" +
           list;
  }
  context_.reporter.at_value(code::kRuleNeverMatches,
                             node,
                             (is_whole ? "" : "part of an ") + rule.kind +
                                 " rule never matches: no cell has " + condition.key + " = " +
                                 one_line(node),
                             help,
                             word.empty() ? std::vector<std::string>{} : nearest(word, words));
}

// The distinct values that rows have on an axis, as text, for help lines.
std::vector<std::string> RuleReader::used(const RuleAxis& axis) const {
  std::unordered_set<AxisValue> seen;
  std::vector<std::string> out;
  for (const Row& row : rows_) {
    const AxisValue value = axis.value(row);
    if (value != kNone && seen.insert(value).second) out.push_back(axis.text(value));
  }
  return out;
}

}  // namespace

std::vector<Row> apply_rules(const Node& stage,
                             Scope rule_scope,
                             const std::vector<Row>& rows,
                             const FindRuleAxis& find_axis,
                             AxisValues& values,
                             Study& study) {
  RuleReader reader(rows, find_axis, values);
  std::vector<Rule> excludes = reader.read(stage, "exclude", rule_scope);
  std::vector<Rule> onlys = reader.read(stage, "only", rule_scope);
  std::vector<Row> kept;
  for (const Row& row : rows) {
    const Rule* excluded_by = nullptr;
    for (Rule& rule : excludes) {
      if (rule.test(row) && excluded_by == nullptr) excluded_by = &rule;
    }
    bool is_selected = onlys.empty();
    for (Rule& rule : onlys) is_selected = rule.test(row) || is_selected;
    if (excluded_by == nullptr && is_selected) {
      kept.push_back(row);
      continue;
    }
    std::string why;
    if (excluded_by != nullptr) {
      why = excluded_by->why;
    } else {
      why = "not selected by: " + (onlys.size() == 1 ? onlys[0].why : std::string("only"));
    }
    study.excluded.push_back({values.context().name, values.texts(row), why});
  }
  for (const Rule& rule : excludes) reader.report_unmatched(rule);
  for (const Rule& rule : onlys) reader.report_unmatched(rule);
  return kept;
}

}  // namespace unmask::manifest::matrix
