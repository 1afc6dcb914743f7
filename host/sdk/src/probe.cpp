#include "unmask/probe.hpp"

#include <algorithm>

#include <torch/types.h>

#include "unmask/errors.hpp"

namespace unmask {
inline namespace v1 {

ProbeContext::ProbeContext(SampleRandom random_numbers,
                           std::vector<std::int64_t> samples,
                           std::vector<NamedGradient> gradients)
    : random(std::move(random_numbers)),
      samples_(std::move(samples)),
      gradients_(std::move(gradients)) {}

Target& ProbeContext::gradient(std::string_view name) const {
  const auto found =
      std::find_if(gradients_.begin(), gradients_.end(), [&](const NamedGradient& gradient) {
        return gradient.name == name;
      });
  if (found != gradients_.end()) return *found->target;
  std::string text =
      "this probe needs the gradient solver \"" + std::string(name) + "\"; its definition names ";
  if (gradients_.empty()) text += "none";
  for (std::size_t i = 0; i < gradients_.size(); ++i) {
    text += (i == 0 ? "\"" : ", \"") + gradients_[i].name + "\"";
  }
  throw ParamError(text + " under \"gradients\"");
}

}  // namespace v1
}  // namespace unmask
