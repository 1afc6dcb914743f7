#pragma once
// What every command knows of its surroundings, and its questions to the engine. The executable
// itself never loads LibTorch or a plugin: it starts itself as a child that opens the engine
// library.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "catalog/catalog.hpp"
#include "manifest/study.hpp"
#include "plan/planner.hpp"
#include "run/worker_process.hpp"

namespace unmask::cli {

/// First argument of a child of ours: "this is no command of a user, open the engine library".
inline constexpr const char* kEngineCommand = "__engine";

/// What the engine says before a study can be planned.
struct Preparation {
  std::map<std::string, wire::DatasetFacts> datasets;  ///< by plan::dataset_id
  nlohmann::json environment;                          ///< "libtorch", "blas"
};

class HostContext {
 public:
  /// @param plugin_dirs  values of --plugin-dir
  explicit HostContext(const std::vector<std::filesystem::path>& plugin_dirs);

  const std::filesystem::path& executable() const { return executable_; }
  const std::vector<std::filesystem::path>& plugin_folders() const { return plugin_folders_; }

  /// All plugins found, through a child.
  catalog::Catalog catalog() const;

  /// Findings about given files, through a child.
  catalog::Catalog inspect(const std::vector<std::filesystem::path>& files) const;

  /// Content hashes of the data sets of a study, through a child.
  Preparation prepare(const manifest::Study& study) const;

  /// Construct the solvers, attacks, objectives and probes of a study, through a child.
  /// @throws ManifestError with every refusal that their declared parameters could not tell
  void expect_constructible(const manifest::Study& study) const;

  /// One question to the engine that is answered with JSON on standard output.
  /// @throws PluginError when LibTorch or the engine library cannot be loaded; the engine's own
  ///         error with its exit code otherwise
  nlohmann::json ask_engine(const std::string& command,
                            nlohmann::json request,
                            double timeout_s) const;

  run::WorkerCommand worker_command(const std::string& device,
                                    int threads,
                                    bool cuda_graphs,
                                    const std::filesystem::path& checkpoints) const;

 private:
  std::vector<std::string> folder_names() const;

  std::filesystem::path executable_;
  std::vector<std::filesystem::path> plugin_folders_;
};

/// Open the engine library and hand over; the code behind `unmask __engine ...`. Exit code.
int run_engine(const std::filesystem::path& executable, int argc, const char* const* argv);

}  // namespace unmask::cli
