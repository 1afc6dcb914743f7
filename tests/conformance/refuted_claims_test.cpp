// Claims can fail: for each a plugin that breaks it, and the sentence that says so.

#include <functional>
#include <limits>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "conformance/claim.hpp"
#include "unmask/plugin.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::test::refuted_claims_test {
namespace {

using conformance::Subject;
using testing::Contains;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

template <class Plugin>
Subject subject() {
  Subject result;
  result.kind = detail::kind_of<Plugin>();
  result.id = "mistaken";
  const PluginInfo info = Plugin::info();
  result.params = info.params;
  result.capabilities = info.capabilities;
  result.create = &detail::create_plugin<Plugin>;
  return result;
}

// What speaks against a claim with these words in it.
std::vector<std::string> problems(const Subject& subject, const std::string& words) {
  std::vector<std::string> found;
  int claims = 0;
  for (const auto& list :
       {conformance::declaration_claims(), conformance::claims_of(subject.kind)}) {
    for (const conformance::Claim& claim : list) {
      if (std::string(claim.words).find(words) == std::string::npos) continue;
      ++claims;
      for (std::string& problem : conformance::try_claim(claim, subject).problems) {
        found.push_back(std::move(problem));
      }
    }
  }
  EXPECT_EQ(claims, 1) << "claims with \"" << words << "\"";
  return found;
}

PluginInfo plain_info() {
  return {.version = "1", .summary = "makes a mistake", .source = "a test"};
}

Tableau heun() {
  return {.order = 2, .a = {{1}}, .b = {0.5, 0.5}, .c = {1}};
}

// --- declarations and constructors

class Misspelt final : public RungeKutta {
 public:
  static PluginInfo info() {
    PluginInfo info = plain_info();
    info.capabilities = {"adaptve"};
    return info;
  }
  explicit Misspelt(const Params&) : RungeKutta(heun()) {}
};

TEST(RefutedClaim, UnknownCapability) {
  EXPECT_THAT(problems(subject<Misspelt>(), "capabilities that the host knows"),
              Contains(HasSubstr("did you mean \"adaptive\"")));
}

class ClaimsAdaptive final : public RungeKutta {
 public:
  static PluginInfo info() {
    PluginInfo info = plain_info();
    info.capabilities = {"adaptive"};
    return info;
  }
  explicit ClaimsAdaptive(const Params&) : RungeKutta(heun()) {}
};

TEST(RefutedClaim, AdaptiveWithoutAnErrorEstimate) {
  EXPECT_THAT(problems(subject<ClaimsAdaptive>(), "claims to be adaptive"),
              Contains(HasSubstr("gives no error estimate")));
}

class BadOrder final : public RungeKutta {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit BadOrder(const Params&)
      : RungeKutta({.order = 3,
                    .a = {{0.5}, {0, 0.75}},
                    .b = {2.0 / 9, 3.0 / 9, 4.0 / 9},
                    .c = {0.5, 0.5}}) {}
};

TEST(RefutedClaim, TableauThatIsInconsistent) {
  EXPECT_THAT(problems(subject<BadOrder>(), "can be made"), Contains(HasSubstr("it threw: ")));
}

class Undeclared final : public RungeKutta {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit Undeclared(const Params& params) : RungeKutta(heun()) { params.get_integer("steps"); }
};

TEST(RefutedClaim, ParameterThatIsNotDeclared) {
  EXPECT_THAT(problems(subject<Undeclared>(), "can be made"), Contains(HasSubstr("steps")));
}

class Unread final : public RungeKutta {
 public:
  static PluginInfo info() {
    PluginInfo info = plain_info();
    info.params = {integer("steps", "nobody asks").by_default(1)};
    return info;
  }
  explicit Unread(const Params&) : RungeKutta(heun()) {}
};

TEST(RefutedClaim, ParameterThatNobodyReads) {
  EXPECT_THAT(problems(subject<Unread>(), "reads every declared parameter"),
              Contains(HasSubstr("never reads \"steps\"")));
}

TEST(RefutedClaim, ClassOfAnotherKind) {
  Subject wrong = subject<Unread>();
  wrong.built_as = "attack";
  EXPECT_THAT(problems(wrong, "of the kind that it was built as"),
              Contains(HasSubstr("built as attack, and its class is of the kind solver")));
}

// --- solvers

// Euler's method that declares order 2.
class Boaster final : public Method {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit Boaster(const Params&) {}
  MethodTraits traits() const override { return {.order = 2, .stages = 1}; }
  StepOutput step(VectorField&, const StepInput& in, const State& y0, const State& f0) override {
    StepOutput out;
    for (std::size_t i = 0; i < y0.size(); ++i) {
      // The gradient stops here.
      out.y1.push_back(combine(y0[i].detach(), in.h, {1}, {f0[i].detach()}));
    }
    return out;
  }
};

TEST(RefutedClaim, OrderThatIsNotThere) {
  EXPECT_THAT(problems(subject<Boaster>(), "shows the order"),
              Contains(HasSubstr("declares order 2 and shows 1")));
}

TEST(RefutedClaim, GradientOfASolverThatIsCut) {
  EXPECT_THAT(problems(subject<Boaster>(), "agrees with finite differences"), Not(IsEmpty()));
}

// --- attacks

// Hands out whatever a function makes of images.
template <int Mistake>
class Careless final : public Attack {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit Careless(const Params&) {}
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target& target,
                 const Tensor& x,
                 const Tensor& y,
                 const Threat& threat,
                 AttackContext&) override {
    if (Mistake == 0) return x + 2 * threat.epsilon;
    if (Mistake == 1) return project(x + threat.epsilon * at::randn_like(x), x, threat);
    if (Mistake == 2) {
      // A part of the batch that nobody names.
      if (x.size(0) > 1) target.logits(x.narrow(0, 0, 1));
      return x.clone();
    }
    if (Mistake == 3) return x * std::numeric_limits<double>::quiet_NaN();
    if (Mistake == 4) {
      target.loss_and_gradient(x * 2, y, Loss::kMargin);
      return x.clone();
    }
    return x;  // the caller's own memory
  }
};

TEST(RefutedClaim, PointsOutsideOfTheBall) {
  EXPECT_THAT(problems(subject<Careless<0>>(), "stays inside the ball"),
              Contains(HasSubstr("the distance of a point")));
}

TEST(RefutedClaim, DrawsFromTheGlobalGenerator) {
  EXPECT_THAT(problems(subject<Careless<1>>(), "same bits for the same seed"), Not(IsEmpty()));
  EXPECT_THAT(problems(subject<Careless<1>>(), "order of samples"),
              Contains(HasSubstr("context.random")));
}

TEST(RefutedClaim, RowsThatNobodyNames) {
  EXPECT_THAT(problems(subject<Careless<2>>(), "names the rows"),
              Contains(HasSubstr("without naming them")));
}

TEST(RefutedClaim, PointsThatAreNotFinite) {
  EXPECT_THAT(problems(subject<Careless<3>>(), "stays inside the ball"),
              Contains(HasSubstr("not finite")));
}

TEST(RefutedClaim, QuestionsOutsideOfTheBox) {
  EXPECT_THAT(problems(subject<Careless<4>>(), "images in the box"), Not(IsEmpty()));
}

TEST(RefutedClaim, PointsInTheCallersMemory) {
  EXPECT_THAT(problems(subject<Careless<5>>(), "leaves its input alone"),
              Contains(HasSubstr("share memory")));
}

// --- objectives

class Forgetful final : public Objective {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit Forgetful(const Params&) {}
  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    // The sum in place of the mean would pass; the position in the batch does not.
    const Tensor losses = per_sample_loss(step.logits(x), y, Loss::kCrossEntropy);
    return losses[0] + at::rand({}, losses.options().requires_grad(false)) * losses[1];
  }
};

TEST(RefutedClaim, ObjectiveThatDrawsGlobally) {
  EXPECT_THAT(problems(subject<Forgetful>(), "draws nothing from the global generator"),
              Contains(HasSubstr("step.random()")));
}

TEST(RefutedClaim, ObjectiveThatMindsTheOrder) {
  EXPECT_THAT(problems(subject<Forgetful>(), "order of the batch"), Not(IsEmpty()));
}

// --- data sets

class Mislabelled final : public Dataset {
 public:
  static PluginInfo info() { return plain_info(); }
  explicit Mislabelled(const Params&) {}
  DatasetInfo describe() override {
    return {.channels = 1,
            .height = 2,
            .width = 2,
            .num_classes = 2,
            .train_count = 4,
            .test_count = 4,
            .class_names = {"a", "a"}};
  }
  std::string content_hash() override { return "0"; }
  Samples load(Split) override {
    return {at::full({3, 1, 2, 2}, 1.5, at::kFloat), at::full({3}, 2, at::kLong)};
  }
};

TEST(RefutedClaim, DataSetThatLoadsSomethingElse) {
  const Subject wrong = subject<Mislabelled>();
  EXPECT_THAT(problems(wrong, "loads what it describes"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "labels with its classes"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "between 0 and 1"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "names every class"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "hashes its content"), Not(IsEmpty()));
}

// --- models

// The mean over the batch is part of the logits, one parameter takes no part, and a solve that is
// claimed does not happen.
class Coupled final : public Model {
 public:
  static PluginInfo info() {
    PluginInfo info = plain_info();
    info.capabilities = {"ode"};
    return info;
  }
  Coupled(const Params&, const ModelContext& data)
      : weight_(at::randn({data.channels * data.height * data.width, data.num_classes})),
        idle_(at::ones({1})) {}
  Tensor forward(const Tensor& x, OdeContext&) override {
    const Tensor logits = at::matmul(x.flatten(1), weight_);
    return logits + logits.mean(0, /*keepdim=*/true).detach();
  }
  std::vector<NamedTensor> parameters() override { return {{"weight", weight_}, {"idle", idle_}}; }
  std::vector<NamedTensor> buffers() override { return {}; }
  void set_training(bool) override {}
  void to(const std::string&, at::ScalarType type) override {
    weight_ = weight_.to(type);
    idle_ = idle_.to(type);
  }

 private:
  Tensor weight_, idle_;
};

TEST(RefutedClaim, NetworkWhoseImagesInfluenceEachOther) {
  const Subject wrong = subject<Coupled>();
  EXPECT_THAT(problems(wrong, "does not depend on the batch"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "agrees with finite differences"), Not(IsEmpty()));
  EXPECT_THAT(problems(wrong, "uses every parameter"), Contains(HasSubstr("\"idle\"")));
  EXPECT_THAT(problems(wrong, "exactly when it solves"), Contains(HasSubstr("never calls")));
}

}  // namespace
}  // namespace unmask::test::refuted_claims_test
