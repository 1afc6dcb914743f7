// Gradient solvers that a probe's definition names: in the key with their names, files beside it.

#include <fstream>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "plan/planner.hpp"
#include "unit/plan/small_plan.hpp"
#include "wire/key.hpp"

namespace unmask::plan::probe_gradients_test {
namespace {

using manifest::Definition;
using nlohmann::json;

class ProbeGradients : public ::testing::Test {
 protected:
  ProbeGradients() {
    std::ofstream(table_) << "a tableau";
    catalog_.plugins = {plugin("solver", "rk4"),
                        plugin("solver", "own", {file("table", "a tableau")}),
                        plugin("model", "net"),
                        plugin("dataset", "strokes"),
                        plugin("objective", "loss"),
                        plugin("probe", "norm")};
    const manifest::TrainRow train = plain_training();
    study_.train = {train};
    manifest::EvaluateRow row;
    row.kind = wire::CellKind::kProbe;
    row.solver = train.solver;
    row.method = {"norm", "norm", json::object()};
    study_.evaluate = {row};
  }

  wire::Cell cell() const { return make_plan(study_, catalog_, facts_of(study_)).cells.at(1); }

  std::vector<Definition>& gradients() { return study_.evaluate[0].method.edit().gradients; }

  base::TempFolder folder_;
  std::filesystem::path table_ = folder_.path() / "table.json";
  catalog::Catalog catalog_;
  manifest::Study study_;
};

TEST_F(ProbeGradients, AreInTheSpecificationUnderTheirNames) {
  gradients() = {{"frozen", "rk4", {{"step_size", 0.5}}}};

  const json probe = cell().spec.at("probe");

  ASSERT_EQ(probe.at("gradients").size(), 1u);
  EXPECT_EQ(probe.at("gradients").at("frozen").at("plugin"), "rk4");
  EXPECT_EQ(probe.at("gradients").at("frozen").at("params").at("step_size"), 0.5);
}

// What is measured is called after them: another name is another cell. Without any the key is what
// it was before there were any.
TEST_F(ProbeGradients, ChangeTheKeyWithTheirNames) {
  const std::string none = cell().key;
  EXPECT_FALSE(cell().spec.at("probe").contains("gradients"));
  gradients() = {{"frozen", "rk4", json::object()}};
  const std::string frozen = cell().key;
  gradients()[0].name = "other";

  EXPECT_NE(frozen, none);
  EXPECT_NE(cell().key, frozen);
}

TEST_F(ProbeGradients, HaveTheirFilesBesideTheSpecification) {
  gradients() = {{"mine", "own", {{"table", table_.string()}}}};

  const wire::Cell made = cell();

  EXPECT_EQ(made.spec.at("probe").at("gradients").at("mine").at("params").at("table"),
            wire::identity_of_file(table_));
  EXPECT_EQ(made.locals.at("gradients.mine").at("table"), table_.string());
}

}  // namespace
}  // namespace unmask::plan::probe_gradients_test
