// What a step of PGD and a step of training cost on a device, in the engine's own target and
// training loop:
//
//   bench_throughput [--device D] [--small] [--seconds S] [--export FOLDER]
//
// Networks of the paper at width 64 (--small: width 8, batches of 4 and 8): `sonet`, blocks
// [2,2,2,2], and `so_resnet`, blocks [1,1,1,1], on 3x32x32. One JSON line for each measurement: the
// median of several runs of a few steps each, after one that warms up; the device is synchronised
// before and after. No run begins after S seconds (default 60): what is left is reported as not
// run. --export writes the networks' weights and the gradients of one batch as safetensors, for
// python_side.py.
//
// Modes: `own` differentiates the solve as it is (the first step size included, as torchdiffeq
// does), `replayed` repeats the steps of the clean batch, `fixed` takes rk4 over one step; `graphs`
// records passes as CUDA graphs, after a check that they give the gradients of plain ones.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <vector>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>

#include <nlohmann/json.hpp>

#include "catalog/host_options.hpp"
#include "engine/device_graph.hpp"
#include "engine/model_state.hpp"
#include "engine/safetensors.hpp"
#include "engine/target.hpp"
#include "engine/training.hpp"
#include "engine/worker.hpp"
#include "support/plugins.hpp"
#include "unmask/kit/attack/pgd.hpp"

namespace unmask::bench {
namespace {

using Clock = std::chrono::steady_clock;
using Given = std::map<std::string, ParamValue>;
using Integers = std::vector<std::int64_t>;
using nlohmann::json;

constexpr double kEpsilon = 0.031;
constexpr int kRuns = 7;
constexpr double kSecondsPerCase = 1.5;  // no further run of a case after this time
constexpr std::int64_t kAttackSteps = 3;
constexpr std::int64_t kLargeBatch = 500;  // from here on one step is a run
constexpr std::int64_t kTrainingSteps = 6;

struct Arguments {
  std::string device = "cuda:0";
  bool is_small = false;
  double seconds = 60;
  std::string export_folder;
};

double seconds_since(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

void set_tf32(bool is_on) {
  at::globalContext().setAllowTF32CuBLAS(is_on);
  at::globalContext().setAllowTF32CuDNN(is_on);
}

engine::SolverSetup make_solver(const std::string& id, Given given) {
  engine::SolverSetup setup;
  setup.id = id;
  setup.method = test::make_plugin<Method>("solver", id);
  const bool is_adaptive = setup.method->traits().is_adaptive;
  if (is_adaptive) {
    given.insert({{"rtol", 0.1}, {"atol", 0.1}});
    // Replayed steps are constants.
    if (!given.contains("controller")) {
      given.insert({"step_gradient", std::string("first_only")});
    }
  }
  const std::set<std::string> capabilities =
      is_adaptive ? std::set<std::string>{"adaptive"} : std::set<std::string>{};
  const Params params(catalog::host_options("solver", capabilities), given);
  setup.options = ode::DriverOptions::from(params, setup.method->traits());
  return setup;
}

// One measurement.
struct Case {
  std::string network;
  std::string solver;
  std::string mode = "own";  // own, replayed, fixed
  std::int64_t batch = 0;
  bool with_graphs = false;
  bool with_tf32 = false;
  bool is_mixed = false;
  bool is_training = false;

  json describe() const {
    return {{"side", "unmask"},
            {"what", is_training ? "training" : "pgd"},
            {"network", network},
            {"solver", solver},
            {"mode", mode},
            {"batch", batch},
            {"graphs", with_graphs},
            {"tf32", with_tf32},
            {"precision", is_mixed ? "mixed" : "full"}};
  }
};

class Bench {
 public:
  explicit Bench(const Arguments& arguments) : arguments_(arguments), device_(arguments.device) {}

  void run() {
    for (const Case& c : cases()) {
      json line = c.describe();
      if (seconds_since(began_) > arguments_.seconds) {
        line["not_run"] = "out of time";
      } else {
        try {
          line.update(c.is_training ? measure_training(c) : measure_attack(c));
        } catch (const std::exception& error) {
          const std::string text = error.what();
          line["not_run"] = text.substr(0, text.find('\n'));
        }
        set_tf32(false);
      }
      std::cout << line.dump() << std::endl;
    }
  }

  // Weights, a batch, its logits and the gradient of its summed cross-entropy, in float64.
  void export_networks() {
    std::filesystem::create_directories(arguments_.export_folder);
    for (const std::string name : {"sonet", "so_resnet"}) {
      const auto model = make_network(name);
      std::vector<NamedTensor> tensors;
      for (const NamedTensor& item : engine::model_state(*model)) {
        tensors.push_back({"state/" + item.name, item.tensor});
      }
      model->to(arguments_.device, at::kDouble);
      engine::SolveLog log;
      engine::NetworkTarget target(*model, make_solver("dopri5", {}), {}, {}, 10, log);
      const engine::LoadedSplit few = images(4);
      const Tensor x = few.images.to(device_, at::kDouble) / 255;
      const LossGradient found =
          target.loss_and_gradient(x, few.labels.to(device_), Loss::kCrossEntropy);
      tensors.push_back({"input", x.to(at::kCPU)});
      tensors.push_back({"labels", few.labels});
      tensors.push_back({"logits", found.logits.to(at::kCPU).contiguous()});
      tensors.push_back({"gradient", found.gradient.to(at::kCPU).contiguous()});
      const auto file = std::filesystem::path(arguments_.export_folder) / (name + ".safetensors");
      engine::write_safetensors(
          file, tensors, {{"evaluations", std::to_string(target.counters().nfe)}});
    }
  }

 private:
  std::vector<Case> cases() const {
    const Integers batches = arguments_.is_small ? Integers{4, 8} : Integers{100, 1000};
    const std::vector<std::string> networks = {"so_resnet", "sonet"};
    const bool is_cuda = device_.is_cuda();
    std::vector<Case> all;
    for (const std::string& network : networks) {
      all.push_back({.network = network, .solver = "dopri5", .batch = batches[0]});
      all.push_back({.network = network, .solver = "bosh3", .batch = batches[0]});
      for (const bool graphs : {false, true}) {
        if (graphs && !is_cuda) continue;
        for (const char* solver : {"dopri5", "rk4"}) {
          all.push_back({.network = network,
                         .solver = solver,
                         .mode = std::string(solver) == "rk4" ? "fixed" : "replayed",
                         .batch = batches[0],
                         .with_graphs = graphs});
        }
      }
    }
    for (const std::string& network : networks) {
      const std::int64_t batch = batches[0];
      all.push_back({.network = network, .solver = "dopri5", .batch = batch, .is_training = true});
      if (!is_cuda) continue;
      all.push_back({.network = network,
                     .solver = "dopri5",
                     .batch = batch,
                     .is_mixed = true,
                     .is_training = true});
      all.push_back({.network = network,
                     .solver = "dopri5",
                     .batch = batch,
                     .with_tf32 = true,
                     .is_training = true});
    }
    for (const std::string& network : networks) {
      all.push_back({.network = network, .solver = "dopri5", .batch = batches[1]});
      all.push_back({.network = network, .solver = "bosh3", .batch = batches[1]});
      if (is_cuda) {
        all.push_back(
            {.network = network, .solver = "dopri5", .batch = batches[0], .with_tf32 = true});
        all.push_back(
            {.network = network, .solver = "dopri5", .batch = batches[1], .with_tf32 = true});
        all.push_back({.network = network,
                       .solver = "dopri5",
                       .mode = "replayed",
                       .batch = batches[1],
                       .with_graphs = true});
      }
    }
    return all;
  }

  std::unique_ptr<Model> make_network(const std::string& name) const {
    torch::manual_seed(0);
    const bool is_sonet = name == "sonet";
    const std::int64_t blocks = is_sonet ? 2 : 1;
    return test::make_model(name,
                            {{"channels", std::int64_t{arguments_.is_small ? 8 : 64}},
                             {"blocks", Integers{blocks, blocks, blocks, blocks}},
                             {"strides", Integers{1, 2, 2, 2}}},
                            {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
  }

  static engine::LoadedSplit images(std::int64_t count) {
    torch::manual_seed(1);
    return {at::randint(256, {count, 3, 32, 32}, at::kByte), at::randint(10, {count}, at::kLong)};
  }

  void wait() const {
    if (device_.is_cuda()) torch::cuda::synchronize(device_.index());
  }

  // Seconds of one step.
  json measure(std::int64_t steps, const std::function<void()>& run) const {
    const Clock::time_point start = Clock::now();
    run();  // loads kernels, fills memory pools, records
    wait();
    const double warm_up = seconds_since(start);
    std::vector<double> times;
    const Clock::time_point measured = Clock::now();
    while (times.size() < 2 ||
           (times.size() < kRuns && seconds_since(measured) < kSecondsPerCase)) {
      const Clock::time_point begin = Clock::now();
      run();
      wait();
      times.push_back(seconds_since(begin) / static_cast<double>(steps));
    }
    return {{"runs", times.size()},
            {"median_s", median(times)},
            {"fastest_s", *std::min_element(times.begin(), times.end())},
            {"slowest_s", *std::max_element(times.begin(), times.end())},
            {"warm_up_s", warm_up}};
  }

  json measure_attack(const Case& c) const {
    const auto model = make_network(c.network);
    model->to(arguments_.device, at::kFloat);
    const engine::LoadedSplit data = images(c.batch);
    const Tensor x = data.images.to(device_, at::kFloat) / 255;
    const Tensor y = data.labels.to(device_);
    Given options;
    if (c.mode == "replayed") options = {{"controller", std::string("replay")}};
    engine::SolveLog log;
    engine::NetworkTarget target(
        *model, make_solver(c.solver, options), {}, {.is_coupled = true}, 10, log);
    set_tf32(c.with_tf32);
    target.begin_batch(x);
    json line;
    if (c.with_graphs) line["graphs_differ_by"] = record(target, x, y);
    const std::int64_t steps = c.batch < kLargeBatch ? kAttackSteps : 1;
    const kit::PgdSearch search({.steps = steps, .step_size = 0.003, .random_start = false});
    const Threat threat{Norm::kLinf, kEpsilon, 0, 1};
    SampleRandom random(0, std::vector<std::int64_t>(static_cast<std::size_t>(c.batch), 0));
    const auto run = [&] { search.run_to_the_end(target, x, y, {}, threat, random); };
    line.update(measure(steps, run));
    const std::int64_t before = target.counters().nfe;
    search.run_to_the_end(target, x, y, {}, threat, random);
    line["evaluations"] = (target.counters().nfe - before) / steps;
    return line;
  }

  // Switches recording on and runs passes until they are recorded. Gives the relative distance of a
  // recorded gradient from a plain one.
  double record(engine::NetworkTarget& target, const Tensor& x, const Tensor& y) const {
    const Tensor plain = target.loss_and_gradient(x, y, Loss::kCrossEntropy).gradient;
    target.record_passes(engine::cuda_graph_maker(arguments_.device));
    Tensor recorded;
    for (int i = 0; i <= engine::RecordedPasses::kPassesBeforeRecording + 1; ++i) {
      recorded = target.loss_and_gradient(x, y, Loss::kCrossEntropy).gradient;
    }
    return ((recorded - plain).norm() / plain.norm()).item<double>();
  }

  json measure_training(const Case& c) const {
    const auto model = make_network(c.network);
    model->to(arguments_.device, at::kFloat);
    const engine::LoadedSplit data = images(c.batch * kTrainingSteps);
    const auto objective = test::make_plugin<Objective>("objective", "cross_entropy");
    const Params params(catalog::host_options("objective", {}),
                        {{"epochs", std::int64_t{1}},
                         {"batch_size", c.batch},
                         {"learning_rate", 0.01},
                         {"momentum", 0.9},
                         {"precision", std::string(c.is_mixed ? "mixed" : "full")}});
    const engine::SolverSetup solver = make_solver(c.solver, {});
    const engine::TrainingInput input{.model = *model,
                                      .objective = *objective,
                                      .solver = solver,
                                      .data = data,
                                      .num_classes = 10,
                                      .device = arguments_.device,
                                      .dtype = at::kFloat,
                                      .seed = 3};
    set_tf32(c.with_tf32);
    return measure(kTrainingSteps, [&] {
      wire::CellResult result;
      engine::train(input,
                    engine::TrainingOptions::from(params),
                    result,
                    [](std::int64_t, std::int64_t, const std::string&) {});
    });
  }

  Arguments arguments_;
  torch::Device device_;
  Clock::time_point began_ = Clock::now();
};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  for (int i = 1; i < argc; ++i) {
    const std::string option = argv[i];
    const auto value = [&]() -> std::string {
      if (i + 1 == argc) throw std::runtime_error(option + " needs a value");
      return argv[++i];
    };
    if (option == "--device") {
      arguments.device = value();
    } else if (option == "--small") {
      arguments.is_small = true;
    } else if (option == "--seconds") {
      arguments.seconds = std::atof(value().c_str());
    } else if (option == "--export") {
      arguments.export_folder = value();
    } else {
      throw std::runtime_error("unknown option " + option +
                               "; bench_throughput [--device D] [--small] [--seconds S] "
                               "[--export FOLDER]");
    }
  }
  return arguments;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  engine::configure_libtorch(1);  // as a worker does
  Bench bench(arguments);
  if (arguments.export_folder.empty()) {
    bench.run();
  } else {
    bench.export_networks();
  }
  return 0;
}

}  // namespace
}  // namespace unmask::bench

int main(int argc, char** argv) {
  try {
    return unmask::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench_throughput: " << error.what() << "\n";
    return 1;
  }
}
