// Any classifier that Python saved as TorchScript. See torchscript.md for what it must look like.

#include <algorithm>
#include <limits>
#include <set>
#include <sstream>
#include <string_view>

#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/script.h>

#include "archive.hpp"
#include "unmask/errors.hpp"
#include "unmask/kit/model/pixel_normalisation.hpp"
#include "unmask/kit/param_tables.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

// The reason out of the text of a LibTorch error, which may hold a traceback of Python and of C++:
// the last line that names an error, else the first line.
std::string reason_of(const std::exception& error) {
  const auto* const of_torch = dynamic_cast<const c10::Error*>(&error);
  std::istringstream text(of_torch != nullptr ? of_torch->what_without_backtrace() : error.what());
  std::string line;
  std::string first;
  std::string named;
  while (std::getline(text, line)) {
    if (first.empty()) first = line;
    const bool is_raised = line.starts_with("builtins.");
    if (is_raised) line.erase(0, std::string_view("builtins.").size());
    if (is_raised || line.find("Error: ") != std::string::npos) named = line;
  }
  return named.empty() ? first : named;
}

std::string text_of(at::IntArrayRef sizes) {
  std::ostringstream text;
  text << sizes;
  return text.str();
}

// Equal: the same numbers in the same memory.
bool is_same_tensor(const Tensor& a, const Tensor& b) {
  return a.unsafeGetTensorImpl() == b.unsafeGetTensorImpl() ||
         (a.is_alias_of(b) && a.numel() > 0 && a.scalar_type() == b.scalar_type() &&
          a.storage_offset() == b.storage_offset() && a.sizes() == b.sizes() &&
          a.strides() == b.strides());
}

class TorchScript final : public Model {
 public:
  static PluginInfo info() {
    return {.version = "1.0",
            .summary = "any classifier traced or scripted in Python",
            .source = "own; specified in torchscript.md",
            .params = kit::joined(
                {{file("file", "what torch.jit.save wrote")},
                 kit::normalisation_params(),
                 {choice("output",
                         {"logits", "softmax"},
                         "what the network gives: logits (or log-probabilities, which are logits "
                         "too), or probabilities, whose logarithm is taken")
                      .by_default("logits")}}),
            .capabilities = {}};
  }

  TorchScript(const Params& params, const ModelContext& context)
      : file_(params.get_text("file")),
        context_(context),
        normalise_(params, context),
        gives_probabilities_(params.get_text("output") == "softmax"),
        module_(load()) {
    collect_tensors();
  }

  Tensor forward(const Tensor& x, OdeContext& /*ode*/) override {
    Tensor output = run(normalise_(x));
    if (!gives_probabilities_) return output;
    // Once: on a GPU every look at the values waits for them.
    if (!is_range_checked_) {
      constexpr double kRounding = 1e-6;
      const double lowest = output.min().item<double>();
      const double highest = output.max().item<double>();
      if (lowest < -kRounding || highest > 1 + kRounding) {
        fail("gives values from " + std::to_string(lowest) + " to " + std::to_string(highest) +
             ", which are no probabilities; leave out \"output\": \"softmax\"");
      }
      is_range_checked_ = true;
    }
    const double smallest = output.scalar_type() == at::kDouble
                                ? std::numeric_limits<double>::min()
                                : static_cast<double>(std::numeric_limits<float>::min());
    return output.clamp_min(smallest).log();
  }

  std::vector<NamedTensor> parameters() override { return tensors(true); }
  std::vector<NamedTensor> buffers() override { return tensors(false); }

  void set_training(bool training) override {
    for (torch::jit::Module part : module_.modules()) {
      if (part.hasattr("training")) part.setattr("training", training);
    }
  }

  void to(const std::string& device, at::ScalarType dtype) override {
    for (Held& held : held_) {
      const bool is_real = held.tensor.is_floating_point();
      // Indices and masks keep their type.
      held.tensor =
          held.tensor.detach().to(at::Device(device), is_real ? dtype : held.tensor.scalar_type());
      for (const Slot& slot : held.slots) slot.object->setSlot(slot.index, held.tensor);
    }
    for (const Slot& slot : lists_) {
      c10::List<Tensor> list = slot.object->getSlot(slot.index).toTensorList();
      for (std::size_t i = 0; i < list.size(); ++i) {
        const Tensor item = list.get(i);
        list.set(i,
                 item.detach().to(at::Device(device),
                                  item.is_floating_point() ? dtype : item.scalar_type()));
      }
    }
  }

 private:
  // Where a module of the file keeps a tensor.
  struct Slot {
    c10::intrusive_ptr<c10::ivalue::Object> object;
    std::size_t index = 0;
  };

  // A tensor of the file; of one that several modules share, all places.
  struct Held {
    std::string name;
    bool is_trainable = false;
    Tensor tensor;
    std::vector<Slot> slots;
  };

  [[noreturn]] void fail(const std::string& problem) const {
    throw DataError("torchscript: " + file_ + " " + problem);
  }

  torch::jit::Module load() const {
    const std::vector<ArchiveEntry> entries = checked_archive(file_);
    try {
      torch::jit::Module module = torch::jit::load(file_, torch::kCPU);
      expect_whole_storages(module, entries);
      return module;
    } catch (const DataError&) {
      throw;
    } catch (const std::exception& error) {
      throw DataError(
          file_ + " cannot be loaded as TorchScript: " + reason_of(error) +
          "\n  write it with torch.jit.save(torch.jit.trace(model.eval(), images), file); a "
          "state_dict is no TorchScript");
    }
  }

  // LibTorch takes the length of a storage from the program and its bytes from a file of the
  // archive, and compares the two nowhere.
  void expect_whole_storages(const torch::jit::Module& module,
                             const std::vector<ArchiveEntry>& entries) const {
    std::set<std::uint64_t> sizes;
    for (const ArchiveEntry& entry : entries) sizes.insert(entry.bytes);
    for (const auto& part : module.named_modules()) {
      const auto object = part.value._ivalue();
      for (std::size_t i = 0; i < object->type()->numAttributes(); ++i) {
        const c10::IValue value = object->getSlot(i);
        if (!value.isTensor() || !value.toTensor().has_storage()) continue;
        const std::uint64_t bytes = value.toTensor().storage().nbytes();
        if (bytes == 0 || sizes.contains(bytes)) continue;
        fail("is damaged: its tensor " + object->type()->getAttributeName(i) + " claims " +
             std::to_string(bytes) + " bytes, and no file of the archive has so many");
      }
    }
  }

  // All tensors that the file's modules hold, also those that its types call optional.
  void collect_tensors() {
    for (const auto& part : module_.named_modules()) {
      const auto object = part.value._ivalue();
      const auto type = object->type();
      for (std::size_t i = 0; i < type->numAttributes(); ++i) {
        const c10::IValue value = object->getSlot(i);
        if (value.isTensorList()) lists_.push_back({object, i});
        if (!value.isTensor() || !value.toTensor().defined()) continue;
        const Tensor tensor = value.toTensor();
        const auto known = std::find_if(held_.begin(), held_.end(), [&](const Held& held) {
          return is_same_tensor(held.tensor, tensor);
        });
        if (known != held_.end()) {
          known->slots.push_back({object, i});
          object->setSlot(i, known->tensor);
          continue;
        }
        const std::string& name = type->getAttributeName(i);
        held_.push_back(
            {part.name.empty() ? name : part.name + "." + name,
             type->is_parameter(i) && tensor.is_floating_point() && tensor.requires_grad(),
             tensor,
             {{object, i}}});
      }
    }
    // A training changes values in place and switches gradients on where it wants them.
    for (Held& held : held_) {
      held.tensor = held.tensor.detach();
      for (const Slot& slot : held.slots) slot.object->setSlot(slot.index, held.tensor);
    }
  }

  // A forward may put another tensor in place of one of the file, self.mean = 0.9 * self.mean + ...;
  // its numbers go into the tensor that everybody knows, unless they have another shape.
  void take_over_exchanged() {
    const at::NoGradGuard no_grad;
    for (Held& held : held_) {
      for (const Slot& slot : held.slots) {
        const c10::IValue value = slot.object->getSlot(slot.index);
        if (!value.isTensor() || value.toTensor().is_same(held.tensor)) continue;
        if (value.toTensor().sizes() == held.tensor.sizes()) {
          held.tensor.copy_(value.toTensor());
        } else {
          held.tensor.unsafeGetTensorImpl()->bump_version();  // as if written to
        }
        slot.object->setSlot(slot.index, held.tensor);
      }
    }
  }

  std::vector<NamedTensor> tensors(bool trainable) {
    take_over_exchanged();
    std::vector<NamedTensor> result;
    for (const Held& held : held_) {
      // Indices, masks and counts are constants of the file; its hash is in the key.
      if (!held.tensor.is_floating_point() || held.is_trainable != trainable) continue;
      result.push_back({held.name, held.tensor});
    }
    return result;
  }

  Tensor run(const Tensor& input) {
    // Without the optimiser the operations are those of eager mode, in the first call as in the
    // tenth: it would fuse and rewrite them after it has watched a few calls.
    const torch::jit::GraphOptimizerEnabledGuard plain(false);
    c10::IValue answer;
    try {
      answer = module_.forward({input});
    } catch (const std::exception& error) {
      fail("fails on a batch " + text_of(input.sizes()) + " of " +
           c10::toString(input.scalar_type()) + ": " + reason_of(error) +
           "\n  (was it traced with images of another shape, a fixed batch size, or numbers of "
           "another type in its code?)");
    }
    if (!answer.isTensor()) {
      fail("gives a " + answer.tagKind() +
           " instead of one tensor; wrap the model so that forward returns its logits alone");
    }
    const Tensor output = answer.toTensor();
    if (output.dim() != 2 || output.size(0) != input.size(0)) {
      fail("gives " + text_of(output.sizes()) + " for a batch " + text_of(input.sizes()) +
           "; a classifier gives [batch, classes]");
    }
    if (output.size(1) == 1 && context_.num_classes > 1) {
      fail(
          "gives one number for an image; a classifier gives a logit for each class (of a sigmoid "
          "with the argument z: 0 and z, torch.cat([0 * z, z], 1))");
    }
    if (output.size(1) != context_.num_classes) {
      fail("tells " + std::to_string(output.size(1)) + " classes apart, the data set has " +
           std::to_string(context_.num_classes));
    }
    if (!output.is_floating_point()) {
      fail("gives numbers of the type " + std::string(c10::toString(output.scalar_type())) +
           "; attacks need floating-point logits, not a predicted class");
    }
    return output.to(input.scalar_type());
  }

  std::string file_;
  ModelContext context_;
  kit::PixelNormalisation normalise_;
  bool gives_probabilities_;
  bool is_range_checked_ = false;
  torch::jit::Module module_;
  std::vector<Held> held_;
  std::vector<Slot> lists_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::TorchScript)
