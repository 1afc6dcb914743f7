#include "run/device_shares.hpp"

#include <algorithm>
#include <limits>
#include <utility>

namespace unmask::run {
namespace {

// Besides what LibTorch's allocator holds, a process has CUDA's context, its kernels and the handles
// of the libraries: about half of this.
constexpr double kProcessBytes = 1 << 30;

// Cells of one kind do not take the same to the byte, and memory falls to pieces.
constexpr double kUsable = 0.9;

}  // namespace

DeviceShares::DeviceShares(std::vector<std::string> devices, std::optional<std::int64_t> known_peak)
    : devices_(std::move(devices)), peak_(known_peak) {}

void DeviceShares::learn_room(std::size_t slot, std::int64_t free_bytes) {
  if (!devices_.empty()) room_.try_emplace(devices_[slot], free_bytes);
}

void DeviceShares::learn_peak(std::int64_t bytes) {
  peak_ = std::max(peak_.value_or(0), bytes);
}

void DeviceShares::ran_out(std::size_t slot, std::size_t living) {
  if (devices_.empty()) return;
  std::size_t& at_most = at_most_.try_emplace(devices_[slot], living).first->second;
  at_most = std::max<std::size_t>(1, std::min(at_most, living) - 1);
}

std::size_t DeviceShares::limit(std::size_t slot) const {
  if (devices_.empty()) return std::numeric_limits<std::size_t>::max();
  const auto room = room_.find(devices_[slot]);
  if (room == room_.end() || !peak_) return 1;
  const double fit =
      kUsable * static_cast<double>(room->second) / (static_cast<double>(*peak_) + kProcessBytes);
  std::size_t limit = std::max<std::size_t>(1, static_cast<std::size_t>(std::max(0.0, fit)));
  if (const auto most = at_most_.find(devices_[slot]); most != at_most_.end()) {
    limit = std::min(limit, most->second);
  }
  return limit;
}

bool DeviceShares::is_same_device(std::size_t a, std::size_t b) const {
  return devices_.empty() || devices_[a] == devices_[b];
}

std::size_t DeviceShares::capacity(std::size_t slots) const {
  if (devices_.empty()) return slots;
  std::map<std::string, std::size_t> places;
  std::size_t all = 0;
  for (std::size_t slot = 0; slot < devices_.size(); ++slot) {
    if (places[devices_[slot]]++ < limit(slot)) ++all;
  }
  return all;
}

}  // namespace unmask::run
