// What a training step costs, measured in the training loop of the engine, with everything that it
// does for each step: gathering the batch, forward and backward pass, SGD with momentum, records.
//
//   bench_training [--case NAME]... [--threads N] [--steps N] [--json] [--export FOLDER]
//
//   sonet     the paper's SONet: width 16, [2,2,2,2], 3x32x32, dopri5 at 0.1
//   resnet10  ResNet10: width 64, [1,1,1,1], 3x32x32
//
// Batches of 100 random images, learning rate 0.01, momentum 0.9. The first step warms up; the
// median of the others counts. Beside the time by the clock stands the time of the process on its
// processors: with one thread that is what the clock would say on an idle machine. --export writes
// the initial weights, images, and the losses of three steps on few images in float64 as
// safetensors files, for python_side.py.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "catalog/host_options.hpp"
#include "engine/model_state.hpp"
#include "engine/safetensors.hpp"
#include "engine/training.hpp"
#include "engine/worker.hpp"
#include "support/plugins.hpp"

namespace unmask::bench {
namespace {

using Given = std::map<std::string, ParamValue>;
using Integers = std::vector<std::int64_t>;
using nlohmann::json;

constexpr std::int64_t kBatch = 100;
constexpr std::int64_t kFew = 8;       // images of the comparison
constexpr std::int64_t kFewSteps = 3;  // steps of the comparison

struct Arguments {
  std::set<std::string> cases;  // empty: all
  int threads = 1;
  std::int64_t steps = 4;
  bool json_lines = false;
  std::string export_folder;
};

const std::map<std::string, std::pair<std::string, Given>>& networks() {
  static const std::map<std::string, std::pair<std::string, Given>> all = {
      {"sonet",
       {"sonet",
        {{"channels", std::int64_t{16}},
         {"blocks", Integers{2, 2, 2, 2}},
         {"strides", Integers{1, 2, 2, 2}}}}},
      {"resnet10",
       {"resnet",
        {{"channels", std::int64_t{64}},
         {"blocks", Integers{1, 1, 1, 1}},
         {"strides", Integers{1, 2, 2, 2}}}}}};
  return all;
}

std::unique_ptr<Model> make_network(const std::string& name) {
  torch::manual_seed(0);
  const auto& [plugin, given] = networks().at(name);
  return test::make_model(
      plugin, given, {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
}

engine::SolverSetup dopri5() {
  engine::SolverSetup setup;
  setup.id = "dopri5";
  setup.method = test::make_plugin<Method>("solver", "dopri5");
  const Params params(catalog::host_options("solver", {"adaptive"}),
                      {{"rtol", 0.1}, {"atol", 0.1}, {"step_gradient", std::string("first_only")}});
  setup.options = ode::DriverOptions::from(params, setup.method->traits());
  return setup;
}

engine::LoadedSplit random_images(std::int64_t count) {
  torch::manual_seed(1);
  return {at::randint(256, {count, 3, 32, 32}, at::kByte), at::randint(10, {count}, at::kLong)};
}

// The end of a step in seconds: by the clock, and of the process on all processors.
struct StepEnd {
  double wall = 0;
  double cpu = 0;
};

// Trains as a study does.
std::vector<StepEnd> train(Model& model,
                           const engine::LoadedSplit& data,
                           std::int64_t epochs,
                           std::int64_t batch_size,
                           at::ScalarType dtype,
                           wire::CellResult& result) {
  const auto objective = test::make_plugin<Objective>("objective", "cross_entropy");
  const Params params(
      catalog::host_options("objective", {}),
      {{"epochs", epochs}, {"batch_size", batch_size}, {"learning_rate", 0.01}, {"momentum", 0.9}});
  const engine::SolverSetup solver = dopri5();
  const engine::TrainingInput input{.model = model,
                                    .objective = *objective,
                                    .solver = solver,
                                    .data = data,
                                    .num_classes = 10,
                                    .device = "cpu",
                                    .dtype = dtype,
                                    .seed = 3};
  using Clock = std::chrono::steady_clock;
  std::vector<StepEnd> ends;
  engine::train(
      input,
      engine::TrainingOptions::from(params),
      result,
      [&](std::int64_t, std::int64_t, const std::string&) {
        ends.push_back({std::chrono::duration<double>(Clock::now().time_since_epoch()).count(),
                        static_cast<double>(std::clock()) / CLOCKS_PER_SEC});
      });
  return ends;
}

// Weights before the training, and the losses of steps that always take the same few images.
void export_case(const std::string& name, const std::string& folder) {
  const auto model = make_network(name);
  const engine::LoadedSplit data = random_images(kFew);
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& item : engine::model_state(*model)) {
    tensors.push_back({"state/" + item.name, item.tensor.detach().clone()});
  }
  model->to("cpu", at::kDouble);
  wire::CellResult result;
  train(*model, data, kFewSteps, kFew, at::kDouble, result);

  tensors.push_back({"images", data.images});
  tensors.push_back({"labels", data.labels});
  const auto losses = std::find_if(result.series.begin(), result.series.end(), [](const auto& s) {
    return s.name == "train_loss";
  });
  if (losses == result.series.end()) throw std::runtime_error("no series train_loss");
  tensors.push_back({"losses", torch::tensor(losses->values, at::kDouble)});
  std::filesystem::create_directories(folder);
  engine::write_safetensors(std::filesystem::path(folder) / (name + ".safetensors"), tensors, {});
}

void measure(const std::string& name, const Arguments& arguments) {
  const auto model = make_network(name);
  wire::CellResult result;
  const std::vector<StepEnd> ends = train(*model,
                                          random_images(kBatch * (arguments.steps + 1)),
                                          /*epochs=*/1,
                                          kBatch,
                                          at::kFloat,
                                          result);
  std::vector<double> steps;
  std::vector<double> cpu;
  for (std::size_t i = 1; i < ends.size(); ++i) {
    steps.push_back(ends[i].wall - ends[i - 1].wall);
    cpu.push_back(ends[i].cpu - ends[i - 1].cpu);
  }
  if (steps.empty()) throw std::runtime_error("the training loop reported no steps");
  std::sort(steps.begin(), steps.end());
  std::sort(cpu.begin(), cpu.end());
  const double median = steps[steps.size() / 2];
  if (arguments.json_lines) {
    const json line = {{"side", "unmask"},
                       {"case", name},
                       {"threads", arguments.threads},
                       {"steps", steps.size()},
                       {"median_s", median},
                       {"fastest_s", steps.front()},
                       {"slowest_s", steps.back()},
                       {"cpu_s", cpu[cpu.size() / 2]}};
    std::cout << line.dump() << std::endl;
  } else {
    std::cout << std::left << std::setw(12) << name << arguments.threads << " threads  "
              << std::fixed << std::setprecision(3) << median << " s a step, "
              << std::setprecision(1) << static_cast<double>(kBatch) / median << " images/s\n";
  }
}

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const auto fail = [](const std::string& what) {
    std::string names;
    for (const auto& [name, network] : networks()) names += " " + name;
    throw std::runtime_error(
        what +
        "\nbench_training [--case NAME]... [--threads N] [--steps N] [--json] [--export FOLDER]; "
        "cases:" +
        names);
  };
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&] {
      if (i + 1 == argc) fail(option + " needs a value");
      return std::string(argv[++i]);
    };
    if (option == "--json") {
      arguments.json_lines = true;
    } else if (option == "--case") {
      const std::string name = value();
      if (!networks().contains(name)) fail("there is no case " + name);
      arguments.cases.insert(name);
    } else if (option == "--threads") {
      arguments.threads = std::atoi(value().c_str());
    } else if (option == "--steps") {
      arguments.steps = std::atoi(value().c_str());
    } else if (option == "--export") {
      arguments.export_folder = value();
    } else {
      fail("unknown option " + option);
    }
  }
  if (arguments.threads < 1 || arguments.steps < 1) fail("--threads and --steps are at least 1");
  return arguments;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  engine::configure_libtorch(arguments.threads);  // as a worker does
  for (const auto& [name, network] : networks()) {
    if (!arguments.cases.empty() && !arguments.cases.contains(name)) continue;
    if (!arguments.export_folder.empty()) {
      export_case(name, arguments.export_folder);
    } else {
      measure(name, arguments);
    }
  }
  return 0;
}

}  // namespace
}  // namespace unmask::bench

int main(int argc, char** argv) {
  try {
    return unmask::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench_training: " << error.what() << "\n";
    return 1;
  }
}
