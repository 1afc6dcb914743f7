#pragma once
// What the claims about models share: a model for one shape of images, its solves and its tensors.

#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include "conformance/claim.hpp"
#include "ode/session.hpp"
#include "unmask/errors.hpp"
#include "unmask/solver.hpp"

namespace unmask::conformance::models {

// Methods whose rows do not depend on each other: fixed steps, and steps of each sample's own.
enum class Steps { kFixed, kPerSample };

// The classical method of order 4.
inline std::shared_ptr<Method> rk4() {
  return std::make_shared<RungeKutta>(Tableau{.order = 4,
                                              .a = {{1.0 / 2}, {0, 1.0 / 2}, {0, 0, 1}},
                                              .b = {1.0 / 6, 1.0 / 3, 1.0 / 3, 1.0 / 6},
                                              .c = {1.0 / 2, 1.0 / 2, 1}});
}

// Bogacki and Shampine's pair of orders 3 and 2.
inline std::shared_ptr<Method> bosh3() {
  return std::make_shared<RungeKutta>(
      Tableau{.order = 3,
              .controller_order = 3,
              .a = {{1.0 / 2}, {0, 3.0 / 4}, {2.0 / 9, 1.0 / 3, 4.0 / 9}},
              .b = {2.0 / 9, 1.0 / 3, 4.0 / 9, 0},
              .c = {1.0 / 2, 3.0 / 4, 1},
              .error = {2.0 / 9 - 7.0 / 24, 1.0 / 3 - 1.0 / 4, 4.0 / 9 - 1.0 / 3, -1.0 / 8}});
}

inline ode::Session make_session(Steps steps) {
  ode::DriverOptions options;
  if (steps == Steps::kFixed) return {rk4(), options};
  options.is_adaptive = true;
  options.rtol = 0.1;
  options.atol = 0.1;
  options.control = ode::Control::kSample;
  return {bosh3(), options};
}

inline bool bitwise_equal(const std::vector<NamedTensor>& a, const std::vector<Tensor>& b) {
  for (std::size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    if (!torch::equal(a[i].tensor, b[i])) return false;
  }
  return a.size() == b.size();
}

inline std::vector<Tensor> copies(const std::vector<NamedTensor>& tensors) {
  std::vector<Tensor> result;
  for (const NamedTensor& item : tensors) result.push_back(item.tensor.detach().clone());
  return result;
}

inline Tensor generator_state() {
  return at::detail::getDefaultCPUGenerator().get_state();
}

// A model for images of one shape, in evaluation mode, and three images.
struct Trial {
  Trial(const Subject& which, const ModelContext& shape) : subject(which), context(shape) {
    model = build(1);
    torch::manual_seed(7);
    x = torch::rand({3, context.channels, context.height, context.width});
  }

  std::unique_ptr<Model> build(std::uint64_t seed) const {
    torch::manual_seed(seed);
    auto made = subject.make<Model>({}, &context);
    made->set_training(false);
    return made;
  }

  static Tensor forward(Model& of, const Tensor& images, Steps steps = Steps::kFixed) {
    ode::Session session = make_session(steps);
    return of.forward(images, session);
  }
  Tensor forward(const Tensor& images, Steps steps = Steps::kFixed) const {
    return forward(*model, images, steps);
  }

  // Running statistics as after some training: away from 0 and 1, where a normalisation would be
  // missed, and near those of the images, so that not every relu is shut.
  void gather_statistics() const {
    if (model->buffers().empty()) return;
    const at::NoGradGuard no_grad;
    torch::manual_seed(9);
    model->set_training(true);
    for (int i = 0; i < 20; ++i) forward(torch::rand_like(x));
    model->set_training(false);
  }

  // " on 3 x 32 x 32"
  std::string where() const {
    return " on " + std::to_string(context.channels) + " x " + std::to_string(context.height) +
           " x " + std::to_string(context.width);
  }

  const Subject& subject;
  ModelContext context;
  std::unique_ptr<Model> model;
  Tensor x;
};

// Every shape that the model takes. One that it refuses, because a parameter or a file of weights
// does not fit, is not for it.
template <class Experiment>
void for_all_shapes(const Subject& subject, Findings& findings, Experiment experiment) {
  std::string refusal;
  bool takes_one = false;
  for (const ModelContext& shape : kImageShapes) {
    std::unique_ptr<Trial> trial;
    try {
      trial = std::make_unique<Trial>(subject, shape);
      const at::NoGradGuard no_grad;
      trial->forward(trial->x);
    } catch (const ParamError& problem) {
      refusal = problem.what();
      continue;
    } catch (const DataError& problem) {
      refusal = problem.what();
      continue;
    }
    takes_one = true;
    experiment(*trial);
  }
  findings.expect(takes_one, "it takes neither 1 x 20 x 20 nor 3 x 32 x 32 images: " + refusal);
}

// Tensors of a checkpoint, precision and modes: model_state_claims.cpp.
void names_its_tensors(const Subject& subject, Findings& findings);
void hands_out_its_own_tensors(const Subject& subject, Findings& findings);
void follows_its_seed(const Subject& subject, Findings& findings);
void carries_over_its_state(const Subject& subject, Findings& findings);
void computes_in_double(const Subject& subject, Findings& findings);
void switches_nothing_but_normalisations(const Subject& subject, Findings& findings);
void repeats_itself_in_training(const Subject& subject, Findings& findings);
void comes_back_from_training(const Subject& subject, Findings& findings);

}  // namespace unmask::conformance::models
