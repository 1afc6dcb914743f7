#pragma once
// Executes cells from their specifications alone: makes plugins, data, networks, and keeps data
// sets and checkpoints loaded from one cell to the next.

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include <nlohmann/json.hpp>

#include "engine/device_graph.hpp"
#include "engine/evaluation_input.hpp"
#include "engine/network.hpp"
#include "engine/process_state.hpp"
#include "engine/training.hpp"
#include "loader/registry.hpp"
#include "wire/dataset_facts.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::engine {

/// What a cell needs and yields besides numbers.
struct CellFiles {
  std::optional<wire::CheckpointFile> checkpoint = {};  ///< the attacked or probed network
  std::optional<wire::CheckpointFile> source =
      {};                           ///< the network that images are made on, if another
  bool keeps_adversarials = false;  ///< write the images of an attack to a file
};

class Executor {
 public:
  /// @param device       "cpu", "cuda:0"
  /// @param checkpoints  folder that checkpoint files are written to and read from
  Executor(loader::Registry& registry, std::string device, std::filesystem::path checkpoints);
  ~Executor();

  /// Record passes of attacks and probes that come again and again as device graphs.
  void record_passes(DeviceGraphMaker make) { graphs_ = std::move(make); }

  /// Execute one cell. Every plugin is held to leave the process as it found it.
  /// @param spec        resolved specification (plan/planner.cpp builds it)
  /// @param locals      where the files and folders of its parts are, outside of the key
  /// @param files       of the trainings, for attack and probe cells
  /// @throws Error of any kind; std::exception from plugins and LibTorch
  wire::CellResult execute(const std::string& key,
                           const nlohmann::json& spec,
                           const nlohmann::json& locals,
                           const CellFiles& files,
                           const ProgressCallback& progress);

  /// The result of a cell, or a part of it.
  using Executed = std::variant<wire::CellResult, wire::CellPart>;

  /// The same of the part of an attack or probe cell that is ordered. All of the cell at once is its
  /// result; a training always is, and so is an evaluation that cannot be divided (see
  /// indivisible_because): it comes to its end whatever the order says of its time.
  Executed execute(const std::string& key,
                   const nlohmann::json& spec,
                   const nlohmann::json& locals,
                   const CellFiles& files,
                   const wire::PartOrder& order,
                   const ProgressCallback& progress);

  /// Sentences about plugins of the last cells that changed the process; it has been set back.
  std::vector<std::string> take_complaints() { return process_->take_complaints(); }

 private:
  struct DataCache;
  struct NetworkCache;

  DataCache& data_for(const nlohmann::json& spec, const nlohmann::json& locals);
  void load_network(NetworkCache& cache,
                    const nlohmann::json& definition,
                    const nlohmann::json& spec,
                    const DataCache& data,
                    const wire::CheckpointFile& checkpoint);
  std::vector<SolverSetup> gradients_for(const nlohmann::json& spec, const nlohmann::json& locals);
  std::vector<NamedSolver> named_gradients_for(const nlohmann::json& definition,
                                               const nlohmann::json& locals);
  Executed execute_kind(const std::string& key,
                        const nlohmann::json& spec,
                        const nlohmann::json& locals,
                        const CellFiles& files,
                        const wire::PartOrder& order,
                        const ProgressCallback& progress);
  void execute_train(const std::string& key,
                     const nlohmann::json& spec,
                     const nlohmann::json& locals,
                     DataCache& data,
                     wire::CellResult& result,
                     const ProgressCallback& progress);
  Executed execute_evaluation(const std::string& key,
                              const nlohmann::json& spec,
                              const nlohmann::json& locals,
                              DataCache& data,
                              const CellFiles& files,
                              const wire::PartOrder& order,
                              const ProgressCallback& progress);

  loader::Registry& registry_;
  std::string device_;
  std::filesystem::path checkpoints_;
  DeviceGraphMaker graphs_;
  std::unique_ptr<ProcessState> process_;
  std::unique_ptr<DataCache> data_;
  std::unique_ptr<NetworkCache> network_;
  std::unique_ptr<NetworkCache> source_network_;
};

/// What the data set plugin says of a definition; problems become text, not exceptions.
wire::DatasetFacts dataset_facts(loader::Registry& registry,
                                 const std::string& plugin,
                                 const nlohmann::json& params);

}  // namespace unmask::engine
