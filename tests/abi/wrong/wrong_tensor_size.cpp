// Compiled with headers in which a tensor looks different.
#define WRONG_TENSOR_SIZE 8
#include "frame.hpp"
