#pragma once
// A disk that fails when it is told to, under SQLite: its virtual file system (sqlite.org/vfs.html)
// with every operation that changes something counted.

#include <cstdint>

namespace unmask::store::testing {

/// In which way the disk fails.
enum class DiskFailure {
  kFull,         ///< from the chosen operation on, nothing can be written (SQLITE_FULL)
  kFullHalfway,  ///< the same, and half of the bytes of that operation still arrive
  kOnce          ///< that operation alone fails with an input/output error
};

/// While one lives, all databases of this process that are opened through SQLite lie on its disk.
/// What is synced is not waited for: only the order of the operations matters here.
class FailingDisk {
 public:
  FailingDisk();
  ~FailingDisk();
  FailingDisk(const FailingDisk&) = delete;
  FailingDisk& operator=(const FailingDisk&) = delete;

  /// Count from here; operation number `at` (from 0) fails.
  void fail_at(std::int64_t at, DiskFailure how);

  /// Count from here; nothing fails.
  void heal();

  /// Operations since then: writes, syncs, truncations, files made or removed.
  std::int64_t operations() const;

  /// Whether one of them failed.
  bool has_failed() const;
};

}  // namespace unmask::store::testing
