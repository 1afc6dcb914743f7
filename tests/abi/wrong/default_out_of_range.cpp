// A default outside of its own range.
#define WRONG_PARAMS \
  { unmask::integer("steps", "iterations").by_default(0).at_least(1) }
#include "frame.hpp"
