#pragma once
// Whether the process that writes a run still lives. A database says "running" also after kill -9.

#include <cstdint>
#include <string>

namespace unmask::watch {

enum class Writer {
  kAlive,
  kGone,      ///< no process of that number, or one that began after the run
  kElsewhere  ///< the run is another machine's: nothing is known
};

/// @param pid         that the run recorded  @param host  likewise; empty: this machine
/// @param started_at  of the run, seconds since 1970
Writer look_for_writer(std::int64_t pid, const std::string& host, double started_at);

/// "2026-01-31T12:00:00.000Z" as seconds since 1970; 0 when it is no such text.
double seconds_of(const std::string& utc);

/// Of the system's clock, likewise.
double unix_now();

}  // namespace unmask::watch
