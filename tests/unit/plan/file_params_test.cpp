// Parameters that name files: their content is in the key, their place is not.

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>

#include "base/files.hpp"
#include "plan/planner.hpp"
#include "unit/plan/small_plan.hpp"
#include "unmask/errors.hpp"
#include "unmask/sha256.hpp"

namespace unmask::plan::file_params_test {
namespace {

namespace fs = std::filesystem;
using manifest::Definition;
using nlohmann::json;

class FileParams : public ::testing::Test {
 protected:
  fs::path write(const std::string& name, const std::string& bytes) const {
    std::ofstream(folder_.path() / name, std::ios::binary) << bytes;
    return folder_.path() / name;
  }

  static catalog::Catalog catalog() {
    catalog::Catalog result;
    result.plugins = {plugin("solver", "table", {file("file", "a tableau")}),
                      plugin("model", "net", {file("file", "a network").optional()}),
                      plugin("attack", "patch", {file("file", "an image"), path("folder", "more")}),
                      plugin("dataset", "files", {file("file", "images")}),
                      plugin("objective", "loss"),
                      plugin("probe", "look", {file("file", "directions")})};
    return result;
  }

  // Every kind of plugin has a file of its own; one training, one attack and one probe.
  manifest::Study study() const {
    const auto of = [&](const char* plugin_id, const char* name) {
      return Definition{plugin_id, plugin_id, {{"file", write(name, name).string()}}};
    };
    manifest::TrainRow train;
    train.dataset = of("files", "images");
    train.model = of("net", "network");
    train.objective = {"loss", "loss", {{"weights", write("weights", "weights").string()}}};
    train.solver = of("table", "trained");
    manifest::EvaluateRow attack;
    attack.kind = wire::CellKind::kAttack;
    attack.method = of("patch", "patch");
    attack.method.edit().params["folder"] = "/somewhere";
    attack.solver = of("table", "answers");
    attack.gradient = {"differentiated", {of("table", "differentiated")}};
    manifest::EvaluateRow probe = attack;
    probe.kind = wire::CellKind::kProbe;
    probe.method = of("look", "directions");
    manifest::Study result;
    result.train = {train};
    result.evaluate = {attack, probe};
    return result;
  }

  static std::vector<wire::Cell> cells(const manifest::Study& of) {
    return make_plan(of, catalog(), facts_of(of, "content")).cells;
  }

  std::string in_folder(const char* name) const { return (folder_.path() / name).string(); }

 private:
  base::TempFolder folder_;
};

std::string hash(const std::string& bytes) {
  return "sha256:" + sha256_hex(bytes);
}

TEST_F(FileParams, StandInTheSpecificationAsHashes) {
  const std::vector<wire::Cell> plan = cells(study());

  const json& training = plan[0].spec;
  EXPECT_EQ(training.at("dataset").at("params").at("file"), hash("images"));
  EXPECT_EQ(training.at("model").at("params").at("file"), hash("network"));
  EXPECT_EQ(training.at("objective").at("params").at("weights"), hash("weights"));
  EXPECT_EQ(training.at("solver").at("params").at("file"), hash("trained"));
  const json& attack = plan[1].spec;
  EXPECT_EQ(attack.at("solver").at("params").at("file"), hash("answers"));
  EXPECT_EQ(attack.at("gradient").at("params").at("file"), hash("differentiated"));
  EXPECT_EQ(attack.at("attack").at("params").at("file"), hash("patch"));
  EXPECT_FALSE(attack.at("attack").at("params").contains("folder"));
  EXPECT_EQ(plan[2].spec.at("probe").at("params").at("file"), hash("directions"));
}

TEST_F(FileParams, AreFoundByTheLocalsOfATraining) {
  const json locals = cells(study())[0].locals;

  EXPECT_EQ(locals,
            (json{{"dataset", {{"file", in_folder("images")}}},
                  {"model", {{"file", in_folder("network")}}},
                  {"objective", {{"weights", in_folder("weights")}}},
                  {"solver", {{"file", in_folder("trained")}}}}));
}

TEST_F(FileParams, AreFoundByTheLocalsOfAnEvaluation) {
  const std::vector<wire::Cell> plan = cells(study());

  EXPECT_EQ(plan[1].locals,
            (json{{"dataset", {{"file", in_folder("images")}}},
                  {"model", {{"file", in_folder("network")}}},
                  {"solver", {{"file", in_folder("answers")}}},
                  {"gradient", {{"file", in_folder("differentiated")}}},
                  {"attack", {{"file", in_folder("patch")}, {"folder", "/somewhere"}}}}));
  EXPECT_EQ(plan[2].locals.at("probe").at("file"), in_folder("directions"));
}

TEST_F(FileParams, OfEqualContentGiveEqualKeys) {
  manifest::Study moved = study();
  moved.train[0].model.edit().params["file"] = write("another_name", "network").string();
  moved.train[0].objective.edit().params["weights"] = write("moved_weights", "weights").string();
  moved.evaluate[0].method.edit().params["file"] = write("moved_patch", "patch").string();

  const std::vector<wire::Cell> before = cells(study());
  const std::vector<wire::Cell> after = cells(moved);

  ASSERT_EQ(after.size(), before.size());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_EQ(after[i].key, before[i].key) << i;
}

TEST_F(FileParams, OfOtherContentGiveOtherKeys) {
  const manifest::Study planned = study();
  const std::vector<wire::Cell> before = cells(planned);
  write("network", "edited");

  const std::vector<wire::Cell> after = cells(planned);

  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_NE(after[i].key, before[i].key) << i;
}

TEST_F(FileParams, LeftOutAreNotInTheKey) {
  manifest::Study without = study();
  without.train[0].model.edit().params.erase("file");

  const wire::Cell training = cells(without)[0];

  EXPECT_EQ(training.spec.at("model").at("params"), json::object());
  EXPECT_FALSE(training.locals.contains("model"));
}

TEST_F(FileParams, ThatVanishedAreNamed) {
  const manifest::Study planned = study();
  fs::remove(in_folder("patch"));

  try {
    cells(planned);
    FAIL() << "a plan was made without the file";
  } catch (const DataError& error) {
    EXPECT_NE(std::string(error.what()).find(in_folder("patch")), std::string::npos);
  }
}

}  // namespace
}  // namespace unmask::plan::file_params_test
