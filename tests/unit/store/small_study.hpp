#pragma once
// A made-up study for the tests of the store: two trained networks and one that fails to train,
// four images, attacks with and without another gradient solver, a probe with a NaN.

#include <string>
#include <vector>

#include "loader/catalog.hpp"
#include "manifest/study.hpp"
#include "plan/cell.hpp"
#include "plan/result.hpp"
#include "store/store.hpp"

namespace unmask::store::testing {

manifest::Study make_study(const std::string& name = "small");
loader::Catalog make_catalog();
RunInfo make_info();

/// A train cell of model `model`, seed `seed`, trained with bosh3.
plan::Cell train_cell(const std::string& model, std::int64_t seed);

/// An attack on `training`. `method` is the plugin and the name; gradient "" is the solver itself.
plan::Cell attack_cell(const plan::Cell& training,
                       const std::string& solver,
                       const std::string& gradient,
                       const std::string& method,
                       double epsilon,
                       const std::string& epsilon_text,
                       std::int64_t seed = 0);

plan::Cell probe_cell(const plan::Cell& training, const std::string& solver);

plan::CellResult train_result(const std::string& weights = "a");

/// Outcomes of four images with labels 0, 1, 2, 3. `right` holds one letter per image: 'r' robust,
/// 'f' fooled, 'w' wrong already without an attack.
plan::CellResult attack_result(const std::string& right);

/// Metric "median_norm" 0.5, metric "broken" NaN, and per sample a norm, the second one infinite.
plan::CellResult probe_result();

/// Attempt and result in one go.
void finish(Store& store, std::int64_t run, const plan::Cell& cell, const plan::CellResult& result);
void fail(Store& store, std::int64_t run, const plan::Cell& cell, const plan::CellFailure& failure);

/// The whole study, by name.
struct SmallStudy {
  plan::Cell train0, train1, broken;  // so_resnet seeds 0 and 1; resnet, which fails
  plan::Cell clean, pgd, pgd_rk4, pgd_seed1, spsa, small_pgd;  // on train0 under bosh3
  plan::Cell rk4_pgd;                                          // on train0 under rk4
  plan::Cell crashed;  // on train0 under bosh3: square, crashed
  plan::Cell probe;
  plan::Cell pgd1;     // on train1 under bosh3
  plan::Cell blocked;  // on `broken`: skipped

  SmallStudy();
  std::vector<plan::Cell> cells() const;
};

/// Run it: fills the store as one `unmask run` would. @return the run
std::int64_t run_small_study(Store& store, const SmallStudy& study = SmallStudy());

}  // namespace unmask::store::testing
