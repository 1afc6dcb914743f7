// Two build tags in one file.
#define WRONG_TAG UNMASK_BUILD_TAG "@unmask-build-tag:epoch=2;compiler=gcc-4@"
#include "frame.hpp"
