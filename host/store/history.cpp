#include "store/history.hpp"

#include <variant>

#include "store/database.hpp"
#include "wire/labels.hpp"

namespace unmask::store {
namespace {

std::string text_or_empty(const Statement& row, int column) {
  return row.is_null(column) ? "" : row.text(column);
}

StoredSpec spec_in(const Statement& row) {
  return {row.text(0), nlohmann::json::parse(row.text(1))};
}

}  // namespace

std::optional<LastAttempt> last_attempt(const Store& store, const std::string& key) {
  Statement find = store.database().prepare(
      "find latest attempt",
      "SELECT a.state, a.n, a.failure_class, a.message, a.run_id, e.host, a.device, "
      "coalesce(a.ended_at, a.started_at), a.wall_s FROM attempt a JOIN cell c ON c.id = a.cell_id "
      "JOIN run r ON r.id = a.run_id JOIN environment e ON e.id = r.environment_id "
      "WHERE c.key = ? ORDER BY a.n DESC LIMIT 1");
  if (!find.bind(key).step()) return std::nullopt;
  LastAttempt last;
  last.state = find.text(0);
  last.attempts = find.integer(1);
  last.failure_class = text_or_empty(find, 2);
  last.message = text_or_empty(find, 3);
  last.run = find.integer(4);
  last.host = text_or_empty(find, 5);
  last.device = find.text(6);
  last.when = find.text(7);
  last.wall_s = find.is_null(8) ? 0 : find.real(8);
  return last;
}

std::optional<StoredSpec> former_cell(const Store& store,
                                      const std::string& study,
                                      const wire::Cell& cell) {
  std::string names;
  for (const wire::LabelAxis& axis : wire::kLabelAxes) {
    names += std::string(" AND p.") + axis.column + " IS ?";
  }
  Statement find = store.database().prepare(
      "find former cell of a name",
      "SELECT c.key, c.spec_json FROM plan_cell p JOIN plan l ON l.id = p.plan_id "
      "JOIN manifest m ON m.id = l.manifest_id JOIN cell c ON c.id = p.cell_id "
      "JOIN attempt a ON a.cell_id = c.id AND a.state = 'done' "
      "WHERE m.name = ? AND c.key <> ? AND c.kind = ?" +
          names + " ORDER BY l.id DESC LIMIT 1");
  find.bind(study).bind(cell.key).bind(wire::to_string(cell.kind));
  for (const wire::LabelAxis& axis : wire::kLabelAxes) {
    std::visit([&](const auto member) { find.bind(cell.labels.*member); }, axis.member);
  }
  if (!find.step()) return std::nullopt;
  return spec_in(find);
}

std::vector<StoredSpec> stored_specs(const Store& store, wire::CellKind kind, std::size_t limit) {
  Statement find = store.database().prepare(
      "list specifications",
      "SELECT c.key, c.spec_json FROM cell c JOIN attempt a ON a.cell_id = c.id AND a.state = "
      "'done' WHERE c.kind = ? ORDER BY c.id DESC LIMIT ?");
  find.bind(wire::to_string(kind)).bind(static_cast<std::int64_t>(limit));
  std::vector<StoredSpec> specs;
  while (find.step()) specs.push_back(spec_in(find));
  return specs;
}

std::optional<nlohmann::json> spec_of(const Store& store, const std::string& key) {
  Statement find = store.database().prepare("find specification",
                                            "SELECT key, spec_json FROM cell WHERE key = ?");
  if (!find.bind(key).step()) return std::nullopt;
  return spec_in(find).spec;
}

}  // namespace unmask::store
