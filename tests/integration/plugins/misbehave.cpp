// An attack that breaks the rules in the way that its parameter says.

#include <unistd.h>

#include <cstdio>
#include <limits>
#include <stdexcept>
#include <string>

#include <torch/types.h>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Misbehave final : public Attack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "breaks a rule",
            .source = "a test",
            .params = {choice("how",
                              {"throw",
                               "nan",
                               "shape",
                               "outside_ball",
                               "outside_box",
                               "fork",
                               "stray",
                               "huge_message",
                               "hang"},
                              "which rule")},
            .capabilities = {}};
  }
  explicit Misbehave(const Params& params) : how_(params.get_text("how")) {}
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(
      Target&, const Tensor& x, const Tensor&, const Threat& threat, AttackContext&) override {
    if (how_ == "throw") throw std::runtime_error("this attack gives up");
    if (how_ == "nan") return x * std::numeric_limits<double>::quiet_NaN();
    if (how_ == "hang") {
      for (;;) ::pause();
    }
    if (how_ == "fork") {
      // Parent and child both return into the worker, one more of them with every batch.
      if (::fork() < 0) throw std::runtime_error("cannot fork");
      return x;
    }
    if (how_ == "stray") {
      // A process that leaves its session, so that no signal to the worker's group reaches it.
      const pid_t child = ::fork();
      if (child < 0) throw std::runtime_error("cannot fork");
      if (child == 0) {
        ::setsid();
        for (;;) ::pause();
      }
      std::fprintf(stderr, "stray %d\n", static_cast<int>(child));
      return x;
    }
    if (how_ == "huge_message") throw std::runtime_error(std::string(std::size_t{100} << 20, 'm'));
    if (how_ == "shape") return x.flatten(1);
    if (how_ == "outside_ball") return (1 - x).clamp(0, 1);
    return x + threat.epsilon;  // leaves the box where x is near 1
  }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Misbehave)
