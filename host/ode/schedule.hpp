#pragma once
// The accepted steps of a solve, to be run again: as a fixed grid it needs no error estimate, reads
// nothing from the device, does not couple samples, and is smooth wherever the field is.

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "ode/options.hpp"

namespace unmask::ode {

/// Accepted steps of one lane, in order. All three lists have one entry per step.
struct LaneSchedule {
  std::vector<double> begin;  ///< time at the start
  std::vector<double> size;   ///< signed step
  std::vector<double> end;    ///< time at the end, as stages at c = 1 saw it

  std::size_t steps() const { return begin.size(); }
};

struct Schedule {
  Control control = Control::kBatch;
  EndRule end = EndRule::kInterpolate;
  double t0 = 0;
  double t1 = 0;
  std::vector<LaneSchedule> lanes;  ///< one, or one per sample

  /// The same for some of the samples; itself under control: batch.
  Schedule rows(const std::vector<std::int64_t>& index) const;
};

/// The schedules of a forward pass by the names of its solves.
using ScheduleBook = std::map<std::string, Schedule, std::less<>>;

/// Writes `book` as JSON; every number reads back to the same double. The file appears whole or not
/// at all.
void save_schedules(const ScheduleBook& book, const std::filesystem::path& file);

/// @throws DataError when the file cannot be read or is no book of schedules: what and where
ScheduleBook load_schedules(const std::filesystem::path& file);

}  // namespace unmask::ode
