// What every network must keep: one row of logits per image, results that belong to images and not
// to batches, true gradients, names and modes that a checkpoint and a training can rely on. Tried
// on grey images of 20 x 20 pixels and colour images of 32 x 32, where the model takes them.

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <set>
#include <string>
#include <vector>

#include <torch/csrc/autograd/autograd.h>
#include <torch/types.h>

#include "conformance/kinds.hpp"
#include "conformance/model_trial.hpp"
#include "ode/session.hpp"

namespace unmask::conformance {
namespace models {
namespace {

void claims_ode_when_it_solves(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    ode::Session session = make_session(Steps::kFixed);
    trial.model->forward(trial.x, session);
    const bool solves = !session.solves().empty();
    findings.expect(solves == subject.has("ode"),
                    solves ? "it calls ode.integrate and lacks the capability \"ode\""
                           : "it has the capability \"ode\" and never calls ode.integrate");
  });
}

void names_its_solves(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const auto names = [&](const Tensor& x) {
      ode::Session session = make_session(Steps::kFixed);
      trial.model->forward(x, session);
      std::vector<std::string> result;
      for (const ode::SolveRecord& record : session.solves()) result.push_back(record.name);
      return result;
    };
    const std::vector<std::string> first = names(trial.x);
    findings.expect(std::set<std::string>(first.begin(), first.end()).size() == first.size(),
                    "two of its solves have one name");
    findings.expect(first == names(trial.x.narrow(0, 0, 1)),
                    "names of solves differ from batch to batch");
  });
}

void gives_one_logit_per_class(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    for (const std::int64_t batch : {1, 3}) {
      const Tensor logits = trial.forward(trial.x.narrow(0, 0, batch));
      findings.expect(logits.sizes() == at::IntArrayRef({batch, trial.context.num_classes}),
                      "its logits are not [B, classes]" + trial.where());
      findings.expect(logits.scalar_type() == at::kFloat, "its logits are not float32");
      findings.expect(torch::isfinite(logits).all().item<bool>(),
                      "a logit is not finite" + trial.where());
    }
  });
}

void depends_on_its_input(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const Tensor logits = trial.forward(trial.x);
    findings.expect((logits[0] - logits[1]).abs().max().item<double>() > 1e-5,
                    "two images have the same logits" + trial.where());
  });
}

void repeats_itself_in_evaluation(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const Tensor x = trial.x.clone();
    const std::vector<Tensor> parameters = copies(trial.model->parameters());
    const std::vector<Tensor> buffers = copies(trial.model->buffers());
    const Tensor generator = generator_state();
    const Tensor once = trial.forward(trial.x);
    const Tensor twice = trial.forward(trial.x);
    findings.expect(torch::equal(once, twice), "the same images have other logits a second time");
    findings.expect(torch::equal(trial.x, x), "it changes the images that it is given");
    findings.expect(bitwise_equal(trial.model->parameters(), parameters),
                    "a forward pass changes its parameters");
    findings.expect(bitwise_equal(trial.model->buffers(), buffers),
                    "a forward pass in evaluation changes its buffers");
    findings.expect(torch::equal(generator_state(), generator), "it draws random numbers");
  });
}

void has_the_same_logits_without_a_graph(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    const Tensor with = trial.forward(trial.x.clone().requires_grad_());
    const at::NoGradGuard no_grad;
    findings.expect(torch::equal(with, trial.forward(trial.x)),
                    "logits differ with and without a graph" + trial.where());
  });
}

// Kernels of a batch and of a row sum in another order: float64, some hundred roundings, which the
// steps of an adaptive solver amplify by no more than ten thousand.
void depends_on_no_batch(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.gather_statistics();
    trial.model->to("cpu", at::kDouble);
    const Tensor x = trial.x.to(at::kDouble);
    const at::NoGradGuard no_grad;
    for (const Steps steps : {Steps::kFixed, Steps::kPerSample}) {
      const Tensor together = trial.forward(x, steps);
      const double size = together.abs().max().item<double>();
      for (std::int64_t i = 0; i < x.size(0); ++i) {
        const Tensor alone = trial.forward(x.narrow(0, i, 1), steps);
        findings.at_most(
            (alone[0] - together[i]).abs().max().item<double>(),
            1e-10 * size,
            "the difference of an image's logits alone and in a batch" + trial.where());
      }
    }
  });
}

// f(x) = sum of weights times logits. Along a direction of length 1 and with h = 1e-6, curvature
// costs h^2, rounding 1e-15 / h = 1e-9, and of the 1e4 to 1e5 kinks of relu few lie within h of the
// image: one is worth less than 1e-6 of the gradient's length.
void has_the_gradient_of_differences(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.gather_statistics();
    trial.model->to("cpu", at::kDouble);
    const Tensor x = trial.x.narrow(0, 0, 2).to(at::kDouble);
    const Tensor weights = torch::randn({2, trial.context.num_classes}, at::kDouble);
    const auto value = [&](const Tensor& at_x) { return (trial.forward(at_x) * weights).sum(); };
    const Tensor input = x.clone().requires_grad_();
    const Tensor gradient = torch::autograd::grad({value(input)}, {input})[0];
    const double length = gradient.norm().item<double>();
    if (!(length > 0)) return findings.expect(false, "its gradient is zero" + trial.where());

    const at::NoGradGuard no_grad;
    // The gradient itself, where an error shows best, and something else.
    for (const Tensor& way : {gradient, torch::randn_like(x)}) {
      const Tensor direction = way / way.norm();
      constexpr double kStep = 1e-6;
      const double difference =
          ((value(x + kStep * direction) - value(x - kStep * direction)) / (2 * kStep))
              .item<double>();
      const double slope = (gradient * direction).sum().item<double>();
      findings.at_most(std::abs(slope - difference) / length,
                       1e-6,
                       "the relative difference of gradient and finite difference" + trial.where());
    }
  });
}

// Of images and parameters together, after n steps.
Tensor ode_gradient(const Trial& trial, ode::GradientMode mode, int n) {
  ode::DriverOptions options;
  options.step_size = 1.0 / n;
  options.gradient = mode;
  ode::Session session(rk4(), options);
  const Tensor x = trial.x.narrow(0, 0, 2).to(at::kDouble).requires_grad_();
  std::vector<Tensor> wanted = {x};
  for (NamedTensor item : trial.model->parameters()) {
    wanted.push_back(item.tensor.requires_grad_());
  }
  const Tensor value = trial.model->forward(x, session).square().sum();
  std::vector<Tensor> flat;
  for (const Tensor& gradient : torch::autograd::grad({value}, wanted)) {
    flat.push_back(gradient.flatten());
  }
  return at::cat(flat);
}

double relative_distance(const Tensor& a, const Tensor& b) {
  return ((a - b).norm() / b.norm()).item<double>();
}

// What a field computes once from the parameters must reach them in every way back: through the
// steps, through the steps computed again, and through the adjoint equation.
void has_the_same_gradients_by_every_way(const Subject& subject, Findings& findings) {
  if (!subject.has("ode")) return findings.does_not_apply("it solves no ODE");
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.gather_statistics();
    trial.model->to("cpu", at::kDouble);
    const Tensor coarse = ode_gradient(trial, ode::GradientMode::kDirect, 8);
    const Tensor fine = ode_gradient(trial, ode::GradientMode::kDirect, 16);
    // The same operations: rounding alone.
    findings.at_most(
        relative_distance(ode_gradient(trial, ode::GradientMode::kCheckpoint, 8), coarse),
        1e-10,
        "the relative difference of the gradients direct and checkpoint" + trial.where());
    // The adjoint is another approximation of the same equation. Kinks in the field leave it an
    // order of at least one, so half the step gives half the distance; a parameter that it forgets
    // would stay as far away as it was. Below 1e-9 there is only rounding to compare.
    const double far =
        relative_distance(ode_gradient(trial, ode::GradientMode::kAdjoint, 8), coarse);
    const double near =
        relative_distance(ode_gradient(trial, ode::GradientMode::kAdjoint, 16), fine);
    findings.at_most(near,
                     std::max(0.6 * far, 1e-9),
                     "the relative difference of the gradients direct and adjoint, with half the "
                     "step," +
                         trial.where());
  });
}

void uses_every_parameter(const Subject& subject, Findings& findings) {
  for_all_shapes(subject, findings, [&](const Trial& trial) {
    trial.gather_statistics();
    for (NamedTensor item : trial.model->parameters()) item.tensor.requires_grad_();
    // The sum of squares: a plain sum of logits would cancel in places.
    trial.forward(trial.x).square().sum().backward();
    for (const NamedTensor& item : trial.model->parameters()) {
      findings.expect(
          item.tensor.grad().defined() && item.tensor.grad().abs().max().item<double>() > 0,
          "no gradient arrives at \"" + item.name + "\"" + trial.where());
    }
  });
}

constexpr Claim kClaims[] = {
    {"claims \"ode\" exactly when it solves an ODE", claims_ode_when_it_solves},
    {"gives every solve a stable name of its own", names_its_solves},
    {"gives one finite logit per class", gives_one_logit_per_class},
    {"depends on its input", depends_on_its_input},
    {"repeats itself in evaluation, bit by bit", repeats_itself_in_evaluation},
    {"has the same logits with and without a graph", has_the_same_logits_without_a_graph},
    {"does not depend on the batch of an image", depends_on_no_batch},
    {"has a gradient that agrees with finite differences", has_the_gradient_of_differences},
    {"has the same gradients by every way back through its ODE",
     has_the_same_gradients_by_every_way},
    {"uses every parameter", uses_every_parameter},
    {"names its tensors once and for all", names_its_tensors},
    {"hands out its own tensors", hands_out_its_own_tensors},
    {"follows its seed alone", follows_its_seed},
    {"carries over its state tensor by tensor", carries_over_its_state},
    {"computes in float64 when it is moved there", computes_in_double},
    {"switches nothing but normalisations for training", switches_nothing_but_normalisations},
    {"repeats itself in training, bit by bit", repeats_itself_in_training},
    {"comes back from training", comes_back_from_training},
};

}  // namespace
}  // namespace models

std::span<const Claim> model_claims() {
  return models::kClaims;
}

}  // namespace unmask::conformance
