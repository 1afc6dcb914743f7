#include "cli/execution.hpp"

#include <algorithm>
#include <charconv>

#include "base/counted.hpp"
#include "cli/machine.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

// More of them wait for each other's kernels.
constexpr int kMostOnOneGpu = 4;

std::vector<std::string> devices_of(const std::string& device, int cuda_devices) {
  if (device == "cpu" || (device == "auto" && cuda_devices == 0)) return {"cpu"};
  const auto need = [&](int index) {
    if (index >= cuda_devices) {
      throw UsageError("--device " + device + ": LibTorch sees " +
                       base::counted(cuda_devices, "CUDA device") +
                       " here (unmask doctor shows them); use --device cpu or auto");
    }
  };
  if (device == "cuda" || device == "auto") {
    need(0);
    std::vector<std::string> all;
    all.reserve(static_cast<std::size_t>(cuda_devices));
    for (int i = 0; i < cuda_devices; ++i) all.push_back("cuda:" + std::to_string(i));
    return all;
  }
  constexpr std::string_view kPrefix = "cuda:";
  int index = -1;
  if (device.starts_with(kPrefix)) {
    const char* end = device.data() + device.size();
    const auto parsed = std::from_chars(device.data() + kPrefix.size(), end, index);
    if (parsed.ptr != end || parsed.ec != std::errc()) index = -1;
  }
  if (index < 0)
    throw UsageError("--device must be auto, cpu, cuda or cuda:N, not \"" + device + "\"");
  need(index);
  return {device};
}

std::vector<std::string> distinct(std::vector<std::string> names) {
  std::sort(names.begin(), names.end());
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

}  // namespace

std::size_t Execution::sure_workers() const {
  return by_memory ? distinct(devices).size() : devices.size();
}

std::string Execution::text() const {
  const std::vector<std::string> named = distinct(devices);
  std::string names;
  for (const std::string& name : named) names += (names.empty() ? "" : ", ") + name;
  const bool is_open = sure_workers() < devices.size();
  return (is_open ? std::to_string(sure_workers()) + " to " : "") +
         base::counted(devices.size(), "worker") + " x " + base::counted(threads, "thread") +
         " on " + names + (is_open ? ", as memory allows" : "");
}

Execution decide_execution(const std::string& device,
                           std::optional<int> workers,
                           const manifest::RunSettings& settings,
                           int cuda_devices) {
  const std::vector<std::string> available = devices_of(device, cuda_devices);
  const auto n_devices = static_cast<int>(available.size());
  Execution execution;
  execution.threads = settings.threads.value_or(1);
  const std::optional<int> wanted = workers ? workers : settings.workers;
  if (wanted && *wanted < 1) throw UsageError("--workers must be at least 1");
  const int at_once = std::max(1, usable_processors() / execution.threads);
  int slots = wanted.value_or(at_once);
  if (!wanted && available.front() != "cpu") {
    slots = n_devices * std::clamp(at_once / n_devices, 1, kMostOnOneGpu);
    execution.by_memory = true;
  }
  for (int slot = 0; slot < slots; ++slot) {
    execution.devices.push_back(available[static_cast<std::size_t>(slot % n_devices)]);
  }
  return execution;
}

}  // namespace unmask::cli
