#pragma once
// The learning rate of every training step.

#include <cstdint>

#include "engine/training_options.hpp"

namespace unmask::engine {

/// Learning rate of a training step.
/// @param step   index of the step, from 0
/// @param steps  steps per epoch
///
/// constant:  lr
/// step:      lr times the factor of every milestone epoch that has begun
/// cosine:    lr/2 (1 + cos(pi step / N)), N = epochs * steps   Loshchilov and Hutter 2017,
///            without restarts
/// one_cycle: from lr/start_divisor up to lr over the first rise * N - 1 steps and down to
///            lr/(start_divisor final_divisor) at step N - 1, each along half a cosine; a rise of
///            no step is left out                                 Smith and Topin 2018
///
/// and in the first W = warmup_epochs * steps steps all of this times (step + 1) / W.
double learning_rate_at(const TrainingOptions& options, std::int64_t step, std::int64_t steps);

}  // namespace unmask::engine
