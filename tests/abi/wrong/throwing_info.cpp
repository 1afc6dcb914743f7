// info() throws.
#define WRONG_INFO throw std::runtime_error("no idea who I am")
#include "frame.hpp"
