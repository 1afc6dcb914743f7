#include "manifest/host_options.hpp"

namespace unmask::manifest {
namespace {

// Formulas of all of them: docs/solvers.md. What a preset decides has no default of its own, so
// that a definition shows what was written.

ParamSpec gradient_option(std::vector<std::string> modes, const std::string& more) {
  return choice(
             "gradient",
             std::move(modes),
             "direct: back-propagation through the solver's own operations; checkpoint: the same "
             "numbers with the steps computed again, in the memory of one; adjoint: the "
             "continuous adjoint equation, solved backwards; interpolated: the same along the "
             "stored forward solution" +
                 more)
      .by_default("direct");
}

std::vector<ParamSpec> gradient_options() {
  return {
      boolean("seminorm", "adjoint: leave the parameters out of the error norm").by_default(false),
      real("time_limit", "wall-clock time after which a solve gives up; left out: none")
          .above(0)
          .unit("seconds")
          .optional(),
  };
}

std::vector<ParamSpec> adaptive_options() {
  std::vector<ParamSpec> table = {
      choice(
          "preset",
          {"torchdiffeq-0.2", "torchdiffeq-0.0.1", "clean"},
          "defaults of control, end, step_gradient and stale_fsal: torchdiffeq-0.2: batch, "
          "interpolate, first_only, true; torchdiffeq-0.0.1: batch, interpolate, full, true, and "
          "that version's first step and controller order; clean: sample, clamp, none, false")
          .by_default("torchdiffeq-0.2"),
      real("rtol", "relative tolerance of the local error").by_default(1e-3).above(0),
      real("atol", "absolute tolerance of the local error").by_default(1e-3).above(0),
      choice("norm",
             {"rms", "max"},
             "norm of the scaled error over the elements of a component: root mean square, or the "
             "largest")
          .by_default("rms"),
      choice("control",
             {"batch", "sample"},
             "batch: one step size for all samples, so samples influence each other; sample: every "
             "sample has its own")
          .optional(),
      choice(
          "controller",
          {"i", "pi", "pid", "constant", "replay"},
          "how the next step follows from the errors of the last one, two, three accepted steps; "
          "constant: every step is first_step and accepted; replay: the steps that the clean "
          "batch took under controller i, as a fixed grid")
          .by_default("i"),
      real_list("exponents",
                "b1, b2, b3 of the controller, next h = h * safety * e1^(-b1/p) e2^(-b2/p) "
                "e3^(-b3/p); left out: i 1; pi 0.8, -0.31; pid 0.58, -0.21, 0.1")
          .length(1, 3)
          .optional(),
      integer("controller_order", "p of the controller; left out: the method's own")
          .at_least(1)
          .optional(),
      choice("end",
             {"interpolate", "clamp"},
             "interpolate: step past the end and read a quartic; clamp: shorten the last step")
          .optional(),
      choice(
          "step_gradient",
          {"full", "first_only", "none"},
          "what of the step sizes is differentiated: the first step and the controller, the first "
          "step alone, nothing")
          .optional(),
      boolean("stale_fsal",
              "start a step with the last stage of the one before, as torchdiffeq does, even where "
              "it is not f there; no effect on methods where it is")
          .optional(),
      gradient_option({"direct", "checkpoint", "adjoint", "interpolated", "replay"},
                      "; replay: the accepted steps again as a fixed grid"),
      real("adjoint_rtol", "rtol of the adjoint's backward solve; left out: rtol")
          .above(0)
          .optional(),
      real("adjoint_atol", "atol of the adjoint's backward solve; left out: atol")
          .above(0)
          .optional(),
      real("first_step",
           "size of the first step; left out: chosen by the rule of Hairer, Norsett, Wanner")
          .above(0)
          .optional(),
      real_list("step_ends", "times at which a step must end; f is not evaluated anew beyond them")
          .length(1, 1000)
          .optional(),
      real("min_step", "smallest step; one of this size is accepted whatever its error")
          .by_default(0.0)
          .at_least(0),
      real("max_step", "largest step").above(0).optional(),
      integer("max_attempts",
              "attempted steps after which a solve (control: sample: a sample) gives up")
          .by_default(10000)
          .at_least(1),
      real("safety", "safety factor of the controller").by_default(0.9).above(0).at_most(1),
      real("max_growth", "largest factor between two steps").by_default(10.0).above(1),
      real("min_growth", "smallest factor between two steps").by_default(0.2).above(0).at_most(1),
  };
  for (ParamSpec& spec : gradient_options()) table.push_back(std::move(spec));
  return table;
}

std::vector<ParamSpec> fixed_options() {
  std::vector<ParamSpec> table = {
      real("step_size", "step; left out: one step over the whole interval").above(0).optional(),
      gradient_option({"direct", "checkpoint", "adjoint", "interpolated"}, ""),
  };
  for (ParamSpec& spec : gradient_options()) table.push_back(std::move(spec));
  return table;
}

std::vector<ParamSpec> training_options() {
  return {
      integer("epochs", "passes over the training split").by_default(10).at_least(0),
      integer("batch_size", "samples of a training step")
          .by_default(100)
          .at_least(1)
          .unit("samples"),
      choice("optimizer", {"sgd"}, "stochastic gradient descent with momentum").by_default("sgd"),
      real("learning_rate", "initial learning rate").by_default(0.1).above(0),
      real("momentum", "momentum of SGD").by_default(0.9).at_least(0).below(1),
      real("weight_decay", "L2 penalty added to the gradient").by_default(0.0).at_least(0),
      choice("schedule",
             {"constant", "step", "cosine"},
             "constant; step: multiply by the matching factor at every milestone; cosine: to zero "
             "over all "
             "training steps")
          .by_default("constant"),
      integer_list("milestones",
                   "schedule step: epochs (counted from 0) at whose start the rate changes")
          .by_default(std::vector<std::int64_t>{})
          .at_least(1),
      real_list("factors", "schedule step: factor at each milestone, or one for all")
          .by_default(std::vector<double>{0.1})
          .above(0),
      integer("crop_padding", "augmentation: pad by this and crop at random; 0: none")
          .by_default(0)
          .at_least(0)
          .at_most(64)
          .unit("pixels"),
      boolean("horizontal_flip", "augmentation: mirror half of the images").by_default(false),
  };
}

std::vector<ParamSpec> dataset_options() {
  return {
      integer("train_limit", "use the first n training samples; 0: all").by_default(0).at_least(0),
      integer("test_limit", "use the first n test samples; 0: all").by_default(0).at_least(0),
  };
}

std::vector<ParamSpec> batch_option() {
  return {integer("batch_size", "samples handed over at once; 0: the canonical batch of the study")
              .by_default(0)
              .at_least(0)
              .unit("samples")};
}

}  // namespace

std::vector<ParamSpec> host_options(const std::string& kind,
                                    const std::set<std::string>& capabilities) {
  if (kind == "solver") {
    return capabilities.contains("adaptive") ? adaptive_options() : fixed_options();
  }
  if (kind == "objective") return training_options();
  if (kind == "dataset") return dataset_options();
  if (kind == "attack" || kind == "probe") return batch_option();
  return {};
}

std::vector<ParamSpec> full_table(const loader::PluginRecord& plugin) {
  std::vector<ParamSpec> table = plugin.params;
  for (ParamSpec& spec : host_options(plugin.kind, plugin.capabilities)) {
    table.push_back(std::move(spec));
  }
  return table;
}

}  // namespace unmask::manifest
