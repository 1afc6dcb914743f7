// A descriptor of another size.
#define WRONG_DESCRIPTOR_SIZE 16
#include "frame.hpp"
