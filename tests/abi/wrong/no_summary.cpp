// Says nothing about itself.
#define WRONG_SUMMARY ""
#include "frame.hpp"
