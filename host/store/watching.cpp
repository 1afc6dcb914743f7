#include "store/watching.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <set>

#include <sqlite3.h>

#include "store/database.hpp"
#include "store/plan_labels.hpp"

namespace unmask::store {
namespace {

// The cells of the plan of run ?1, once each.
#define UNMASK_PLANNED                                                   \
  " run r JOIN plan_cell p ON p.plan_id = r.plan_id AND NOT p.is_alias " \
  "JOIN cell c ON c.id = p.cell_id "

// Of "c.kind, " UNMASK_PLAN_LABELS.
wire::Cell take_labels(const Statement& row, int first) {
  wire::Cell cell;
  cell.kind = wire::parse_cell_kind(row.text(first)).value_or(wire::CellKind::kAttack);
  cell.labels = read_labels(row, first + 1);
  return cell;
}

std::string network_text(const wire::CellLabels& l) {
  std::string text = l.model + "/" + l.dataset + "/" + l.objective + "/" + l.train_solver +
                     " seed " + std::to_string(l.train_seed);
  if (!l.solver.empty() && l.solver != l.train_solver) text += " under " + l.solver;
  return text;
}

std::string attack_text(const wire::CellLabels& l) {
  std::string text = l.method;
  if (!l.gradient.empty()) text += " via " + l.gradient;
  if (!l.source.empty()) text += " from " + l.source;
  if (l.seed != 0) text += " seed " + std::to_string(l.seed);
  return text;
}

std::string text_or_nothing(const Statement& row, int column) {
  return row.is_null(column) ? "" : row.text(column);
}

// A number as SQLite keeps it: NULL with a flag when it is none.
double number_of(const Statement& row, int value, int flag) {
  if (!row.is_null(value)) return row.real(value);
  const std::string text = row.text(flag);
  if (text == "inf") return std::numeric_limits<double>::infinity();
  if (text == "-inf") return -std::numeric_limits<double>::infinity();
  return std::numeric_limits<double>::quiet_NaN();
}

// Which failures belong to a run: its own, and the last one of every cell that has no result yet.
constexpr const char* kFailures =
    " FROM" UNMASK_PLANNED
    "JOIN attempt a ON a.cell_id = c.id AND a.state = 'failed' "
    "WHERE r.id = ?1 AND (a.run_id = r.id OR (a.n = (SELECT max(f.n) FROM attempt f "
    "WHERE f.cell_id = c.id) AND NOT EXISTS (SELECT 1 FROM attempt d WHERE d.cell_id = c.id "
    "AND d.state = 'done')))";

// Every n-th point and the last one, so that at most `limit` are left.
void thin(std::vector<std::pair<std::int64_t, double>>& points, std::size_t limit) {
  if (points.size() <= limit || limit < 2) return;
  const std::size_t every = (points.size() + limit - 2) / (limit - 1);
  std::vector<std::pair<std::int64_t, double>> kept;
  for (std::size_t i = 0; i + 1 < points.size(); i += every) kept.push_back(points[i]);
  kept.push_back(points.back());
  points = std::move(kept);
}

}  // namespace

std::vector<WatchedRun> watched_runs(const Store& store) {
  Statement find = store.database().prepare(
      "list runs to watch",
      "SELECT m.name, m.description, r.id, r.state, r.exit_code, r.started_at, r.ended_at, r.pid, "
      "e.host, r.tool, m.file FROM run r JOIN manifest m ON m.id = r.manifest_id "
      "JOIN environment e ON e.id = r.environment_id WHERE r.plan_id IS NOT NULL ORDER BY r.id "
      "DESC");
  std::vector<WatchedRun> runs;
  std::set<std::string> seen;
  while (find.step()) {
    WatchedRun run;
    run.study = find.text(0);
    if (!seen.insert(run.study).second) continue;
    run.description = find.text(1);
    run.id = find.integer(2);
    run.state = find.text(3);
    if (!find.is_null(4)) run.exit_code = static_cast<int>(find.integer(4));
    run.started_at = find.text(5);
    run.ended_at = text_or_nothing(find, 6);
    run.pid = find.integer(7);
    run.host = text_or_nothing(find, 8);
    run.tool = find.text(9);
    run.manifest = find.text(10);
    runs.push_back(std::move(run));
  }
  return runs;
}

KindCounts count_cells(const Store& store, const WatchedRun& run) {
  Statement find = store.database().prepare(
      "count cells",
      "SELECT kind, count(*), sum(state = 'done'), sum(state = 'running'), sum(state = 'failed'), "
      "sum(how = 'planned') FROM (SELECT c.kind, k.how, "
      "coalesce((SELECT a.state FROM attempt a WHERE a.cell_id = c.id ORDER BY a.n DESC LIMIT 1), "
      "'missing') AS state "
      "FROM" UNMASK_PLANNED
      "LEFT JOIN run_cell k ON k.run_id = r.id AND k.cell_id = c.id WHERE r.id = ?1) GROUP BY "
      "kind");
  find.bind(run.id);
  KindCounts counts;
  while (find.step()) {
    const auto kind = wire::parse_cell_kind(find.text(0));
    if (!kind) continue;
    KindCount& count = counts.at(static_cast<std::size_t>(*kind));
    count.cells = find.integer(1);
    count.done = find.integer(2);
    count.running = find.integer(3);
    count.failed = find.integer(4);
    count.ahead = find.is_null(5) ? 0 : find.integer(5);
  }
  return counts;
}

RunCount count_run(const Store& store, const WatchedRun& run) {
  Statement find = store.database().prepare(
      "count cells of a run", "SELECT how, count(*) FROM run_cell WHERE run_id = ? GROUP BY how");
  find.bind(run.id);
  std::map<std::string, std::int64_t> by_how;
  while (find.step()) by_how[find.text(0)] = find.integer(1);
  return {.hit = by_how["hit"],
          .ran = by_how["ran"],
          .failed = by_how["failed"],
          .skipped = by_how["skipped"],
          .planned = by_how["planned"]};
}

std::vector<RunningCell> running_cells(const Store& store, const WatchedRun& run) {
  Statement find = store.database().prepare(
      "list running cells",
      "SELECT c.key, a.n, a.started_at, a.worker_pid, a.device, "
      "c.kind, " UNMASK_PLAN_LABELS
      " FROM attempt a JOIN run r ON r.id = a.run_id JOIN cell c ON c.id = a.cell_id "
      "JOIN plan_cell p ON p.plan_id = r.plan_id AND p.cell_id = c.id AND NOT p.is_alias "
      "WHERE a.run_id = ?1 AND a.state = 'running' ORDER BY a.started_at, c.id");
  find.bind(run.id);
  std::vector<RunningCell> cells;
  while (find.step()) {
    cells.push_back({find.text(0),
                     wire::title(take_labels(find, 5)),
                     find.integer(1),
                     find.text(2),
                     find.integer(3),
                     find.text(4)});
  }
  return cells;
}

std::vector<FailedTry> failed_tries(const Store& store, const WatchedRun& run, std::size_t limit) {
  Statement find = store.database().prepare(
      "list failures to watch",
      std::string("SELECT c.key, a.n, a.failure_class, a.message, a.log_tail, a.ended_at, (SELECT "
                  "s.state FROM attempt s WHERE s.cell_id = c.id ORDER BY s.n DESC LIMIT "
                  "1), "
                  "c.kind, " UNMASK_PLAN_LABELS) +
          kFailures + " ORDER BY a.ended_at DESC, c.id LIMIT ?2");
  find.bind(run.id).bind(static_cast<std::int64_t>(limit));
  std::vector<FailedTry> tries;
  while (find.step()) {
    const wire::Cell cell = take_labels(find, 7);
    tries.push_back({find.text(0),
                     wire::title(cell),
                     wire::to_string(cell.kind),
                     find.integer(1),
                     find.text(2),
                     text_or_nothing(find, 3),
                     text_or_nothing(find, 4),
                     text_or_nothing(find, 5),
                     find.text(6)});
  }
  return tries;
}

std::int64_t count_failed_tries(const Store& store, const WatchedRun& run) {
  Statement find = store.database().prepare("count failures to watch",
                                            std::string("SELECT count(*)") + kFailures);
  find.bind(run.id);
  return find.step() ? find.integer(0) : 0;
}

std::vector<AttackAccuracy> accuracies(const Store& store,
                                       const WatchedRun& run,
                                       std::size_t limit) {
  Statement find = store.database().prepare(
      "list accuracies to watch",
      "SELECT coalesce(v.norm, ''), v.n, v.clean_accuracy, v.robust_accuracy, v.lower, "
      "v.upper, "
      "c.kind, " UNMASK_PLAN_LABELS " FROM" UNMASK_PLANNED
      "JOIN accuracy v ON v.study = ?2 AND v.cell_id = c.id AND NOT v.is_alias "
      "WHERE r.id = ?1 ORDER BY p.place LIMIT ?3");
  find.bind(run.id).bind(run.study).bind(static_cast<std::int64_t>(limit));
  std::vector<AttackAccuracy> rows;
  while (find.step()) {
    const wire::CellLabels labels = take_labels(find, 6).labels;
    rows.push_back({network_text(labels),
                    attack_text(labels),
                    find.text(0),
                    labels.epsilon_text,
                    labels.epsilon.value_or(0),
                    find.integer(1),
                    find.real(2),
                    find.real(3),
                    find.real(4),
                    find.real(5)});
  }
  return rows;
}

std::vector<TrainingCurve> training_curves(const Store& store,
                                           const WatchedRun& run,
                                           std::size_t limit,
                                           std::size_t points) {
  Statement trainings = store.database().prepare(
      "list trainings to watch",
      "SELECT c.id, c.key, "
      "c.kind, " UNMASK_PLAN_LABELS " FROM" UNMASK_PLANNED
      "JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
      "WHERE r.id = ?1 AND c.kind = 'train' ORDER BY a.ended_at DESC, c.id DESC LIMIT ?2");
  trainings.bind(run.id).bind(static_cast<std::int64_t>(limit));
  Statement find = store.database().prepare(
      "list curves to watch",
      "SELECT name, step, value, flag FROM series WHERE cell_id = ? ORDER BY name, step");
  std::vector<TrainingCurve> curves;
  while (trainings.step()) {
    const std::string title = wire::title(take_labels(trainings, 2));
    const std::size_t first = curves.size();
    find.bind(trainings.integer(0));
    while (find.step()) {
      const std::string name = find.text(0);
      if (curves.size() == first || curves.back().name != name) {
        curves.push_back({trainings.text(1), title, name, {}});
      }
      curves.back().points.emplace_back(find.integer(1), number_of(find, 2, 3));
    }
    for (std::size_t i = first; i < curves.size(); ++i) thin(curves[i].points, points);
  }
  return curves;
}

std::vector<WatchedVerdict> watched_verdicts(const Store& store,
                                             const WatchedRun& run,
                                             std::size_t limit) {
  Statement find = store.database().prepare(
      "list verdicts to watch",
      "SELECT model, dataset, objective, train_solver, train_seed, solver, judgement, "
      "norm || ' ' || epsilon_text, sentence FROM verdict WHERE study = ? ORDER BY id LIMIT ?");
  find.bind(run.study).bind(static_cast<std::int64_t>(limit));
  std::vector<WatchedVerdict> verdicts;
  while (find.step()) {
    wire::CellLabels labels;
    labels.model = find.text(0);
    labels.dataset = find.text(1);
    labels.objective = find.text(2);
    labels.train_solver = find.text(3);
    labels.train_seed = find.integer(4);
    labels.solver = find.text(5);
    verdicts.push_back({network_text(labels), find.text(6), find.text(7), find.text(8)});
  }
  return verdicts;
}

std::int64_t data_version(const Store& store) {
  return store.database().integer("ask for changes", "PRAGMA data_version");
}

OneMoment::OneMoment(const Store& store) : database_(store.database()) {
  database_.execute("begin reading", "BEGIN");
}

OneMoment::~OneMoment() {
  sqlite3_exec(database_.handle(), "COMMIT", nullptr, nullptr, nullptr);
}

}  // namespace unmask::store
