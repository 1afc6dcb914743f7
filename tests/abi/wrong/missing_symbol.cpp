// A tag, but no header under the agreed name.
#define WRONG_SYMBOL another_symbol
#include "frame.hpp"
