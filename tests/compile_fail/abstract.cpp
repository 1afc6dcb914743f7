// A plugin that leaves a function of its interface out.
#include "unmask/plugin.hpp"

class Fine final : public unmask::Probe {
 public:
  static unmask::PluginInfo info() { return {}; }
  explicit Fine(const unmask::Params&) {}
};

UNMASK_PLUGIN(Fine)
