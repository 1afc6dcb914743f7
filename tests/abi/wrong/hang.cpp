// Never finishes loading.
#define WRONG_ON_LOADING \
  while (true) ::pause()

#include <unistd.h>

#include "frame.hpp"
