#pragma once
// Which attacks of the database a question is about: conditions on the axes that tell cells apart,
// as every command takes them ("model=so_*,attack=pgd*"), and the cells that match.

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/store.hpp"
#include "table/table.hpp"
#include "text/conditions.hpp"

namespace unmask::results {

/// The axes of attacks, in the order in which tables show them. `epsilon` is the radius as the
/// manifest wrote it.
inline constexpr std::array<std::string_view, 13> kAxes = {"study",
                                                           "dataset",
                                                           "model",
                                                           "objective",
                                                           "train_solver",
                                                           "train_seed",
                                                           "solver",
                                                           "gradient",
                                                           "source",
                                                           "attack",
                                                           "norm",
                                                           "epsilon",
                                                           "seed"};

/// Place of an axis in kAxes. @throws InternalError for a name that is none
std::size_t axis_index(std::string_view name);

/// Texts of the axes of one cell, in the order of kAxes; empty: it has no such axis.
using Labels = std::array<std::string, kAxes.size()>;

/// Conditions of which all must hold.
using Conditions = std::vector<words::Condition>;

/// Filters of which one must match; none: everything does.
struct Selection {
  std::vector<Conditions> filters;

  bool matches(const Labels& labels) const;
};

bool matches(const Conditions& conditions, const Labels& labels);

/// @param texts  as typed  @param axes  that a filter may name
/// @throws UsageError for what is no condition, or an unknown axis
Selection parse_selection(const std::vector<std::string>& texts,
                          const std::vector<std::string>& axes);
Selection parse_selection(const std::vector<std::string>& texts);

/// An attack of a study, under one of its names.
struct AttackCell {
  Labels labels;
  std::optional<double> epsilon;
  std::int64_t id = 0;
  std::int64_t place = 0;  ///< in the plan of its study
  bool is_alias = false;
  std::string state;    ///< as in the view `cells`
  std::string dataset;  ///< JSON: which images it was asked about

  const std::string& label(std::string_view axis) const { return labels[axis_index(axis)]; }
};

/// The attacks that match, in the order of studies and plans, with and without a result.
/// @throws StoreError
std::vector<AttackCell> attack_cells(const store::Store& store, const Selection& selection);

/// A row of an answer: its labels, and the columns behind them.
struct LabelledRow {
  Labels labels;
  std::vector<table::Value> rest;
};

/// The columns of a view in the order of kAxes, as SQL: "a.study, ...".
/// @param attack  what the view calls the attack  @param has_norm  false: NULL stands for it
std::string label_columns(const std::string& view, const std::string& attack, bool has_norm = true);

/// The rows that match of a query whose first columns are those of kAxes. @throws StoreError
std::vector<LabelledRow> labelled_rows(const store::Store& store,
                                       const std::string& sql,
                                       const Selection& selection);

/// The number in a value, if it holds one.
std::optional<double> real_of(const table::Value& value);

/// "model = resnet, attack = pgd": the labels that are not empty, of these axes or of all.
std::string describe(const Labels& labels, const std::vector<std::size_t>& axes);

/// A value of a table as text that reads back to the same; empty for none.
std::string text_of(const table::Value& value);

}  // namespace unmask::results
