// Needs a function that nobody has.
#define WRONG_CONSTRUCTOR function_that_nobody_has()

void function_that_nobody_has();

#include "frame.hpp"
