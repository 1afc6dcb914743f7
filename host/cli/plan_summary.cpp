#include "cli/plan_summary.hpp"

#include <filesystem>

#include "table/table.hpp"

namespace unmask::cli {

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
  if (std::filesystem::exists(folders.database)) {
    const store::Store store = store::Store::open_reader(folders.database);
    summary.done = store.lookup(plan.cells);
    summary.lost = find_lost_results(store, plan.cells, folders);
    for (const LostResult& item : summary.lost) summary.done.erase(item.key);
  }
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
  return table::to_text(table, table::Format::kTable);
}

}  // namespace unmask::cli
