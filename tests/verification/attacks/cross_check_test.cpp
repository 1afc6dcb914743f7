// Attacks against each other on a network that is not linear: ways that differ come to the same
// distances, and the ensemble is not weaker than its members.

#include <torch/types.h>

#include <gtest/gtest.h>

#include "support/attack_run.hpp"
#include "support/linear_problem.hpp"
#include "support/linear_target.hpp"

namespace unmask::test {
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
    return differentiate(points, [this](const Tensor& p) { return answer(p); }, loss);
  }
  Tensor first_, second_, middle_;
};

Tensor distances(const char* id, Norm norm, Values values, Network& network) {
  if (std::string(id) != "cw_l2" && std::string(id) != "cw_linf") {
    values["norm"] = std::string(name_of(norm));
  }
  values["minimise"] = true;
  const Tensor points = attack(id, values, network, network.x, network.y, 100);
  EXPECT_TRUE(network.fooled(points).all().item<bool>()) << id;
  return distance(points, network.x, norm);
}

class SmallestPerturbation : public testing::TestWithParam<Norm> {};

TEST_P(SmallestPerturbation, IsTheSameHoweverItIsLookedFor) {
  Network network;
  const Norm norm = GetParam();
  std::map<std::string, Tensor> found;
  found["fab"] = distances("fab", norm, {{"restarts", std::int64_t{3}}}, network);
  found["fab_t"] = distances("fab_t", norm, {}, network);
  found["fmn"] = distances("fmn", norm, {{"steps", std::int64_t{500}}}, network);
  if (norm == Norm::kL2) found["cw_l2"] = distances("cw_l2", norm, {}, network);
  if (norm == Norm::kLinf) found["cw_linf"] = distances("cw_linf", norm, {}, network);

  Tensor best = found["fab"];
  for (const auto& [id, values] : found) best = at::minimum(best, values);
  for (const auto& [id, values] : found) {
    RecordProperty(id, std::to_string((values / best).max().item<double>()));
    std::cout << id << " " << (values / best) << std::endl;
    EXPECT_LE((values / best).median().item<double>(), 1.1) << id;
  }
}

TEST_P(SmallestPerturbation, X) {
  Network network;
  const Norm norm = GetParam();
  std::cout << "fab_t " << distances("fab_t", norm, {}, network) << std::endl;
  if (norm == Norm::kL1) return;
  std::cout << "deepfool " << distances("deepfool", norm, {}, network) << std::endl;
  std::cout << "hsj " << distances("hop_skip_jump", norm, {{"steps", std::int64_t{30}}}, network) << std::endl;
  if (norm == Norm::kL2) std::cout << "boundary " << distances("boundary", norm, {{"steps", std::int64_t{5000}}}, network) << std::endl;
}

INSTANTIATE_TEST_SUITE_P(Norms,
                         SmallestPerturbation,
                         testing::Values(Norm::kLinf, Norm::kL2, Norm::kL1),
                         [](const auto& i) { return name_of(i.param); });

TEST(Strength, Report) {
  for (const Norm norm : {Norm::kLinf, Norm::kL2, Norm::kL1}) {
    Network network(100);
    const double base = norm == Norm::kLinf ? 0.008 : norm == Norm::kL2 ? 0.08 : 0.6;
    for (const double factor : {0.5, 1.0, 1.5}) {
      for (const char* id : {"fgsm", "pgd", "apgd", "multi_targeted", "fab", "fab_t", "fmn", "deepfool", "autoattack", "square", "nes", "gaussian_noise"}) {
        Values values = {{"norm", std::string(name_of(norm))}};
        try {
          const Tensor points = attack(id, values, network, network.x, network.y, base * factor);
          std::cout << name_of(norm) << " " << base * factor << " " << id << " " << network.fooled(points).sum().item<std::int64_t>() << std::endl;
        } catch (const std::exception&) {}
      }
    }
  }
}

}  // namespace
}  // namespace unmask::test
