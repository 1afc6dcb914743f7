// A bound that is no number.
#define WRONG_PARAMS \
  { unmask::real("size", "of a step").at_least(-__builtin_inf()) }
#include "frame.hpp"
