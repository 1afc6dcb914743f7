// A shared library, since every program and plugin of an instrumented build calls it.

#include "fuzz/trace.hpp"

#include <cstdint>

namespace unmask::fuzz {
namespace {

unsigned char g_nowhere[kCounters];
unsigned char* g_counters = g_nowhere;

}  // namespace

__attribute__((visibility("default"))) void count_into(unsigned char* counters) {
  g_counters = counters;
}

}  // namespace unmask::fuzz

// GCC's name is __sanitizer_cov_trace_pc (gcc.gnu.org/onlinedocs, Instrumentation Options). libFuzzer has
// a function of that name, which ends the program; the linker leads calls to this one (--wrap).
extern "C" __attribute__((visibility("default"))) void __wrap___sanitizer_cov_trace_pc();
extern "C" void __wrap___sanitizer_cov_trace_pc() {
  const auto place = reinterpret_cast<std::uintptr_t>(__builtin_return_address(0));
  // Fibonacci hashing: neighbouring places get counters far from each other.
  unsigned char& counter = unmask::fuzz::g_counters[(place * 0x9E3779B97F4A7C15ULL) >> 48];
  if (counter != 255) ++counter;
}
