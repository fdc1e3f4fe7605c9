// The modes that only the load over TCP has.
#pragma once

#include "../streams/load.h"

void run_open(const struct options *options);
void run_churn(const struct options *options);
