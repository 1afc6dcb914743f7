// What ODE solves cost. Every case is warmed up, then measured several times; the median counts.
//
//   bench_solvers [--case NAME]... [--threads N] [--repeats N] [--json] [--export FOLDER]
//
//   small_state   9,216 elements, dy/dt = -y: the driver's own cost
//   sonet         the paper's SONet: width 16, [2,2,2,2], 3x32x32, batch 100, dopri5 at 0.1
//   mlp           one sample, 2-50-2 tanh, dopri5 at 1e-6
//   sonet_sample  the same with a step size for each image
//   mixed_batch   rows of frequencies 1 to 30: one step size for all against one for each
//
// --export writes networks, inputs and results as safetensors files, for torchdiffeq_side.py.

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <functional>
#include <iomanip>
#include <iostream>
#include <map>
#include <memory>
#include <set>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <ATen/record_function.h>
#include <torch/autograd.h>
#include <torch/types.h>

#include <nlohmann/json.hpp>

#include "catalog/host_options.hpp"
#include "engine/safetensors.hpp"
#include "engine/worker.hpp"
#include "ode/session.hpp"
#include "support/plugins.hpp"
#include "unmask/errors.hpp"
#include "unmask/model.hpp"

namespace unmask::bench {
namespace {

using Given = std::map<std::string, ParamValue>;
using nlohmann::json;

struct Arguments {
  std::set<std::string> cases;  // empty: all
  int threads = 1;
  int repeats = 5;
  bool json_lines = false;
  std::string export_folder;
};

// A session of dopri5 with the given driver options.
std::unique_ptr<ode::Session> dopri5(const Given& options) {
  std::shared_ptr<Method> method(test::make_plugin<Method>("solver", "dopri5"));
  const Params params(catalog::host_options("solver", {"adaptive"}), options);
  const ode::DriverOptions driver = ode::DriverOptions::from(params, method->traits());
  return std::make_unique<ode::Session>(std::move(method), driver);
}

// Sum of a count over the solves of a session.
std::int64_t total(const ode::Session& session, std::int64_t ode::Statistics::*count) {
  std::int64_t sum = 0;
  for (const ode::SolveRecord& solve : session.solves()) sum += solve.statistics.*count;
  return sum;
}

json cost(const ode::Session& session) {
  return {{"evaluations", total(session, &ode::Statistics::nfe)},
          {"attempts", total(session, &ode::Statistics::attempts)},
          {"host_reads", total(session, &ode::Statistics::host_reads)}};
}

// Seconds per call, sorted, one entry per repetition. The function has run before: memory is
// allocated, threads exist. Fast functions are called often enough to fill 0.1 s.
std::vector<double> time_calls(const std::function<void()>& function, int repeats) {
  using Clock = std::chrono::steady_clock;
  const auto seconds = [&](int calls) {
    const auto start = Clock::now();
    for (int i = 0; i < calls; ++i) function();
    return std::chrono::duration<double>(Clock::now() - start).count();
  };
  std::vector<double> result = {seconds(1)};
  const int calls = std::max(1, static_cast<int>(0.1 / std::max(1e-6, result.front())));
  if (calls > 1) result.clear();
  while (result.size() < static_cast<std::size_t>(repeats))
    result.push_back(seconds(calls) / calls);
  std::sort(result.begin(), result.end());
  return result;
}

std::atomic<std::int64_t> dispatched{0};

std::unique_ptr<at::ObserverContext> count_operation(const at::RecordFunction& /*operation*/) {
  ++dispatched;
  return nullptr;
}

// Operations that LibTorch dispatches during one call, those inside other operations included.
std::int64_t count_operations(const std::function<void()>& function) {
  const at::CallbackHandle handle = at::addGlobalCallback(
      at::RecordFunctionCallback(&count_operation).scopes({at::RecordScope::FUNCTION}));
  dispatched = 0;
  function();
  at::removeCallback(handle);
  return dispatched;
}

// Collects measurements and prints them as they come.
class Report {
 public:
  explicit Report(const Arguments& arguments) : arguments_(arguments) {
    if (arguments.json_lines) return;
    std::cout << std::left << std::setw(14) << "case" << std::setw(36) << "mode" << std::setw(9)
              << "threads" << std::setw(14) << "median" << std::setw(14) << "fastest"
              << "facts\n";
  }

  void measure(const std::string& name,
               const std::string& mode,
               const std::function<void()>& function,
               const json& facts) {
    const std::vector<double> times = time_calls(function, arguments_.repeats);
    const double median = times[times.size() / 2];
    if (arguments_.json_lines) {
      const json line = {{"side", "unmask"},
                         {"case", name},
                         {"mode", mode},
                         {"threads", arguments_.threads},
                         {"repeats", arguments_.repeats},
                         {"median_s", median},
                         {"fastest_s", times.front()},
                         {"slowest_s", times.back()},
                         {"facts", facts}};
      std::cout << line.dump() << std::endl;
      return;
    }
    std::cout << std::left << std::setw(14) << name << std::setw(36) << mode << std::setw(9)
              << arguments_.threads << std::setw(14) << text(median) << std::setw(14)
              << text(times.front()) << facts.dump() << std::endl;
  }

  void skip(const std::string& name, const std::string& mode, const std::string& reason) const {
    if (arguments_.json_lines) {
      const json line = {{"side", "unmask"}, {"case", name}, {"mode", mode}, {"skipped", reason}};
      std::cout << line.dump() << std::endl;
    } else {
      std::cout << std::left << std::setw(14) << name << std::setw(36) << mode
                << "skipped: " << reason << std::endl;
    }
  }

 private:
  static std::string text(double seconds) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(3);
    if (seconds < 1) {
      out << seconds * 1e3 << " ms";
    } else {
      out << seconds << " s";
    }
    return out.str();
  }

  const Arguments& arguments_;
};

void export_tensors(const Arguments& arguments,
                    const std::string& name,
                    std::vector<NamedTensor> tensors,
                    const std::map<std::string, std::string>& facts) {
  if (arguments.export_folder.empty()) return;
  for (NamedTensor& item : tensors) item.tensor = item.tensor.detach().contiguous();
  std::filesystem::create_directories(arguments.export_folder);
  engine::write_safetensors(
      std::filesystem::path(arguments.export_folder) / (name + ".safetensors"), tensors, facts);
}

// --- small_state: no step control, the field costs next to nothing ---

class DecayField final : public VectorField {
 public:
  State evaluate(const Scalar& /*t*/, const State& y) override { return {y[0].neg()}; }
  bool is_autonomous() const override { return true; }
};

// A solve from 0 to 1 in that many equal steps. Powers of two end exactly at 1.
class SmallState {
 public:
  SmallState(int steps, bool with_gradient)
      : session_(dopri5({{"controller", std::string("constant")}, {"first_step", 1.0 / steps}})),
        field_(std::make_shared<DecayField>()),
        y0_(at::linspace(-1, 1, 9216, at::kFloat).reshape({1, 9216})),
        with_gradient_(with_gradient) {}

  void operator()() {
    session_->clear();
    const at::AutoGradMode mode(with_gradient_);
    const Tensor y0 = y0_.detach().requires_grad_(with_gradient_);
    const Tensor y1 = session_->integrate("solve", field_, {y0}, 0, 1)[0];
    if (with_gradient_) torch::autograd::grad({y1.sum()}, {y0});
  }

  const ode::Session& session() const { return *session_; }

 private:
  std::unique_ptr<ode::Session> session_;
  std::shared_ptr<VectorField> field_;
  Tensor y0_;
  bool with_gradient_;
};

void small_state(const Arguments& /*arguments*/, Report& report) {
  constexpr int kSteps = 16;
  for (const bool with_gradient : {false, true}) {
    SmallState solve(kSteps, with_gradient);
    SmallState twice(2 * kSteps, with_gradient);
    const auto run = [&solve] { solve(); };
    const std::int64_t operations = count_operations([&twice] { twice(); }) - count_operations(run);
    json facts = cost(solve.session());
    facts["operations_per_step"] = static_cast<double>(operations) / kSteps;
    report.measure("small_state", with_gradient ? "graph+backward" : "forward", run, facts);
  }
}

// --- sonet ---

struct Network {
  std::unique_ptr<Model> model;
  Tensor input;
  Tensor labels;
};

Network make_sonet() {
  torch::manual_seed(0);
  Network net;
  net.model = test::make_model("sonet",
                               {{"channels", std::int64_t{16}},
                                {"blocks", std::vector<std::int64_t>{2, 2, 2, 2}},
                                {"strides", std::vector<std::int64_t>{1, 2, 2, 2}}},
                               {.channels = 3, .height = 32, .width = 32, .num_classes = 10});
  net.model->set_training(false);
  for (NamedTensor& item : net.model->parameters()) item.tensor.set_requires_grad(false);
  net.input = at::rand({100, 3, 32, 32});
  net.labels = at::randint(10, {100}, at::kLong);
  return net;
}

Given sonet_options() {
  return {{"rtol", 0.1}, {"atol", 0.1}, {"step_gradient", std::string("first_only")}};
}

Tensor forward(Network& net, ode::Session& session) {
  session.clear();
  const at::NoGradGuard no_grad;
  return net.model->forward(net.input, session);
}

// The gradient that an attack asks for: of the summed cross-entropy, by the image alone.
Tensor input_gradient(Network& net, ode::Session& session) {
  session.clear();
  const Tensor x = net.input.detach().requires_grad_(true);
  const Tensor logits = net.model->forward(x, session);
  const Tensor loss = at::cross_entropy_loss(logits, net.labels, {}, at::Reduction::Sum);
  return torch::autograd::grad({loss}, {x})[0];
}

void measure_network(const std::string& name, Network& net, ode::Session& session, Report& report) {
  forward(net, session);
  report.measure(
      name, "forward", [&] { forward(net, session); }, cost(session));
  input_gradient(net, session);
  report.measure(
      name, "forward+input gradient", [&] { input_gradient(net, session); }, cost(session));
}

// The weights, and results of a few images in float64: there, other than in float32, rounding does
// not decide on which side of a kink of leaky ReLU an activation lies, so that another
// implementation must find the same numbers.
void export_sonet(const Arguments& arguments, Network& net, ode::Session& session) {
  std::vector<NamedTensor> tensors;
  for (const NamedTensor& item : net.model->parameters()) {
    tensors.push_back({"state/" + item.name, item.tensor.clone()});
  }
  tensors.push_back({"input", net.input});
  tensors.push_back({"labels", net.labels});
  constexpr std::int64_t kFew = 8;
  Network few{std::move(net.model), net.input.narrow(0, 0, kFew).to(at::kDouble), {}};
  few.labels = net.labels.narrow(0, 0, kFew);
  few.model->to("cpu", at::kDouble);
  tensors.push_back({"logits", forward(few, session)});
  tensors.push_back({"gradient", input_gradient(few, session)});
  few.model->to("cpu", at::kFloat);
  net.model = std::move(few.model);
  export_tensors(arguments,
                 "sonet",
                 tensors,
                 {{"evaluations", std::to_string(total(session, &ode::Statistics::nfe))}});
}

void sonet(const Arguments& arguments, Report& report) {
  Network net = make_sonet();
  const auto session = dopri5(sonet_options());
  if (!arguments.export_folder.empty()) export_sonet(arguments, net, *session);
  measure_network("sonet", net, *session, report);
}

// --- mlp ---

// float64: in float32 rounding decides the steps at this tolerance, and counts could not be
// compared.
class MlpField final : public VectorField {
 public:
  MlpField() {
    torch::manual_seed(0);
    const auto options = at::TensorOptions(at::kDouble);
    w1 = (at::randn({2, 50}, options) / std::sqrt(2.0)).requires_grad_(true);
    b1 = (at::randn({50}, options) * 0.3).requires_grad_(true);
    w2 = (at::randn({50, 2}, options) / std::sqrt(12.5)).requires_grad_(true);
    b2 = at::zeros({2}, options).requires_grad_(true);
  }

  State evaluate(const Scalar& /*t*/, const State& y) override {
    return {at::addmm(b2, at::tanh(at::addmm(b1, y[0], w1)), w2)};
  }
  bool is_autonomous() const override { return true; }

  Tensor w1;
  Tensor b1;
  Tensor w2;
  Tensor b2;
};

void mlp(const Arguments& arguments, Report& report) {
  const auto field = std::make_shared<MlpField>();
  constexpr double kEnd = 5;
  const Tensor start = torch::tensor({{2.0, 0.0}}, at::kDouble);
  const auto session =
      dopri5({{"rtol", 1e-6}, {"atol", 1e-6}, {"step_gradient", std::string("first_only")}});
  const auto solve = [&](const Tensor& y0) {
    session->clear();
    return session->integrate("solve", field, {y0}, 0, kEnd)[0];
  };
  const auto forward_only = [&] {
    const at::NoGradGuard no_grad;
    return solve(start);
  };
  const auto with_backward = [&] {
    const Tensor y0 = start.detach().requires_grad_(true);
    const Tensor y1 = solve(y0);
    return torch::autograd::grad({y1.sum()}, {y0, field->w1, field->b1, field->w2, field->b2});
  };
  const Tensor y1 = forward_only();
  const json facts = cost(*session);
  export_tensors(arguments,
                 "mlp",
                 {{"state/W1", field->w1},
                  {"state/b1", field->b1},
                  {"state/W2", field->w2},
                  {"state/b2", field->b2},
                  {"input", start},
                  {"y1", y1},
                  {"gradient", with_backward()[0]}},
                 {{"evaluations", facts.at("evaluations").dump()}});
  report.measure(
      "mlp", "forward", [&] { forward_only(); }, facts);
  report.measure(
      "mlp", "graph+backward", [&] { with_backward(); }, facts);
}

// --- mixed_batch ---

// Rows turn at their own frequency: (u, v)' = w (v, -u). The frequency is a second component of the
// state that does not change, so a row may move within the batch.
class RotationField final : public VectorField {
 public:
  State evaluate(const Scalar& /*t*/, const State& s) override {
    rows_ += s[0].size(0);
    const Tensor u = s[0].select(1, 0);
    const Tensor v = s[0].select(1, 1);
    return {at::stack({s[1] * v, s[1].neg() * u}, 1), at::zeros_like(s[1])};
  }
  bool is_autonomous() const override { return true; }

  // Rows evaluated since clear().
  std::int64_t rows() const { return rows_; }
  void clear() { rows_ = 0; }

 private:
  std::int64_t rows_ = 0;
};

void mixed_batch(const Arguments& /*arguments*/, Report& report) {
  constexpr std::int64_t kRows = 64;
  constexpr std::int64_t kWidth = 2048;
  const Tensor frequency = at::linspace(1, 30, kRows, at::kDouble).unsqueeze(1);
  const Tensor start = at::ones({kRows, 2, kWidth}, at::kDouble);
  start.select(1, 1).fill_(0.5);
  const Tensor exact = at::cos(frequency) + 0.5 * at::sin(frequency);  // of u(1), [rows, 1]
  const auto field = std::make_shared<RotationField>();
  for (const std::string control : {"batch", "sample"}) {
    std::unique_ptr<ode::Session> session;
    try {
      session = dopri5({{"rtol", 1e-5}, {"atol", 1e-5}, {"control", control}});
    } catch (const ParamError& error) {
      report.skip("mixed_batch", "control " + control, error.what());
      continue;
    }
    for (const bool with_gradient : {false, true}) {
      State end;
      const auto run = [&] {
        session->clear();
        field->clear();
        const at::AutoGradMode mode(with_gradient);
        const Tensor y0 = start.detach().requires_grad_(with_gradient);
        end = session->integrate("solve", field, {y0, frequency}, 0, 1);
        if (with_gradient) torch::autograd::grad({end[0].sum()}, {y0});
      };
      run();
      json facts = cost(*session);
      facts["row_evaluations"] = field->rows();
      facts["largest_error"] = (end[0].detach().select(1, 0) - exact).abs().max().item<double>();
      report.measure("mixed_batch",
                     "control " + control + (with_gradient ? ", graph+backward" : ", forward"),
                     run,
                     facts);
    }
  }
}

// --- sonet_sample: the network with step sizes of their own for each image ---

void sonet_sample(const Arguments& /*arguments*/, Report& report) {
  Given options = sonet_options();
  options["control"] = std::string("sample");
  std::unique_ptr<ode::Session> session;
  try {
    session = dopri5(options);
  } catch (const ParamError& error) {
    report.skip("sonet_sample", "control sample", error.what());
    return;
  }
  Network net = make_sonet();
  measure_network("sonet_sample", net, *session, report);
}

using Case = void (*)(const Arguments&, Report&);
const std::vector<std::pair<std::string, Case>> kCases = {{"small_state", small_state},
                                                          {"sonet", sonet},
                                                          {"sonet_sample", sonet_sample},
                                                          {"mlp", mlp},
                                                          {"mixed_batch", mixed_batch}};

Arguments parse(int argc, char** argv) {
  Arguments arguments;
  const std::string usage =
      "bench_solvers [--case NAME]... [--threads N] [--repeats N] [--json] [--export FOLDER]; "
      "cases:";
  const auto fail = [&](const std::string& what) {
    std::string names;
    for (const auto& [name, function] : kCases) names += " " + name;
    throw std::runtime_error(what + "\n" + usage + names);
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
      if (std::none_of(
              kCases.begin(), kCases.end(), [&](const auto& c) { return c.first == name; }))
        fail("there is no case " + name);
      arguments.cases.insert(name);
    } else if (option == "--threads") {
      arguments.threads = std::atoi(value().c_str());
    } else if (option == "--repeats") {
      arguments.repeats = std::atoi(value().c_str());
    } else if (option == "--export") {
      arguments.export_folder = value();
    } else {
      fail("unknown option " + option);
    }
  }
  if (arguments.threads < 1 || arguments.repeats < 1)
    fail("--threads and --repeats are at least 1");
  return arguments;
}

int run(int argc, char** argv) {
  const Arguments arguments = parse(argc, argv);
  engine::configure_libtorch(arguments.threads);  // as a worker does
  Report report(arguments);
  for (const auto& [name, function] : kCases) {
    if (arguments.cases.empty() || arguments.cases.contains(name)) function(arguments, report);
  }
  return 0;
}

}  // namespace
}  // namespace unmask::bench

int main(int argc, char** argv) {
  try {
    return unmask::bench::run(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "bench_solvers: " << error.what() << "\n";
    return 1;
  }
}
