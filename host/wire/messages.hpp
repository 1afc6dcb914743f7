#pragma once
// What the host and a worker say to each other, one JSON frame each (base/frames.hpp carries them).

#include <cstdint>
#include <optional>
#include <string>
#include <variant>

#include <nlohmann/json.hpp>

#include "wire/cell.hpp"
#include "wire/part.hpp"
#include "wire/result.hpp"

namespace unmask::wire {

// Host -> worker.

/// Execute one cell, or a part of it, and answer with Result, Part or Failure; Progress may come in
/// between.
struct Execute {
  std::string key;
  CellKind kind = CellKind::kTrain;
  nlohmann::json spec;
  nlohmann::json locals;
  /// Of the train cell that this one needs.
  std::optional<CheckpointFile> checkpoint = std::nullopt;
  /// Of the network that images are made on, when it is another one.
  std::optional<CheckpointFile> source = std::nullopt;
  bool keep_adversarials = false;  ///< write the images of an attack to a file
  PartOrder part = {};             ///< of an attack or a probe
};

/// Exit with code 0. So does the end of the stream.
struct Stop {};

// Worker -> host.

/// The first message of a worker: it is ready for cells.
struct Hello {
  std::int64_t pid = 0;
  std::string device;    ///< "cpu", "cuda:0"
  std::string libtorch;  ///< version
  /// Of the GPU, once the worker has set it up; none on the CPU.
  std::optional<std::int64_t> free_device_bytes = std::nullopt;
};

/// How far the current cell is; the unit is the cell's own (epochs, samples).
struct CellProgress {
  std::string key;
  std::int64_t done = 0, total = 0;
  std::string note;  ///< "epoch", "loss 0.31"
};

struct Result {
  std::string key;
  CellResult result;
  /// What of the process the cell changed and left behind, as a sentence: the worker is replaced.
  std::string spoilt = {};
};

/// A part of the cell is done, and the worker has turned from the cell.
struct Part {
  std::string key;
  CellPart part;
  std::string spoilt = {};  ///< as in Result
};

/// The cell failed and the worker is alive to say so.
struct Failure {
  std::string key;
  FailureClass failure_class = FailureClass::kPluginError;  ///< one that workers report
  std::string message;
  std::string spoilt = {};  ///< as in Result
};

using HostMessage = std::variant<Execute, Stop>;
using WorkerMessage = std::variant<Hello, CellProgress, Result, Part, Failure>;

void to_json(nlohmann::json& json, const Execute& message);
void to_json(nlohmann::json& json, const Stop& message);
void to_json(nlohmann::json& json, const Hello& message);
void to_json(nlohmann::json& json, const CellProgress& message);
void to_json(nlohmann::json& json, const Result& message);
void to_json(nlohmann::json& json, const Part& message);
void to_json(nlohmann::json& json, const Failure& message);

/// What the host said. @throws FrameError for an unknown type, a missing or a mistyped field
HostMessage parse_host_message(const nlohmann::json& json);

/// What a worker said. @throws FrameError likewise
WorkerMessage parse_worker_message(const nlohmann::json& json);

}  // namespace unmask::wire
