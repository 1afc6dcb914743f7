#pragma once
// Where instrumented code tells which of its places it comes by.

#include <cstddef>

namespace unmask::fuzz {

inline constexpr std::size_t kCounters = std::size_t{1} << 16;

/// Count into this array of kCounters bytes from now on.
void count_into(unsigned char* counters);

}  // namespace unmask::fuzz
