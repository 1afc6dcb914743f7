// An objective that does what it should not, in the way that its parameter says (tests/soak/zoo.py).

#include <signal.h>

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "hostile.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

using Modes = std::map<std::string, std::function<Tensor(const Tensor&)>>;

// What becomes of the losses of the samples.
const Modes& losses() {
  static const Modes modes = {
      {"good", [](const Tensor& l) { return l.mean(); }},
      {"vector", [](const Tensor& l) { return l; }},
      {"nothing", [](const Tensor&) { return Tensor(); }},
      {"constant", [](const Tensor&) { return at::ones({}); }},
      {"integer", [](const Tensor&) { return at::ones({}, at::kLong); }},
      {"detached", [](const Tensor& l) { return l.mean().detach(); }},
      {"infinite",
       [](const Tensor& l) { return l.mean() * std::numeric_limits<double>::infinity(); }},
      {"explodes", [](const Tensor& l) { return l.mean() * 1e30; }}};
  return modes;
}

std::vector<std::string> names() {
  return names_of({"crash_late", "nan_late", "throws_number", "writes_images"}, losses());
}

class HostileLoss final : public Objective {
 public:
  static PluginInfo info() { return info_of(names()); }
  explicit HostileLoss(const Params& params) : how_(params.get_text("how")) {}

  Tensor loss(TrainingStep& step, const Tensor& x, const Tensor& y) override {
    ++calls_;
    if (how_ == "throws_number") throw calls_;
    if (how_ == "crash_late" && calls_ == 2) ::raise(SIGSEGV);
    const Tensor each = per_sample_loss(step.logits(x), y, Loss::kCrossEntropy);
    if (how_ == "writes_images") x.detach().zero_();
    if (how_ == "nan_late" && calls_ == 2) {
      return each.mean() * std::numeric_limits<double>::quiet_NaN();
    }
    const auto mode = losses().find(how_);
    return mode == losses().end() ? each.mean() : mode->second(each);
  }

 private:
  std::string how_;
  int calls_ = 0;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::HostileLoss)
