// Same kind and id as duplicate_a.
#define WRONG_ID "twin"
#define WRONG_SUMMARY "second"
#include "frame.hpp"
