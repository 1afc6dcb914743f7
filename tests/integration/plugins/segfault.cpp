// An attack that crashes its process when it is used.

#include <csignal>

#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Segfault final : public Attack {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "crashes the worker",
            .source = "a test",
            .params = {},
            .capabilities = {}};
  }
  explicit Segfault(const Params&) {}
  Norm norm() const override { return Norm::kLinf; }
  Tensor perturb(Target&, const Tensor& x, const Tensor&, const Threat&, AttackContext&) override {
    std::raise(SIGSEGV);
    return x;
  }
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Segfault)
