#include "cli/host_context.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/child.hpp"
#include "base/die_with_parent.hpp"
#include "base/files.hpp"
#include "base/unique_fd.hpp"
#include "cli/machine.hpp"
#include "loader/discover.hpp"
#include "loader/folders.hpp"
#include "loader/trust.hpp"
#include "unmask/errors.hpp"

extern char** environ;  // NOLINT: POSIX says that the program declares it

namespace unmask::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// LibTorch's thread pools read the first three when the library is loaded.
std::vector<std::string> engine_environment(int threads) {
  const std::string n = std::to_string(threads);
  return {"OMP_NUM_THREADS=" + n,
          "OPENBLAS_NUM_THREADS=" + n,
          "MKL_NUM_THREADS=" + n,
          std::string(base::kHostPidVariable) + "=" + std::to_string(::getpid())};
}

std::string first_line(const std::string& text) {
  const auto end = text.find('\n');
  return text.substr(0, end);
}

// Variables that decide which libraries are loaded, and which devices and kernels they use.
std::vector<std::string> loader_variables() {
  constexpr std::array kPrefixes = {"LD_",
                                    "CUDA_",
                                    "NVIDIA_",
                                    "OMP_",
                                    "OPENBLAS_",
                                    "GOTO_",
                                    "BLIS_",
                                    "MKL_",
                                    "DNNL_",
                                    "ONEDNN_",
                                    "ATEN_",
                                    "TORCH_",
                                    "PYTORCH_"};
  std::vector<std::string> found;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    const std::string_view variable = *entry;
    if (std::any_of(kPrefixes.begin(), kPrefixes.end(), [&](const char* prefix) {
          return variable.starts_with(prefix);
        })) {
      found.emplace_back(variable);
    }
  }
  std::sort(found.begin(), found.end());
  return found;
}

// What the number of CUDA devices hangs on, as far as it can be seen without LibTorch.
json cuda_state() {
  std::vector<std::string> devices;
  std::error_code ignored;
  for (const fs::directory_entry& entry : fs::directory_iterator("/dev", ignored)) {
    std::string name = entry.path().filename().string();
    if (name.starts_with("nvidia")) devices.push_back(std::move(name));
  }
  std::sort(devices.begin(), devices.end());
  std::string driver;
  const fs::path version = "/proc/driver/nvidia/version";
  if (fs::exists(version, ignored)) driver = base::read_file(version);
  return {{"devices", devices}, {"driver", driver}};
}

// What the findings of children depend on beside the files that they read.
json surroundings(const fs::path& executable) {
  const json machine = describe_machine();
  return {{"executable", executable.string()},
          {"host", machine.at("host")},
          {"cpu", machine.at("cpu")},
          {"variables", loader_variables()},
          {"cuda", cuda_state()}};
}

loader::ListCommand list_command(const fs::path& executable) {
  return {{executable.string(), kEngineCommand, "plugins", "{fd}"}, engine_environment(1)};
}

std::vector<catalog::PluginRefusal> take_distrusted(std::vector<fs::path>& files) {
  return loader::take_distrusted(files, std::getenv(loader::kTrustVariable));
}

}  // namespace

HostContext::HostContext(const std::vector<fs::path>& plugin_dirs, std::optional<Kernels> kernels)
    : kernels_(use_kernels(kernels)),
      executable_(fs::read_symlink("/proc/self/exe")),
      plugin_folders_(loader::plugin_folders(
          plugin_dirs, std::getenv(loader::kPluginPathVariable), executable_)),
      cache_(base::cache_folder()) {}

const catalog::Catalog& HostContext::catalog() const {
  if (!catalog_) {
    std::vector<fs::path> libraries = loader::list_libraries(plugin_folders_);
    const auto distrusted = take_distrusted(libraries);
    catalog_ = loader::remembered_catalog(
        cache_, surroundings(executable_), libraries, [&](const std::vector<fs::path>& files) {
          return loader::inspect_in_child(list_command(executable_), files);
        });
    auto& refusals = catalog_->refusals;
    refusals.insert(refusals.end(), distrusted.begin(), distrusted.end());
  }
  return *catalog_;
}

json HostContext::plugin_files() const {
  json files = json::array();
  for (const catalog::PluginRecord& plugin : catalog().plugins)
    files.push_back(plugin.file.string());
  return files;
}

catalog::Catalog HostContext::inspect(const std::vector<fs::path>& files) const {
  std::vector<fs::path> trusted = files;
  const auto distrusted = take_distrusted(trusted);
  catalog::Catalog catalog;
  if (!trusted.empty()) catalog = loader::inspect_files(list_command(executable_), trusted);
  catalog.refusals.insert(catalog.refusals.end(), distrusted.begin(), distrusted.end());
  return catalog;
}

json HostContext::ask_engine(const std::string& command,
                             const json& request,
                             double timeout_s) const {
  const base::ChildOutput child = base::run_child({executable_.string(), kEngineCommand, command},
                                                  timeout_s,
                                                  std::size_t{1} << 30,
                                                  engine_environment(1),
                                                  base::encode_request(request));
  if (child.timed_out) {
    throw PluginError("the engine did not answer \"" + command + "\" within " +
                      std::to_string(static_cast<int>(timeout_s)) + " s");
  }
  if (!child.status.is_success()) {
    std::string reason = child.err.empty() ? base::describe(child.status) : child.err;
    // The child is this program too and begins its message as we begin ours.
    constexpr std::string_view kName = "unmask: ";
    if (reason.starts_with(kName)) reason.erase(0, kName.size());
    if (reason.ends_with('\n')) reason.pop_back();
    const int code = child.status.exit_code.value_or(static_cast<int>(ExitCode::kPlugin));
    throw Error(static_cast<ExitCode>(code), reason);
  }
  return json::parse(first_line(child.out));
}

int HostContext::become_engine(const std::string& command, const json& request) const {
  const base::UniqueFd input = base::memory_file(base::encode_request(request));
  if (::dup2(input.get(), STDIN_FILENO) < 0) {
    throw InternalError(std::string("cannot hand a request to the engine: ") +
                        std::strerror(errno));
  }
  // No host to die with, and the threads of a worker.
  for (const char* name : {"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"}) {
    ::setenv(name, std::to_string(request.value("threads", 1)).c_str(), 1);  // NOLINT: one thread
  }
  const std::array<const char*, 1> argv = {command.c_str()};
  return open_engine(executable_, static_cast<int>(argv.size()), argv.data());
}

base::ItemAnswers HostContext::ask_engine_each(const std::string& command,
                                               const std::string& name,
                                               const json& items,
                                               double timeout_s,
                                               const std::string& purpose) const {
  const base::ItemCommand child{{executable_.string(), kEngineCommand, command, "{fd}"},
                                engine_environment(1),
                                timeout_s,
                                /*reading_is_progress=*/true,
                                purpose};
  return base::ask_items(child, items.size(), [&](std::size_t first) {
    json rest = json::array();
    for (std::size_t i = first; i < items.size(); ++i) rest.push_back(items[i]);
    return json{{"plugins", plugin_files()}, {name, std::move(rest)}};
  });
}

run::WorkerCommand HostContext::worker_command(const std::string& device,
                                               int threads,
                                               bool cuda_graphs,
                                               const fs::path& checkpoints) const {
  const json request = {{"device", device},
                        {"threads", threads},
                        {"cuda_graphs", cuda_graphs},
                        {"checkpoints", checkpoints.string()},
                        {"plugins", plugin_files()}};
  return {{executable_.string(), kEngineCommand, "worker", "{fd}"},
          engine_environment(threads),
          base::encode_request(request)};
}

int run_engine(const fs::path& executable, int argc, const char* const* argv) {
  // Before LibTorch is loaded: a host that ends meanwhile leaves no orphan.
  base::die_with_parent();
  return open_engine(executable, argc, argv);
}

int open_engine(const fs::path& executable, int argc, const char* const* argv) {
  const fs::path library =
      executable.parent_path().parent_path() / "lib/unmask/libunmask_engine.so";
  void* handle = ::dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle == nullptr) {
    std::fprintf(stderr, "unmask: cannot load the engine: %s\n", ::dlerror());
    return static_cast<int>(ExitCode::kPlugin);
  }
  using EngineMain = int (*)(int, const char* const*);
  void* symbol = ::dlsym(handle, "unmask_engine_main");
  if (symbol == nullptr) {
    std::fprintf(stderr, "unmask: %s is not the engine of unmask\n", library.c_str());
    return static_cast<int>(ExitCode::kPlugin);
  }
  return reinterpret_cast<EngineMain>(symbol)(argc, argv);
}

}  // namespace unmask::cli
