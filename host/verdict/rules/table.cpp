#include "verdict/rules/rules.hpp"

namespace unmask::verdict {

std::span<const Rule* const> all_rules() {
  static constexpr const Rule* kRules[] = {
      &rules::kBlackBoxGap,       &rules::kBatchSizeGap,      &rules::kReplayGap,
      &rules::kGradientSolverGap, &rules::kAveragedGap,       &rules::kTransferGap,
      &rules::kNoiseGap,          &rules::kSingleStepGap,     &rules::kLossGap,
      &rules::kStepElasticity,    &rules::kRestartElasticity, &rules::kZeroGradient,
      &rules::kBrokenGradient,    &rules::kFiniteDifferences, &rules::kSpsaAgreement,
      &rules::kBatchCosine,       &rules::kLeakRatio,         &rules::kGain,
      &rules::kSaturation,        &rules::kUnbounded,         &rules::kRadiusInversion,
      &rules::kNormInsensitivity, &rules::kBatchVariance,     &rules::kRandomised,
      &rules::kSoftmaxOutput,     &rules::kPathJumps,         &rules::kBinarisation,
      &rules::kUnstableLoss,      &rules::kSilentSuccess,     &rules::kIncompleteOptimisation,
      &rules::kTransferFailure,   &rules::kGradientRules,     &rules::kChecklist,
  };
  return kRules;
}

}  // namespace unmask::verdict
