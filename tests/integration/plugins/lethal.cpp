// A data set that takes down whoever asks it, in the way that its parameter says.

#include <csignal>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>

#include <torch/types.h>

#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

// The child that asks data sets what they hold is the engine with this command.
bool is_planning() {
  std::ifstream file("/proc/self/cmdline", std::ios::binary);
  const std::string words{std::istreambuf_iterator<char>(file), {}};
  return words.find(std::string("\0prepare\0", 9)) != std::string::npos;
}

class Lethal final : public Dataset {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "cannot be asked",
            .source = "a test",
            .params = {choice("how",
                              {"crash", "exit", "crash_while_loading", "crash_while_planning"},
                              "when, and how")},
            .capabilities = {}};
  }
  explicit Lethal(const Params& params) : how_(params.get_text("how")) {}
  DatasetInfo describe() override {
    if (how_ == "crash" || (how_ == "crash_while_planning" && is_planning())) std::raise(SIGSEGV);
    if (how_ == "exit") std::exit(0);
    return {.channels = 1,
            .height = 8,
            .width = 8,
            .num_classes = 2,
            .train_count = 20,
            .test_count = 20,
            .class_names = {"dark", "light"}};
  }
  std::string content_hash() override {
    describe();
    return sha256_hex(how_);
  }
  Samples load(Split) override {
    if (how_ == "crash_while_loading") std::raise(SIGSEGV);
    return {at::zeros({20, 1, 8, 8}), at::arange(20, at::kLong).remainder(2)};
  }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Lethal)
