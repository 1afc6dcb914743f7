// Another epoch of the SDK in the header.
#define WRONG_EPOCH 7
#include "frame.hpp"
