// Same kind and id as duplicate_b.
#define WRONG_ID "twin"
#define WRONG_SUMMARY "first"
#include "frame.hpp"
