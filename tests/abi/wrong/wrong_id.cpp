// An id that is not lower snake case.
#define WRONG_ID "Nothing-2"
#include "frame.hpp"
