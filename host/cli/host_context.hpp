#pragma once
// What every command knows of its surroundings, and its questions to the engine. The executable
// itself never loads LibTorch or a plugin: it starts itself as a child that opens the engine
// library. What such children find out about files that do not change is remembered.

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "base/cache.hpp"
#include "base/items.hpp"
#include "base/left_behind.hpp"
#include "catalog/catalog.hpp"
#include "cli/kernel_choice.hpp"
#include "run/worker_process.hpp"

namespace unmask::cli {

/// First argument of a child of ours: "this is no command of a user, open the engine library".
inline constexpr const char* kEngineCommand = "__engine";

class HostContext {
 public:
  /// @param plugin_dirs  values of --plugin-dir
  /// @param kernels      of --kernels; nullopt: the default (cli/kernel_choice.hpp)
  explicit HostContext(const std::vector<std::filesystem::path>& plugin_dirs,
                       std::optional<Kernels> kernels = std::nullopt);

  /// With which all children of this object compute.
  Kernels kernels() const { return kernels_; }

  const std::filesystem::path& executable() const { return executable_; }
  const std::vector<std::filesystem::path>& plugin_folders() const { return plugin_folders_; }
  const base::Cache& cache() const { return cache_; }

  /// What plugins leave running in the children of this object; ended with it at the latest.
  base::LeftBehind& left_behind() const { return left_behind_; }

  /// All plugins found: libraries that are new are looked at through a child, once in the life of
  /// this object.
  const catalog::Catalog& catalog() const;

  /// The libraries that the catalog took, for the request of a child that loads plugins.
  nlohmann::json plugin_files() const;

  /// Findings about given files, through a child.
  catalog::Catalog inspect(const std::vector<std::filesystem::path>& files) const;

  /// One question to the engine that is answered with JSON on standard output.
  /// @throws PluginError when LibTorch or the engine library cannot be loaded; the engine's own
  ///         error with its exit code otherwise
  nlohmann::json ask_engine(const std::string& command,
                            const nlohmann::json& request,
                            double timeout_s) const;

  /// The same in this process, which loads LibTorch and plugins for it: what ends the cell in a
  /// disorderly way ends this program. The answer goes to standard output, one line. @return the exit
  /// code
  int become_engine(const std::string& command, const nlohmann::json& request) const;

  /// A question about each of several things (see base/items.hpp).
  /// @param name     of the list in the request
  /// @param purpose  for messages: "data sets cannot be read"
  base::ItemAnswers ask_engine_each(const std::string& command,
                                    const std::string& name,
                                    const nlohmann::json& items,
                                    double timeout_s,
                                    const std::string& purpose) const;

  run::WorkerCommand worker_command(const std::string& device,
                                    int threads,
                                    bool cuda_graphs,
                                    const std::filesystem::path& checkpoints) const;

 private:
  Kernels kernels_;
  mutable base::LeftBehind left_behind_;
  std::filesystem::path executable_;
  std::vector<std::filesystem::path> plugin_folders_;
  base::Cache cache_;
  mutable std::optional<catalog::Catalog> catalog_;
};

/// Open the engine library and hand over. Exit code.
int open_engine(const std::filesystem::path& executable, int argc, const char* const* argv);

/// The same in a child that dies with its host; the code behind `unmask __engine ...`. Exit code.
int run_engine(const std::filesystem::path& executable, int argc, const char* const* argv);

}  // namespace unmask::cli
