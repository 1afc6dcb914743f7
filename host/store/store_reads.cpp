// Reading from the store, typed: what the program itself wants to know.

#include <string>
#include <utility>

#include "store/store_impl.hpp"

namespace unmask::store {
namespace {

constexpr const char* kSelectDone =
    "SELECT c.key, k.sha256, k.bytes, k.path FROM cell c "
    "JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
    "LEFT JOIN checkpoint k ON k.cell_id = c.id";

void take_done(const Statement& row, DoneCells& cells) {
  std::optional<wire::CheckpointFile> checkpoint;
  if (!row.is_null(1)) checkpoint = wire::CheckpointFile{row.text(1), row.integer(2), row.text(3)};
  cells.emplace(row.text(0), std::move(checkpoint));
}

const char* condition(OutcomeFilter filter) {
  switch (filter) {
    case OutcomeFilter::kFooled:
      return " AND state = 'decided' AND clean_prediction = label AND prediction <> label";
    case OutcomeFilter::kRobust:
      return " AND state = 'decided' AND clean_prediction = label AND prediction = label";
    case OutcomeFilter::kUndecided: return " AND state = 'undecided'";
    case OutcomeFilter::kAll: break;
  }
  return "";
}

std::int64_t integer_or(const Statement& row, int column, std::int64_t missing) {
  return row.is_null(column) ? missing : row.integer(column);
}

}  // namespace

DoneCells Store::lookup(std::span<const std::string> keys) const {
  DoneCells result;
  result.reserve(keys.size());
  const ReadTransaction view(impl_->database);
  Statement find =
      impl_->database.prepare("look up cell", std::string(kSelectDone) + " WHERE c.key = ?");
  for (const std::string& key : keys) {
    find.bind(key);
    while (find.step()) take_done(find, result);
  }
  return result;
}

DoneCells Store::lookup(std::span<const wire::Cell> cells) const {
  std::vector<std::string> keys;
  keys.reserve(cells.size());
  for (const wire::Cell& cell : cells) keys.push_back(cell.key);
  return lookup(std::span<const std::string>(keys));
}

DoneCells Store::stored() const {
  DoneCells result;
  Statement find = impl_->database.prepare("list done cells", kSelectDone);
  while (find.step()) take_done(find, result);
  return result;
}

std::optional<wire::ResultFile> Store::adversarials_of(const std::string& key) const {
  Statement find = impl_->database.prepare("find adversarials",
                                           "SELECT k.sha256, k.bytes, k.path FROM adversarials k "
                                           "JOIN cell c ON c.id = k.cell_id WHERE c.key = ?");
  if (!find.bind(key).step()) return std::nullopt;
  return wire::ResultFile{find.text(0), find.integer(1), find.text(2)};
}

std::vector<std::string> Store::done_attacks(const std::string& prefix, std::size_t limit) const {
  Statement find = impl_->database.prepare(
      "find attacks by key",
      "SELECT c.key FROM cell c JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
      "WHERE c.kind = 'attack' AND substr(c.key, 1, length(?1)) = ?1 ORDER BY c.key LIMIT ?2");
  find.bind(prefix).bind(static_cast<std::int64_t>(limit));
  std::vector<std::string> keys;
  while (find.step()) keys.push_back(find.text(0));
  return keys;
}

std::vector<wire::SampleOutcome> Store::outcomes(const std::string& key,
                                                 OutcomeFilter filter,
                                                 std::size_t limit) const {
  Statement find = impl_->database.prepare(
      "list outcomes",
      std::string("SELECT sample, label, clean_prediction, prediction, distance, queries, passes, "
                  "state = 'decided' FROM sample_outcome "
                  "WHERE cell_id = (SELECT id FROM cell WHERE key = ?)") +
          condition(filter) + " ORDER BY sample LIMIT ?");
  find.bind(key).bind(static_cast<std::int64_t>(limit));
  std::vector<wire::SampleOutcome> result;
  while (find.step()) {
    wire::SampleOutcome outcome;
    outcome.sample = find.integer(0);
    outcome.label = find.integer(1);
    outcome.clean_prediction = integer_or(find, 2, -1);
    outcome.prediction = integer_or(find, 3, -1);
    outcome.distance = find.real(4);
    outcome.queries = find.integer(5);
    outcome.passes = integer_or(find, 6, -1);
    outcome.is_decided = find.integer(7) == 1;
    result.push_back(outcome);
  }
  return result;
}

std::map<std::string, double> Store::metric_above(const std::string& name, double limit) const {
  Statement find = impl_->database.prepare("find cells by metric",
                                           "SELECT c.key, m.value FROM metric m JOIN cell c ON "
                                           "c.id = m.cell_id WHERE m.name = ? AND m.value > ?");
  find.bind(name).bind(limit);
  std::map<std::string, double> result;
  while (find.step()) result[find.text(0)] = find.real(1);
  return result;
}

std::vector<std::string> Store::results_of_other_weights(const std::string& training,
                                                         const std::string& weights) const {
  Statement cell = impl_->database.prepare("find cell", "SELECT id FROM cell WHERE key = ?");
  if (!cell.bind(training).step()) return {};
  Statement find = impl_->database.prepare("find results of other weights", kResultsOfOtherWeights);
  find.bind(cell.integer(0)).bind(weights);
  std::vector<std::string> keys;
  while (find.step()) keys.push_back(find.text(1));
  return keys;
}

void Store::visit_timed_cells(const std::function<void(const TimedCell&)>& visit) const {
  Statement find =
      impl_->database.prepare("list times",
                              "SELECT c.spec_json, a.wall_s, a.device, a.device_peak_bytes "
                              "FROM cell c JOIN attempt a ON a.cell_id = c.id "
                              "WHERE a.state = 'done' AND a.wall_s IS NOT NULL");
  while (find.step()) {
    visit({nlohmann::json::parse(find.text(0)),
           find.real(1),
           find.text(2),
           find.is_null(3) ? std::nullopt : std::optional(find.integer(3))});
  }
}

}  // namespace unmask::store
