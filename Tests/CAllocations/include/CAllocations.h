// Counts heap allocations, so that a test can verify that code allocates nothing. Linked into the test program, it
// replaces libc's malloc family and forwards each call to it.
#pragma once
#include <stdint.h>

// Allocations and reallocations by the calling thread since it began.
uint64_t allocations_of_this_thread(void);
