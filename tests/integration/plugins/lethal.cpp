// A data set that takes down whoever asks it, in the way that its parameter says.

#include <csignal>
#include <cstdlib>

#include <torch/types.h>

#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

class Lethal final : public Dataset {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "cannot be asked",
            .source = "a test",
            .params = {choice("how", {"crash", "exit"}, "what describe() does")},
            .capabilities = {}};
  }
  explicit Lethal(const Params& params) : how_(params.get_text("how")) {}
  DatasetInfo describe() override {
    if (how_ == "crash") std::raise(SIGSEGV);
    std::exit(0);
  }
  std::string content_hash() override {
    describe();
    return sha256_hex(how_);
  }
  Samples load(Split) override { return {}; }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Lethal)
