// A probe that does what it should not, in the way that its parameter says (tests/soak/zoo.py).

#include <signal.h>

#include <functional>
#include <limits>
#include <map>
#include <string>
#include <vector>

#include <torch/types.h>

#include "hostile.hpp"
#include "unmask/plugin.hpp"

namespace unmask {
namespace {

using Values = std::vector<ProbeValue>;
using Modes = std::map<std::string, std::function<Values(const Tensor& x, const Tensor& y)>>;

Tensor ones(const Tensor& x, std::int64_t more = 0) {
  return at::ones({x.size(0) + more});
}

const Modes& measures() {
  static const Modes modes = {
      {"good",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x)}};
       }},
      {"crash",
       [](const Tensor& x, const Tensor&) {
         ::raise(SIGSEGV);
         return Values{{"a", ones(x)}};
       }},
      {"twice",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x)}, {"a", ones(x)}};
       }},
      {"name_of_the_host",
       [](const Tensor& x, const Tensor&) {
         return Values{{"batch_coupled", ones(x)}};
       }},
      {"name_of_a_mean",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x)}, {"a.mean", ones(x)}};
       }},
      {"accuracy",
       [](const Tensor& x, const Tensor&) {
         return Values{{"my_accuracy", 5 * ones(x)}};
       }},
      {"none", [](const Tensor&, const Tensor&) { return Values(); }},
      {"varies",
       [](const Tensor& x, const Tensor&) {
         static int count = 0;
         return Values{{"v" + std::to_string(count++), ones(x)}};
       }},
      {"longer",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x, 1)}};
       }},
      {"complex",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x).to(at::kComplexFloat)}};
       }},
      {"nan",
       [](const Tensor& x, const Tensor&) {
         return Values{{"a", ones(x) * std::numeric_limits<double>::quiet_NaN()}};
       }},
      {"writes_images", [](const Tensor& x, const Tensor& y) {
         x.detach().zero_();
         y.detach().zero_();
         return Values{{"a", ones(x)}};
       }}};
  return modes;
}

std::vector<std::string> names() {
  return names_of({}, measures());
}

class HostileProbe final : public Probe {
 public:
  static PluginInfo info() { return info_of(names()); }
  explicit HostileProbe(const Params& params) : how_(params.get_text("how")) {}

  Values measure(Target&, const Tensor& x, const Tensor& y, ProbeContext&) override {
    return measures().at(how_)(x, y);
  }

 private:
  std::string how_;
};

}  // namespace
}  // namespace unmask

UNMASK_PLUGIN(unmask::HostileProbe)
