#include "catalog/host_options.hpp"

namespace unmask::catalog {
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
      choice("bpda",
             {"identity", "smooth"},
             "derivative of a network's parts that have no useful one (a quantiser): identity: of "
             "the identity; smooth: of the smooth function that the model names; left out: their "
             "own")
          .optional(),
  };
}

// Long: a table, one entry for every option.
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

// Long: a table, one entry for every option.
std::vector<ParamSpec> training_options() {
  return {
      integer("epochs", "passes over the training split").by_default(10).at_least(0),
      integer("batch_size", "samples of a training step")
          .by_default(100)
          .at_least(1)
          .unit("samples"),
      choice("optimizer",
             {"sgd", "adam", "adamw"},
             "sgd: stochastic gradient descent with momentum; adam; adamw: Adam with decoupled "
             "weight decay")
          .by_default("sgd"),
      real("learning_rate", "learning rate of the schedule's start; one_cycle: its peak")
          .by_default(0.1)
          .above(0),
      real("momentum", "sgd: momentum").by_default(0.9).at_least(0).below(1),
      boolean("nesterov", "sgd: Nesterov's momentum").by_default(false),
      real_list("betas", "adam, adamw: decay rates of the two moments")
          .by_default(std::vector<double>{0.9, 0.999})
          .at_least(0)
          .below(1)
          .length(2, 2),
      real("adam_epsilon", "adam, adamw: added to the root of the second moment")
          .by_default(1e-8)
          .above(0),
      real("weight_decay",
           "sgd, adam: L2 penalty added to the gradient; adamw: share of the weights, times the "
           "learning rate, taken off at every step")
          .by_default(0.0)
          .at_least(0),
      real("clip_norm",
           "largest Euclidean norm of the whole gradient; longer ones are scaled; 0: none")
          .by_default(0.0)
          .at_least(0),
      choice("schedule",
             {"constant", "step", "cosine", "one_cycle"},
             "constant; step: multiply by the matching factor at every milestone; cosine: to zero "
             "over all training steps; one_cycle: up to the peak and down again, both by half a "
             "cosine")
          .by_default("constant"),
      integer_list("milestones",
                   "schedule step: epochs (counted from 0) at whose start the rate changes")
          .by_default(std::vector<std::int64_t>{})
          .at_least(1),
      real_list("factors", "schedule step: factor at each milestone, or one for all")
          .by_default(std::vector<double>{0.1})
          .above(0),
      real("cycle_rise", "schedule one_cycle: share of the training steps that rise")
          .by_default(0.3)
          .above(0)
          .below(1),
      real("cycle_start_divisor", "schedule one_cycle: the first rate is the peak divided by this")
          .by_default(25.0)
          .at_least(1),
      real("cycle_final_divisor",
           "schedule one_cycle: the last rate is the first one divided by this")
          .by_default(1e4)
          .at_least(1),
      integer("warmup_epochs",
              "epochs over which the rate grows linearly from zero to the schedule's")
          .by_default(0)
          .at_least(0)
          .unit("epochs"),
      choice("averaging",
             {"none", "ema", "swa"},
             "weights of the checkpoint: those of the last step; ema: their exponential moving "
             "average over the steps; swa: their mean over the ends of epochs")
          .by_default("none"),
      real("averaging_decay", "averaging ema: weight of the average so far")
          .by_default(0.999)
          .above(0)
          .below(1),
      integer("averaging_start", "averaging: first epoch (counted from 0) that takes part")
          .by_default(0)
          .at_least(0),
      integer("validation",
              "hold the last n training samples out and judge every epoch by them; 0: none")
          .by_default(0)
          .at_least(0)
          .unit("samples"),
      choice("keep",
             {"last", "best"},
             "which network becomes the checkpoint: that of the last epoch, or that of the highest "
             "validation accuracy (of several, the earliest)")
          .by_default("last"),
      integer("patience",
              "stop after this many epochs in a row without a higher validation accuracy; 0: never")
          .by_default(0)
          .at_least(0)
          .unit("epochs"),
      choice("precision",
             {"full", "mixed"},
             "mixed, on CUDA devices only: matrix products and convolutions of training in "
             "bfloat16, weights and ODE states in float32")
          .by_default("full"),
      integer("crop_padding", "augmentation: pad by this and crop at random; 0: none")
          .by_default(0)
          .at_least(0)
          .at_most(64)
          .unit("pixels"),
      boolean("horizontal_flip", "augmentation: mirror half of the images").by_default(false),
      file("weights",
           "safetensors file with the weights that the network starts from; left out: its random "
           "initialisation")
          .optional(),
      file("weights_names",
           "JSON file that maps the names in \"weights\" to those of the model; left out: they are "
           "the same")
          .optional(),
  };
}

std::vector<ParamSpec> dataset_options() {
  // Rules and their order: docs/datasets.md.
  return {
      integer_list("classes",
                   "keep the samples of these classes, relabelled 0, 1, ... in the given order; "
                   "left empty: all")
          .by_default(std::vector<std::int64_t>{})
          .at_least(0),
      integer("train_limit",
              "use the first n training samples of the classes that are kept; 0: all")
          .by_default(0)
          .at_least(0),
      integer("test_limit", "use the first n test samples of the classes that are kept; 0: all")
          .by_default(0)
          .at_least(0),
      integer("channels",
              "0: as they are; 1: grey from colour (luma of Rec. 601); 3: grey three times")
          .by_default(0)
          .at_least(0)
          .at_most(3),
      integer("resize",
              "height and width that images are resized to, by area average or linearly; 0: as "
              "they are")
          .by_default(0)
          .at_least(0)
          .at_most(1024)
          .unit("pixels"),
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

std::vector<ParamSpec> full_table(const PluginRecord& plugin) {
  std::vector<ParamSpec> table = plugin.params;
  for (ParamSpec& spec : host_options(plugin.kind, plugin.capabilities)) {
    table.push_back(std::move(spec));
  }
  return table;
}

}  // namespace unmask::catalog
