#include "results/compare.hpp"

#include <algorithm>
#include <initializer_list>
#include <iterator>
#include <map>
#include <set>
#include <utility>

#include "results/pairing.hpp"
#include "store/evidence.hpp"
#include "unmask/errors.hpp"

namespace unmask::results {
namespace {

constexpr std::string_view kAllOfThem = "all of them";

// What one or all attacks of a side did to a sample.
struct Fate {
  std::int64_t label = 0;
  bool is_robust = true;
  bool is_undecided = false;
  std::int64_t n = 0;  // attacks that were asked about it
  table::Value prediction, distance;
};
using Fates = std::map<std::int64_t, Fate>;

// Outcomes, read once per cell.
class Outcomes {
 public:
  explicit Outcomes(const store::Store& store) : store_(store) {}

  const std::vector<wire::SampleOutcome>& of(std::int64_t cell) {
    const auto [at, is_new] = cells_.try_emplace(cell);
    if (is_new) at->second = store::outcomes_of(store_, cell);
    return at->second;
  }

 private:
  const store::Store& store_;
  std::map<std::int64_t, std::vector<wire::SampleOutcome>> cells_;
};

void add(Fates& fates, const std::vector<wire::SampleOutcome>& outcomes) {
  for (const wire::SampleOutcome& outcome : outcomes) {
    Fate& fate = fates[outcome.sample];
    fate.label = outcome.label;
    fate.is_robust = fate.is_robust && outcome.is_decided &&
                     outcome.clean_prediction == outcome.label &&
                     outcome.prediction == outcome.label;
    fate.is_undecided = fate.is_undecided || !outcome.is_decided;
    fate.prediction = outcome.prediction >= 0 ? table::Value(outcome.prediction) : table::Value();
    fate.distance = outcome.is_decided ? table::Value(outcome.distance) : table::Value();
    if (++fate.n > 1) fate.prediction = fate.distance = table::Value();
  }
}

// Those of several attacks that were all asked about it: a sample that one attack left out is not
// known to stand against all.
Fates fates_of(Outcomes& outcomes, const std::vector<const AttackCell*>& cells) {
  Fates fates;
  for (const AttackCell* cell : cells) add(fates, outcomes.of(cell->id));
  std::erase_if(fates, [&](const auto& entry) {
    return entry.second.n < static_cast<std::int64_t>(cells.size());
  });
  return fates;
}

// @return why these samples are no pairs; empty: they are
std::string count(const Fates& a, const Fates& b, Pair& pair) {
  for (const auto& [sample, fate_a] : a) {
    const auto found = b.find(sample);
    if (found == b.end()) continue;
    const Fate& fate_b = found->second;
    if (fate_a.label != fate_b.label) {
      return "other data: sample " + std::to_string(sample) + " has the label " +
             std::to_string(fate_a.label) + " in A and " + std::to_string(fate_b.label) + " in B";
    }
    pair.undecided_a += fate_a.is_undecided ? 1 : 0;
    pair.undecided_b += fate_b.is_undecided ? 1 : 0;
    if (fate_a.is_robust == fate_b.is_robust) {
      ++(fate_a.is_robust ? pair.counts.both : pair.counts.neither);
      continue;
    }
    ++(fate_a.is_robust ? pair.counts.only_first : pair.counts.only_second);
    pair.flips.push_back({sample,
                          fate_a.label,
                          fate_a.is_robust,
                          fate_a.prediction,
                          fate_b.prediction,
                          fate_a.distance,
                          fate_b.distance});
  }
  const auto n = static_cast<std::size_t>(pair.counts.n());
  if (n == 0) return "no sample that both were asked about";
  const auto add_note = [&](const char* side, std::size_t all) {
    if (all == n) return;
    pair.note += (pair.note.empty() ? "" : "; ") + std::to_string(all - n) + " samples of " + side +
                 " have no partner";
  };
  add_note("A", a.size());
  add_note("B", b.size());
  return "";
}

void judge(Pair& pair) {
  pair.p = verdict::mcnemar_two_sided(pair.counts.only_first, pair.counts.only_second);
  pair.difference = verdict::newcombe_paired(pair.counts);
}

// Compares groups of paired cells and keeps what came out.
class Comparer {
 public:
  Comparer(const Side& a, const Side& b, Comparison& result)
      : a_(*a.store), b_(*b.store), result_(result) {}

  void compare_one(const AttackCell& a, const AttackCell& b, const std::string& what) {
    if (a.id == b.id) {
      ++result_.n_same_cell;
      return;
    }
    Pair pair;
    pair.labels_a = a.labels;
    pair.labels_b = b.labels;
    keep(std::move(pair), {&a}, {&b}, what);
  }

  // All attacks of each side at once.
  void compare_all(const std::vector<const AttackCell*>& a,
                   const std::vector<const AttackCell*>& b) {
    const auto ids = [](const std::vector<const AttackCell*>& cells) {
      std::set<std::int64_t> result;
      for (const AttackCell* cell : cells) result.insert(cell->id);
      return result;
    };
    if (ids(a) == ids(b)) return;
    Pair pair;
    pair.labels_a = common_labels(a);
    pair.labels_b = common_labels(b);
    pair.n_attacks_a = static_cast<std::int64_t>(a.size());
    pair.n_attacks_b = static_cast<std::int64_t>(b.size());
    if (a.size() != b.size()) {
      pair.note = "A faced " + std::to_string(a.size()) + " attacks, B " + std::to_string(b.size());
    }
    keep(std::move(pair), a, b, "all attacks together");
  }

 private:
  static Labels common_labels(const std::vector<const AttackCell*>& cells) {
    Labels labels = cells.front()->labels;
    for (const AttackCell* cell : cells) {
      for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
        if (cell->labels[axis] != labels[axis]) labels[axis].clear();
      }
    }
    labels[axis_index("attack")] = cells.size() == 1 ? cells.front()->label("attack") : kAllOfThem;
    return labels;
  }

  void keep(Pair pair,
            const std::vector<const AttackCell*>& a,
            const std::vector<const AttackCell*>& b,
            const std::string& what) {
    const std::string reason = count(fates_of(a_, a), fates_of(b_, b), pair);
    if (!reason.empty()) {
      result_.aside.push_back({what, reason});
      return;
    }
    judge(pair);
    result_.pairs.push_back(std::move(pair));
  }

  Outcomes a_, b_;
  Comparison& result_;
};

void adjust(std::vector<Pair>& pairs) {
  std::vector<double> p;
  p.reserve(pairs.size());
  for (const Pair& pair : pairs) p.push_back(pair.p);
  const std::vector<double> adjusted = verdict::holm(p);
  for (std::size_t i = 0; i < pairs.size(); ++i) pairs[i].p_adjusted = adjusted[i];
}

std::string reasons(const Comparison& comparison) {
  std::string text;
  for (const SetAside& aside : comparison.aside) text += "\n  " + aside.what + ": " + aside.reason;
  return text;
}

}  // namespace

Comparison compare(const Side& a, const Side& b) {
  Comparison result;
  Pairing pairing = pair_up(a, b);
  result.differ = pairing.differ;
  result.aside = std::move(pairing.aside);
  Comparer comparer(a, b, result);
  for (const PairedCells& pair : pairing.pairs) comparer.compare_one(*pair.a, *pair.b, pair.what);
  for (const Threat& threat : pairing.threats) {
    if (threat.a.size() > 1 || threat.b.size() > 1) comparer.compare_all(threat.a, threat.b);
  }
  if (result.pairs.empty() && result.n_same_cell == 0) {
    throw UsageError("nothing of \"" + a.text + "\" can be compared with \"" + b.text + "\"" +
                     (result.aside.empty() ? "" : ":" + reasons(result)));
  }
  adjust(result.pairs);
  return result;
}

namespace {

constexpr std::string_view kSuffixes[] = {"", "_a", "_b"};

// Labels of a pair as columns, and what they hold.
void add_label_columns(const Comparison& comparison, table::Table& table) {
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    const bool differs = std::count(comparison.differ.begin(), comparison.differ.end(), axis) > 0;
    for (const std::string_view suffix : kSuffixes) {
      if (suffix.empty() == differs) continue;
      table.columns.push_back(std::string(kAxes[axis]) + std::string(suffix));
    }
  }
}

table::Value label_value(const std::string& label) {
  return label.empty() ? table::Value() : table::Value(label);
}

std::vector<table::Value> label_values(const Comparison& comparison, const Pair& pair) {
  std::vector<table::Value> row;
  for (std::size_t axis = 0; axis < kAxes.size(); ++axis) {
    row.push_back(label_value(pair.labels_a[axis]));
    if (std::count(comparison.differ.begin(), comparison.differ.end(), axis) > 0) {
      row.push_back(label_value(pair.labels_b[axis]));
    }
  }
  return row;
}

}  // namespace

bool is_label_column(const std::string& column) {
  return std::any_of(kAxes.begin(), kAxes.end(), [&](std::string_view axis) {
    return std::any_of(std::begin(kSuffixes), std::end(kSuffixes), [&](std::string_view suffix) {
      return column == std::string(axis) + std::string(suffix);
    });
  });
}

table::Table comparison_table(const Comparison& comparison) {
  table::Table table;
  add_label_columns(comparison, table);
  for (const char* column : {"n",
                             "both",
                             "only_a",
                             "only_b",
                             "neither",
                             "undecided_a",
                             "undecided_b",
                             "accuracy_a",
                             "accuracy_b",
                             "difference",
                             "lower",
                             "upper",
                             "p",
                             "p_adjusted",
                             "note"}) {
    table.columns.emplace_back(column);
  }
  for (const Pair& pair : comparison.pairs) {
    std::vector<table::Value> row = label_values(comparison, pair);
    const verdict::PairedCounts& c = pair.counts;
    const auto n = static_cast<double>(c.n());
    const auto share = [&](std::int64_t k) { return static_cast<double>(k) / n; };
    for (table::Value value :
         std::initializer_list<table::Value>{c.n(),
                                             c.both,
                                             c.only_first,
                                             c.only_second,
                                             c.neither,
                                             pair.undecided_a,
                                             pair.undecided_b,
                                             share(c.both + c.only_first),
                                             share(c.both + c.only_second),
                                             share(c.only_first - c.only_second),
                                             pair.difference.lower,
                                             pair.difference.upper,
                                             pair.p,
                                             pair.p_adjusted,
                                             label_value(pair.note)}) {
      row.push_back(std::move(value));
    }
    table.rows.push_back(std::move(row));
  }
  return table;
}

table::Table flips_table(const Comparison& comparison) {
  table::Table table;
  add_label_columns(comparison, table);
  for (const char* column : {"sample",
                             "class",
                             "right_in",
                             "prediction_a",
                             "prediction_b",
                             "distance_a",
                             "distance_b"}) {
    table.columns.emplace_back(column);
  }
  for (const Pair& pair : comparison.pairs) {
    for (const Flip& flip : pair.flips) {
      std::vector<table::Value> row = label_values(comparison, pair);
      row.insert(row.end(),
                 {flip.sample,
                  flip.label,
                  std::string(flip.is_right_in_a ? "A" : "B"),
                  flip.prediction_a,
                  flip.prediction_b,
                  flip.distance_a,
                  flip.distance_b});
      table.rows.push_back(std::move(row));
    }
  }
  return table;
}

}  // namespace unmask::results
