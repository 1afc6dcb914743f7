// A newer SDK than the host.
#define WRONG_MINOR 9
#include "frame.hpp"
