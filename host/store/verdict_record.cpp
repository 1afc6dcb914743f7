#include "store/verdict_record.hpp"

#include <nlohmann/json.hpp>

#include "store/sql_values.hpp"
#include "store/stamps.hpp"
#include "store/store_impl.hpp"

namespace unmask::store {
namespace {

class VerdictWriter {
 public:
  VerdictWriter(Database& database, std::int64_t run, const std::string& study)
      : run_(run),
        study_(study),
        verdict_(database.prepare(
            "insert verdict",
            "INSERT INTO verdict(run_id, study, dataset, model, objective, train_solver, "
            "train_seed, solver, norm, epsilon, epsilon_text, checkpoint_cell_id, judgement, "
            "sentence, n, clean_correct, plain_correct, robust_correct, strongest, n_attacks, "
            "n_missing, thresholds, evidence_sha256, tool, made_at) VALUES (?, ?, ?, ?, ?, ?, ?, "
            "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, " UNMASK_NOW ") RETURNING id")),
        rule_(database.prepare(
            "insert verdict_rule",
            "INSERT INTO verdict_rule(verdict_id, place, rule, state, statistic, value, lower, "
            "upper, n, p, p_adjusted, threshold, sentence) "
            "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)")),
        cell_(
            database.prepare("insert verdict_cell",
                             "INSERT INTO verdict_cell(verdict_id, rule, cell_id) VALUES (?, ?, ?) "
                             "ON CONFLICT (verdict_id, rule, cell_id) DO NOTHING")) {}

  void write(const VerdictRecord& v) {
    const wire::CellLabels& l = v.labels;
    verdict_.bind(run_).bind(study_).bind(l.dataset).bind(l.model).bind(l.objective);
    verdict_.bind(l.train_solver).bind(l.train_seed).bind(l.solver).bind(v.norm).bind(v.epsilon);
    verdict_.bind(v.epsilon_text).bind(v.checkpoint_cell).bind(v.judgement).bind(v.sentence);
    verdict_.bind(v.n).bind(v.clean_correct).bind(v.plain_correct).bind(v.robust_correct);
    verdict_.bind(v.strongest).bind(v.n_attacks).bind(v.n_missing);
    verdict_.bind(nlohmann::json(v.thresholds).dump()).bind(v.evidence_sha256);
    verdict_.bind(UNMASK_VERSION);
    const std::int64_t id = only_integer(verdict_, "verdict");
    std::int64_t place = 0;
    for (const RuleRecord& r : v.rules) {
      rule_.bind(id).bind(++place).bind(r.rule).bind(r.state).bind(r.statistic).bind(r.value);
      rule_.bind(r.lower).bind(r.upper).bind(r.n).bind(r.p).bind(r.p_adjusted);
      rule_.bind(r.threshold).bind(r.sentence).run();
      for (const std::int64_t cell : r.cells) cell_.bind(id).bind(r.rule).bind(cell).run();
    }
  }

 private:
  std::int64_t run_;
  const std::string& study_;
  Statement verdict_;
  Statement rule_;
  Statement cell_;
};

}  // namespace

void Store::record_verdicts(std::int64_t run,
                            const std::string& study,
                            std::span<const VerdictRecord> verdicts) {
  impl_->write([&](Database& database) {
    database.prepare("empty verdicts", "DELETE FROM verdict WHERE study = ?").bind(study).run();
    VerdictWriter writer(database, run, study);
    for (const VerdictRecord& verdict : verdicts) writer.write(verdict);
  });
}

std::vector<VerdictRecord> recorded_verdicts(const Store& store, const std::string& study) {
  Statement find = store.database().prepare(
      "list verdicts",
      "SELECT dataset, model, objective, train_solver, train_seed, solver, norm, epsilon, "
      "epsilon_text, checkpoint_cell_id, judgement, sentence, n, clean_correct, plain_correct, "
      "robust_correct, strongest, n_attacks, n_missing, thresholds, evidence_sha256 "
      "FROM verdict WHERE study = ? ORDER BY id");
  find.bind(study);
  std::vector<VerdictRecord> result;
  while (find.step()) {
    VerdictRecord v;
    v.labels.dataset = find.text(0);
    v.labels.model = find.text(1);
    v.labels.objective = find.text(2);
    v.labels.train_solver = find.text(3);
    v.labels.train_seed = find.integer(4);
    v.labels.solver = find.text(5);
    v.norm = find.text(6);
    v.epsilon = find.real(7);
    v.epsilon_text = find.text(8);
    v.checkpoint_cell = find.integer(9);
    v.judgement = find.text(10);
    v.sentence = find.text(11);
    v.n = find.integer(12);
    v.clean_correct = find.integer(13);
    if (!find.is_null(14)) v.plain_correct = find.integer(14);
    v.robust_correct = find.integer(15);
    v.strongest = find.text(16);
    v.n_attacks = find.integer(17);
    v.n_missing = find.integer(18);
    v.thresholds = nlohmann::json::parse(find.text(19)).get<std::map<std::string, double>>();
    v.evidence_sha256 = find.text(20);
    result.push_back(std::move(v));
  }
  return result;
}

}  // namespace unmask::store
