#pragma once
// Two sides of a question, sample by sample: two studies, two runs of one, two networks, two attacks.
// Attacks of one side are paired with those of the other, and each pair says on how many of the
// samples that both were asked about they differ.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "results/selection.hpp"
#include "store/store.hpp"
#include "table/table.hpp"
#include "verdict/statistics.hpp"

namespace unmask::results {

/// One side.
struct Side {
  const store::Store* store = nullptr;
  Conditions conditions;
  std::string text;  ///< as typed
};

/// A sample that one side answers right under attack and the other does not.
struct Flip {
  std::int64_t sample = 0;
  std::int64_t label = 0;
  bool is_right_in_a = false;               ///< otherwise in B
  table::Value prediction_a, prediction_b;  ///< NULL: no answer, or of several attacks
  table::Value distance_a, distance_b;      ///< NULL likewise
};

/// Two attacks, or all attacks of either side, on the same samples.
struct Pair {
  Labels labels_a, labels_b;
  std::int64_t n_attacks_a = 1, n_attacks_b = 1;
  verdict::PairedCounts counts;  ///< robust in A (first), in B (second)
  std::int64_t undecided_a = 0, undecided_b = 0;
  double p = 1;           ///< two-sided exact McNemar
  double p_adjusted = 1;  ///< for all pairs of the comparison, Holm
  verdict::Interval difference;
  std::string note;
  std::vector<Flip> flips;
};

/// What was not compared, and why.
struct SetAside {
  std::string what;
  std::string reason;
};

struct Comparison {
  std::vector<std::size_t> differ;  ///< axes in which the sides are other throughout
  std::vector<Pair> pairs;          ///< in the order of A's plan
  std::vector<SetAside> aside;
  std::size_t n_same_cell = 0;  ///< pairs that are one and the same result, and are left out
};

/// Pair and count. Axes on which the conditions of the sides say different things may differ within a
/// pair, and so may those that have one value throughout A and another one throughout B; all others,
/// and always norm and radius, must be equal. Samples are paired by their number, of the same data.
/// @throws UsageError when a side has several attacks where one is needed, or nothing can be compared
Comparison compare(const Side& a, const Side& b);

/// A row for each pair. Axes that differ have two columns, `model_a` and `model_b`.
table::Table comparison_table(const Comparison& comparison);

/// A row for each sample that flipped.
table::Table flips_table(const Comparison& comparison);

/// Columns of both tables that say what a row is about, not what came out.
bool is_label_column(const std::string& column);

}  // namespace unmask::results
