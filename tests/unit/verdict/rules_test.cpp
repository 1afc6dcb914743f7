// Every rule by itself: it fires, it is quiet, it says that it lacks evidence.

#include "verdict/rules/rules.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <limits>
#include <map>
#include <ostream>
#include <set>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "catalog/verdict_thresholds.hpp"
#include "unit/verdict/case.hpp"

namespace unmask::verdict::rules_test {
namespace {

using nlohmann::json;
using testing::AttackRow;
using testing::Case;
using testing::first;
using testing::range;
using testing::reading_of;

using Setup = std::function<void(Case&)>;

// On 100 samples, all right without an attack. The plain attack comes from `before`, so that "lacks"
// is the case with `before` alone.
struct RuleCase {
  std::string rule;
  RuleState fired;
  Setup before;
  Setup fires;
  Setup quiet;
  double value = 0;  // when it fires
};

// gtest names a failing case after this.
std::ostream& operator<<(std::ostream& out, const RuleCase& rule_case) {
  return out << rule_case.rule;
}

// The plain attack fools 30.
void weak(Case& c) {
  c.plain(first(30));
}

// A second attack that fools samples 10 to 10 + k: of these 30 - 10 are known already.
Setup other(const AttackRow& row, std::int64_t k) {
  return [=](Case& c) { c.attack(row, range(10, 10 + k)); };
}

AttackRow pgd(const std::string& name, const json& params) {
  AttackRow row;
  row.name = name;
  row.params = params;
  return row;
}

AttackRow free_of(const std::string& plugin) {
  AttackRow row;
  row.name = plugin;
  row.plugin = plugin;
  return row;
}

// A probe whose first k of 20 samples have one value and the others another.
Setup probed(const std::string& plugin,
             const std::string& value,
             std::int64_t k,
             double has,
             double has_not) {
  return [=](Case& c) {
    c.probe({.plugin = plugin,
             .values = {{value, [=](std::int64_t i) { return i < k ? has : has_not; }}}});
  };
}

Setup nothing() {
  return [](Case&) {};
}

Setup both(const Setup& a, const Setup& b) {
  return [=](Case& c) {
    a(c);
    b(c);
  };
}

std::map<std::string, std::vector<double>> traces(const std::string& name,
                                                  const std::vector<double>& values) {
  std::map<std::string, std::vector<double>> all;
  for (int sample = 40; sample < 60; ++sample) all[name + "." + std::to_string(sample)] = values;
  return all;
}

Setup traced(const std::string& name, const std::vector<double>& values) {
  return [=](Case& c) {
    AttackRow row;
    row.series = traces(name, values);
    row.params = {{"trace", 20}};
    c.attack(row, first(30));
  };
}

Setup at(double epsilon, const std::string& norm, const testing::Samples& is_fooled) {
  return [=](Case& c) {
    AttackRow row;
    row.epsilon = epsilon;
    row.norm = norm;
    c.attack(row, is_fooled);
  };
}

Setup spsa(double cosine) {
  return [=](Case& c) {
    c.probe({.plugin = "spsa_agreement",
             .values = {{"spsa_cosine", [=](std::int64_t) { return cosine; }},
                        {"spsa_expected", [](std::int64_t) { return 0.2; }}}});
  };
}

Setup gains(double realised) {
  return [=](Case& c) {
    c.probe({.plugin = "gradient_norm",
             .values = {{"predicted_gain", [](std::int64_t) { return 2.0; }},
                        {"realised_gain", [=](std::int64_t) { return realised; }}}});
  };
}

// Samples 30 to 80 are fooled by the margin loss alone; the probe knows samples 0 to 99.
Setup saturated(std::int64_t zeros) {
  return [=](Case& c) {
    c.attack(pgd("margin", {{"loss", "margin"}}), first(80));
    c.probe({.plugin = "confidence",
             .values = {{"cross_entropy_zero",
                         [=](std::int64_t i) { return i >= 30 && i < 30 + zeros ? 1.0 : 0.0; }}},
             .n = 100});
  };
}

Setup binarised(double fooled, double at_random) {
  return [=](Case& c) {
    c.probe({.plugin = "binarisation",
             .values = {{"binarised_fooled", [=](std::int64_t) { return fooled; }},
                        {"binarised_random_fooled", [=](std::int64_t) { return at_random; }}}});
  };
}

AttackRow via(const std::string& solver) {
  AttackRow row;
  row.gradient = solver;
  return row;
}

AttackRow transfer() {
  AttackRow row;
  row.is_transfer = true;
  return row;
}

std::vector<RuleCase> cases() {
  constexpr RuleState kDecides = RuleState::kDecides;
  constexpr RuleState kSymptom = RuleState::kSymptom;
  constexpr RuleState kNote = RuleState::kNote;
  const auto metric = [](const char* name, double value) {
    return [=](Case& c) { c.plain(first(30), {{name, value}}); };
  };
  const std::vector<double> rising = {0.1, 0.1, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0};
  std::vector<double> settled(12, 1.0);
  settled[0] = 0;
  return {
      // 10 + 40 - 30 = 20 of 100 more, none fewer than the 10 that only the plain attack fools.
      {"black_box_gap",
       kDecides,
       weak,
       other(free_of("square"), 50),
       other(free_of("square"), 20),
       .3},
      {"batch_size_gap",
       kDecides,
       weak,
       other(pgd("alone", {{"batch_size", 1}}), 50),
       other(pgd("alone", {{"batch_size", 1}}), 20),
       .3},
      {"replay_gap", kDecides, weak, other(via("bosh3"), 50), other(via("bosh3"), 20), .3},
      {"gradient_solver_gap", kDecides, weak, other(via("rk4"), 50), other(via("rk4"), 20), .3},
      {"averaged_gap",
       kDecides,
       weak,
       other(pgd("eot", {{"eot", 20}}), 50),
       other(pgd("eot", {{"eot", 20}}), 20),
       .3},
      {"transfer_gap", kDecides, weak, other(transfer(), 50), other(transfer(), 20), .3},
      {"noise_gap",
       kDecides,
       weak,
       other(free_of("random_noise"), 50),
       other(free_of("random_noise"), 20),
       .3},
      {"single_step_gap",
       kDecides,
       weak,
       other(free_of("fgsm"), 50),
       other(free_of("fgsm"), 20),
       .3},
      {"loss_gap",
       kDecides,
       weak,
       other(pgd("margin", {{"loss", "margin"}}), 50),
       other(pgd("margin", {{"loss", "margin"}}), 25),
       .3},
      {"step_elasticity",
       kDecides,
       weak,
       other(pgd("more", {{"steps", 1000}}), 50),
       other(pgd("more", {{"steps", 1000}}), 25),
       .3},
      {"restart_elasticity",
       kSymptom,
       weak,
       other(pgd("more", {{"restarts", 10}, {"random_start", true}}), 50),
       other(pgd("more", {{"restarts", 10}, {"random_start", true}}), 25),
       .3},
      {"zero_gradient",
       kDecides,
       nothing(),
       metric("check.zero_gradient", 0.98),
       metric("check.zero_gradient", 0.02),
       .98},
      {"broken_gradient",
       kDecides,
       nothing(),
       metric("check.gradient_not_finite", 0.98),
       metric("check.gradient_not_finite", 0),
       .98},
      {"finite_differences",
       kDecides,
       weak,
       probed("finite_differences", "fd_cosine_large", 16, 0.1, 1),
       probed("finite_differences", "fd_cosine_large", 3, 0.1, 1),
       .8},
      {"spsa_agreement", kDecides, weak, spsa(0.02), spsa(0.18), 1},
      {"batch_cosine",
       kDecides,
       weak,
       probed("batch_gradient", "batch_cosine", 16, 0.1, 1),
       probed("batch_gradient", "batch_cosine", 0, 0, 1),
       .8},
      {"leak_ratio",
       kDecides,
       weak,
       probed("batch_gradient", "leak_ratio", 16, std::numeric_limits<double>::infinity(), 0.1),
       probed("batch_gradient", "leak_ratio", 0, 0, 0),
       .8},
      {"gain", kSymptom, weak, gains(0.01), gains(3), 1},
      {"saturation", kSymptom, weak, saturated(50), saturated(5), .5},
      {"unbounded", kDecides, weak, at(1, "linf", first(20)), at(1, "linf", first(98)), .8},
      {"radius_inversion",
       kSymptom,
       weak,
       at(0.05, "linf", range(10, 50)),
       at(0.05, "linf", first(30)),
       .2},
      {"norm_insensitivity",
       kSymptom,
       weak,
       at(0.5, "l2", first(32)),
       at(0.5, "l2", first(60)),
       .02},
      {"batch_variance",
       kNote,
       weak,
       probed("batch_invariance", "logit_shift", 16, 0.2, 0),
       probed("batch_invariance", "logit_shift", 0, 0, 1e-7),
       .8},
      {"randomised",
       kNote,
       nothing(),
       metric("check.randomised", 0.1),
       metric("check.randomised", 0),
       .1},
      {"softmax_output",
       kSymptom,
       nothing(),
       metric("check.softmax_output", 1),
       metric("check.softmax_output", 0),
       1},
      {"path_jumps",
       kSymptom,
       weak,
       probed("path_discontinuity", "path_jumps", 16, 3, 0),
       probed("path_discontinuity", "path_jumps", 1, 1, 0),
       .8},
      {"binarisation", kSymptom, weak, binarised(0, 0), binarised(1, 0), 0},
      {"unstable_loss",
       kNote,
       weak,
       probed("noise_stability", "i2", 16, 0.5, 0.01),
       probed("noise_stability", "i2", 2, 0.5, 0.01),
       .8},
      {"silent_success",
       kNote,
       weak,
       traced("trace_margin", {-1, 0.5, -0.5}),
       traced("trace_margin", {-1, -0.5, -0.5}),
       1},
      {"incomplete_optimisation",
       kNote,
       weak,
       traced("trace_loss", rising),
       traced("trace_loss", settled),
       1},
      {"transfer_failure",
       kNote,
       weak,
       traced("trace_margin", {-1, -0.5, 0.5}),
       traced("trace_margin", {-1, 0.5, -0.5}),
       1},
      {"gradient_rules",
       kNote,
       weak,
       probed("gradient_rules", "cosine_rk4", 16, 0.1, 1),
       probed("gradient_rules", "cosine_rk4", 2, 0.1, 1),
       .8},
  };
}

class RuleTest : public ::testing::TestWithParam<RuleCase> {};

TEST_P(RuleTest, Fires) {
  const RuleCase& p = GetParam();
  Case c;
  both(p.before, p.fires)(c);

  const Reading reading = reading_of(c.verdict(), p.rule);

  EXPECT_EQ(to_string(reading.state), std::string(to_string(p.fired)));
  // Counts over 20 or 100 samples: exact but for one rounding.
  EXPECT_NEAR(reading.found.value.value_or(-1), p.value, 1e-15) << reading.found.sentence;
  EXPECT_FALSE(reading.found.sentence.empty());
  EXPECT_FALSE(reading.found.cells.empty());
}

TEST_P(RuleTest, StaysQuiet) {
  const RuleCase& p = GetParam();
  Case c;
  both(p.before, p.quiet)(c);

  const Reading reading = reading_of(c.verdict(), p.rule);

  EXPECT_EQ(to_string(reading.state), std::string("quiet")) << reading.found.sentence;
}

TEST_P(RuleTest, SaysThatItLacksEvidence) {
  const RuleCase& p = GetParam();
  Case c;
  weak(c);
  const Verdict verdict = c.verdict();

  EXPECT_EQ(to_string(reading_of(verdict, p.rule).state), std::string("lacks evidence"));
  const auto missing = missing_evidence(verdict);
  const auto entry = std::find_if(
      missing.begin(), missing.end(), [&](const MissingEvidence& m) { return m.rule == p.rule; });
  ASSERT_NE(entry, missing.end());
  EXPECT_TRUE(json::accept(entry->lines)) << entry->lines;
}

INSTANTIATE_TEST_SUITE_P(All, RuleTest, ::testing::ValuesIn(cases()), [](const auto& one) {
  return one.param.rule;
});

TEST(Rules, EachHasACaseHereOrATestOfItsOwn) {
  std::set<std::string> known = {"checklist"};
  for (const RuleCase& rule_case : cases()) known.insert(rule_case.rule);
  for (const Rule* rule : all_rules()) EXPECT_TRUE(known.contains(rule->id)) << rule->id;
}

TEST(Rules, HaveNamesOfTheirOwnAndThresholdsThatExist) {
  std::set<std::string> ids;
  for (const Rule* rule : all_rules()) {
    EXPECT_TRUE(ids.insert(rule->id).second) << rule->id;
    for (const std::string name : {rule->decides_at, rule->symptom_at}) {
      EXPECT_TRUE(name.empty() || catalog::find_verdict_threshold(name) != nullptr) << rule->id;
    }
    EXPECT_TRUE(json::accept(rule->supply)) << rule->id << ": " << rule->supply;
    for (const char* text :
         {rule->question, rule->source, rule->needs, rule->statistic, rule->says})
      EXPECT_GT(std::string(text).size(), 5U) << rule->id;
  }
}

TEST(Checklist, NamesWhatIsMissing) {
  Case c;
  weak(c);
  c.square(first(30)).attack(free_of("fgsm"), first(10));

  const Reading reading = reading_of(c.verdict(), "checklist");

  EXPECT_EQ(reading.found.value, 7);
  EXPECT_EQ(reading.found.sentence,
            "missing: more steps, more restarts, another loss, labels alone, transfer, noise, no "
            "limit");
}

}  // namespace
}  // namespace unmask::verdict::rules_test
