// Prints what looks like an answer to the host, and is fine otherwise.
#define WRONG_ID "chatter"
#define WRONG_ON_LOADING chatter()

#include <unistd.h>

static void chatter() {
  static constexpr char kText[] = "{\"end\": {\"cuda_devices\": 99}}\n";
  for (int i = 0; i < 10000; ++i) {
    if (::write(1, kText, sizeof kText - 1) < 0) return;
  }
}

#include "frame.hpp"
