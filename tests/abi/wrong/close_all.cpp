// Closes the descriptors of the process that loads it, then never ends.
#define WRONG_ON_LOADING close_all()

#include <unistd.h>

static void close_all() {
  for (int fd = 0; fd < 64; ++fd) ::close(fd);
  while (true) ::pause();
}

#include "frame.hpp"
