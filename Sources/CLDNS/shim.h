// The header of libldns, for Swift.
#include <ldns/ldns.h>
