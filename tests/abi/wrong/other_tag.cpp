// Differs from the host in everything that a tag names.
#define WRONG_TAG "@unmask-build-tag:epoch=5;compiler=clang-1;cxx11_abi=7;libtorch=0.4.1@"
#include "frame.hpp"
