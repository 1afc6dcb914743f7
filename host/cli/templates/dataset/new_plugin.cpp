// Two classes of 8 x 8 images: horizontal and vertical stripes, the brightness differs from image
// to image.
#include <string>

#include <torch/types.h>

#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace {

class NewPlugin final : public unmask::Dataset {
 public:
  static unmask::PluginInfo info() {
    return {.version = "1.0",
            .summary = "horizontal against vertical stripes",
            .source = "replace me: paper, web page",
            .params = {unmask::integer("count", "images of a split").by_default(100).at_least(2)},
            .capabilities = {}};
  }

  explicit NewPlugin(const unmask::Params& params) : count_(params.get_integer("count")) {}

  unmask::DatasetInfo describe() override {
    return {.channels = 1,
            .height = 8,
            .width = 8,
            .num_classes = 2,
            .train_count = count_,
            .test_count = count_,
            .class_names = {"horizontal", "vertical"}};
  }

  // Everything that decides the images. For files, hash their bytes.
  std::string content_hash() override {
    return unmask::sha256_hex("new_plugin 1.0, count " + std::to_string(count_));
  }

  unmask::Samples load(unmask::Split split) override {
    const bool is_test = split == unmask::Split::kTest;
    const auto index = at::arange(count_, at::kLong);
    const auto line = at::arange(8, at::kLong).remainder(2).to(at::kFloat);
    const auto vertical = line.view({1, 1, 1, 8}).expand({count_, 1, 8, 8});
    const auto is_vertical = index.remainder(2);
    const auto pattern =
        at::where(is_vertical.eq(1).view({-1, 1, 1, 1}), vertical, vertical.transpose(2, 3));
    // Brightness in [0.25, 0.75); the test images have values that no training image has.
    const auto brightness =
        (index.to(at::kFloat) + (is_test ? 0.5 : 0.0)) / (2.0 * static_cast<double>(count_)) + 0.25;
    return {(pattern * brightness.view({-1, 1, 1, 1})).contiguous(), is_vertical};
  }

 private:
  std::int64_t count_;
};

}  // namespace

UNMASK_PLUGIN(NewPlugin)
