// A class that is of no kind.
#include "unmask/plugin.hpp"

class Stranger {
 public:
  static unmask::PluginInfo info() { return {}; }
  explicit Stranger(const unmask::Params&) {}
};

UNMASK_PLUGIN(Stranger)
