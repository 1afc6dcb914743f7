#pragma once
// How far a worker goes in a cell before it hands over what it has: a part is what takes so many
// seconds, not so many samples.

#include <chrono>
#include <cstdio>
#include <string>
#include <utility>

#include <nlohmann/json.hpp>

#include "engine/executor.hpp"
#include "engine/training.hpp"
#include "unmask/errors.hpp"
#include "wire/part.hpp"

namespace unmask::engine {

/// Why a cell runs whole; empty: it may be divided.
/// @param definition  of the attack or probe
std::string indivisible_because(loader::Registry& registry,
                                const std::string& kind,
                                const nlohmann::json& definition,
                                const CellFiles& files);

class Pace {
 public:
  /// @param indivisible  why the cell runs to its end whatever the order says; empty: it does not
  Pace(const wire::PartOrder& order, std::string indivisible)
      : order_(order), indivisible_(std::move(indivisible)) {
    UNMASK_CHECK(indivisible_.empty() || (order.first == 0 && !order.count),
                 "a part of a cell was ordered that cannot be divided: " + indivisible_);
  }

  /// @param evaluation  AttackEvaluation or ProbeEvaluation
  template <class Evaluation>
  wire::CellPart run(Evaluation& evaluation, const ProgressCallback& progress) const {
    const auto start = std::chrono::steady_clock::now();
    UNMASK_CHECK(!evaluation.is_done(), "a part of a cell was ordered that lies behind its end");
    bool has_told = false;
    while (!evaluation.is_done()) {
      evaluation.step(progress);
      const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - start;
      if (!is_enough(evaluation, gone.count())) continue;
      if (indivisible_.empty()) break;
      if (!has_told) std::fprintf(stderr, "this cell runs whole: %s\n", indivisible_.c_str());
      has_told = true;
    }
    return evaluation.part();
  }

 private:
  template <class Evaluation>
  bool is_enough(const Evaluation& evaluation, double seconds) const {
    const std::int64_t done = evaluation.next() - order_.first;
    if (order_.count) return done >= *order_.count;
    if (!order_.seconds || seconds < *order_.seconds) return false;
    // What is left is not worth a part of its own.
    const double left = seconds * static_cast<double>(evaluation.total() - evaluation.next()) /
                        static_cast<double>(done);
    return left > *order_.seconds / 2;
  }

  const wire::PartOrder& order_;
  std::string indivisible_;
};

}  // namespace unmask::engine
