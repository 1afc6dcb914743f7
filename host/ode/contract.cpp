#include "ode/contract.hpp"

#include <sstream>

#include <torch/types.h>

#include "base/counted.hpp"
#include "unmask/errors.hpp"

namespace unmask::ode {
namespace {

bool is_like(const Tensor& x, const Tensor& like) {
  return x.defined() && x.sizes() == like.sizes() && x.scalar_type() == like.scalar_type() &&
         x.device() == like.device();
}

std::string described(const Tensor& x) {
  std::ostringstream text;
  if (x.defined()) {
    text << x.scalar_type() << " " << x.sizes() << " on " << x.device();
  } else {
    text << "an undefined tensor";
  }
  return text.str();
}

}  // namespace

void expect_like(const State& state, const State& like, const std::string& who) {
  if (state.size() != like.size()) {
    throw PluginError(who + " " + base::counted(state.size(), "tensor") + " for a state of " +
                      std::to_string(like.size()) + "; it must be one for each component");
  }
  for (std::size_t i = 0; i < like.size(); ++i) {
    if (is_like(state[i], like[i])) continue;
    throw PluginError(who + " " + described(state[i]) + " for component " + std::to_string(i) +
                      ", which is " + described(like[i]) +
                      "; shape, dtype and device must be equal");
  }
}

void expect_step(const StepOutput& step,
                 const State& y0,
                 const MethodTraits& traits,
                 bool wants_error) {
  expect_like(step.y1, y0, "the solver's step returned as y1");
  if (traits.is_fsal) expect_like(step.f1, y0, "the solver's step returned as f1");
  if (wants_error) expect_like(step.error, y0, "the solver's step returned as error");
  for (const State& stage : step.stages) {
    expect_like(stage, y0, "the solver's step returned as a stage");
  }
}

void expect_traits(const MethodTraits& traits) {
  const auto expect = [](const char* name, int value, int least) {
    if (value >= least) return;
    throw PluginError("solver: the method's traits say " + std::string(name) + " = " +
                      std::to_string(value) + "; it is at least " + std::to_string(least));
  };
  expect("order", traits.order, 1);
  expect("controller_order", traits.controller_order, traits.is_adaptive ? 1 : 0);
  expect("legacy_controller_order", traits.legacy_controller_order, 0);
  expect("stages", traits.stages, 0);
  expect("history", traits.history, 0);
}

std::uint32_t writes_to(const Tensor& tensor) {
  const auto& counter = tensor.unsafeGetTensorImpl()->version_counter();
  return counter.enabled() ? counter.current_version() : 0;
}

Versions::Versions(const State& state) {
  versions_.reserve(state.size());
  for (const Tensor& tensor : state) versions_.push_back(writes_to(tensor));
}

bool Versions::are_those_of(const State& state) const {
  for (std::size_t i = 0; i < state.size(); ++i) {
    if (writes_to(state[i]) != versions_[i]) return false;
  }
  return true;
}

}  // namespace unmask::ode
