#pragma once
// A made-up study for the tests of the store: two trained networks and one that fails to train,
// four images, attacks with and without another gradient solver, a probe with a NaN.

#include <functional>
#include <string>
#include <vector>

#include "catalog/catalog.hpp"
#include "manifest/study.hpp"
#include "store/store.hpp"
#include "store/verdict_record.hpp"
#include "wire/cell.hpp"
#include "wire/result.hpp"

namespace unmask::store::testing {

manifest::Study make_study(const std::string& name = "small");
catalog::Catalog make_catalog();
RunInfo make_info();

/// A train cell of model `model`, seed `seed`, trained with bosh3.
wire::Cell train_cell(const std::string& model, std::int64_t seed);

/// An attack on `training`. `method` is the plugin and the name; gradient "" is the solver itself.
wire::Cell attack_cell(const wire::Cell& training,
                       const std::string& solver,
                       const std::string& gradient,
                       const std::string& method,
                       double epsilon,
                       const std::string& epsilon_text,
                       std::int64_t seed = 0);

wire::Cell probe_cell(const wire::Cell& training, const std::string& solver);

wire::CellResult train_result(const std::string& weights = "a");

/// Outcomes of four images with labels 0, 1, 2, 3. `right` holds one letter per image: 'r' robust,
/// 'f' fooled, 'w' wrong already without an attack, 'u' undecided (no answer under the attack). The
/// norm is linf.
wire::CellResult attack_result(const std::string& right);

/// Metric "median_norm" 0.5, metric "broken" NaN, and per sample a norm, the second one infinite.
wire::CellResult probe_result();

/// What the StoreError of an action says; "(no error)" when it throws none.
std::string message_of(const std::function<void()>& action);

/// Attempt and result in one go.
void finish(Store& store, std::int64_t run, const wire::Cell& cell, const wire::CellResult& result);
void fail(Store& store, std::int64_t run, const wire::Cell& cell, const wire::CellFailure& failure);

/// The whole study, by name.
struct SmallStudy {
  wire::Cell train0, train1, broken;  // so_resnet seeds 0 and 1; resnet, which fails
  wire::Cell clean, pgd, pgd_rk4, pgd_seed1, spsa, small_pgd;  // on train0 under bosh3
  wire::Cell rk4_pgd;                                          // on train0 under rk4
  wire::Cell crashed;  // on train0 under bosh3: square, crashed
  wire::Cell probe;
  wire::Cell pgd1;     // on train1 under bosh3
  wire::Cell blocked;  // on `broken`: skipped

  SmallStudy();
  std::vector<wire::Cell> cells() const;
};

/// A verdict with two rules as the room above would hand it over; its numbers are made up.
VerdictRecord small_verdict(const Store& store, const SmallStudy& study);

/// Run it: fills the store as one `unmask run` would. @return the run
std::int64_t run_small_study(Store& store, const SmallStudy& study = SmallStudy());

}  // namespace unmask::store::testing
