#pragma once
// What evaluations of the tiny models share.

#include <span>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "engine/attack_evaluation.hpp"
#include "engine/evaluation_input.hpp"
#include "engine/probe_evaluation.hpp"
#include "unit/engine/tiny_model.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// Four samples in one batch, radius 0.1. Outlives the inputs that it hands out.
struct EvaluationCase {
  SolverSetup solver = make_setup(false);
  std::vector<SolverSetup> gradients;
  LoadedSplit data = four_samples();

  EvaluationInput input(Model& model) const {
    return {.model = model,
            .solver = solver,
            .gradients = gradients,
            .data = data,
            .num_classes = 2,
            .batch_size = 4,
            .method_batch = 4,
            .epsilon = 0.1,
            .seed = 1};
  }
};

/// A whole cell, undivided.
/// @return the judged images [N, C, H, W]
inline Tensor evaluate_attack(const EvaluationInput& input,
                              Attack& attack,
                              wire::CellResult& result) {
  AttackEvaluation evaluation(input, attack, 0);
  evaluation.keep_judged();
  while (!evaluation.is_done()) evaluation.step([](auto, auto, const auto&) {});
  const wire::CellPart part = evaluation.part();
  result = wire::put_together(std::span(&part, 1));
  return evaluation.judged();
}

inline wire::CellResult run_attack(const EvaluationInput& input, Attack& attack) {
  wire::CellResult result;
  evaluate_attack(input, attack, result);
  return result;
}

inline wire::CellResult run_probe(const EvaluationInput& input, Probe& probe) {
  ProbeEvaluation evaluation(input, probe, 0);
  while (!evaluation.is_done()) evaluation.step([](auto, auto, const auto&) {});
  const wire::CellPart part = evaluation.part();
  return wire::put_together(std::span(&part, 1));
}

inline wire::CellResult run_attack(const EvaluationInput& input,
                                   const FunctionAttack::Function& function) {
  FunctionAttack attack(function);
  return run_attack(input, attack);
}

/// nullptr: the result has none of this name.
inline const wire::Metric* find_metric(const wire::CellResult& result, const std::string& name) {
  for (const wire::Metric& m : result.metrics) {
    if (m.name == name) return &m;
  }
  return nullptr;
}

/// Fails the test and is -1 where the result has none of this name.
inline double metric(const wire::CellResult& result, const std::string& name) {
  const wire::Metric* found = find_metric(result, name);
  if (found != nullptr) return found->value;
  ADD_FAILURE() << "no metric " << name;
  return -1;
}

}  // namespace unmask::engine
