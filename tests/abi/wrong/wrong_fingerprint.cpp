// A fingerprint that is none.
#define WRONG_FINGERPRINT "todo"
#include "frame.hpp"
