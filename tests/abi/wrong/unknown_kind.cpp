// A kind that does not exist.
#define WRONG_KIND "wizard"
#include "frame.hpp"
