// A plugin that does not describe itself.
#include "unmask/plugin.hpp"

class Fine final : public unmask::Probe {
 public:
  explicit Fine(const unmask::Params&) {}
  std::vector<unmask::ProbeValue> measure(unmask::Target&,
                                          const unmask::Tensor&,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {};
  }
};

UNMASK_PLUGIN(Fine)
