#pragma once
// What the kernel says about memory.

#include <sys/types.h>

#include <cstdint>
#include <string>

namespace unmask::run {

/// Resident memory of a process in bytes; 0 when it is not known (the process has gone).
std::int64_t resident_bytes(pid_t pid);

/// How many processes the kernel has killed since the machine started because memory ran out, the
/// control group of this process included; 0 where it does not count.
std::int64_t memory_kills();

/// Rounded down: "1.5 GiB", "300 MiB", "12 KiB", "7 bytes".
std::string memory_text(std::int64_t bytes);

}  // namespace unmask::run
