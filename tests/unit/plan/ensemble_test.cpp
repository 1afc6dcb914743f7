// Ensembles in specifications: what of their members is in the key, and where their files are.

#include <fstream>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "plan/planner.hpp"
#include "unit/plan/small_plan.hpp"
#include "wire/key.hpp"

namespace unmask::plan::ensemble_test {
namespace {

using manifest::Definition;
using nlohmann::json;

class EnsembleCells : public ::testing::Test {
 protected:
  EnsembleCells() {
    std::ofstream(patch_) << "an image";
    catalog_.plugins = {plugin("solver", "rk4"),
                        plugin("model", "net"),
                        plugin("attack", "pgd"),
                        plugin("attack", "patch", {file("file", "an image")}),
                        plugin("dataset", "strokes"),
                        plugin("objective", "loss")};
    const manifest::TrainRow train = plain_training();
    study_.train = {train};
    manifest::EvaluateRow row;
    row.kind = wire::CellKind::kAttack;
    row.solver = train.solver;
    row.epsilon = 0.1;
    row.method.edit().name = "worst";
    row.method.edit().params = json::object();
    row.method.edit().members = {{"steps", "pgd", {{"steps", 20}}},
                                 {"image", "patch", {{"file", patch_.string()}}}};
    study_.evaluate = {row};
  }

  wire::Cell cell() const { return make_plan(study_, catalog_, facts_of(study_)).cells.at(1); }

  std::vector<Definition>& members() { return study_.evaluate[0].method.edit().members; }

  base::TempFolder folder_;
  std::filesystem::path patch_ = folder_.path() / "patch";
  catalog::Catalog catalog_;
  manifest::Study study_;
};

TEST_F(EnsembleCells, ASpecificationHoldsMembersAndTheirNames) {
  const json attack = cell().spec.at("attack");

  EXPECT_EQ(attack.at("names"), (json{"steps", "image"}));
  EXPECT_EQ(
      attack.at("members").at(0),
      (json{
          {"plugin", "pgd"}, {"fingerprint", std::string(64, 'a')}, {"params", {{"steps", 20}}}}));
  EXPECT_FALSE(attack.contains("plugin"));
}

TEST_F(EnsembleCells, TheNameOfTheEnsembleIsNotInTheKeyAndThoseOfItsMembersAre) {
  const std::string key = cell().key;

  study_.evaluate[0].method.edit().name = "other";
  EXPECT_EQ(cell().key, key);
  members()[0].name = "other";
  EXPECT_NE(cell().key, key);
}

TEST_F(EnsembleCells, TheOrderAndTheParametersOfMembersAreInTheKey) {
  const std::string key = cell().key;

  std::swap(members()[0], members()[1]);
  EXPECT_NE(cell().key, key);
  std::swap(members()[0], members()[1]);
  members()[0].params["steps"] = 21;
  EXPECT_NE(cell().key, key);
}

TEST_F(EnsembleCells, FilesOfMembersAreInTheLocalsAndTheirContentInTheKey) {
  const wire::Cell made = cell();

  EXPECT_EQ(made.locals.at("attack.1").at("file"), patch_.string());
  EXPECT_FALSE(made.locals.contains("attack.0"));
  EXPECT_EQ(made.spec.at("attack").at("members").at(1).at("params").at("file"),
            wire::identity_of_file(patch_));
}

}  // namespace
}  // namespace unmask::plan::ensemble_test
