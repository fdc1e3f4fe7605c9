// Swift needs nothing of this target but its objects; see seam.h for the calls.
#pragma once
