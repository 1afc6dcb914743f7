#include "store/evidence.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <string_view>
#include <unordered_set>
#include <utility>

#include <nlohmann/json.hpp>

#include "base/json_members.hpp"
#include "store/database.hpp"
#include "store/plan_labels.hpp"
#include "unmask/errors.hpp"

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
    "SELECT c.id, c.kind, c.spec_json, coalesce(c.norm, ''), c.checkpoint_cell_id, "
    "a.id, " UNMASK_PLAN_LABELS
    " FROM run r JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id "
    "LEFT JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
    "WHERE r.id = ? AND NOT p.is_alias AND c.kind <> 'train' ORDER BY p.place";

constexpr const char* kOtherNames =
    "SELECT p.cell_id, " UNMASK_PLAN_LABELS
    " FROM run r JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id "
    "WHERE r.id = ? AND p.is_alias AND c.kind <> 'train' ORDER BY p.place";

// Cells with an attack that follows gradients.
std::unordered_set<std::int64_t> cells_with_gradients(Database& database) {
  Statement find = database.prepare(
      "list attacks with gradients",
      "SELECT m.cell_id FROM plugin g JOIN cell_plugin m ON m.plugin_id = g.id "
      "WHERE g.kind = 'attack' AND instr(g.capabilities, '\"gradient_free\"') = 0");
  std::unordered_set<std::int64_t> cells;
  while (find.step()) cells.insert(find.integer(0));
  return cells;
}

// The solvers of specifications, each once.
class Solvers {
 public:
  std::shared_ptr<const std::string> of(const std::string& spec) {
    std::string text;
    base::for_each_member(spec, [&](std::string_view name, std::string_view value) {
      if (name == "solver") text = value;
    });
    // Not as dump() writes it, or without one.
    if (text.empty()) text = nlohmann::json::parse(spec).at("solver").dump();
    auto& known = known_[text];
    if (!known) known = std::make_shared<const std::string>(text);
    return known;
  }

 private:
  std::unordered_map<std::string, std::shared_ptr<const std::string>> known_;
};

void add_other_names(Database& database, std::int64_t run, std::vector<EvidenceCell>& cells) {
  Statement find = database.prepare("list other names of evidence", kOtherNames);
  find.bind(run);
  std::unordered_map<std::int64_t, EvidenceCell*> by_id;
  while (find.step()) {
    if (by_id.empty()) {
      for (EvidenceCell& cell : cells) by_id[cell.id] = &cell;
    }
    by_id.at(find.integer(0))->other_names.push_back(read_labels(find, 1));
  }
}

std::vector<EvidenceCell> cells_of(Database& database, std::int64_t run) {
  const ReadTransaction view(database);
  const std::unordered_set<std::int64_t> with_gradients = cells_with_gradients(database);
  Solvers solvers;
  Statement find = database.prepare("list evidence", kCells);
  find.bind(run);
  std::vector<EvidenceCell> cells;
  while (find.step()) {
    EvidenceCell cell;
    cell.id = find.integer(0);
    cell.kind = find.text(1) == "probe" ? wire::CellKind::kProbe : wire::CellKind::kAttack;
    cell.solver = solvers.of(find.text(2));
    cell.norm = find.text(3);
    cell.checkpoint_cell = find.integer(4);
    cell.has_result = !find.is_null(5);
    if (cell.has_result) cell.attempt = find.text(5);
    cell.labels = read_labels(find, 6);
    cell.is_gradient_free =
        cell.kind == wire::CellKind::kAttack && !with_gradients.contains(cell.id);
    cells.push_back(std::move(cell));
  }
  add_other_names(database, run, cells);
  return cells;
}

std::vector<EvidenceStudy> studies_without_cells(Database& database,
                                                 const std::optional<std::string>& only) {
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
  return studies;
}

void append_mark(std::string& text,
                 std::int64_t cell,
                 std::string_view norm,
                 std::string_view attempt) {
  text += '\n';
  text += std::to_string(cell);
  text += ' ';
  text += norm;
  text += ' ';
  text += attempt;
}

}  // namespace

std::vector<EvidenceStudy> evidence_studies(const Store& store,
                                            const std::optional<std::string>& only) {
  std::vector<EvidenceStudy> studies = studies_without_cells(store.database(), only);
  for (EvidenceStudy& study : studies) study.cells = cells_of(store.database(), study.run);
  return studies;
}

std::optional<EvidenceStudy> evidence_study(const Store& store, const std::string& study) {
  std::vector<EvidenceStudy> found = studies_without_cells(store.database(), study);
  if (found.empty()) return std::nullopt;
  return std::move(found.front());
}

std::string evidence_marks(const std::vector<EvidenceCell>& cells) {
  std::string text;
  for (const EvidenceCell& cell : cells) append_mark(text, cell.id, cell.norm, cell.attempt);
  return text;
}

std::string evidence_marks(const Store& store, std::int64_t run) {
  Statement find = store.database().prepare(
      "list marks of evidence",
      "SELECT c.id, coalesce(c.norm, ''), coalesce(a.id, '') FROM run r "
      "JOIN plan_cell p ON p.plan_id = r.plan_id JOIN cell c ON c.id = p.cell_id "
      "LEFT JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
      "WHERE r.id = ? AND NOT p.is_alias AND c.kind <> 'train' ORDER BY p.place");
  find.bind(run);
  std::string text;
  while (find.step()) append_mark(text, find.integer(0), find.text(1), find.text(2));
  return text;
}

std::vector<wire::SampleOutcome> outcomes_of(const Store& store, std::int64_t cell) {
  return EvidenceReader(store).outcomes(cell);
}

EvidenceReader::EvidenceReader(const Store& store)
    : view_(store.database()),
      spec_(store.database().prepare("read specification",
                                     "SELECT spec_json FROM cell WHERE id = ?")),
      outcomes_(store.database().prepare(
          "read outcomes",
          "SELECT sample, label, coalesce(clean_prediction, -1), coalesce(prediction, -1), "
          "coalesce(distance, 0.0), queries, coalesce(passes, -1), state = 'decided' "
          "FROM sample_outcome WHERE cell_id = ? ORDER BY sample")),
      metrics_(store.database().prepare(
          "read metrics",
          "SELECT name, value FROM metric WHERE cell_id = ? AND value IS NOT NULL")),
      sample_metrics_(store.database().prepare("read sample metrics",
                                               "SELECT name, sample, value, flag FROM "
                                               "sample_metric WHERE cell_id = ? ORDER BY sample")),
      series_(store.database().prepare("read series",
                                       "SELECT name, value, flag FROM series WHERE cell_id = ? "
                                       "ORDER BY name, step")) {}

nlohmann::json EvidenceReader::spec(std::int64_t cell) {
  UNMASK_CHECK(spec_.bind(cell).step(), "cell " + std::to_string(cell) + " is not in the database");
  const std::string text = spec_.text(0);
  spec_.reset();
  nlohmann::json spec = nlohmann::json::object();
  const bool is_compact =
      base::for_each_member(text, [&](std::string_view name, std::string_view value) {
        static constexpr std::array<std::string_view, 6> kWanted = {
            "attack", "batch_size", "gradient", "probe", "solver", "source"};
        if (std::find(kWanted.begin(), kWanted.end(), name) == kWanted.end()) return;
        const auto [known, is_new] = values_.try_emplace(std::string(value));
        if (is_new) known->second = nlohmann::json::parse(value);
        spec[std::string(name)] = known->second;
      });
  return is_compact ? spec : nlohmann::json::parse(text);
}

std::vector<wire::SampleOutcome> EvidenceReader::outcomes(std::int64_t cell) {
  outcomes_.bind(cell);
  std::vector<wire::SampleOutcome> result;
  while (outcomes_.step()) {
    result.push_back({outcomes_.integer(0),
                      outcomes_.integer(1),
                      outcomes_.integer(2),
                      outcomes_.integer(3),
                      outcomes_.real(4),
                      outcomes_.integer(5),
                      outcomes_.integer(6),
                      outcomes_.integer(7) == 1});
  }
  return result;
}

std::map<std::string, double> EvidenceReader::metrics(std::int64_t cell) {
  metrics_.bind(cell);
  std::map<std::string, double> result;
  while (metrics_.step()) result[metrics_.text(0)] = metrics_.real(1);
  return result;
}

SampleValues EvidenceReader::sample_metrics(std::int64_t cell) {
  sample_metrics_.bind(cell);
  SampleValues result;
  while (sample_metrics_.step()) {
    result[sample_metrics_.text(0)].emplace_back(sample_metrics_.integer(1),
                                                 value_of(sample_metrics_, 2, 3));
  }
  return result;
}

std::map<std::string, std::vector<double>> EvidenceReader::series(std::int64_t cell) {
  series_.bind(cell);
  std::map<std::string, std::vector<double>> result;
  while (series_.step()) result[series_.text(0)].push_back(value_of(series_, 1, 2));
  return result;
}

}  // namespace unmask::store
