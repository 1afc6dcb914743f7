#include "store/merge_results.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include "store/result_values.hpp"
#include "store/row_values.hpp"
#include "store/sql_values.hpp"
#include "store/store_impl.hpp"

namespace unmask::store {
namespace {

// In place of "done" where another attempt with the same values stands for the cell.
const std::string kSame = "merged: another attempt gave the same values and is kept";

constexpr const char* kOther = "merged: another result of the cell, with other values, is kept";

// Tables that must agree. Remarks are about a process, not about the cell.
constexpr const char* kCompared[] = {
    "checkpoint", "metric", "series", "solve_stats", "sample_outcome", "sample_metric", "seed"};

// Where an attempt was made, as far as it may round otherwise.
std::string machine_of(Database& database, const std::string& attempt) {
  Statement find = database.prepare(
      "find the machine of an attempt",
      "SELECT e.host, e.cpu, e.gpu, e.libtorch, e.blas, json_extract(e.json, '$.kernels'), "
      "a.device FROM attempt a JOIN run r ON r.id = a.run_id JOIN environment e ON e.id = "
      "r.environment_id WHERE a.id = ?");
  find.bind(attempt);
  return find.step() ? to_text(row_of(find)) : "an unknown machine";
}

// Work that was done, which is the same for the same result.
std::vector<std::string> counters_of(Database& database, std::int64_t cell) {
  Statement find = database.prepare("read counters",
                                    "SELECT forwards, backwards, nfe FROM attempt "
                                    "WHERE cell_id = ? AND state = 'done'");
  find.bind(cell);
  std::vector<std::string> rows;
  while (find.step()) rows.push_back(to_text(row_of(find)));
  return rows;
}

std::string quoted(const std::vector<std::string>& rows, std::size_t at) {
  return at < rows.size() ? "\"" + rows[at] + "\"" : "nothing";
}

// "" when they are equal; else the first difference and how many there are.
std::string difference(const std::string& table,
                       const std::vector<std::string>& here,
                       const std::vector<std::string>& there) {
  const std::size_t length = std::max(here.size(), there.size());
  std::size_t first = length, count = 0;
  for (std::size_t i = 0; i < length; ++i) {
    if (i < here.size() && i < there.size() && here[i] == there[i]) continue;
    first = std::min(first, i);
    ++count;
  }
  if (count == 0) return "";
  std::string text = table + ": " + quoted(here, first) + " against " + quoted(there, first);
  if (count > 1) text += " and " + std::to_string(count - 1) + " more rows";
  return text;
}

}  // namespace

std::vector<std::string> rows_of_values(Database& database,
                                        const std::string& table,
                                        std::int64_t cell) {
  // How fast it went is no part of a result.
  const std::string where = table == "series" ? " AND name <> 'images_per_s'" : "";
  Statement read = database.prepare(
      "read " + table, "SELECT * FROM " + table + " WHERE cell_id = ?" + where + " ORDER BY 2, 3");
  read.bind(cell);
  std::vector<std::string> rows;
  while (read.step()) {
    Row row = row_of(read);
    row.erase(row.begin());
    rows.push_back(to_text(row));
  }
  return rows;
}

bool ResultMerger::Attempt::is_done_like() const {
  return state == "done" || (state == "discarded" && message == kSame);
}

// Later states of one attempt are higher.
int ResultMerger::Attempt::rank() const {
  if (is_done_like()) return 2;
  if (state == "discarded") return 3;
  return state == "failed" ? 1 : 0;
}

ResultMerger::ResultMerger(Database& target,
                           Database& source,
                           const MergeOptions& options,
                           std::function<std::int64_t(std::int64_t)> run_here,
                           MergeReport& report)
    : target_(target),
      source_(source),
      options_(options),
      run_here_(std::move(run_here)),
      report_(report) {}

ResultMerger::Attempts ResultMerger::attempts_of(Database& database,
                                                 std::int64_t cell,
                                                 bool is_source) const {
  Statement read = database.prepare("read attempts",
                                    "SELECT id, state, coalesce(message, ''), started_at, run_id "
                                    "FROM attempt WHERE cell_id = ?");
  read.bind(cell);
  Attempts attempts;
  while (read.step()) {
    Attempt attempt{read.text(0), read.text(1), read.text(2), read.text(3), read.integer(4)};
    if (is_source && options_.only && attempt.state != "done") continue;
    // It runs there, or was killed there; nobody here will hear of its end.
    if (attempt.state == "running") attempt.state = "interrupted";
    attempt.is_here = !is_source;
    attempt.is_from_source = is_source;
    attempts.emplace(attempt.id, attempt);
  }
  return attempts;
}

void ResultMerger::adopt(Attempts& merged, const Attempts& theirs) {
  for (const auto& [id, attempt] : theirs) {
    const auto [known, is_new] = merged.emplace(id, attempt);
    if (is_new) {
      known->second.is_changed = true;
    } else if (attempt.rank() > known->second.rank()) {
      known->second = attempt;
      known->second.is_here = known->second.is_changed = true;
    }
  }
}

void ResultMerger::merge(std::int64_t there, std::int64_t here) {
  const Attempts theirs = attempts_of(source_, there, true);
  if (theirs.empty()) return;
  const Attempts ours = attempts_of(target_, here, false);
  Attempts merged = ours;
  adopt(merged, theirs);

  const auto done_of = [&](const Attempts& attempts) -> Attempt* {
    for (const auto& [id, attempt] : attempts) {
      if (attempt.state == "done") return &merged.at(id);
    }
    return nullptr;
  };
  Attempt* const our_done = done_of(ours);
  Attempt* const their_done = done_of(theirs);
  const auto is_valid_here = [&](const auto& one) {
    return our_done != nullptr && one.second.is_here && one.second.is_done_like() &&
           ours.at(one.first).is_done_like();
  };
  bool keeps_ours = std::any_of(merged.begin(), merged.end(), is_valid_here);
  bool has_theirs = their_done != nullptr && their_done->is_done_like();

  if (has_theirs) {
    const std::string weights = keeps_ours ? "" : other_weights(here, their_done->id);
    if (keeps_ours && is_contradicted(there, here, *their_done)) {
      if (their_done != our_done) refuse(*their_done, kOther);
      has_theirs = false;
    } else if (!weights.empty()) {
      add_conflict(here, weights, "", their_done->id);
      refuse(*their_done, "merged: " + weights);
      has_theirs = false;
    }
  }
  if (our_done != nullptr && !keeps_ours) discard_values(target_, here, "");
  elect(merged);
  write(here, merged);
  if (has_theirs && keeps_ours) {
    ++report_.known;
    const bool lacks_images = rows_of_values(target_, "adversarials", here).empty();
    if (lacks_images) copy_table("adversarials", there, here);
  } else if (has_theirs) {
    ++report_.added;
    copy_values(there, here);
  }
}

// Whether the two stored results of a cell differ; reports it.
bool ResultMerger::is_contradicted(std::int64_t there, std::int64_t here, const Attempt& theirs) {
  std::string what = difference("work (forwards, backwards, evaluations)",
                                counters_of(target_, here),
                                counters_of(source_, there));
  for (const char* table : kCompared) {
    if (!what.empty()) break;
    what = difference(
        table, rows_of_values(target_, table, here), rows_of_values(source_, table, there));
  }
  if (what.empty()) return false;
  Statement find =
      target_.prepare("find result", "SELECT id FROM attempt WHERE cell_id = ? AND state = 'done'");
  find.bind(here);
  add_conflict(here, what, find.step() ? find.text(0) : "", theirs.id);
  return true;
}

// Why an evaluation there does not belong to the networks that are stored here; "" when it does.
std::string ResultMerger::other_weights(std::int64_t here, const std::string& attempt) {
  Statement read = source_.prepare(
      "read weights", "SELECT checkpoint_sha256, source_sha256 FROM attempt WHERE id = ?");
  if (!read.bind(attempt).step()) return "";
  Statement stored = target_.prepare(
      "find stored weights",
      "SELECT (SELECT sha256 FROM checkpoint k WHERE k.cell_id = c.checkpoint_cell_id), "
      "(SELECT sha256 FROM checkpoint k WHERE k.cell_id = c.source_cell_id) FROM cell c "
      "WHERE c.id = ?");
  stored.bind(here);
  stored.step();
  for (const int column : {0, 1}) {
    if (stored.is_null(column) || stored.text(column) == read.text(column)) continue;
    return "it was computed with weights " + read.text(column).substr(0, 12) +
           " of its training, and those that are kept are " + stored.text(column).substr(0, 12);
  }
  return "";
}

void ResultMerger::refuse(Attempt& attempt, const std::string& reason) {
  attempt.state = "discarded";
  attempt.message = reason;
  attempt.is_changed = true;
}

void ResultMerger::add_conflict(std::int64_t here,
                                const std::string& what,
                                const std::string& target_attempt,
                                const std::string& source_attempt) {
  Statement cell = target_.prepare("name the cell", "SELECT key, kind FROM cell WHERE id = ?");
  cell.bind(here).step();
  MergeConflict conflict;
  conflict.key = cell.text(0);
  conflict.kind = cell.text(1);
  conflict.what = what;
  if (!target_attempt.empty()) conflict.target = machine_of(target_, target_attempt);
  if (!source_attempt.empty()) conflict.source = machine_of(source_, source_attempt);
  conflict.file = source_.file();
  report_.conflicts.push_back(std::move(conflict));
}

// Of several attempts that gave the same, the one that began first stands for the cell, whichever
// file it came from.
void ResultMerger::elect(Attempts& merged) const {
  Attempt* first = nullptr;
  for (auto& [id, attempt] : merged) {
    if (!attempt.is_done_like()) continue;
    if (first == nullptr ||
        std::tie(attempt.started_at, attempt.id) < std::tie(first->started_at, first->id)) {
      first = &attempt;
    }
  }
  for (auto& [id, attempt] : merged) {
    if (!attempt.is_done_like()) continue;
    const bool is_first = &attempt == first;
    if ((attempt.state == "done") == is_first) continue;
    attempt.state = is_first ? "done" : "discarded";
    attempt.message = is_first ? "" : kSame;
    attempt.is_changed = true;
  }
}

void ResultMerger::write(std::int64_t here, const Attempts& merged) {
  if (std::none_of(
          merged.begin(), merged.end(), [](const auto& one) { return one.second.is_changed; })) {
    return;
  }
  // As if one process had tried after the other; the one that counts is the last.
  std::vector<const Attempt*> order;
  for (const auto& [id, attempt] : merged) order.push_back(&attempt);
  std::sort(order.begin(), order.end(), [](const Attempt* a, const Attempt* b) {
    return std::make_tuple(a->state == "done", a->started_at, a->id) <
           std::make_tuple(b->state == "done", b->started_at, b->id);
  });
  constexpr const char* kOutOfTheWay =
      "UPDATE attempt SET n = n + 1000000, state = CASE WHEN state = 'done' THEN 'discarded' "
      "ELSE state END WHERE cell_id = ?";
  target_.prepare("clear the numbers of attempts", kOutOfTheWay).bind(here).run();
  std::int64_t number = 0;
  for (const Attempt* attempt : order) write_row(here, *attempt, ++number);
}

void ResultMerger::write_row(std::int64_t here, const Attempt& attempt, std::int64_t number) {
  const auto message = attempt.message.empty() ? std::nullopt : std::optional(attempt.message);
  if (!attempt.is_from_source) {
    target_
        .prepare("number attempt", "UPDATE attempt SET n = ?, state = ?, message = ? WHERE id = ?")
        .bind(number)
        .bind(attempt.state)
        .bind(message)
        .bind(attempt.id)
        .run();
    return;
  }
  const std::string columns =
      "failure_class, log_tail, signal, exit_code, started_at, wall_s, device, peak_bytes, "
      "device_peak_bytes, forwards, backwards, nfe, worker_pid, checkpoint_sha256, source_sha256";
  Statement read = source_.prepare(
      "read attempt",
      "SELECT coalesce(ended_at, started_at), " + columns + " FROM attempt WHERE id = ?");
  read.bind(attempt.id).step();
  if (!attempt.is_here) ++report_.attempts;
  if (attempt.is_here) {
    target_.prepare("replace attempt", "DELETE FROM attempt WHERE id = ?").bind(attempt.id).run();
  }
  Statement insert = target_.prepare(
      "merge attempt",
      "INSERT INTO attempt(id, cell_id, run_id, n, state, message, ended_at, " + columns +
          ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)");
  insert.bind(attempt.id).bind(here).bind(run_here_(attempt.run)).bind(number);
  insert.bind(attempt.state).bind(message);
  bind_row(insert, row_of(read));
  insert.run();
}

void ResultMerger::copy_table(const std::string& table, std::int64_t there, std::int64_t here) {
  Statement read =
      source_.prepare("read " + table, "SELECT * FROM " + table + " WHERE cell_id = ?");
  std::string places = "?";
  for (int i = 1; i < read.column_count(); ++i) places += ", ?";
  Statement insert =
      target_.prepare("merge " + table, "INSERT INTO " + table + " VALUES (" + places + ")");
  read.bind(there);
  while (read.step()) {
    insert.bind(here);
    bind_row(insert, row_of(read), 1);
    insert.run();
  }
}

void ResultMerger::copy_values(std::int64_t there, std::int64_t here) {
  for (const char* table : value_tables()) copy_table(table, there, here);
  Statement norm = source_.prepare("read norm", "SELECT norm FROM cell WHERE id = ?");
  if (norm.bind(there).step() && !norm.is_null(0)) {
    target_.prepare("set norm", "UPDATE cell SET norm = ? WHERE id = ?")
        .bind(norm.text(0))
        .bind(here)
        .run();
  }
  discard_evaluations_of_other_weights(here);
}

// A training came in: what the target holds of other weights of it does not belong to it.
void ResultMerger::discard_evaluations_of_other_weights(std::int64_t training) {
  Statement weights =
      target_.prepare("find weights", "SELECT sha256 FROM checkpoint WHERE cell_id = ?");
  if (!weights.bind(training).step()) return;
  const std::string sha256 = weights.text(0);
  Statement find = target_.prepare("find results of other weights", kResultsOfOtherWeights);
  find.bind(training).bind(sha256);
  std::vector<std::int64_t> stale;
  while (find.step()) stale.push_back(find.integer(0));
  for (const std::int64_t cell : stale) {
    Statement done = target_.prepare("find result",
                                     "SELECT id FROM attempt WHERE cell_id = ? AND state = 'done'");
    const std::string attempt = done.bind(cell).step() ? done.text(0) : "";
    done.reset();
    const std::string what = "the target computed it with other weights of its training than " +
                             sha256.substr(0, 12) + ", which the source has";
    add_conflict(cell, what, attempt, "");
    discard_values(target_, cell, "merged: its checkpoint has other weights");
  }
}

}  // namespace unmask::store
