// A parameter named like an option of the host.
#define WRONG_PARAMS \
  { unmask::integer("batch_size", "samples").by_default(1) }
#include "frame.hpp"
