// Several fields of the header differ at once.
#define WRONG_EPOCH 7
#define WRONG_TORCH 401
#define WRONG_TENSOR_SIZE 8
#include "frame.hpp"
