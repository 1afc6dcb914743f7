#include "results/selection.hpp"

#include <algorithm>

#include "store/queries.hpp"
#include "text/globs.hpp"
#include "text/numbers.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

constexpr std::string_view kAttackCells = R"sql(
SELECT c.study, c.dataset, c.model, c.objective, c.train_solver, c.train_seed, c.solver, c.gradient,
  c.source, c.method, c.norm, c.epsilon_text, c.seed, c.epsilon, c.cell_id, c.place, c.is_alias, c.state,
  json_extract(e.spec_json, '$.dataset') AS data
FROM cells c JOIN cell e ON e.id = c.cell_id
WHERE c.kind = 'attack'
ORDER BY c.study, c.place)sql";

}  // namespace

std::size_t axis_index(std::string_view name) {
  const auto found = std::find(kAxes.begin(), kAxes.end(), name);
  UNMASK_CHECK(found != kAxes.end(), "\"" + std::string(name) + "\" is no axis");
  return static_cast<std::size_t>(found - kAxes.begin());
}

bool matches(const Conditions& conditions, const Labels& labels) {
  return std::all_of(conditions.begin(), conditions.end(), [&](const words::Condition& condition) {
    return words::glob_matches(condition.pattern, labels[axis_index(condition.axis)]);
  });
}

bool Selection::matches(const Labels& labels) const {
  return filters.empty() ||
         std::any_of(filters.begin(), filters.end(), [&](const Conditions& conditions) {
           return results::matches(conditions, labels);
         });
}

Selection parse_selection(const std::vector<std::string>& texts,
                          const std::vector<std::string>& axes) {
  Selection selection;
  for (const std::string& text : texts) {
    selection.filters.push_back(words::parse_conditions(text, axes, "filter "));
  }
  return selection;
}

Selection parse_selection(const std::vector<std::string>& texts) {
  return parse_selection(texts, {kAxes.begin(), kAxes.end()});
}

std::string text_of(const table::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return std::to_string(*integer);
  if (const auto* real = std::get_if<double>(&value)) return words::number_text(*real);
  if (const auto* text = std::get_if<std::string>(&value)) return *text;
  return "";
}

std::vector<AttackCell> attack_cells(const store::Store& store, const Selection& selection) {
  std::vector<AttackCell> cells;
  for (const auto& row : store::run_query(store, kAttackCells).rows) {
    AttackCell cell;
    for (std::size_t a = 0; a < kAxes.size(); ++a) cell.labels[a] = text_of(row[a]);
    if (!selection.matches(cell.labels)) continue;
    if (const auto* real = std::get_if<double>(&row[13])) cell.epsilon = *real;
    cell.id = std::get<std::int64_t>(row[14]);
    cell.place = std::get<std::int64_t>(row[15]);
    cell.is_alias = std::get<std::int64_t>(row[16]) != 0;
    cell.state = text_of(row[17]);
    cell.dataset = text_of(row[18]);
    cells.push_back(std::move(cell));
  }
  return cells;
}

std::string label_columns(const std::string& view, const std::string& attack, bool has_norm) {
  std::string text;
  for (const std::string_view axis : kAxes) {
    const std::string column = axis == "attack"    ? attack
                               : axis == "epsilon" ? "epsilon_text"
                                                   : std::string(axis);
    if (!text.empty()) text += ", ";
    text += axis == "norm" && !has_norm ? "NULL" : view + "." + column;
  }
  return text;
}

std::vector<LabelledRow> labelled_rows(const store::Store& store,
                                       const std::string& sql,
                                       const Selection& selection) {
  std::vector<LabelledRow> rows;
  for (const auto& row : store::run_query(store, sql).rows) {
    LabelledRow labelled;
    for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
      labelled.labels[axis] = text_of(row[axis]);
    }
    if (!selection.matches(labelled.labels)) continue;
    labelled.rest.assign(row.begin() + static_cast<std::ptrdiff_t>(kAxes.size()), row.end());
    rows.push_back(std::move(labelled));
  }
  return rows;
}

std::optional<double> real_of(const table::Value& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) return static_cast<double>(*integer);
  const auto* real = std::get_if<double>(&value);
  return real == nullptr ? std::nullopt : std::optional<double>(*real);
}

std::string describe(const Labels& labels, const std::vector<std::size_t>& axes) {
  std::string text;
  for (const std::size_t axis : axes) {
    if (labels[axis].empty()) continue;
    text += (text.empty() ? "" : ", ") + std::string(kAxes[axis]) + " = " + labels[axis];
  }
  return text;
}

}  // namespace unmask::results
