#pragma once
// A model made of torch::nn modules: derive your network from torch::nn::Module, give it
// `Tensor forward(const Tensor& x, OdeContext& ode)`, and wrap it:
//
//   struct Net : torch::nn::Module {
//     static PluginInfo info();
//     Net(const Params& params, const ModelContext& data);
//     Tensor forward(const Tensor& x, OdeContext& ode);
//   };
//   UNMASK_PLUGIN(ModuleModel<Net>)
//
// Names of parameters and buffers are the module's own ("layer1.0.conv1.weight").

#include <memory>
#include <string>
#include <vector>

#include <torch/nn/module.h>

#include "unmask/model.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
inline namespace v1 {

template <class Net>
class ModuleModel final : public Model {
 public:
  static PluginInfo info() { return Net::info(); }

  ModuleModel(const Params& params, const ModelContext& context)
      : net_(std::make_shared<Net>(params, context)) {}

  Tensor forward(const Tensor& x, OdeContext& ode) override { return net_->forward(x, ode); }

  std::vector<NamedTensor> parameters() override { return named(net_->named_parameters()); }

  std::vector<NamedTensor> buffers() override {
    std::vector<NamedTensor> result;
    for (const auto& item : net_->named_buffers()) {
      // Counts batches for a running average of variable momentum, which no model here uses.
      if (item.key().ends_with("num_batches_tracked")) continue;
      result.push_back({item.key(), item.value()});
    }
    return result;
  }

  void set_training(bool training) override { net_->train(training); }

  void to(const std::string& device, at::ScalarType dtype) override {
    net_->to(torch::Device(device), dtype);
  }

 private:
  template <class Dict>
  static std::vector<NamedTensor> named(const Dict& dict) {
    std::vector<NamedTensor> result;
    for (const auto& item : dict) result.push_back({item.key(), item.value()});
    return result;
  }

  std::shared_ptr<Net> net_;
};

}  // namespace v1
}  // namespace unmask
