// What attacks and probes must not hand over, and who is named for it.

#include "engine/plugin_results.hpp"

#include <cmath>
#include <functional>

#include <torch/types.h>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "engine/broken.hpp"
#include "engine/ensemble.hpp"
#include "engine/worker.hpp"
#include "unmask/testing/linear_target.hpp"

namespace unmask::engine::plugin_results_test {
namespace {

using testing::HasSubstr;

class Doing final : public Attack {
 public:
  using What = std::function<Tensor(const Tensor& x, AttackContext& context)>;
  explicit Doing(What what) : what_(std::move(what)) {}
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(
      Target&, const Tensor& x, const Tensor&, const Threat&, AttackContext& context) override {
    return what_(x, context);
  }

 private:
  What what_;
};

const Tensor& images() {
  static const Tensor x = at::full({3, 1, 2, 2}, 0.5);
  return x;
}

Tensor run(Attack& attack) {
  test::LinearTarget target(at::eye(4).narrow(0, 0, 2), at::zeros({2}));
  AttackContext context{SampleRandom(1, {0, 1, 2})};
  return attack.perturb(
      target, images(), at::zeros({3}, at::kLong), {Norm::kLinf, 0.1, 0, 1}, context);
}

Tensor run(Doing::What what) {
  CheckedAttack attack("evil", std::make_unique<Doing>(std::move(what)), nullptr);
  return run(attack);
}

// The message of the exception, and that it is a plugin's fault.
std::string refusal(Doing::What what) {
  try {
    run(std::move(what));
  } catch (const std::exception& error) {
    EXPECT_TRUE(failure_class_of(error) == wire::FailureClass::kPluginError) << error.what();
    return error.what();
  }
  return "accepted";
}

Doing::What noting(std::vector<AttackNote> notes) {
  return [notes](const Tensor& x, AttackContext& context) {
    context.notes = notes;
    return x;
  };
}

TEST(CheckedAttack, PassesOnWhatIsRight) {
  const Tensor points = run([](const Tensor& x, AttackContext& context) {
    context.notes.push_back({"steps.used_2", at::ones({3})});
    context.series.push_back({"loss", at::ones({7}), 2});
    return x + 0.1;
  });

  EXPECT_TRUE(at::equal(points, images() + 0.1));
}

TEST(CheckedAttack, PointsThatAreNotFiniteAreNoResult) {
  for (const double value : {std::nan(""), HUGE_VAL, -HUGE_VAL}) {
    try {
      run([&](const Tensor& x, AttackContext&) {
        Tensor points = x.clone();
        points[1][0][0][1] = value;
        return points;
      });
      ADD_FAILURE() << "accepted " << value;
    } catch (const BrokenAttack& error) {
      EXPECT_TRUE(failure_class_of(error) == wire::FailureClass::kInvalid);
      EXPECT_THAT(error.what(), HasSubstr("attack evil: it gave points that are not finite: "));
      EXPECT_THAT(error.what(), HasSubstr("at [1, 0, 0, 1]"));
    }
  }
}

// A member that is broken is no member that fools nobody.
TEST(CheckedAttack, IsCheckedInAnEnsembleToo) {
  std::vector<Ensemble::Member> members;
  members.push_back(
      {"bad",
       std::make_unique<CheckedAttack>("evil",
                                       std::make_unique<Doing>([](const Tensor& x, AttackContext&) {
                                         return x * std::nan("");
                                       }),
                                       nullptr)});
  Ensemble ensemble(std::move(members));

  EXPECT_THROW(run(ensemble), BrokenAttack);
}

TEST(CheckedAttack, RefusesOtherShapesAndKindsOfPoints) {
  EXPECT_THAT(refusal([](const Tensor&, AttackContext&) { return Tensor(); }),
              HasSubstr("attack evil: it must give points like its batch"));
  EXPECT_THAT(refusal([](const Tensor& x, AttackContext&) { return x.to_sparse(); }),
              HasSubstr("attack evil: "));
  EXPECT_THAT(refusal([](const Tensor& x, AttackContext&) { return x.narrow(0, 0, 2); }),
              HasSubstr("attack evil: the attack returned"));
  EXPECT_THAT(refusal([](const Tensor& x, AttackContext&) { return x.to(at::kDouble); }),
              HasSubstr("attack evil: the attack returned"));
}

TEST(CheckedAttack, RefusesNamesThatTheDatabaseCannotHold) {
  const Tensor ones = at::ones({3});
  EXPECT_THAT(refusal(noting({{"a", ones}, {"a", ones}})),
              HasSubstr("attack evil: its note \"a\" is given twice"));
  EXPECT_THAT(refusal(noting({{"", ones}})), HasSubstr("lower snake case"));
  EXPECT_THAT(refusal(noting({{"Loss", ones}})), HasSubstr("lower snake case"));
  EXPECT_THAT(refusal(noting({{"a..b", ones}})), HasSubstr("lower snake case"));
  EXPECT_THAT(refusal(noting({{std::string("\xff\0\n'; --", 8), ones}})),
              HasSubstr("\"?\?\?'; --\" must be named in lower snake case"));
  EXPECT_THAT(refusal(noting({{std::string(101, 'a'), ones}})), HasSubstr("at most 100"));
  for (const char* taken : {"robust_accuracy",
                            "x_accuracy",
                            "check.randomised",
                            "batch_coupled",
                            "threat_violations",
                            "undecided",
                            "loss.mean"}) {
    EXPECT_THAT(refusal(noting({{taken, ones}})), HasSubstr("the host's own")) << taken;
  }
}

TEST(CheckedAttack, RefusesTooManyNames) {
  std::vector<AttackNote> notes;
  for (int i = 0; i < 1001; ++i) notes.push_back({"n" + std::to_string(i), at::ones({3})});

  EXPECT_THAT(refusal(noting(notes)), HasSubstr("at most 1000"));
}

TEST(CheckedAttack, RefusesNotesThatAreNotOneNumberASample) {
  EXPECT_THAT(refusal(noting({{"a", at::ones({6})}})),
              HasSubstr("its note \"a\" must be one number for each of 3 samples, it is [6]"));
  EXPECT_THAT(refusal(noting({{"a", Tensor()}})), HasSubstr("it is nothing"));
  EXPECT_THAT(refusal(noting({{"a", at::ones({3}, at::kComplexFloat)}})),
              HasSubstr("ComplexFloat"));
}

TEST(CheckedAttack, RefusesSeriesThatAreNone) {
  const auto giving = [](RecordedSeries series) {
    return [series](const Tensor& x, AttackContext& context) {
      context.series = {series, series};
      return x;
    };
  };
  EXPECT_THAT(refusal(giving({"loss", at::ones({2}), 1})), HasSubstr("given twice"));
  EXPECT_THAT(refusal(giving({"loss", at::ones({2}), 3})), HasSubstr("row 3 of a batch of 3"));
  EXPECT_THAT(refusal(giving({"loss", at::ones({2, 2})})), HasSubstr("a list of numbers"));
}

TEST(CheckedAttack, NamesThePluginWhateverItThrows) {
  EXPECT_EQ(
      refusal([](const Tensor&, AttackContext&) -> Tensor { throw std::logic_error("a hole"); }),
      "attack evil: a hole");
  EXPECT_EQ(refusal([](const Tensor&, AttackContext&) -> Tensor { throw 7; }),
            "attack evil: an exception of unknown type was thrown");
  EXPECT_THAT(refusal([](const Tensor&, AttackContext&) -> Tensor {
                return at::mm(at::ones({2, 3}), at::ones({2, 3}));
              }),
              HasSubstr("attack evil: mat1 and mat2"));
  EXPECT_THROW(run([](const Tensor&, AttackContext&) -> Tensor { throw NumericError("no root"); }),
               NumericError);
}

TEST(CheckedAttack, WorksOnCopies) {
  run([](const Tensor& x, AttackContext&) {
    Tensor own = x;
    own.zero_();
    return own;
  });

  EXPECT_EQ(images().min().item<double>(), 0.5);
}

TEST(CheckedAttack, SetsTheProcessBackAndNamesTheAttack) {
  ProcessState process;
  CheckedAttack attack("evil",
                       std::make_unique<Doing>([](const Tensor& x, AttackContext&) {
                         at::GradMode::set_enabled(false);
                         return x;
                       }),
                       &process);

  run(attack);

  EXPECT_TRUE(at::GradMode::is_enabled());
  EXPECT_THAT(process.take_complaints(), testing::ElementsAre(HasSubstr("attack evil changed")));
}

class Measuring final : public Probe {
 public:
  using What = std::function<std::vector<ProbeValue>(const Tensor& x)>;
  explicit Measuring(What what) : what_(std::move(what)) {}
  std::vector<ProbeValue> measure(Target&, const Tensor& x, const Tensor&, ProbeContext&) override {
    return what_(x);
  }

 private:
  What what_;
};

std::string probe_refusal(Measuring::What what) {
  CheckedProbe probe("evil", std::make_unique<Measuring>(std::move(what)), nullptr);
  test::LinearTarget target(at::eye(4).narrow(0, 0, 2), at::zeros({2}));
  try {
    for (int batch = 0; batch < 2; ++batch) {
      ProbeContext context(SampleRandom(1, {0, 1, 2}), {0, 1, 2});
      probe.measure(target, images(), at::zeros({3}, at::kLong), context);
    }
  } catch (const std::exception& error) {
    EXPECT_TRUE(failure_class_of(error) == wire::FailureClass::kPluginError) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(CheckedProbe, RefusesNamesAndShapes) {
  const Tensor ones = at::ones({3});
  EXPECT_EQ(probe_refusal([&](const Tensor&) {
              return std::vector<ProbeValue>{{"a", ones}};
            }),
            "accepted");
  EXPECT_THAT(probe_refusal([&](const Tensor&) {
                return std::vector<ProbeValue>{{"a", ones}, {"a", ones}};
              }),
              HasSubstr("probe evil: its value \"a\" is given twice"));
  EXPECT_THAT(probe_refusal([&](const Tensor&) {
                return std::vector<ProbeValue>{{"accuracy_drop", -0.2 * ones}};
              }),
              HasSubstr("the host's own"));
  EXPECT_THAT(probe_refusal([&](const Tensor&) {
                return std::vector<ProbeValue>{{"a", at::ones({4})}};
              }),
              HasSubstr("one number for each of 3 samples"));
  int batch = 0;
  EXPECT_THAT(probe_refusal([&](const Tensor&) {
                return std::vector<ProbeValue>{{"v" + std::to_string(batch++), ones}};
              }),
              HasSubstr("other values for one batch than for another"));
}

wire::FailureClass class_of_words(const std::string& words) {
  return failure_class_of(std::runtime_error(words));
}

// What is short is tried again alone, so it must not be taken for a mistake of the plugin.
TEST(FailureClass, OfMemoryThatIsShortIsOfTheAllocatorsWords) {
  EXPECT_EQ(failure_class_of(std::bad_alloc()), wire::FailureClass::kOutOfMemory);
  for (const char* words :
       {"attack mine: std::bad_alloc",
        "CUDA out of memory. Tried to allocate 20.00 MiB",
        "mmap: Cannot allocate memory",
        "CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`",
        "cuDNN error: CUDNN_STATUS_ALLOC_FAILED"}) {
    EXPECT_EQ(class_of_words(words), wire::FailureClass::kOutOfMemory) << words;
  }
  // A petabyte: no machine has so much.
  try {
    at::empty({std::int64_t{1} << 48}, at::kFloat);
    FAIL() << "it was allocated";
  } catch (const c10::Error& error) {
    EXPECT_EQ(failure_class_of(error), wire::FailureClass::kOutOfMemory) << error.what();
  }
}

TEST(FailureClass, OfOtherTroubleIsNotThatOfMemory) {
  EXPECT_EQ(class_of_words("CUDA error: an illegal memory access was encountered"),
            wire::FailureClass::kDeviceFault);
  EXPECT_EQ(class_of_words("the memory of this attack is full of bugs"),
            wire::FailureClass::kPluginError);
  EXPECT_EQ(failure_class_of(NumericError("logits are not finite")), wire::FailureClass::kInvalid);
}

}  // namespace
}  // namespace unmask::engine::plugin_results_test
