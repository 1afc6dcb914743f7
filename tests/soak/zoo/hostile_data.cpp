// A data set that does what it should not, in the way that its parameter says (tests/soak/zoo.py).

#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "hostile.hpp"
#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

constexpr std::int64_t kTrain = 40;
constexpr std::int64_t kTest = 20;
constexpr std::int64_t kSide = 8;

using Modes = std::map<std::string, std::function<Samples(const Samples&)>>;

const Modes& loads() {
  static const Modes modes = {
      {"good", [](const Samples& s) { return s; }},
      {"load_crash",
       [](const Samples& s) {
         ::raise(SIGSEGV);
         return s;
       }},
      {"load_nothing", [](const Samples&) { return Samples(); }},
      {"load_few",
       [](const Samples& s) {
         return Samples{s.images.narrow(0, 0, 5), s.labels.narrow(0, 0, 5)};
       }},
      {"load_unequal",
       [](const Samples& s) {
         return Samples{s.images, s.labels.narrow(0, 0, 3)};
       }},
      {"load_shape",
       [](const Samples& s) {
         return Samples{s.images.narrow(2, 0, 4), s.labels};
       }},
      {"load_nan",
       [](const Samples& s) {
         return Samples{s.images * std::numeric_limits<double>::quiet_NaN(), s.labels};
       }},
      {"load_range",
       [](const Samples& s) {
         return Samples{s.images * 255, s.labels};
       }},
      {"labels_beyond",
       [](const Samples& s) {
         return Samples{s.images, s.labels + 7};
       }},
      {"labels_negative",
       [](const Samples& s) {
         return Samples{s.images, s.labels - 1};
       }},
      {"labels_real", [](const Samples& s) {
         return Samples{s.images, s.labels.to(at::kFloat)};
       }}};
  return modes;
}

std::vector<std::string> names() {
  return names_of({"asked_crash",
                   "asked_exit",
                   "asked_hang",
                   "asked_number",
                   "hash_crash",
                   "hash_number",
                   "hash_odd",
                   "hash_varies"},
                  loads());
}

class HostileData final : public Dataset {
 public:
  static PluginInfo info() { return info_of(names()); }
  explicit HostileData(const Params& params) : how_(params.get_text("how")) {}

  DatasetInfo describe() override {
    if (how_ == "asked_crash") ::raise(SIGSEGV);
    if (how_ == "asked_exit") std::exit(0);
    if (how_ == "asked_number") throw 3;
    while (how_ == "asked_hang") ::pause();
    return {.channels = 1,
            .height = kSide,
            .width = kSide,
            .num_classes = 2,
            .train_count = kTrain,
            .test_count = kTest,
            .class_names = {"dark", "light"}};
  }
  std::string content_hash() override {
    if (how_ == "hash_crash") ::raise(SIGSEGV);
    if (how_ == "hash_number") throw 3;
    if (how_ == "hash_odd") return "no hash \xff\n";
    return sha256_hex(how_);
  }
  Samples load(Split split) override {
    const std::int64_t count = split == Split::kTest ? kTest : kTrain;
    const Tensor labels = at::arange(count, at::kLong).remainder(2);
    const Tensor images =
        (0.2 + 0.5 * labels.to(at::kFloat)).view({-1, 1, 1, 1}).expand({-1, 1, kSide, kSide});
    const auto mode = loads().find(how_);
    const Samples good = {images.contiguous(), labels};
    return mode == loads().end() ? good : mode->second(good);
  }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::HostileData)
