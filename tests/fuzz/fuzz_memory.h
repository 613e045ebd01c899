/* fuzz_memory.h - a quick allocator for targets that make a streamer a run: one arena, given out front to back.
 *
 * Under AddressSanitizer the gaps between blocks, and blocks that were freed, are poisoned, as malloc's would be;
 * unlike malloc, it asks the kernel for no pages a run. Targets that are linked with
 * --wrap=region_create,--wrap=region_destroy get the regions of pool and lent memory from here as well. */
#ifndef LEAT_FUZZ_MEMORY_H
#define LEAT_FUZZ_MEMORY_H

#include <leat/leat.h>

/* All that was given out is forgotten. */
void fuzz_memory_reset(void);
/* Bytes that are given out now. */
int64_t fuzz_memory_live(void);
leat_allocator fuzz_memory_allocator(void);

#endif
