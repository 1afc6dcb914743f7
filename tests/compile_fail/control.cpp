// A correct plugin: shows that what the other files lack is the only reason why they do not
// compile.
#include "unmask/plugin.hpp"

class Fine final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() { return {}; }
  explicit Fine(const unmask::Params&) {}
  std::vector<unmask::ProbeValue> measure(unmask::Target&,
                                          const unmask::Tensor&,
                                          const unmask::Tensor&,
                                          unmask::ProbeContext&) override {
    return {};
  }
};

UNMASK_PLUGIN(Fine)
