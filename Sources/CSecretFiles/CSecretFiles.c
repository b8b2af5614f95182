#include "CSecretFiles.h"

#include <sys/xattr.h>

ssize_t reflector_fgetxattr(int descriptor, const char *name, void *value, size_t size)
{
    return fgetxattr(descriptor, name, value, size);
}
