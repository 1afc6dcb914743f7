// The constructor refuses its parameters.
#define WRONG_ID "refuser"
#define WRONG_CONSTRUCTOR throw unmask::ParamError("steps and size do not fit together")
#include "frame.hpp"
