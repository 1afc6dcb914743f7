#include "store/evidence.hpp"

#include <limits>

#include <nlohmann/json.hpp>

#include "store/database.hpp"

namespace unmask::store {
namespace {

// A number as SQLite keeps it: NULL with a flag when it is none.
double value_of(const Statement& row, int value, int flag) {
  if (!row.is_null(value)) return row.real(value);
  const std::string text = row.text(flag);
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

constexpr const char* kCells =
    "SELECT c.id, c.kind, c.spec_json, coalesce(c.norm, ''), c.checkpoint_cell_id, a.id, "
    "p.dataset, p.model, p.objective, p.train_solver, p.train_seed, p.solver, p.gradient, "
    "p.source, p.method, p.epsilon, p.epsilon_text, p.seed, "
    "NOT EXISTS (SELECT 1 FROM cell_plugin m JOIN plugin g ON g.id = m.plugin_id "
    "WHERE m.cell_id = c.id AND g.kind = 'attack' AND "
    "instr(g.capabilities, '\"gradient_free\"') = 0) "
    "FROM run r JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id "
    "LEFT JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
    "WHERE r.id = ? AND NOT p.is_alias AND c.kind <> 'train' ORDER BY p.place";

std::vector<EvidenceCell> cells_of(Database& database, std::int64_t run) {
  Statement find = database.prepare("list evidence", kCells);
  find.bind(run);
  std::vector<EvidenceCell> cells;
  while (find.step()) {
    EvidenceCell cell;
    cell.id = find.integer(0);
    cell.kind = find.text(1) == "probe" ? wire::CellKind::kProbe : wire::CellKind::kAttack;
    cell.spec_json = find.text(2);
    cell.norm = find.text(3);
    cell.checkpoint_cell = find.integer(4);
    cell.has_result = !find.is_null(5);
    if (cell.has_result) cell.attempt = find.text(5);
    wire::CellLabels& l = cell.labels;
    l.dataset = find.text(6);
    l.model = find.text(7);
    l.objective = find.text(8);
    l.train_solver = find.text(9);
    l.train_seed = find.integer(10);
    l.solver = find.text(11);
    l.gradient = find.text(12);
    l.source = find.text(13);
    l.method = find.text(14);
    if (!find.is_null(15)) l.epsilon = find.real(15);
    l.epsilon_text = find.text(16);
    l.seed = find.integer(17);
    cell.is_gradient_free = cell.kind == wire::CellKind::kAttack && find.integer(18) == 1;
    cells.push_back(std::move(cell));
  }
  return cells;
}

}  // namespace

std::vector<EvidenceStudy> evidence_studies(const Store& store,
                                            const std::optional<std::string>& only) {
  Database& database = store.database();
  Statement find = database.prepare("list studies",
                                    "SELECT c.study, c.run_id, r.thresholds FROM current_run c "
                                    "JOIN run r ON r.id = c.run_id "
                                    "WHERE ?1 IS NULL OR c.study = ?1 ORDER BY c.study");
  find.bind(only);
  std::vector<EvidenceStudy> studies;
  while (find.step()) {
    EvidenceStudy study{find.text(0), find.integer(1), {}, {}};
    study.thresholds = nlohmann::json::parse(find.text(2)).get<std::map<std::string, double>>();
    studies.push_back(std::move(study));
  }
  for (EvidenceStudy& study : studies) study.cells = cells_of(database, study.run);
  return studies;
}

std::vector<wire::SampleOutcome> outcomes_of(const Store& store, std::int64_t cell) {
  Statement find = store.database().prepare(
      "read outcomes",
      "SELECT sample, label, coalesce(clean_prediction, -1), coalesce(prediction, -1), "
      "coalesce(distance, 0.0), queries, coalesce(passes, -1), state = 'decided' "
      "FROM sample_outcome WHERE cell_id = ? ORDER BY sample");
  find.bind(cell);
  std::vector<wire::SampleOutcome> result;
  while (find.step()) {
    result.push_back({find.integer(0),
                      find.integer(1),
                      find.integer(2),
                      find.integer(3),
                      find.real(4),
                      find.integer(5),
                      find.integer(6),
                      find.integer(7) == 1});
  }
  return result;
}

std::map<std::string, double> metrics_of(const Store& store, std::int64_t cell) {
  Statement find = store.database().prepare(
      "read metrics", "SELECT name, value FROM metric WHERE cell_id = ? AND value IS NOT NULL");
  find.bind(cell);
  std::map<std::string, double> result;
  while (find.step()) result[find.text(0)] = find.real(1);
  return result;
}

SampleValues sample_metrics_of(const Store& store, std::int64_t cell) {
  Statement find = store.database().prepare(
      "read sample metrics",
      "SELECT name, sample, value, flag FROM sample_metric WHERE cell_id = ? ORDER BY sample");
  find.bind(cell);
  SampleValues result;
  while (find.step()) result[find.text(0)].emplace_back(find.integer(1), value_of(find, 2, 3));
  return result;
}

std::map<std::string, std::vector<double>> series_of(const Store& store, std::int64_t cell) {
  Statement find = store.database().prepare(
      "read series", "SELECT name, value, flag FROM series WHERE cell_id = ? ORDER BY name, step");
  find.bind(cell);
  std::map<std::string, std::vector<double>> result;
  while (find.step()) result[find.text(0)].push_back(value_of(find, 1, 2));
  return result;
}

}  // namespace unmask::store
