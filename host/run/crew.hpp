#pragma once
// The worker processes of a run: starts them, finds one in a state, waits until one of them has
// something to say. What they say is the business of runner.cpp.

#include <cstddef>
#include <string>
#include <vector>

#include "base/child.hpp"
#include "run/runner.hpp"
#include "run/slot.hpp"

namespace unmask::run {

class Crew {
 public:
  /// @param options  outlive the crew
  explicit Crew(const RunOptions& options);

  std::vector<Slot>& slots() { return slots_; }
  int number_of(const Slot& slot) const { return static_cast<int>(&slot - slots_.data()); }

  std::size_t count(Slot::State state) const;
  bool is_any(Slot::State state) const { return count(state) > 0; }
  /// nullptr: none is in this state.
  Slot* first(Slot::State state);
  /// Does some worker have a cell?
  bool has_cells() const;
  /// Is the checkpoint of a training in some worker's memory?
  bool is_held(std::size_t training) const;

  /// Start a process in an empty slot.
  void start(Slot& slot);

  /// The process of a slot has gone before it had a cell, or never was. The next call of start()
  /// tries again. @throws PluginError or InternalError when it was tried often enough
  void start_failed(Slot& slot, const std::string& what, const base::ExitStatus& status);

  /// The process of a slot has gone.
  void clear(Slot& slot);

  /// Wait until a worker has something to say, one of the slots' times has come, or `longest_s` is
  /// over.
  void wait(double longest_s) const;

 private:
  const RunOptions& options_;
  std::vector<Slot> slots_;
};

}  // namespace unmask::run
