// Exports something else under the name of the header.
#define WRONG_MAGIC \
  { 'S', 'O', 'M', 'E', 'T', 'H', 'N', 'G' }
#include "frame.hpp"
