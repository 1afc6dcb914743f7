#pragma once
// All rules, in the order in which a verdict lists them. A new rule is one file here, a line below,
// and its place in table.cpp and docs/verdicts.md.

#include <span>

#include "verdict/rule.hpp"

namespace unmask::verdict {

namespace rules {

// Another attack finds what the plain gradient attack does not.
extern const Rule kBlackBoxGap;
extern const Rule kBatchSizeGap;
extern const Rule kReplayGap;
extern const Rule kGradientSolverGap;
extern const Rule kAveragedGap;
extern const Rule kTransferGap;
extern const Rule kNoiseGap;
extern const Rule kSingleStepGap;
extern const Rule kLossGap;
extern const Rule kStepElasticity;
extern const Rule kRestartElasticity;

// The gradient itself.
extern const Rule kZeroGradient;
extern const Rule kBrokenGradient;
extern const Rule kFiniteDifferences;
extern const Rule kSpsaAgreement;
extern const Rule kBatchCosine;
extern const Rule kLeakRatio;
extern const Rule kGain;
extern const Rule kSaturation;

// The network, and curves of attacks.
extern const Rule kUnbounded;
extern const Rule kRadiusInversion;
extern const Rule kNormInsensitivity;
extern const Rule kBatchVariance;
extern const Rule kRandomised;
extern const Rule kSoftmaxOutput;
extern const Rule kPathJumps;
extern const Rule kBinarisation;

// Notes about the attacks.
extern const Rule kUnstableLoss;
extern const Rule kSilentSuccess;
extern const Rule kIncompleteOptimisation;
extern const Rule kTransferFailure;
extern const Rule kGradientRules;
extern const Rule kChecklist;

}  // namespace rules

std::span<const Rule* const> all_rules();

}  // namespace unmask::verdict
