// CIFAR-10 from the user's copy of its binary version.

#include "unmask/kit/data/cifar_binary.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

class Cifar10 final : public kit::CifarBinary {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "colour photographs 32 x 32, 10 classes, read from a folder",
            .source = "Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
            .params = {path("folder",
                            "the unpacked binary version: data_batch_1.bin to data_batch_5.bin and "
                            "test_batch.bin")},
            .capabilities = {"content_from_params"}};
  }

  explicit Cifar10(const Params& params)
      : CifarBinary({.id = "cifar10",
                     .label_classes = {10},
                     .train_files = {"data_batch_1.bin",
                                     "data_batch_2.bin",
                                     "data_batch_3.bin",
                                     "data_batch_4.bin",
                                     "data_batch_5.bin"},
                     .test_files = {"test_batch.bin"},
                     .class_names = {"airplane",
                                     "automobile",
                                     "bird",
                                     "cat",
                                     "deer",
                                     "dog",
                                     "frog",
                                     "horse",
                                     "ship",
                                     "truck"}},
                    params.get_text("folder")) {}
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::Cifar10)
