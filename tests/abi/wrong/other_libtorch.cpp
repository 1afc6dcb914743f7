// Compiled for another LibTorch, says the header.
#define WRONG_TORCH 401
#include "frame.hpp"
