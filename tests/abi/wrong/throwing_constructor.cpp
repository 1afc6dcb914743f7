// The constructor of the plugin throws.
#define WRONG_ID "thrower"
#define WRONG_CONSTRUCTOR throw std::runtime_error("not today")
#include "frame.hpp"
