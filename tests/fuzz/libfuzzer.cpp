// The same targets under libFuzzer; UNMASK_FUZZ_TARGET names one of them. The code is instrumented
// by GCC (-fsanitize-coverage=trace-pc), whose one callback libFuzzer does not know: what it is told
// here goes into the extra counters that libFuzzer reads.

#include <cstddef>
#include <cstdint>
#include <cstdlib>

#include "fuzz/targets.hpp"
#include "fuzz/trace.hpp"

namespace {

// Its name is how libFuzzer finds it.
__attribute__((section("__libfuzzer_extra_counters"),
               used)) unsigned char g_counters[unmask::fuzz::kCounters];

}  // namespace

// Names and types are libFuzzer's.
extern "C" int LLVMFuzzerInitialize(int*, char***) {
  unmask::fuzz::count_into(g_counters);
  const char* name = std::getenv("UNMASK_FUZZ_TARGET");  // NOLINT(concurrency-mt-unsafe)
  unmask::fuzz::target(name == nullptr ? "" : name);
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const unmask::fuzz::Target& target =
      unmask::fuzz::target(std::getenv("UNMASK_FUZZ_TARGET"));  // NOLINT(concurrency-mt-unsafe)
  target({reinterpret_cast<const char*>(data), size});
  return 0;
}
