#pragma once
// What attacks recorded step by step of a few samples (their parameter `trace`).

#include <functional>
#include <string>
#include <vector>

#include "verdict/rule.hpp"

namespace unmask::verdict {

/// Of a series `trace_margin` a positive value fools the network.
struct Trace {
  std::vector<double> values;  ///< one for each step, at least one, all finite
  Fate fate = Fate::kAbsent;   ///< of the sample, in the eyes of the judge
};

/// Share of the eligible traced samples of the own attacks that have a property; of several attacks
/// the one with the largest share. No value with fewer than min_probe_samples.
/// @param name  of the series, which are called <name>.<sample>
Measurement share_of_traces(const Evidence& evidence,
                            const std::string& name,
                            const std::function<bool(const Trace&)>& has_property,
                            const std::string& what);

}  // namespace unmask::verdict
