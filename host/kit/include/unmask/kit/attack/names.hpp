#pragma once
// The names of norms and losses in parameters of attacks and probes.

#include <string>

#include "unmask/loss.hpp"
#include "unmask/threat.hpp"

namespace unmask::kit {

inline Norm norm_of(const std::string& name) {
  if (name == "l1") return Norm::kL1;
  return name == "l2" ? Norm::kL2 : Norm::kLinf;
}

inline Loss loss_of(const std::string& name) {
  if (name == "dlr") return Loss::kDlr;
  if (name == "pm") return Loss::kProbabilityMargin;
  return name == "margin" ? Loss::kMargin : Loss::kCrossEntropy;
}

}  // namespace unmask::kit
