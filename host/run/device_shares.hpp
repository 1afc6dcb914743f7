#pragma once
// How many workers share a GPU: as many as its memory holds, judged by what cells took of it. One
// begins; others join when the first cell has been measured, here or in the database.

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

namespace unmask::run {

class DeviceShares {
 public:
  /// @param devices     of each slot; empty: memory decides nothing, every slot gets a worker
  /// @param known_peak  the most that cells like those to run took [bytes]; none: nothing is known
  explicit DeviceShares(std::vector<std::string> devices,
                        std::optional<std::int64_t> known_peak = std::nullopt);

  /// Free memory of the device of a slot, as the only worker on it found it. Later words about the
  /// same device tell what others have taken since, and count for nothing.
  void learn_room(std::size_t slot, std::int64_t free_bytes);

  /// A cell took so much of its device.
  void learn_peak(std::int64_t bytes);

  /// A cell of this slot ran out of memory: one worker less from now on than the device has.
  /// @param living  workers on its device
  void ran_out(std::size_t slot, std::size_t living);

  /// Workers that the device of a slot may have now, at least one; more than there are slots where
  /// memory decides nothing.
  std::size_t limit(std::size_t slot) const;

  bool is_same_device(std::size_t a, std::size_t b) const;

  /// Workers of all devices together that there may be now.
  /// @param slots  how many there are
  std::size_t capacity(std::size_t slots) const;

 private:
  std::vector<std::string> devices_;
  std::optional<std::int64_t> peak_;
  std::map<std::string, std::int64_t> room_;    // bytes, by device
  std::map<std::string, std::size_t> at_most_;  // where a cell ran out of memory
};

}  // namespace unmask::run
