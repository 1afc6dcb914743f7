#pragma once
// Options of training: the host's table for objectives (catalog/host_options.hpp) as values.
// Formulas of all of them: docs/training.md.

#include <cstdint>
#include <string>
#include <vector>

#include "unmask/params.hpp"

namespace unmask::engine {

enum class OptimizerKind { kSgd, kAdam, kAdamW };
enum class ScheduleKind { kConstant, kStep, kCosine, kOneCycle };
enum class AveragingKind { kNone, kEma, kSwa };

struct TrainingOptions {
  std::int64_t epochs = 0;
  std::int64_t batch_size = 0;

  OptimizerKind optimizer = OptimizerKind::kSgd;
  double learning_rate = 0;
  double momentum = 0;
  bool nesterov = false;
  double beta1 = 0;
  double beta2 = 0;
  double adam_epsilon = 0;
  double weight_decay = 0;
  double clip_norm = 0;  ///< 0: none

  ScheduleKind schedule = ScheduleKind::kConstant;
  std::vector<std::int64_t> milestones;
  std::vector<double> factors;
  double cycle_rise = 0;
  double cycle_start_divisor = 0;
  double cycle_final_divisor = 0;
  std::int64_t warmup_epochs = 0;

  AveragingKind averaging = AveragingKind::kNone;
  double averaging_decay = 0;
  std::int64_t averaging_start = 0;  ///< epoch, from 0

  std::int64_t validation = 0;  ///< samples held out
  bool keep_best = false;
  std::int64_t patience = 0;  ///< 0: never stop early
  bool mixed_precision = false;

  std::int64_t crop_padding = 0;
  bool horizontal_flip = false;

  /// @throws ParamError when lists do not fit each other
  static TrainingOptions from(const Params& params);
};

}  // namespace unmask::engine
