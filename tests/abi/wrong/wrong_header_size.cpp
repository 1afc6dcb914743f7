// A header of another size.
#define WRONG_HEADER_SIZE 8
#include "frame.hpp"
