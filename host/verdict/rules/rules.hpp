#pragma once
// All rules, in the order in which a verdict lists them. A new rule is one file here, a line below,
// and its place in table.cpp and docs/verdicts.md.

#include <span>

#include "verdict/rule.hpp"

namespace unmask::verdict {

namespace rules {

// Lines that several rules ask for.
inline constexpr const char* kSupplyPlain =
    R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10"}}}}, "evaluate": {"matrix": {"attack": ["pgd"]}}})";
inline constexpr const char* kSupplyTrace =
    R"({"define": {"attack": {"pgd": {"plugin": "pgd", "params": {"steps": 20, "step_size": "${epsilon}/10", "trace": 20}}}}, "evaluate": {"matrix": {"attack": ["pgd"]}}})";
inline constexpr const char* kSupplyBatchGradient =
    R"({"define": {"probe": {"batch_gradient": {"plugin": "batch_gradient"}}}, "evaluate": {"matrix": {"probes": ["batch_gradient"]}}})";

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
