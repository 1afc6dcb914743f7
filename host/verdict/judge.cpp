#include "verdict/judge.hpp"

#include <algorithm>
#include <set>
#include <utility>

#include <nlohmann/json.hpp>

#include "catalog/verdict_thresholds.hpp"
#include "text/globs.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"
#include "verdict/gather.hpp"
#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"
#include "verdict/statistics.hpp"

namespace unmask::verdict {
namespace {

bool is_beyond(const Rule& rule, double value, double threshold) {
  return rule.direction == Direction::kAbove ? value >= threshold && value > 0 : value < threshold;
}

std::vector<Reading> measure_all(const Evidence& evidence) {
  std::vector<Reading> readings;
  std::vector<double> p;
  for (const Rule* rule : all_rules()) {
    Reading reading;
    reading.rule = rule;
    reading.found = rule->measure(evidence);
    if (reading.found.value && reading.found.p) p.push_back(*reading.found.p);
    readings.push_back(std::move(reading));
  }
  const std::vector<double> adjusted = holm(p);
  auto next = adjusted.begin();
  for (Reading& reading : readings) {
    if (reading.found.value && reading.found.p) reading.p_adjusted = *next++;
  }
  return readings;
}

// A share decides when it is large, and when all that its interval leaves possible is a symptom.
void set_state(Reading& reading, const Evidence& evidence, bool is_anything_hidden) {
  const Rule& rule = *reading.rule;
  const Measurement& found = reading.found;
  if (!found.value) return;
  reading.state = RuleState::kQuiet;
  const bool is_significant =
      !reading.p_adjusted || *reading.p_adjusted <= evidence.threshold("alpha");
  const std::string symptom = rule.symptom_at;
  if (!symptom.empty()) {
    reading.threshold = evidence.threshold(rule.symptom_at);
    if (!is_significant || !is_beyond(rule, *found.value, *reading.threshold)) return;
    reading.state = rule.is_note ? RuleState::kNote : RuleState::kSymptom;
  }
  if (std::string(rule.decides_at).empty()) return;
  const double limit = evidence.threshold(rule.decides_at);
  const bool is_sure = !found.lower || *found.lower >= *reading.threshold;
  if (is_beyond(rule, *found.value, limit) && is_sure &&
      (!rule.is_about_gradient || is_anything_hidden)) {
    reading.state = RuleState::kDecides;
    reading.threshold = limit;
  }
}

// One attack at a time: in a batch that mixes its images several together fool by luck, too.
void absolve(Reading& reading, const Evidence& evidence) {
  const bool counts = reading.state == RuleState::kDecides || reading.state == RuleState::kSymptom;
  if (!counts || reading.rule->unhindered == nullptr) return;
  Measurement best;
  for (const Attack* attack : reading.rule->unhindered(evidence)) {
    keep_larger(best, paired_gap(evidence, evidence.plain(), {attack}));
  }
  if (!best.value || *best.value >= evidence.threshold("gap_suspect")) return;
  reading.state = RuleState::kQuiet;
  reading.found.sentence += "; it hides nothing: " + best.sentence;
}

std::set<std::string> symptoms_of(const Verdict& verdict) {
  std::set<std::string> about;
  for (const Reading& reading : verdict.readings) {
    if (reading.state == RuleState::kSymptom) about.insert(reading.rule->about);
  }
  return about;
}

void set_counts(Verdict& verdict, const Evidence& evidence) {
  const auto& network = evidence.network();
  for (std::size_t place = 0; place < network.samples.size(); ++place) {
    for (const Attack* attack : evidence.attacks()) {
      if (attack->fates[place] == Fate::kAbsent) continue;
      ++verdict.n;
      break;
    }
  }
  verdict.clean_correct = static_cast<std::int64_t>(evidence.eligible().size());
  verdict.robust_correct = evidence.left_by(evidence.attacks());
  if (!evidence.plain().empty()) verdict.plain_correct = evidence.left_by(evidence.plain());
  verdict.n_attacks = static_cast<std::int64_t>(evidence.attacks().size());
  verdict.n_missing = network.missing_probes;
  for (const Network::Missing& missing : network.missing) {
    const bool counts = missing.epsilon == evidence.epsilon() &&
                        (missing.norm.empty() || missing.norm == evidence.norm());
    if (counts) ++verdict.n_missing;
  }
  std::int64_t least = 0;
  for (const Attack* attack : evidence.attacks()) {
    const std::int64_t left = evidence.left_by({attack});
    if (!verdict.strongest.empty() && left >= least) continue;
    least = left;
    verdict.strongest = attack->name;
  }
}

std::string share_left(std::int64_t left, const Verdict& verdict) {
  return std::to_string(left) + " of " + std::to_string(verdict.clean_correct);
}

std::string owed(const Verdict& verdict) {
  return std::to_string(verdict.n_missing) +
         (verdict.n_missing == 1 ? " planned cell has" : " planned cells have") + " no result yet";
}

std::string state_of_attacks(const Verdict& verdict) {
  std::string text;
  if (verdict.plain_correct) {
    text = "the plain gradient attack leaves " + share_left(*verdict.plain_correct, verdict) +
           ", all attacks together leave " + share_left(verdict.robust_correct, verdict);
  }
  if (verdict.n_missing > 0) text += (text.empty() ? "" : "; ") + owed(verdict);
  return text;
}

std::string first_with(const Verdict& verdict, RuleState state) {
  std::string text;
  for (const Reading& reading : verdict.readings) {
    if (reading.state != state) continue;
    if (text.empty()) text = std::string(reading.rule->says) + " (" + reading.found.sentence + ")";
  }
  return text;
}

std::string not_detected_sentence(const Verdict& verdict, const Evidence& evidence) {
  std::string text = "no rule decides, by " + names_of(evidence.attacks()) + " at " +
                     evidence.norm() + " " + evidence.epsilon_text() + "; the strongest alone is " +
                     verdict.strongest + ", all together leave " +
                     count_text(verdict.robust_correct, verdict.clean_correct) +
                     ", the plain gradient attack " + share_left(*verdict.plain_correct, verdict);
  if (verdict.n_missing > 0) text += "; " + owed(verdict);
  // Never a claim that it is robust.
  return text +
         (verdict.robust_correct == 0 ? "; it is simply not robust" : "; no proof of robustness");
}

// Whether a mask could hide anything: what the plain attack leaves.
bool is_anything_hidden(const Verdict& verdict, const Evidence& evidence) {
  if (!verdict.plain_correct || verdict.clean_correct == 0) return false;
  return static_cast<double>(*verdict.plain_correct) >=
         evidence.threshold("hidden_share") * static_cast<double>(verdict.clean_correct);
}

bool has_enough_samples(const Verdict& verdict, const Thresholds& thresholds) {
  return static_cast<double>(verdict.clean_correct) >= thresholds.at("min_samples");
}

void decide(Verdict& verdict, const Evidence& evidence) {
  const bool is_hidden = is_anything_hidden(verdict, evidence);
  for (Reading& reading : verdict.readings) {
    set_state(reading, evidence, is_hidden);
    absolve(reading, evidence);
  }
  const std::string deciding = first_with(verdict, RuleState::kDecides);
  const auto symptoms = symptoms_of(verdict);
  const std::string state = state_of_attacks(verdict);
  if (!has_enough_samples(verdict, verdict.thresholds)) {
    verdict.judgement = Judgement::kInsufficient;
    verdict.sentence = "only " + std::to_string(verdict.clean_correct) +
                       " attacked samples are right without an attack; " +
                       short_number(verdict.thresholds.at("min_samples")) + " are needed";
  } else if (!verdict.plain_correct) {
    verdict.judgement = Judgement::kInsufficient;
    verdict.sentence =
        "no attack follows the gradient of the network itself for many steps that reach the "
        "surface of the ball";
  } else if (!deciding.empty()) {
    verdict.judgement = Judgement::kMasked;
    verdict.sentence = deciding + "; " + state;
  } else if (is_hidden && static_cast<double>(symptoms.size()) >= evidence.threshold("symptoms")) {
    verdict.judgement = Judgement::kSuspect;
    verdict.sentence =
        std::to_string(symptoms.size()) +
        " kinds of symptoms, of which none decides: " + first_with(verdict, RuleState::kSymptom) +
        "; " + state;
  } else if (is_hidden && evidence.black_box().empty()) {
    verdict.judgement = Judgement::kInsufficient;
    verdict.sentence =
        "no attack without gradients looked for what the gradient may hide; " + state;
  } else {
    verdict.judgement = Judgement::kNotDetected;
    verdict.sentence = not_detected_sentence(verdict, evidence);
  }
}

// Which verdict is meant, under one of its names.
struct Subject {
  const std::string& study;
  const std::string& norm;
  const wire::CellLabels& labels;
};

std::string value_of(const Subject& subject, const std::string& axis) {
  if (axis == "study") return subject.study;
  if (axis == "dataset") return subject.labels.dataset;
  if (axis == "model") return subject.labels.model;
  if (axis == "objective") return subject.labels.objective;
  if (axis == "train_solver") return subject.labels.train_solver;
  if (axis == "train_seed") return std::to_string(subject.labels.train_seed);
  if (axis == "solver") return subject.labels.solver;
  if (axis == "norm") return subject.norm;
  return subject.labels.epsilon_text;
}

// The attacks on a network that a verdict about this threat rests on.
bool is_of_threat(const store::EvidenceCell& cell, const std::string& norm, double epsilon) {
  return cell.kind == wire::CellKind::kAttack && cell.has_result && cell.norm == norm &&
         cell.labels.epsilon == epsilon;
}

// The threats of a network, by norm and radius.
std::set<std::pair<std::string, double>> threats_of(const NetworkCells& cells) {
  std::set<std::pair<std::string, double>> threats;
  for (const store::EvidenceCell* cell : cells.cells) {
    if (cell->kind == wire::CellKind::kAttack && cell->has_result &&
        cell->labels.epsilon.value_or(0) > 0) {
      threats.emplace(cell->norm, *cell->labels.epsilon);
    }
  }
  return threats;
}

// Equal definitions are one network that answers to all of their names.
bool matches(const Filter& filter,
             const std::string& study,
             const NetworkCells& cells,
             const std::string& norm,
             double epsilon) {
  return std::any_of(cells.cells.begin(), cells.cells.end(), [&](const store::EvidenceCell* cell) {
    if (!is_of_threat(*cell, norm, epsilon)) return false;
    const auto is_wanted = [&](const wire::CellLabels& labels) {
      return filter.matches(study, norm, labels);
    };
    return is_wanted(cell->labels) ||
           std::any_of(cell->other_names.begin(), cell->other_names.end(), is_wanted);
  });
}

}  // namespace

const char* to_string(Judgement judgement) {
  switch (judgement) {
    case Judgement::kMasked: return "masked";
    case Judgement::kSuspect: return "suspect";
    case Judgement::kNotDetected: return "not detected";
    case Judgement::kInsufficient: break;
  }
  return "insufficient evidence";
}

const char* to_string(RuleState state) {
  switch (state) {
    case RuleState::kDecides: return "decides";
    case RuleState::kSymptom: return "symptom";
    case RuleState::kNote: return "note";
    case RuleState::kQuiet: return "quiet";
    case RuleState::kLacks: break;
  }
  return "lacks evidence";
}

Filter::Filter(const std::vector<std::string>& texts) {
  static const std::vector<std::string> kAxes = {"study",
                                                 "dataset",
                                                 "model",
                                                 "objective",
                                                 "train_solver",
                                                 "train_seed",
                                                 "solver",
                                                 "norm",
                                                 "epsilon"};
  for (const std::string& text : texts) {
    alternatives_.push_back(words::parse_conditions(text, kAxes, ""));
  }
}

bool Filter::matches(const std::string& study,
                     const std::string& norm,
                     const wire::CellLabels& labels) const {
  if (alternatives_.empty()) return true;
  const Subject subject{study, norm, labels};
  return std::any_of(alternatives_.begin(), alternatives_.end(), [&](const auto& conditions) {
    return std::all_of(conditions.begin(), conditions.end(), [&](const words::Condition& c) {
      return words::glob_matches(c.pattern, value_of(subject, c.axis));
    });
  });
}

Verdict judge(const Evidence& evidence, const Thresholds& thresholds) {
  Verdict verdict;
  verdict.labels = evidence.network().labels;
  verdict.checkpoint_cell = evidence.network().checkpoint_cell;
  verdict.norm = evidence.norm();
  verdict.epsilon = evidence.epsilon();
  verdict.epsilon_text = evidence.epsilon_text();
  verdict.thresholds = thresholds;
  verdict.readings = measure_all(evidence);
  set_counts(verdict, evidence);
  decide(verdict, evidence);
  return verdict;
}

std::string evidence_sha256(const std::string& marks, const Thresholds& thresholds) {
  std::string text = UNMASK_VERSION "\n" + nlohmann::json(thresholds).dump() + "\n";
  for (const Rule* rule : all_rules()) text += std::string(rule->id) + " ";
  return sha256_hex(text + marks);
}

std::vector<Verdict> judge_study(const store::Store& store,
                                 const store::EvidenceStudy& study,
                                 const Filter& filter,
                                 const std::map<std::string, double>& thresholds) {
  std::map<std::string, double> instead = study.thresholds;
  for (const auto& [name, value] : thresholds) instead[name] = value;
  const Thresholds all = catalog::verdict_thresholds_with(instead);
  const std::string sha256 = evidence_sha256(store::evidence_marks(study.cells), all);
  std::vector<Verdict> verdicts;
  for (const NetworkCells& cells : networks_of(study)) {
    std::optional<Network> network;  // read when the first verdict about it is wanted
    for (const auto& [norm, epsilon] : threats_of(cells)) {
      if (!matches(filter, study.name, cells, norm, epsilon)) continue;
      if (!network) network = gather(store, cells);
      Verdict verdict = judge(Evidence(*network, norm, epsilon, all), all);
      verdict.study = study.name;
      verdict.run = study.run;
      verdict.evidence_sha256 = sha256;
      verdicts.push_back(std::move(verdict));
    }
  }
  return verdicts;
}

std::vector<Verdict> judge(const store::Store& store,
                           const Filter& filter,
                           const std::map<std::string, double>& thresholds) {
  for (const auto& [name, value] : thresholds) {
    if (catalog::find_verdict_threshold(name) == nullptr) {
      throw UsageError("there is no threshold \"" + name + "\"; docs/verdicts.md lists them");
    }
  }
  std::vector<Verdict> verdicts;
  for (const store::EvidenceStudy& study : store::evidence_studies(store)) {
    for (Verdict& verdict : judge_study(store, study, filter, thresholds)) {
      verdicts.push_back(std::move(verdict));
    }
  }
  return verdicts;
}

std::vector<store::VerdictRecord> renew(store::Store& store, const std::string& study_name) {
  const auto head = store::evidence_study(store, study_name);
  if (!head) return {};
  std::vector<store::VerdictRecord> records = store::recorded_verdicts(store, study_name);
  if (!records.empty()) {
    // Without reading the cells themselves: most runs find their verdicts as they should be.
    const std::string now = evidence_sha256(store::evidence_marks(store, head->run),
                                            catalog::verdict_thresholds_with(head->thresholds));
    if (records.front().evidence_sha256 == now) return records;
  }
  for (const store::EvidenceStudy& study : store::evidence_studies(store, study_name)) {
    records.clear();
    for (const Verdict& verdict : judge_study(store, study, {}, {})) {
      records.push_back(to_record(verdict));
    }
    store.record_verdicts(study.run, study.name, records);
    return records;
  }
  return {};
}

std::vector<MissingEvidence> missing_evidence(const Verdict& verdict) {
  std::vector<MissingEvidence> essential;
  std::vector<MissingEvidence> more;
  const bool is_insufficient = verdict.judgement == Judgement::kInsufficient;
  if (is_insufficient && !has_enough_samples(verdict, verdict.thresholds)) {
    essential.push_back({"", "more samples that the network classifies right", "", true});
  }
  if (is_insufficient && !verdict.plain_correct) {
    essential.push_back({"", rules::kZeroGradient.needs, rules::kZeroGradient.supply, true});
  }
  for (const Reading& reading : verdict.readings) {
    if (reading.state != RuleState::kLacks) continue;
    const bool is_essential = is_insufficient && reading.rule == &rules::kBlackBoxGap;
    (is_essential ? essential : more)
        .push_back({reading.rule->id, reading.rule->needs, reading.rule->supply, is_essential});
  }
  essential.insert(essential.end(), more.begin(), more.end());
  return essential;
}

store::VerdictRecord to_record(const Verdict& v) {
  store::VerdictRecord record;
  record.labels = v.labels;
  record.norm = v.norm;
  record.epsilon = v.epsilon;
  record.epsilon_text = v.epsilon_text;
  record.checkpoint_cell = v.checkpoint_cell;
  record.judgement = to_string(v.judgement);
  record.sentence = v.sentence;
  record.n = v.n;
  record.clean_correct = v.clean_correct;
  record.plain_correct = v.plain_correct;
  record.robust_correct = v.robust_correct;
  record.strongest = v.strongest;
  record.n_attacks = v.n_attacks;
  record.n_missing = v.n_missing;
  record.thresholds = v.thresholds;
  record.evidence_sha256 = v.evidence_sha256;
  for (const Reading& reading : v.readings) {
    const Measurement& found = reading.found;
    const bool lacks = reading.state == RuleState::kLacks;
    record.rules.push_back({reading.rule->id,
                            to_string(reading.state),
                            reading.rule->statistic,
                            found.value,
                            found.lower,
                            found.upper,
                            found.n,
                            found.p,
                            reading.p_adjusted,
                            reading.threshold,
                            lacks ? reading.rule->needs : found.sentence,
                            found.cells});
  }
  return record;
}

}  // namespace unmask::verdict
