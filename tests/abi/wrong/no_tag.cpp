// No build tag.
#define WRONG_TAG "no tag"
#include "frame.hpp"
