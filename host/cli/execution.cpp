#include "cli/execution.hpp"

#include <algorithm>
#include <charconv>

#include "base/counted.hpp"
#include "cli/machine.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

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

}  // namespace

std::string Execution::text() const {
  std::vector<std::string> distinct = devices;
  std::sort(distinct.begin(), distinct.end());
  distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
  std::string names;
  for (const std::string& name : distinct) names += (names.empty() ? "" : ", ") + name;
  return base::counted(devices.size(), "worker") + " x " + base::counted(threads, "thread") +
         " on " + names;
}

Execution decide_execution(const std::string& device,
                           std::optional<int> workers,
                           const manifest::RunSettings& settings,
                           int cuda_devices) {
  const std::vector<std::string> available = devices_of(device, cuda_devices);
  Execution execution;
  execution.threads = settings.threads.value_or(1);
  const bool on_cpu = available.front() == "cpu";
  const int natural = on_cpu ? std::max(1, usable_processors() / execution.threads)
                             : static_cast<int>(available.size());
  const int count = workers.value_or(settings.workers.value_or(natural));
  if (count < 1) throw UsageError("--workers must be at least 1");
  for (int slot = 0; slot < count; ++slot) {
    execution.devices.push_back(available[static_cast<std::size_t>(slot) % available.size()]);
  }
  return execution;
}

}  // namespace unmask::cli
