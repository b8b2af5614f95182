// Extended attributes (xattr(7)), which Swift's Glibc module leaves out.
#ifndef CSECRETFILES_H
#define CSECRETFILES_H

#include <stddef.h>
#include <sys/types.h>

// fgetxattr(2). Returns the length of the value, or -1 with errno set.
ssize_t reflector_fgetxattr(int descriptor, const char *name, void *value, size_t size);

#endif
