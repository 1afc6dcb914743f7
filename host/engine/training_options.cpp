#include "engine/training_options.hpp"

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

OptimizerKind optimizer_of(const std::string& text) {
  if (text == "adam") return OptimizerKind::kAdam;
  return text == "adamw" ? OptimizerKind::kAdamW : OptimizerKind::kSgd;
}

ScheduleKind schedule_of(const std::string& text) {
  if (text == "step") return ScheduleKind::kStep;
  if (text == "cosine") return ScheduleKind::kCosine;
  return text == "one_cycle" ? ScheduleKind::kOneCycle : ScheduleKind::kConstant;
}

AveragingKind averaging_of(const std::string& text) {
  if (text == "ema") return AveragingKind::kEma;
  return text == "swa" ? AveragingKind::kSwa : AveragingKind::kNone;
}

}  // namespace

TrainingOptions TrainingOptions::from(const Params& params) {
  TrainingOptions options;
  options.epochs = params.get_integer("epochs");
  options.batch_size = params.get_integer("batch_size");

  options.optimizer = optimizer_of(params.get_text("optimizer"));
  options.learning_rate = params.get_real("learning_rate");
  options.momentum = params.get_real("momentum");
  options.nesterov = params.get_boolean("nesterov");
  const std::vector<double>& betas = params.get_reals("betas");
  options.beta1 = betas.at(0);
  options.beta2 = betas.at(1);
  options.adam_epsilon = params.get_real("adam_epsilon");
  options.weight_decay = params.get_real("weight_decay");
  options.clip_norm = params.get_real("clip_norm");

  options.schedule = schedule_of(params.get_text("schedule"));
  options.milestones = params.get_integers("milestones");
  options.factors = params.get_reals("factors");
  options.cycle_rise = params.get_real("cycle_rise");
  options.cycle_start_divisor = params.get_real("cycle_start_divisor");
  options.cycle_final_divisor = params.get_real("cycle_final_divisor");
  options.warmup_epochs = params.get_integer("warmup_epochs");

  options.averaging = averaging_of(params.get_text("averaging"));
  options.averaging_decay = params.get_real("averaging_decay");
  options.averaging_start = params.get_integer("averaging_start");

  options.validation = params.get_integer("validation");
  options.keep_best = params.get_text("keep") == "best";
  options.patience = params.get_integer("patience");
  options.mixed_precision = params.get_text("precision") == "mixed";

  options.crop_padding = params.get_integer("crop_padding");
  options.horizontal_flip = params.get_boolean("horizontal_flip");
  if (options.factors.size() != 1 && options.factors.size() != options.milestones.size()) {
    throw ParamError("parameter \"factors\" must have one entry, or one per milestone");
  }
  return options;
}

}  // namespace unmask::engine
