// Nothing is wrong: shows that the frame itself passes.

#include "frame.hpp"
