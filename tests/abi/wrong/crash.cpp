// Crashes while it is being loaded.
#define WRONG_ON_LOADING crash()

#include <signal.h>

// As an invalid address would; a sanitizer shall not turn it into something else.
static void crash() {
  ::signal(SIGSEGV, SIG_DFL);
  ::raise(SIGSEGV);
}

#include "frame.hpp"
