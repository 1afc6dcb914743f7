// Attacks against each other on a network that is not linear: ways that differ come to the same
// distances, and the ensemble is not weaker than its members.

#include <map>
#include <string>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::cross_check_test {
namespace {

// Two layers with 40 ReLUs on 3 x 8 x 8 pixels, ten classes, float32. The images are classified
// right by definition.
class Network final : public Target {
 public:
  explicit Network(std::int64_t rows = 8) {
    std::vector<std::int64_t> ids(192);
    for (std::size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<std::int64_t>(i);
    SampleRandom random(31, ids);
    first_ = random.normal(at::empty({192, 40}, at::kFloat)) / 3;
    second_ = random.normal(at::empty({192, 10}, at::kFloat)).narrow(0, 0, 40).contiguous() / 3;
    x = random.uniform(at::empty({192, 3, 8, 8}, at::kFloat), 0.1, 0.9)
            .narrow(0, 0, rows)
            .contiguous();
    middle_ = at::mm(x.flatten(1), first_).mean(0, true);
    y = answer(x).argmax(1);
  }

  std::int64_t num_classes() const override { return 10; }
  bool is_batch_independent() const override { return true; }

  Tensor answer(const Tensor& points) const {
    // Row by row: a matrix product may round a row differently in another batch.
    const Tensor products = (points.flatten(1).unsqueeze(2) * first_).sum(1);
    const Tensor hidden = at::relu(products - middle_);
    return (hidden.unsqueeze(2) * second_).sum(1);
  }
  Tensor fooled(const Tensor& points) const { return answer(points).argmax(1).ne(y); }

  Tensor x, y;

 private:
  Tensor do_logits(const Tensor& points, const Tensor&) override { return answer(points); }
  LossGradient do_loss_and_gradient(const Tensor& points,
                                    const LossFunction& loss,
                                    const Tensor&) override {
    return differentiate(
        points, [this](const Tensor& p) { return answer(p); }, loss);
  }
  Tensor first_, second_, middle_;
};

Tensor distances(const char* id, Norm norm, Values values, Network& network) {
  if (make_plugin<Attack>("attack", id, {})->norm() != norm) {
    values["norm"] = std::string(name_of(norm));
  }
  const Tensor points = attack(id, values, network, network.x, network.y, 100);
  EXPECT_TRUE(network.fooled(points).all().item<bool>()) << id;
  return distance(points, network.x, norm);
}

class SmallestPerturbation : public testing::TestWithParam<Norm> {};

// Planes, a ball that follows the boundary, and Adam on a penalty: three ways to one distance.
TEST_P(SmallestPerturbation, IsTheSameHoweverItIsLookedFor) {
  Network network;
  const Norm norm = GetParam();
  std::map<std::string, Tensor> found;
  found["fab"] = distances("fab", norm, {{"minimise", true}}, network);
  found["fab_t"] = distances("fab_t", norm, {{"minimise", true}}, network);
  found["fmn"] =
      distances("fmn", norm, {{"minimise", true}, {"steps", std::int64_t{500}}}, network);
  if (norm == Norm::kL2) found["cw_l2"] = distances("cw_l2", norm, {{"minimise", true}}, network);

  Tensor best = found["fab"];
  for (const auto& [id, values] : found) best = at::minimum(best, values);
  for (const auto& [id, values] : found) {
    // All agree to a few percent on most images; each can miss the nearest class once.
    EXPECT_LE((values / best).median().item<double>(), 1.05) << id;
  }
}

// What sees less finds more distant points: nothing comes closer than the planes and the ball.
TEST_P(SmallestPerturbation, IsNotBeatenByAttacksThatStopEarlyOrSeeLess) {
  Network network(4);
  const Norm norm = GetParam();
  const Tensor best = at::minimum(
      distances("fab", norm, {{"minimise", true}}, network),
      distances("fmn", norm, {{"minimise", true}, {"steps", std::int64_t{500}}}, network));
  std::map<std::string, Tensor> found;
  if (norm != Norm::kL1) {
    found["deepfool"] = distances("deepfool", norm, {}, network);
    found["hop_skip_jump"] = distances(
        "hop_skip_jump", norm, {{"minimise", true}, {"steps", std::int64_t{15}}}, network);
  }
  if (norm == Norm::kL2) {
    found["boundary"] =
        distances("boundary", norm, {{"minimise", true}, {"steps", std::int64_t{2000}}}, network);
  }
  for (const auto& [id, values] : found) {
    EXPECT_GE((values / best).min().item<double>(), 0.99) << id;
  }
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         SmallestPerturbation,
                         testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1),
                         [](const auto& i) { return name_of(i.param); });

TEST(Strength, OfTheEnsembleIsThatOfItsMembersAtLeast) {
  for (const Norm norm : {Norm::kLinf, Norm::kL2}) {
    Network network(30);
    const double epsilon = norm == Norm::kLinf ? 0.01 : 0.1;
    const auto count = [&](const char* id, Values values = {}) {
      values["norm"] = std::string(name_of(norm));
      const Tensor points = attack(id, values, network, network.x, network.y, epsilon);
      return network.fooled(points).sum().item<std::int64_t>();
    };
    const std::int64_t ensemble = count("autoattack", {{"queries", std::int64_t{500}}});
    for (const char* id : {"fgsm", "pgd", "apgd", "fab_t"}) EXPECT_GE(ensemble, count(id)) << id;
    EXPECT_GE(ensemble, count("square", {{"queries", std::int64_t{500}}}));
    EXPECT_GT(ensemble, 10);  // some fall,
    EXPECT_LT(ensemble, 30);  // and some do not: the comparison says something
  }
}

// Away from the label the search follows one class; towards each in turn it finds more.
TEST(Strength, OfTargetsInTurnIsThatOfTheUntargetedSearchAtLeast) {
  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    Network network(30);
    const double epsilon = norm == Norm::kLinf ? 0.01 : norm == Norm::kL2 ? 0.1 : 0.6;
    const auto fooled = [&](const char* id) {
      const Values values = {{"norm", std::string(name_of(norm))}};
      const Tensor points = attack(id, values, network, network.x, network.y, epsilon);
      return network.fooled(points).sum().item<std::int64_t>();
    };

    EXPECT_GE(fooled("multi_targeted"), fooled("pgd"));
  }
}

}  // namespace
}  // namespace unmask::test::cross_check_test
