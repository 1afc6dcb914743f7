// A network that does what it should not, in the way that its parameter says (tests/soak/zoo.py).

#include <signal.h>

#include <cstdlib>
#include <functional>
#include <limits>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include <torch/nn/module.h>
#include <torch/types.h>

#include "hostile.hpp"
#include "unmask/module_model.hpp"

namespace unmask {
namespace {

const double kNan = std::numeric_limits<double>::quiet_NaN();

using Modes = std::map<std::string, std::function<Tensor(const Tensor&)>>;

const Modes& answers() {
  static const Modes modes = {{"nan", [](const Tensor& z) { return z * kNan; }},
                              {"random", [](const Tensor& z) { return z + at::rand_like(z); }},
                              {"flat", [](const Tensor& z) { return z.flatten(); }},
                              {"three_axes", [](const Tensor& z) { return z.unsqueeze(2); }},
                              {"double", [](const Tensor& z) { return z.to(at::kDouble); }},
                              {"integers", [](const Tensor& z) { return z.to(at::kLong); }},
                              {"detached", [](const Tensor& z) { return z.detach(); }},
                              {"nothing", [](const Tensor&) { return Tensor(); }}};
  return modes;
}

std::vector<std::string> names() {
  return names_of({"good",
                   "born_crash",
                   "more_classes",
                   "one_class",
                   "nan_weights",
                   "nan_judged",
                   "counts",
                   "grows",
                   "writes_images",
                   "writes_weights",
                   "throws_late"},
                  answers());
}

struct HostileNet : torch::nn::Module {
  static PluginInfo info() { return info_of(names()); }
  HostileNet(const Params& params, const ModelContext& data) : how(params.get_text("how")) {
    if (how == "born_crash") ::raise(SIGSEGV);
    std::int64_t classes = data.num_classes;
    if (how == "more_classes") classes += 3;
    if (how == "one_class") classes = 1;
    Tensor start = at::zeros({data.channels * data.height * data.width, classes});
    if (how == "nan_weights") start.fill_(kNan);
    weight = register_parameter("weight", start);
  }
  Tensor forward(const Tensor& x, OdeContext&) {
    ++calls;
    if (how == "writes_images") x.detach().zero_();
    if (how == "writes_weights") weight.detach().add_(0.01);
    if (how == "grows") kept.push_back(at::ones({1 << 20}));
    if (how == "throws_late" && calls > 3) throw calls;
    const Tensor logits = x.flatten(1).matmul(weight);
    if (how == "counts") return logits + 0.1 * calls;
    if (how == "nan_judged" && !is_training()) return logits * kNan;
    const auto answer = answers().find(how);
    return answer == answers().end() ? logits : answer->second(logits);
  }

  std::string how;
  Tensor weight;
  int calls = 0;
  std::vector<Tensor> kept;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::ModuleModel<unmask::HostileNet>)
