#pragma once
// The worker processes of a run: starts them, finds one in a state, waits until one of them has
// something to say. What they say is the business of runner.cpp.

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "base/child.hpp"
#include "run/device_shares.hpp"
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

  /// Workers that there may be now: as many as there are slots, or as the memory of GPUs holds.
  std::size_t capacity() const { return shares_.capacity(slots_.size()); }
  /// Whether an empty slot may get a process now.
  bool may_start(const Slot& slot) const {
    return living_beside(slot) < shares_.limit(place(slot));
  }
  /// Whether there are more workers on the device of this one than it may have, without those that
  /// are on their way out.
  bool is_surplus(const Slot& slot) const {
    return living_beside(slot, State::kStopping) > shares_.limit(place(slot));
  }
  /// What a worker found free when it started; the first word about a device counts.
  void learn_room(const Slot& slot, std::int64_t bytes) { shares_.learn_room(place(slot), bytes); }
  /// A cell took so much memory of its device.
  void learn_peak(std::int64_t bytes) { shares_.learn_peak(bytes); }
  /// A cell ran out of memory here.
  void ran_out(const Slot& slot) { shares_.ran_out(place(slot), living_beside(slot)); }

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
  using State = Slot::State;

  std::size_t place(const Slot& slot) const {
    return static_cast<std::size_t>(&slot - slots_.data());
  }
  // Workers on the device of a slot, its own included, those in one state left out.
  std::size_t living_beside(const Slot& slot, State without = State::kEmpty) const;

  const RunOptions& options_;
  std::vector<Slot> slots_;
  DeviceShares shares_;
};

}  // namespace unmask::run
