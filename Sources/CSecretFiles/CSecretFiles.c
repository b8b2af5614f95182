#include "CSecretFiles.h"

#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/xattr.h>

ssize_t reflector_fgetxattr(int descriptor, const char *name, void *value, size_t size)
{
    return fgetxattr(descriptor, name, value, size);
}

int reflector_forbid_dumps(void)
{
    const struct rlimit none = {0, 0};
    int result = setrlimit(RLIMIT_CORE, &none);
    return prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) == 0 ? result : -1;
}

int reflector_may_be_dumped(void) { return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0); }
