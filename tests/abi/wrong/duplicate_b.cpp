// Same kind and id as duplicate_a.
#define WRONG_ID "twin"
#define WRONG_SUMMARY "second"
#define WRONG_FINGERPRINT "fedcba9876543210fedcba9876543210fedcba9876543210fedcba9876543210"
#include "frame.hpp"
