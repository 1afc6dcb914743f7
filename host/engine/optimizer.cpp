#include "engine/optimizer.hpp"

#include <map>
#include <sstream>
#include <string>
#include <type_traits>
#include <utility>

#include <torch/optim/adam.h>
#include <torch/optim/adamw.h>
#include <torch/optim/optimizer.h>
#include <torch/optim/sgd.h>
#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask::engine {
namespace {

namespace optim = torch::optim;

constexpr const char* kMomentum = "momentum";
constexpr const char* kFirstMoment = "first_moment";
constexpr const char* kSecondMoment = "second_moment";
constexpr const char* kStep = "step";

// LibTorch 1 files states under the text of a parameter's address, LibTorch 2 under the address.
using StateMap = std::remove_reference_t<decltype(std::declval<optim::Optimizer&>().state())>;
using StateKey = StateMap::key_type;

template <class Key>
Key address_as(const void* address) {
  if constexpr (std::is_same_v<Key, std::string>) {
    std::ostringstream text;
    text << address;
    return text.str();
  } else {
    return const_cast<void*>(address);
  }
}

StateKey key_of(const Tensor& parameter) {
  return address_as<StateKey>(parameter.unsafeGetTensorImpl());
}

std::unique_ptr<optim::Optimizer> make(const TrainingOptions& options,
                                       const std::vector<NamedTensor>& parameters) {
  std::vector<Tensor> weights;
  for (const NamedTensor& parameter : parameters) weights.push_back(parameter.tensor);
  const auto betas = std::make_tuple(options.beta1, options.beta2);
  switch (options.optimizer) {
    case OptimizerKind::kSgd: break;
    case OptimizerKind::kAdam:
      return std::make_unique<optim::Adam>(weights,
                                           optim::AdamOptions(options.learning_rate)
                                               .betas(betas)
                                               .eps(options.adam_epsilon)
                                               .weight_decay(options.weight_decay));
    case OptimizerKind::kAdamW:
      return std::make_unique<optim::AdamW>(weights,
                                            optim::AdamWOptions(options.learning_rate)
                                                .betas(betas)
                                                .eps(options.adam_epsilon)
                                                .weight_decay(options.weight_decay));
  }
  return std::make_unique<optim::SGD>(weights,
                                      optim::SGDOptions(options.learning_rate)
                                          .momentum(options.momentum)
                                          .nesterov(options.nesterov)
                                          .weight_decay(options.weight_decay));
}

// Values by name, taken one after the other.
class Values {
 public:
  explicit Values(const std::vector<NamedTensor>& state) {
    for (const NamedTensor& item : state) values_.emplace(item.name, item.tensor);
  }

  bool has(const std::string& name) const { return values_.contains(name); }

  Tensor take(const std::string& name, const Tensor& like) {
    const Tensor value = take(name);
    if (value.sizes() != like.sizes() || value.scalar_type() != like.scalar_type()) {
      throw DataError("state \"" + name + "\" of the optimiser does not fit its parameter");
    }
    return value.to(like.device(), like.scalar_type(), /*non_blocking=*/false, /*copy=*/true);
  }

  std::int64_t take_count(const std::string& name) {
    const Tensor value = take(name);
    if (value.dim() != 0 || value.scalar_type() != at::kLong) {
      throw DataError("state \"" + name + "\" of the optimiser is not a whole number");
    }
    return value.item<std::int64_t>();
  }

  void expect_empty() const {
    if (!values_.empty()) {
      throw DataError("the optimiser knows no state \"" + values_.begin()->first + "\"");
    }
  }

 private:
  Tensor take(const std::string& name) {
    const auto found = values_.find(name);
    if (found == values_.end())
      throw DataError("state \"" + name + "\" of the optimiser is missing");
    Tensor value = found->second;
    values_.erase(found);
    return value;
  }

  std::map<std::string, Tensor> values_;
};

template <class State>
void append_moments(const State& state, const std::string& prefix, std::vector<NamedTensor>& to) {
  to.push_back({prefix + kFirstMoment, state.exp_avg()});
  to.push_back({prefix + kSecondMoment, state.exp_avg_sq()});
  to.push_back({prefix + kStep, at::scalar_tensor(state.step(), at::kLong)});
}

template <class State>
std::unique_ptr<optim::OptimizerParamState> take_moments(Values& values,
                                                         const std::string& prefix,
                                                         const Tensor& like) {
  auto state = std::make_unique<State>();
  state->exp_avg(values.take(prefix + kFirstMoment, like));
  state->exp_avg_sq(values.take(prefix + kSecondMoment, like));
  state->step(values.take_count(prefix + kStep));
  return state;
}

}  // namespace

Optimizer::Optimizer(const TrainingOptions& options, std::vector<NamedTensor> parameters)
    : kind_(options.optimizer),
      parameters_(std::move(parameters)),
      optimizer_(make(options, parameters_)) {}

Optimizer::~Optimizer() = default;

void Optimizer::set_learning_rate(double rate) {
  for (auto& group : optimizer_->param_groups()) group.options().set_lr(rate);
}

void Optimizer::clear_gradients() {
  for (const NamedTensor& parameter : parameters_) parameter.tensor.mutable_grad() = Tensor();
}

void Optimizer::clip_gradients(double max_norm) {
  const at::NoGradGuard no_grad;
  std::vector<Tensor> gradients;
  std::vector<Tensor> norms;
  for (const NamedTensor& parameter : parameters_) {
    if (!parameter.tensor.grad().defined()) continue;
    gradients.push_back(parameter.tensor.grad());
    norms.push_back(gradients.back().norm());
  }
  if (gradients.empty()) return;
  const Tensor scale = (max_norm / (at::stack(norms).norm() + 1e-6)).clamp_max(1.0);
  for (Tensor& gradient : gradients) gradient.mul_(scale);
}

void Optimizer::step() {
  optimizer_->step();
}

std::vector<NamedTensor> Optimizer::state() const {
  std::vector<NamedTensor> result;
  const StateMap& states = optimizer_->state();
  for (const NamedTensor& parameter : parameters_) {
    const auto found = states.find(key_of(parameter.tensor));
    if (found == states.end()) continue;
    const optim::OptimizerParamState& state = *found->second;
    const std::string prefix = parameter.name + "/";
    switch (kind_) {
      case OptimizerKind::kSgd: {
        const Tensor& buffer = static_cast<const optim::SGDParamState&>(state).momentum_buffer();
        if (buffer.defined()) result.push_back({prefix + kMomentum, buffer});
        break;
      }
      case OptimizerKind::kAdam:
        append_moments(static_cast<const optim::AdamParamState&>(state), prefix, result);
        break;
      case OptimizerKind::kAdamW:
        append_moments(static_cast<const optim::AdamWParamState&>(state), prefix, result);
        break;
    }
  }
  return result;
}

void Optimizer::restore(const std::vector<NamedTensor>& state) {
  Values values(state);
  std::vector<std::pair<StateKey, std::unique_ptr<optim::OptimizerParamState>>> restored;
  for (const NamedTensor& parameter : parameters_) {
    const std::string prefix = parameter.name + "/";
    std::unique_ptr<optim::OptimizerParamState> one;
    if (kind_ == OptimizerKind::kSgd) {
      if (!values.has(prefix + kMomentum)) continue;
      auto sgd = std::make_unique<optim::SGDParamState>();
      sgd->momentum_buffer(values.take(prefix + kMomentum, parameter.tensor));
      one = std::move(sgd);
    } else {
      if (!values.has(prefix + kStep)) continue;
      one = kind_ == OptimizerKind::kAdam
                ? take_moments<optim::AdamParamState>(values, prefix, parameter.tensor)
                : take_moments<optim::AdamWParamState>(values, prefix, parameter.tensor);
    }
    restored.emplace_back(key_of(parameter.tensor), std::move(one));
  }
  values.expect_empty();
  optimizer_->state().clear();
  for (auto& [key, one] : restored) optimizer_->state()[key] = std::move(one);
}

}  // namespace unmask::engine
