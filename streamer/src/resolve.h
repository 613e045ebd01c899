/* resolve.h - a desc with zeros becomes a desc in which everything is said, and that is known to work together. */
#ifndef LEAT_RESOLVE_H
#define LEAT_RESOLVE_H

#include "base.h"

/* desc may be NULL. ARGUMENT or LIMIT, with the field and its bound in error, for values that cannot work. */
leat_result desc_resolve(const leat_desc *desc, leat_desc *resolved, leat_error *error);

#endif
