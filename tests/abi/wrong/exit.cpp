// Ends the process while it is being loaded.
#define WRONG_ON_LOADING std::exit(0)

#include <cstdlib>

#include "frame.hpp"
