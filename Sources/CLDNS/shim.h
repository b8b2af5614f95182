// libldns as Swift sees it.
#include <ldns/ldns.h>
