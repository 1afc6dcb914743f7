// The one door into the engine library: `unmask` opens the library in processes that need LibTorch
// and calls this function. No C++ type and no exception crosses it, because the executable has its
// own copy of the torch-free code.

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include <torch/cuda.h>
#include <torch/types.h>
#include <torch/utils.h>
#include <torch/version.h>

#include <nlohmann/json.hpp>

#include "base/items.hpp"
#include "conformance/child.hpp"
#include "engine/construct.hpp"
#include "engine/executor.hpp"
#include "engine/import.hpp"
#include "engine/kernels.hpp"
#include "engine/picture.hpp"
#include "engine/worker.hpp"
#include "loader/listing.hpp"
#include "unmask/errors.hpp"
#include "unmask/export.hpp"

namespace unmask::engine {
namespace {

using nlohmann::json;

// Answers go out through the old standard output; whatever plugins print goes to standard error.
std::FILE* take_standard_output() {
  std::fflush(stdout);
  const int answers = ::dup(STDOUT_FILENO);
  ::dup2(STDERR_FILENO, STDOUT_FILENO);
  return ::fdopen(answers, "w");
}

void answer(std::FILE* out, const json& value) {
  const std::string text = value.dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  std::fwrite(text.data(), 1, text.size(), out);
  std::fflush(out);
}

std::vector<std::filesystem::path> plugins_of(const json& request) {
  std::vector<std::filesystem::path> files;
  for (const json& file : request.at("plugins")) files.emplace_back(file.get<std::string>());
  return files;
}

// How long one product of two 512 x 512 matrices takes; the reference BLAS needs tens of
// milliseconds.
double matrix_product_ms() {
  const torch::NoGradGuard no_grad;
  const Tensor a = at::ones({512, 512});
  at::mm(a, a);
  const auto start = std::chrono::steady_clock::now();
  at::mm(a, a);
  return std::chrono::duration<double, std::milli>(std::chrono::steady_clock::now() - start)
      .count();
}

// The file that provides BLAS to this process: the resolved name tells OpenBLAS from the reference.
std::string blas_file() {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  std::string found;
  while (std::getline(maps, line)) {
    const auto slash = line.find('/');
    if (slash == std::string::npos) continue;
    const std::string file = line.substr(slash);
    const std::string name = std::filesystem::path(file).filename().string();
    if (name.starts_with("libblas") || name.starts_with("libmkl_core") ||
        name.starts_with("libtorch_cpu.so")) {
      if (found.empty() || name.starts_with("libblas") || name.starts_with("libmkl")) found = file;
    }
  }
  return found;
}

// What this machine computes with; recorded with every run.
json environment() {
  return {{"libtorch", TORCH_VERSION}, {"blas", blas_file()}, {"kernels", kernels(blas_file())}};
}

// Content hashes of data sets, one after the other (see base/items.hpp): {"plugins", "datasets":
// [{"plugin", "params"}]} -> for each {"content_hash", "problem", "test_count", "remarks"}, at
// the end
// {"environment"}.
int prepare(const json& request, int answer_fd) {
  loader::Registry registry(plugins_of(request));
  base::ItemWriter answers(answer_fd);
  for (const json& wanted : request.at("datasets")) {
    if (!answers.begin()) return 1;
    const wire::DatasetFacts facts =
        dataset_facts(registry, wanted.at("plugin").get<std::string>(), wanted.at("params"));
    if (!answers.found({{"content_hash", facts.content_hash},
                        {"problem", facts.problem},
                        {"test_count", facts.test_count},
                        {"remarks", facts.remarks}})) {
      return 1;
    }
  }
  if (!answers.end({{"environment", environment()}})) return 1;
  ::_exit(0);
}

// What plugins refuse when they are constructed: {"plugins", "definitions": [{"kind", "name",
// "plugin", "params"}]} -> for each null, or {"message", "is_fault"} (see construct.hpp).
int construct(const json& request, int answer_fd) {
  loader::Registry registry(plugins_of(request));
  base::ItemWriter answers(answer_fd);
  for (const json& definition : request.at("definitions")) {
    if (!answers.begin()) return 1;
    json found = nullptr;
    if (const auto refusal = construction_refusal(registry, definition)) {
      found = {{"message", refusal->message}, {"is_fault", refusal->is_fault}};
    }
    if (!answers.found(found)) return 1;
  }
  if (!answers.end(nullptr)) return 1;
  ::_exit(0);
}

// {"model", "params", "shape": [C, H, W], "classes", "file", "names" (or null), "output"} ->
// {"sha256", "tensors", "values", "unused_rules"}
json import_file(const json& request) {
  loader::Registry registry(plugins_of(request));
  ImportRequest wanted;
  request.at("model").get_to(wanted.model);
  wanted.params = request.at("params");
  const json& shape = request.at("shape");
  wanted.context = {shape.at(0).get<std::int64_t>(),
                    shape.at(1).get<std::int64_t>(),
                    shape.at(2).get<std::int64_t>(),
                    request.at("classes").get<std::int64_t>()};
  wanted.weights.file = request.at("file").get<std::string>();
  if (!request.at("names").is_null()) {
    wanted.weights.names = request.at("names").get<std::string>();
  }
  wanted.output = request.at("output").get<std::string>();
  const ImportReport report = import_weights(registry, wanted);
  return {{"sha256", report.sha256},
          {"tensors", report.tensors},
          {"values", report.values},
          {"unused_rules", report.unused_rules}};
}

// {"file", "samples": [...], "columns", "output"} -> {}
json draw(const json& request) {
  draw_adversarials(request.at("file").get<std::string>(),
                    request.at("samples").get<std::vector<std::int64_t>>(),
                    request.at("columns").get<std::int64_t>(),
                    request.at("output").get<std::string>());
  return json::object();
}

json describe_libtorch() {
  configure_libtorch(1);
  json devices = json::array();
  for (int i = 0; i < static_cast<int>(torch::cuda::device_count()); ++i) {
    devices.push_back("cuda:" + std::to_string(i));
  }
  const double product_ms = matrix_product_ms();
  return {{"libtorch", TORCH_VERSION},
          {"blas", blas_file()},
          {"kernels", kernels(blas_file())},
          {"matrix_product_ms", product_ms},
          {"threads_available", std::thread::hardware_concurrency()},
          {"cuda_devices", devices},
          {"build", at::show_config()}};
}

// Execute one cell in this process and print its result; for debugging under gdb.
json execute_cell(const json& request) {
  configure_libtorch(request.at("threads").get<int>());
  loader::Registry registry(plugins_of(request));
  Executor executor(registry,
                    request.at("device").get<std::string>(),
                    request.at("checkpoints").get<std::string>());
  CellFiles files;
  if (const auto c = request.find("checkpoint"); c != request.end()) {
    files.checkpoint = c->get<wire::CheckpointFile>();
  }
  if (const auto s = request.find("source"); s != request.end()) {
    files.source = s->get<wire::CheckpointFile>();
  }
  const auto show = [](std::int64_t done, std::int64_t total, const std::string& note) {
    if (done == total || done % 100 == 0) {
      std::fprintf(stderr,
                   "%lld/%lld %s\n",
                   static_cast<long long>(done),
                   static_cast<long long>(total),
                   note.c_str());
    }
  };
  return executor.execute(
      request.at("key").get<std::string>(), request.at("spec"), request.at("locals"), files, show);
}

WorkerOptions worker_options(const json& request) {
  WorkerOptions options;
  request.at("device").get_to(options.device);
  request.at("threads").get_to(options.threads);
  request.at("checkpoints").get_to(options.checkpoints);
  request.at("plugins").get_to(options.plugins);
  request.at("cuda_graphs").get_to(options.cuda_graphs);
  return options;
}

// COMMAND [FD]. The request is a JSON object on standard input. The first four answer through the
// descriptor FD, the others once, on standard output.
int dispatch(const std::vector<std::string>& arguments) {
  UNMASK_CHECK(!arguments.empty(), "the engine needs a command");
  const std::string& command = arguments[0];
  if (command == "plugins") return loader::list_main(std::stoi(arguments.at(1)));
  const json request = base::read_request(STDIN_FILENO);
  if (command == "prepare") return prepare(request, std::stoi(arguments.at(1)));
  if (command == "construct") return construct(request, std::stoi(arguments.at(1)));
  if (command == "worker") {
    WorkerOptions options = worker_options(request);
    options.fd = std::stoi(arguments.at(1));
    return worker_main(options);
  }
  std::FILE* out = take_standard_output();
  if (command == "claims") {
    configure_libtorch(1);
    conformance::answer_claims(request, out);
  } else if (command == "import") {
    answer(out, import_file(request));
  } else if (command == "draw") {
    answer(out, draw(request));
  } else if (command == "doctor") {
    answer(out, describe_libtorch());
  } else if (command == "execute") {
    answer(out, execute_cell(request));
  } else {
    UNMASK_CHECK(false, "unknown engine command " + command);
  }
  return 0;
}

}  // namespace
}  // namespace unmask::engine

extern "C" UNMASK_API int unmask_engine_main(int argc, const char* const* argv) {
  try {
    return unmask::engine::dispatch({argv, argv + argc});
  } catch (const unmask::Error& error) {
    std::fprintf(stderr, "unmask: %s\n", error.what());
    return static_cast<int>(error.code());
  } catch (const std::exception& error) {
    std::fprintf(stderr, "unmask: %s\n", error.what());
    return static_cast<int>(unmask::ExitCode::kInternal);
  }
}
