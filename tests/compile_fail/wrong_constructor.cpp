// A plugin that cannot be made from parameters.
#include "unmask/plugin.hpp"

class Fine final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() { return {}; }
  explicit Fine(int) {}
  std::vector<unmask::ProbeValue> measure(unmask::Target&,
                                          const unmask::Tensor&,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {};
  }
};

UNMASK_PLUGIN(Fine)
