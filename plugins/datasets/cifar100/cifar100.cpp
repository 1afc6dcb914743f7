// CIFAR-100 (fine labels) from the user's copy of its binary version.

#include "unmask/kit/data/cifar_binary.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

std::vector<std::string> fine_names() {
  return {"apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
          "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
          "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
          "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
          "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
          "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
          "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
          "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
          "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
          "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
          "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
          "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
          "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
          "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
          "table",       "tank",          "telephone", "television", "tiger",        "tractor",
          "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
          "willow_tree", "wolf",          "woman",     "worm"};
}

class Cifar100 final : public kit::CifarBinary {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "colour photographs 32 x 32, 100 fine classes, read from a folder",
            .source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            .params = {path("folder", "the unpacked binary version: train.bin and test.bin")},
            .capabilities = {"content_from_params"}};
  }

  // A record starts with the coarse label (20 classes), then the fine one.
  explicit Cifar100(const Params& params)
      : CifarBinary({.id = "cifar100",
                     .label_classes = {20, 100},
                     .train_files = {"train.bin"},
                     .test_files = {"test.bin"},
                     .class_names = fine_names()},
                    params.get_text("folder")) {}
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Cifar100)
