#include "catalog/verdict_thresholds.hpp"

#include "unmask/errors.hpp"

namespace unmask::catalog {
namespace {

// Shares are of the samples that the network classifies right without an attack.
constexpr VerdictThreshold kThresholds[] = {
    {"alpha",
     0.05,
     1e-9,
     0.5,
     "probability of any false alarm among all paired tests of a verdict"},
    {"min_samples", 30, 1, 1e9, "samples classified right that an attack needs to be evidence"},
    {"min_probe_samples", 8, 1, 1e9, "samples with a number that a probe needs to be evidence"},
    {"plain_steps", 10, 1, 1e9, "steps that the plain gradient attack has, if any attack has them"},
    {"hidden_share",
     0.1,
     0,
     1,
     "share that the plain gradient attack must leave for a symptom of the gradient to decide: "
     "where it leaves less, nothing is hidden"},
    {"symptoms", 2, 1, 100, "symptoms of different kinds that make a network suspect"},
    {"gap_masked",
     0.1,
     0,
     1,
     "share that only an attack finds which needs no gradient, or takes another one"},
    {"gap_suspect", 0.05, 0, 1, "the same, as a symptom"},
    {"effort_gap_masked",
     0.2,
     0,
     1,
     "share that only another loss or more steps find, with the same gradient"},
    {"effort_gap_suspect", 0.1, 0, 1, "the same, as a symptom; of more restarts, too"},
    {"inversion", 0.05, 0, 1, "share that a smaller radius fools and the next larger one does not"},
    {"unbounded_masked", 0.5, 0, 1, "share that an attack leaves which may do whatever it likes"},
    {"unbounded_suspect", 0.1, 0, 1, "the same, as a symptom"},
    {"unbounded_linf", 0.5, 0.01, 1, "radius in linf from which every image can become grey"},
    {"unbounded_l2", 28, 0.01, 1e9, "likewise in l2; 28 is half the diagonal of 3x32x32 pixels"},
    {"zero_masked",
     0.25,
     0,
     1,
     "share of samples without a gradient, or with a broken one, that decides"},
    {"zero_suspect", 0.1, 0, 1, "the same, as a symptom"},
    {"share_masked", 0.5, 0, 1, "share of samples with a useless gradient that decides"},
    {"share_suspect", 0.2, 0, 1, "the same, as a symptom"},
    {"cosine", 0.5, -1, 1, "cosine with the true direction below which a gradient is useless"},
    {"leak_ratio", 1, 0, 1e9, "others' part of a gradient over the own above which it is useless"},
    {"gain_ratio", 0.05, 0, 1, "realised over promised gain of the loss below which it is useless"},
    {"logit_shift", 0.01, 0, 1e9, "change of logits by batch-mates, as a share of their spread"},
    {"randomised", 1e-4, 0, 2, "distance between repeated answers, each scaled to length 1"},
    {"norm_difference",
     0.05,
     0,
     1,
     "difference of robust accuracy in linf and l2 below which the norm seems to make none"},
    {"loss_noise", 0.1, 0, 1, "mean relative change of the loss by noise (indicator I2)"},
    {"loss_spread", 0.05, 0, 1, "fall of the scaled loss in the last ten steps (indicator I4)"},
    {"binarised_fooled", 0.95, 0, 1, "share of planted adversarial examples an attack must find"},
    {"binarised_random", 0.5, 0, 1, "share that noise may find for that test to mean anything"},
};

}  // namespace

std::span<const VerdictThreshold> verdict_thresholds() {
  return kThresholds;
}

const VerdictThreshold* find_verdict_threshold(std::string_view name) {
  for (const VerdictThreshold& threshold : kThresholds) {
    if (threshold.name == name) return &threshold;
  }
  return nullptr;
}

std::map<std::string, double> verdict_thresholds_with(
    const std::map<std::string, double>& instead) {
  std::map<std::string, double> all;
  for (const VerdictThreshold& threshold : kThresholds) all[threshold.name] = threshold.value;
  for (const auto& [name, value] : instead) {
    UNMASK_CHECK(all.contains(name), "there is no threshold of verdicts \"" + name + "\"");
    all[name] = value;
  }
  return all;
}

}  // namespace unmask::catalog
