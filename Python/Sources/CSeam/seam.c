// The target needs a source file; what it is for is in its header.
#include "seam.h"
