#include "verdict/measures.hpp"
#include "verdict/rules/rules.hpp"

namespace unmask::verdict::rules {

// Noise that finds what a gradient attack misses is the plainest sign of a broken gradient.
const Rule kNoiseGap = {
    .id = "noise_gap",
    .question = "Does noise fool samples that the gradient does not?",
    .source = "Athalye, Carlini, Wagner 2018, symptom 4",
    .about = "noise",
    .needs = "the plain gradient attack and random_noise",
    .statistic = "share of samples that only noise fools",
    .says = "noise finds what the gradient does not",
    .decides_at = "gap_masked",
    .symptom_at = "gap_suspect",
    .supply =
        R"({"define": {"attack": {"noise": {"plugin": "random_noise"}}}, "evaluate": {"matrix": {"attack": ["noise"]}}})",
    .measure = [](const Evidence& e) { return paired_gap(e, e.plain(), e.own(Group::kNoise)); }};

}  // namespace unmask::verdict::rules
