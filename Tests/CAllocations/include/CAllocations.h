// Counts heap allocations, so that a test can say "this allocates nothing". Linked into the test program it stands
// before libc's malloc family and forwards to it.
#pragma once
#include <stdint.h>

// Allocations and reallocations by the calling thread since it began.
uint64_t allocations_of_this_thread(void);
