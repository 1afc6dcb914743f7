#include "manifest/host_options.hpp"

namespace unmask::manifest {
namespace {

// Semantics and formulas: docs/architecture.md and host/ode/driver.hpp. Values that the driver
// cannot do yet are not choices, so a manifest that asks for one is refused by name.
std::vector<ParamSpec> adaptive_options() {
  return {
      real("rtol", "relative tolerance of the local error").by_default(1e-3).above(0),
      real("atol", "absolute tolerance of the local error").by_default(1e-3).above(0),
      choice("norm", {"rms"}, "norm of the scaled error over all elements of a component")
          .by_default("rms"),
      choice("control",
             {"batch"},
             "batch: one step size for all samples, so samples influence each other")
          .by_default("batch"),
      choice("controller",
             {"i", "constant"},
             "i: integral controller, next h = h * clamp(safety * err^(-1/order)); constant: every "
             "step is first_step and accepted")
          .by_default("i"),
      choice("end",
             {"interpolate", "clamp"},
             "interpolate: step past the end and read a quartic; clamp: shorten the last step")
          .by_default("interpolate"),
      choice(
          "step_gradient",
          {"full", "first_only", "none"},
          "what of the step sizes is differentiated: the first step and the controller, the first "
          "step alone, nothing")
          .by_default("first_only"),
      choice("gradient", {"direct"}, "direct: back-propagation through the solver's own operations")
          .by_default("direct"),
      real("first_step",
           "size of the first step; left out: chosen by the rule of Hairer, Norsett, Wanner")
          .above(0)
          .optional(),
      real("min_step", "smallest step; one of this size is accepted whatever its error")
          .by_default(0.0)
          .at_least(0),
      real("max_step", "largest step").above(0).optional(),
      integer("max_attempts", "attempted steps after which a solve gives up")
          .by_default(10000)
          .at_least(1),
      real("safety", "safety factor of the controller").by_default(0.9).above(0).at_most(1),
      real("max_growth", "largest factor between two steps").by_default(10.0).above(1),
      real("min_growth", "smallest factor between two steps").by_default(0.2).above(0).at_most(1),
  };
}

std::vector<ParamSpec> fixed_options() {
  return {
      real("step_size", "step; left out: one step over the whole interval").above(0).optional(),
      choice("gradient", {"direct"}, "direct: back-propagation through the solver's own operations")
          .by_default("direct"),
  };
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
