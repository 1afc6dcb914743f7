// The last line, UNMASK_PLUGIN(Class), is missing.

#include "unmask/plugin.hpp"
#include "unmask/sha256.hpp"

// Something that needs the SDK, as every class of a plugin does.
extern "C" __attribute__((visibility("default"))) bool unmask_test_uses_sdk() {
  return unmask::sha256_hex("").empty();
}
