#pragma once
// What the conformance suites of solvers share: which methods take part, and how they are run under the
// driver. The methods are those of the build tree and of the folders that UNMASK_PLUGIN_PATH names.

#include <dlfcn.h>

#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>

#include <gtest/gtest.h>

#include "catalog/host_options.hpp"
#include "loader/folders.hpp"
#include "ode/driver.hpp"
#include "unmask/errors.hpp"
#include "unmask/plugin.hpp"
#include "unmask/testing/ode_fields.hpp"

namespace unmask::test {

using ode::DriverOptions;
using ode::SolveResult;
using Values = std::map<std::string, ParamValue>;
using Reals = std::vector<double>;

// --- which methods

// Values of the parameters that a plugin cannot do without. Whoever installs a method with such
// parameters adds them here.
inline const std::map<std::string, Values>& example_parameters() {
  static const std::map<std::string, Values> examples = {
      // Ralston's method of order 3.
      {"rk_tableau",
       {{"order", std::int64_t{3}},
        {"a", Reals{1.0 / 2, 0, 3.0 / 4}},
        {"b", Reals{2.0 / 9, 1.0 / 3, 4.0 / 9}}}},
      // Fehlberg 4(5): neither first same as last nor with a middle, as no other method here.
      {"rk_tableau_adaptive",
       {{"order", std::int64_t{4}},
        {"a",
         Reals{1.0 / 4,
               3.0 / 32,
               9.0 / 32,
               1932.0 / 2197,
               -7200.0 / 2197,
               7296.0 / 2197,
               439.0 / 216,
               -8.0,
               3680.0 / 513,
               -845.0 / 4104,
               -8.0 / 27,
               2.0,
               -3544.0 / 2565,
               1859.0 / 4104,
               -11.0 / 40}},
        {"b", Reals{25.0 / 216, 0, 1408.0 / 2565, 2197.0 / 4104, -1.0 / 5, 0}},
        {"b_embedded",
         Reals{16.0 / 135, 0, 6656.0 / 12825, 28561.0 / 56430, -9.0 / 50, 2.0 / 55}}}},
  };
  return examples;
}

// Library by id; an id that is there twice comes from the first folder, as for the host.
inline const std::map<std::string, std::filesystem::path>& solver_files() {
  static const std::map<std::string, std::filesystem::path> files = [] {
    std::map<std::string, std::filesystem::path> out;
    const std::string prefix = "solver_";
    const auto folders =
        loader::plugin_folders({},
                               std::getenv(loader::kPluginPathVariable),  // NOLINT: one thread
                               std::filesystem::path(UNMASK_BINARY_DIR) / "bin/unmask");
    for (const auto& file : loader::list_libraries(folders)) {
      const std::string stem = file.stem().string();
      if (stem.starts_with(prefix)) out.emplace(stem.substr(prefix.size()), file);
    }
    return out;
  }();
  return files;
}

// The library stays loaded until the process ends.
inline const PluginDescriptor& descriptor_of(const std::string& id) {
  const std::string file = solver_files().at(id).string();
  void* const library = ::dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (library == nullptr) throw std::runtime_error(::dlerror());
  const void* const symbol = ::dlsym(library, "unmask_plugin");
  if (symbol == nullptr) throw std::runtime_error(file + " has no symbol unmask_plugin");
  return *static_cast<const PluginHeader*>(symbol)->descriptor();
}

enum class Which { kAll, kAdaptive, kFixed };

inline std::vector<std::string> ids(Which which) {
  std::vector<std::string> out;
  for (const auto& [id, file] : solver_files()) {
    bool takes_part = true;  // a library that does not load fails in every test
    try {
      const bool is_adaptive = descriptor_of(id).info().capabilities.contains("adaptive");
      takes_part = which == Which::kAll || is_adaptive == (which == Which::kAdaptive);
    } catch (const std::exception&) {
      takes_part = true;
    }
    if (takes_part) out.push_back(id);
  }
  return out;
}

// --- solving

inline Tensor tensor(const Reals& values, std::int64_t columns) {
  return torch::tensor(values, torch::kDouble).reshape({-1, columns});
}

inline double distance(const Tensor& a, const Tensor& b) {
  return (a - b).abs().max().item<double>();
}

inline double relative_deviation(const Tensor& a, const Tensor& b) {
  return distance(a, b) / b.abs().max().item<double>();
}

// Methods and the driver's options for them, from the tables that manifests are read with.
class SolverConformance : public testing::TestWithParam<std::string> {
 protected:
  void SetUp() override {
    const PluginDescriptor& descriptor = descriptor_of(GetParam());
    const auto example = example_parameters().find(GetParam());
    const Params params(descriptor.info().params,
                        example == example_parameters().end() ? Values{} : example->second);
    method_.reset(static_cast<Method*>(descriptor.create(params, nullptr)));
    traits_ = method_->traits();
    table_ = catalog::host_options("solver", descriptor.info().capabilities);
  }

  DriverOptions options(Values given) const {
    return DriverOptions::from(Params(table_, std::move(given)), traits_);
  }

  // Steps of one size that end at the end, each of them starting with f there.
  Values steps_of(double size) const {
    if (!traits_.is_adaptive) return {{"step_size", size}};
    return {{"controller", std::string("constant")},
            {"first_step", size},
            {"end", std::string("clamp")},
            {"stale_fsal", false}};
  }

  // The steps that a user would get: by tolerance, or a quarter.
  Values usual_steps() const {
    if (!traits_.is_adaptive) return {{"step_size", 0.25}};
    return {{"rtol", 0.1}, {"atol", 0.1}};
  }

  SolveResult solve(const DriverOptions& o,
                    VectorField& field,
                    const State& y0,
                    const Reals& times = {0, 1}) const {
    SolveResult result = ode::solve(*method_, o, field, y0, times);
    if (result.status != ode::SolveStatus::kOk) {
      throw std::runtime_error(std::string(ode::to_string(result.status)) + " " + result.failure);
    }
    return result;
  }

  // Fields whose steps are solved by iteration come to this relative error and not to rounding.
  double solver_noise() const { return traits_.is_implicit ? 1e-9 : 0; }

  std::unique_ptr<Method> method_;
  MethodTraits traits_;
  std::vector<ParamSpec> table_;
};

class AdaptiveConformance : public SolverConformance {
 protected:
  // One of the combinations of control, end and step_gradient.
  static Values with(Values values, const char* control, const char* end, const char* rule) {
    values["control"] = std::string(control);
    values["end"] = std::string(end);
    values["step_gradient"] = std::string(rule);
    return values;
  }
};

class FixedConformance : public SolverConformance {};

inline constexpr const char* kControls[] = {"batch", "sample"};
inline constexpr const char* kEnds[] = {"interpolate", "clamp"};
inline constexpr const char* kStepGradients[] = {"full", "first_only", "none"};

// --- for every method

inline std::string id_of(const testing::TestParamInfo<std::string>& info) {
  return info.param;
}

// The methods of a suite.
inline auto methods(Which which) {
  return testing::ValuesIn(ids(which));
}

}  // namespace unmask::test
