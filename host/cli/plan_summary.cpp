#include "cli/plan_summary.hpp"

#include <filesystem>
#include <optional>

#include "base/counted.hpp"
#include "cli/unrecorded.hpp"
#include "store/result_folders.hpp"
#include "table/table.hpp"

namespace unmask::cli {

namespace {

// As a run does before its first cell.
void take_over_trainings(const plan::Plan& plan,
                         const store::ResultFolders& folders,
                         const std::optional<store::Store>& store,
                         PlanSummary& summary) {
  for (const wire::Cell& cell : plan.cells) {
    if (cell.kind != wire::CellKind::kTrain || summary.done.contains(cell.key)) continue;
    const auto result = unrecorded_result(cell, folders);
    if (!result) continue;
    summary.done[cell.key] = result->checkpoint;
    ++summary.unrecorded;
    std::erase_if(summary.lost, [&](const LostResult& item) { return item.key == cell.key; });
    if (!store) continue;
    for (const auto& key : store->results_of_other_weights(cell.key, result->checkpoint->sha256)) {
      summary.outdated += summary.done.erase(key);
    }
  }
}

}  // namespace

std::size_t PlanSummary::total() const {
  std::size_t sum = 0;
  for (const Count& count : of_kind) sum += count.total;
  return sum;
}

std::size_t PlanSummary::stored() const {
  std::size_t sum = 0;
  for (const Count& count : of_kind) sum += count.stored;
  return sum;
}

PlanSummary summarize(const plan::Plan& plan, const std::filesystem::path& database) {
  PlanSummary summary;
  const store::ResultFolders folders = store::ResultFolders::of(database);
  std::optional<store::Store> store;
  if (std::filesystem::exists(folders.database)) {
    store.emplace(store::Store::open_reader(folders.database));
    summary.done = store->lookup(plan.cells);
    summary.lost = find_lost_results(*store, plan.cells, folders);
    for (const LostResult& item : summary.lost) summary.done.erase(item.key);
  }
  take_over_trainings(plan, folders, store, summary);
  for (const wire::Cell& cell : plan.cells) {
    PlanSummary::Count& count = summary.of_kind[static_cast<std::size_t>(cell.kind)];
    ++count.total;
    if (summary.done.contains(cell.key)) ++count.stored;
  }
  return summary;
}

std::string to_text(const PlanSummary& summary) {
  table::Table table{{"cells", "total", "stored", "to run"}, {}};
  const auto row = [&](const std::string& name, std::size_t total, std::size_t stored) {
    table.rows.push_back({name,
                          static_cast<std::int64_t>(total),
                          static_cast<std::int64_t>(stored),
                          static_cast<std::int64_t>(total - stored)});
  };
  for (std::size_t kind = 0; kind < summary.of_kind.size(); ++kind) {
    row(wire::to_string(static_cast<wire::CellKind>(kind)),
        summary.of_kind[kind].total,
        summary.of_kind[kind].stored);
  }
  row("all", summary.total(), summary.stored());
  std::string text = table::to_text(table, table::Format::kTable);
  if (summary.unrecorded > 0) {
    const bool is_one = summary.unrecorded == 1;
    text += "note: " + base::counted(summary.unrecorded, "finished training") +
            (is_one ? " has" : " have") + " not been recorded yet; the next run records " +
            (is_one ? "it" : "them");
    if (summary.outdated > 0) {
      text += ", and " + base::counted(summary.outdated, "stored result") + " of other weights " +
              (summary.outdated == 1 ? "runs" : "run") + " again";
    }
    text += "\n";
  }
  return text;
}

}  // namespace unmask::cli
