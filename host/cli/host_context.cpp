#include "cli/host_context.hpp"

#include <dlfcn.h>

#include <cstdio>
#include <cstdlib>

#include "base/child.hpp"
#include "loader/discover.hpp"
#include "loader/folders.hpp"
#include "unmask/errors.hpp"

namespace unmask::cli {
namespace {

using nlohmann::json;
namespace fs = std::filesystem;

// LibTorch's thread pools read these when the library is loaded.
std::vector<std::string> thread_environment(int threads) {
  const std::string n = std::to_string(threads);
  return {"OMP_NUM_THREADS=" + n, "OPENBLAS_NUM_THREADS=" + n, "MKL_NUM_THREADS=" + n};
}

std::string first_line(const std::string& text) {
  const auto end = text.find('\n');
  return text.substr(0, end);
}

}  // namespace

HostContext::HostContext(const std::vector<fs::path>& plugin_dirs)
    : executable_(fs::read_symlink("/proc/self/exe")),
      plugin_folders_(loader::plugin_folders(
          plugin_dirs, std::getenv(loader::kPluginPathVariable), executable_)) {}

std::vector<std::string> HostContext::folder_names() const {
  std::vector<std::string> names;
  for (const fs::path& folder : plugin_folders_) names.push_back(folder.string());
  return names;
}

catalog::Catalog HostContext::catalog() const {
  const loader::ListCommand command{{executable_.string(), kEngineCommand, "plugins", "{fd}"},
                                    thread_environment(1)};
  return loader::discover_in_child(command, plugin_folders_);
}

catalog::Catalog HostContext::inspect(const std::vector<fs::path>& files) const {
  const loader::ListCommand command{{executable_.string(), kEngineCommand, "plugins", "{fd}"},
                                    thread_environment(1)};
  return loader::inspect_in_child(command, files);
}

json HostContext::ask_engine(const std::string& command, json request, double timeout_s) const {
  request["plugin_dirs"] = folder_names();
  const base::ChildOutput child =
      base::run_child({executable_.string(), kEngineCommand, command, request.dump()},
                      timeout_s,
                      std::size_t{1} << 30,
                      thread_environment(1));
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

Preparation HostContext::prepare(const manifest::Study& study) const {
  const auto used = plan::used_datasets(study);
  json request = {{"datasets", json::array()}};
  for (const auto& [id, definition] : used) {
    request["datasets"].push_back({{"plugin", definition.plugin}, {"params", definition.params}});
  }
  // Hashing a large data set on a slow disk takes its time.
  const json answer = ask_engine("prepare", std::move(request), 3600);
  Preparation result;
  result.environment = answer.at("environment");
  std::size_t i = 0;
  for (const auto& [id, definition] : used) {
    const json& facts = answer.at("datasets").at(i++);
    result.datasets[id] = {facts.at("content_hash").get<std::string>(),
                           facts.at("problem").get<std::string>(),
                           facts.at("test_count").get<std::int64_t>()};
  }
  return result;
}

void HostContext::expect_constructible(const manifest::Study& study) const {
  std::map<std::string, json> definitions;  // each once, in a fixed order
  const auto add = [&](const std::string& kind, const manifest::Definition& definition) {
    json request = {{"kind", kind}, {"name", definition.name}};
    if (definition.members.empty()) {
      request["plugin"] = definition.plugin;
      request["params"] = definition.params;
    }
    for (const manifest::Definition& member : definition.members) {
      request["members"].push_back({{"plugin", member.plugin}, {"params", member.params}});
      request["names"].push_back(member.name);
    }
    definitions.emplace(request.dump(), std::move(request));
  };
  for (const manifest::TrainRow& row : study.train) {
    add("solver", row.solver);
    add("objective", row.objective);
  }
  for (const manifest::EvaluateRow& row : study.evaluate) {
    add("solver", row.solver);
    if (row.gradient) {
      for (const manifest::Definition& solver : row.gradient->solvers) add("solver", solver);
    }
    if (row.source) add("solver", row.source->solver);
    add(wire::to_string(row.kind), row.method);
  }
  json request = {{"definitions", json::array()}};
  for (const auto& [id, definition] : definitions) request["definitions"].push_back(definition);
  const json answer = ask_engine("construct", std::move(request), 600);
  std::string text;
  for (const json& refusal : answer.at("refusals")) {
    text += study.file.string() + ": " + refusal.at("kind").get<std::string>() + " \"" +
            refusal.at("name").get<std::string>() +
            "\": " + refusal.at("message").get<std::string>() + "\n";
  }
  if (!text.empty()) {
    throw ManifestError("plugins refuse their parameters; nothing was run\n" + text);
  }
}

run::WorkerCommand HostContext::worker_command(const std::string& device,
                                               int threads,
                                               bool cuda_graphs,
                                               const fs::path& checkpoints) const {
  const json request = {{"device", device},
                        {"threads", threads},
                        {"cuda_graphs", cuda_graphs},
                        {"checkpoints", checkpoints.string()},
                        {"plugin_dirs", folder_names()}};
  return {{executable_.string(), kEngineCommand, "worker", "{fd}", request.dump()},
          thread_environment(threads)};
}

int run_engine(const fs::path& executable, int argc, const char* const* argv) {
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
