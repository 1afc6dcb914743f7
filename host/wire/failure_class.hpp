#pragma once
// How an attempt at a cell can fail. Each class has its own retry rule; the table in
// failure_class.cpp holds all of them, and docs/architecture.md explains them.

#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <nlohmann/json.hpp>

namespace unmask::wire {

enum class FailureClass {
  kPluginError,  ///< an exception in the worker
  kCrash,        ///< the worker's end in the middle of a cell
  kTimeout,      ///< the host's clock
  kOutOfMemory,  ///< the allocator's error
  kDeviceFault,  ///< a CUDA error
  kInvalid,      ///< numbers that are not finite, results that cannot be
  kInterrupted   ///< the run was stopped: not the cell's fault
};

struct FailureRule {
  FailureClass failure_class;
  const char* name;  ///< in messages between processes, in the database, for people
  /// A worker may report it. The others are the host's to see, not a worker's to claim.
  bool workers_report;
  /// Further tries in the same run, each in a fresh worker, unless somebody asks for another number.
  int retries;
  bool retries_alone;  ///< while no other cell is executed
};

/// Further tries by class, where they are others than those of the table (manifest, --retry).
using RetryLimits = std::map<FailureClass, int>;

/// The table, in the order of the classes.
std::span<const FailureRule> failure_rules();

const FailureRule& rule_of(FailureClass failure_class);

/// "plugin_error" "crash" "timeout" "oom" "device_fault" "invalid" "interrupted"
const char* to_string(FailureClass failure_class);

/// The class of this name; nullopt when there is none.
std::optional<FailureClass> parse_failure_class(std::string_view name);

/// Whether somebody may ask for further tries. What was interrupted runs again by itself.
bool may_be_retried(FailureClass failure_class);

/// Further tries of a cell in the same run after failures of this class.
int retries_of(FailureClass failure_class, const RetryLimits& limits);

void to_json(nlohmann::json& json, FailureClass failure_class);
/// @throws nlohmann::json::exception for a name that is none
void from_json(const nlohmann::json& json, FailureClass& failure_class);

}  // namespace unmask::wire
