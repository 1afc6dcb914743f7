#include "verdict/report.hpp"

#include <map>
#include <utility>

#include "verdict/measures.hpp"

namespace unmask::verdict {
namespace {

using nlohmann::ordered_json;

template <class T>
table::Value value_or_none(const std::optional<T>& value) {
  return value ? table::Value(*value) : table::Value();
}

template <class T>
ordered_json json_or_null(const std::optional<T>& value) {
  return value ? ordered_json(*value) : ordered_json();
}

const char* title_of(RuleState state) {
  switch (state) {
    case RuleState::kDecides: return "decides";
    case RuleState::kSymptom: return "symptoms";
    case RuleState::kNote: return "notes about attacks and network";
    case RuleState::kQuiet: return "quiet";
    case RuleState::kLacks: break;
  }
  return "lacks evidence (with lines of a manifest that would supply it)";
}

std::string finding_of(const Reading& reading) {
  if (reading.state == RuleState::kLacks) return std::string("needs ") + reading.rule->needs;
  std::string text = reading.found.sentence;
  if (reading.p_adjusted) text += "; p " + short_number(*reading.p_adjusted) + " after Holm";
  if (reading.threshold) {
    const bool is_above = reading.rule->direction == Direction::kAbove;
    text += std::string("; counts ") + (is_above ? "from " : "below ") +
            short_number(*reading.threshold) + (is_above ? " on" : "");
  }
  return text;
}

// Rules with the same lines share them.
std::string lines_for(const Reading& reading, std::map<std::string, std::string>& known) {
  const std::string lines = reading.rule->supply;
  const auto [first, is_new] = known.emplace(lines, reading.rule->id);
  return is_new ? "\n        " + lines : " (lines as for " + first->second + ")";
}

void add_rules(const Verdict& verdict, RuleState state, std::string& text) {
  std::string rules;
  std::map<std::string, std::string> known;
  for (const Reading& reading : verdict.readings) {
    if (reading.state != state) continue;
    const std::string id = reading.rule->id;
    rules += "    " + id + std::string(id.size() < 24 ? 24 - id.size() : 1, ' ') +
             finding_of(reading) + (state == RuleState::kLacks ? lines_for(reading, known) : "") +
             "\n";
  }
  if (!rules.empty()) text += std::string("  ") + title_of(state) + ":\n" + rules;
}

std::vector<table::Value> labels_of(const Verdict& v) {
  return {v.study,
          v.labels.dataset,
          v.labels.model,
          v.labels.objective,
          v.labels.train_solver,
          v.labels.train_seed,
          v.labels.solver,
          v.norm,
          v.epsilon_text};
}

const std::vector<std::string> kLabels = {"study",
                                          "dataset",
                                          "model",
                                          "objective",
                                          "train_solver",
                                          "train_seed",
                                          "solver",
                                          "norm",
                                          "epsilon_text"};

ordered_json json_of(const Reading& reading) {
  const Measurement& found = reading.found;
  return {{"rule", reading.rule->id},
          {"state", to_string(reading.state)},
          {"question", reading.rule->question},
          {"source", reading.rule->source},
          {"statistic", reading.rule->statistic},
          {"value", json_or_null(found.value)},
          {"lower", json_or_null(found.lower)},
          {"upper", json_or_null(found.upper)},
          {"n", json_or_null(found.n)},
          {"p", json_or_null(found.p)},
          {"p_adjusted", json_or_null(reading.p_adjusted)},
          {"threshold", json_or_null(reading.threshold)},
          {"sentence", found.sentence},
          {"cells", found.cells}};
}

}  // namespace

std::string text_of(const Verdict& verdict) {
  std::string text = network_name(verdict.labels) + ", " + verdict.norm + " " +
                     verdict.epsilon_text + ": " + to_string(verdict.judgement) + "\n  " +
                     verdict.sentence + "\n";
  for (const RuleState state : {RuleState::kDecides,
                                RuleState::kSymptom,
                                RuleState::kNote,
                                RuleState::kQuiet,
                                RuleState::kLacks}) {
    add_rules(verdict, state, text);
  }
  for (const MissingEvidence& missing : missing_evidence(verdict)) {
    if (!missing.is_essential) continue;
    text += "  a verdict needs " + missing.needs + "\n";
    if (!missing.lines.empty()) text += "        " + missing.lines + "\n";
  }
  return text;
}

table::Table table_of(std::span<const Verdict> verdicts) {
  table::Table result{kLabels, {}};
  for (const char* name : {"judgement",
                           "n",
                           "clean_correct",
                           "plain_correct",
                           "robust_correct",
                           "strongest",
                           "n_attacks",
                           "n_missing",
                           "sentence"}) {
    result.columns.emplace_back(name);
  }
  for (const Verdict& v : verdicts) {
    std::vector<table::Value> row = labels_of(v);
    row.insert(row.end(),
               {std::string(to_string(v.judgement)),
                v.n,
                v.clean_correct,
                value_or_none(v.plain_correct),
                v.robust_correct,
                v.strongest,
                v.n_attacks,
                v.n_missing,
                v.sentence});
    result.rows.push_back(std::move(row));
  }
  return result;
}

table::Table rules_of(std::span<const Verdict> verdicts) {
  table::Table result{kLabels, {}};
  for (const char* name : {"judgement",
                           "rule",
                           "state",
                           "value",
                           "lower",
                           "upper",
                           "n",
                           "p",
                           "p_adjusted",
                           "threshold",
                           "sentence"}) {
    result.columns.emplace_back(name);
  }
  for (const Verdict& v : verdicts) {
    for (const Reading& r : v.readings) {
      std::vector<table::Value> row = labels_of(v);
      row.insert(row.end(),
                 {std::string(to_string(v.judgement)),
                  std::string(r.rule->id),
                  std::string(to_string(r.state)),
                  value_or_none(r.found.value),
                  value_or_none(r.found.lower),
                  value_or_none(r.found.upper),
                  value_or_none(r.found.n),
                  value_or_none(r.found.p),
                  value_or_none(r.p_adjusted),
                  value_or_none(r.threshold),
                  r.state == RuleState::kLacks ? std::string("needs ") + r.rule->needs
                                               : r.found.sentence});
      result.rows.push_back(std::move(row));
    }
  }
  return result;
}

nlohmann::ordered_json json_of(std::span<const Verdict> verdicts) {
  ordered_json all = ordered_json::array();
  for (const Verdict& v : verdicts) {
    ordered_json rules = ordered_json::array();
    for (const Reading& reading : v.readings) rules.push_back(json_of(reading));
    ordered_json missing = ordered_json::array();
    for (const MissingEvidence& m : missing_evidence(v)) {
      missing.push_back({{"rule", m.rule},
                         {"needs", m.needs},
                         {"manifest", m.lines},
                         {"is_essential", m.is_essential}});
    }
    all.push_back({{"study", v.study},
                   {"dataset", v.labels.dataset},
                   {"model", v.labels.model},
                   {"objective", v.labels.objective},
                   {"train_solver", v.labels.train_solver},
                   {"train_seed", v.labels.train_seed},
                   {"solver", v.labels.solver},
                   {"norm", v.norm},
                   {"epsilon", v.epsilon},
                   {"epsilon_text", v.epsilon_text},
                   {"judgement", to_string(v.judgement)},
                   {"sentence", v.sentence},
                   {"n", v.n},
                   {"clean_correct", v.clean_correct},
                   {"plain_correct", json_or_null(v.plain_correct)},
                   {"robust_correct", v.robust_correct},
                   {"strongest", v.strongest},
                   {"n_attacks", v.n_attacks},
                   {"n_missing", v.n_missing},
                   {"rules", std::move(rules)},
                   {"missing_evidence", std::move(missing)},
                   {"thresholds", v.thresholds}});
  }
  return all;
}

}  // namespace unmask::verdict
