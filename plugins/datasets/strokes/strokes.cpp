// Procedural digits, made on the spot: no file, no download, the same images on every machine.

#include <torch/types.h>

#include "generator.hpp"
#include "unmask/errors.hpp"
#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

namespace unmask {
namespace {

constexpr double kMostImages = 1e7;

class Strokes final : public Dataset {
 public:
  static PluginInfo info() {
    return {
        .version = "1.0",
        .summary = "procedural grey digits on textured backgrounds, 10 classes",
        .source = "own; specified in strokes.md",
        .params =
            {integer("size", "height and width of an image: 20 or 28")
                 .by_default(20)
                 .at_least(20)
                 .at_most(28)
                 .unit("pixels"),
             choice("difficulty",
                    {"easy", "standard", "hard", "extreme"},
                    "ranges of contrast, noise, jitter, rotation and distractors")
                 .by_default("standard"),
             integer("train_count", "training images")
                 .by_default(6000)
                 .at_least(1)
                 .at_most(kMostImages),
             integer("test_count", "test images").by_default(1000).at_least(1).at_most(kMostImages),
             integer("train_seed", "seed of the training images").by_default(1).at_least(0),
             integer("test_seed", "seed of the test images; another one than train_seed")
                 .by_default(2)
                 .at_least(0)},
        .capabilities = {"content_from_params"}};
  }

  explicit Strokes(const Params& params)
      : size_(static_cast<int>(params.get_integer("size"))),
        difficulty_(params.get_text("difficulty")),
        train_count_(params.get_integer("train_count")),
        test_count_(params.get_integer("test_count")),
        train_seed_(params.get_integer("train_seed")),
        test_seed_(params.get_integer("test_seed")) {
    if (size_ != 20 && size_ != 28) {
      throw ParamError("parameter \"size\" = " + std::to_string(size_) + ": must be 20 or 28");
    }
    if (train_seed_ == test_seed_) {
      throw ParamError(
          "parameter \"test_seed\" = " + std::to_string(test_seed_) +
          ": must differ from \"train_seed\", the test images would be training images");
    }
  }

  DatasetInfo describe() override {
    return {.channels = 1,
            .height = size_,
            .width = size_,
            .num_classes = strokes::kClasses,
            .train_count = train_count_,
            .test_count = test_count_,
            .class_names = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"}};
  }

  std::string content_hash() override {
    const auto line = [](const char* name, std::int64_t value) {
      return std::string(name) + "=" + std::to_string(value) + "\n";
    };
    // Images of the standard kind have the hash that they had before there were others.
    const std::string kind = difficulty_ == "standard" ? "" : "difficulty=" + difficulty_ + "\n";
    return sha256_hex("strokes\n" + line("generator", strokes::kGeneratorVersion) + kind +
                      line("size", size_) + line("train_count", train_count_) +
                      line("test_count", test_count_) + line("train_seed", train_seed_) +
                      line("test_seed", test_seed_));
  }

  Samples load(Split split) override {
    const bool is_train = split == Split::kTrain;
    const std::int64_t count = is_train ? train_count_ : test_count_;
    const auto seed = static_cast<std::uint64_t>(is_train ? train_seed_ : test_seed_);
    const Tensor images = at::empty({count, 1, size_, size_}, at::kByte);
    const auto pixels = static_cast<std::size_t>(size_) * static_cast<std::size_t>(size_);
    std::uint8_t* out = images.data_ptr<std::uint8_t>();
    const strokes::Difficulty& difficulty = strokes::difficulty_of(difficulty_);
    for (std::int64_t i = 0; i < count; ++i, out += pixels) {
      strokes::draw_image(size_, difficulty, seed, static_cast<std::uint64_t>(i), {out, pixels});
    }
    return {images, at::arange(count, at::kLong).remainder(strokes::kClasses)};
  }

 private:
  int size_;
  std::string difficulty_;
  std::int64_t train_count_;
  std::int64_t test_count_;
  std::int64_t train_seed_;
  std::int64_t test_seed_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Strokes)
