// What Swift's Glibc module leaves out: extended attributes (xattr(7)) and prctl(2).
#ifndef CSECRETFILES_H
#define CSECRETFILES_H

#include <stddef.h>
#include <sys/types.h>

// fgetxattr(2). Returns the length of the value, or -1 with errno set.
ssize_t reflector_fgetxattr(int descriptor, const char *name, void *value, size_t size);

// Sets PR_SET_DUMPABLE and RLIMIT_CORE to 0. Returns 0, or -1 with errno set.
int reflector_forbid_dumps(void);

// PR_GET_DUMPABLE: 0 if this process leaves no core dump and others of its user can't read its memory.
int reflector_may_be_dumped(void);

#endif
