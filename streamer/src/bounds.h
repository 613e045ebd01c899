/* bounds.h - how large the streamer's fixed tables are, and the least that may be asked for.
 *
 * What else is bounded is a field of leat_desc, or a property of the pack format. The simulator is built with
 * LEAT_SMALL_BOUNDS: there a run of some hundred requests meets every bound, and a streamer is made in microseconds. */
#ifndef LEAT_BOUNDS_H
#define LEAT_BOUNDS_H

#include "base.h"

#ifdef LEAT_SMALL_BOUNDS
#define READ_COUNT_MAX 24u
#define OUTPUT_COUNT_MAX 192u
#define BIND_BYTES_MAX KIB(48)
#define SPARE_SLOT_COUNT 2u
#define SCHED_BUCKET_COUNT 16u
#define SCHED_PAGE_BITS 3u
#define REGION_UNIT (64u << 10)
#define POOL_BYTES_MIN (4 * (uint64_t)REGION_UNIT)
#define LENT_BYTES_MIN (2 * (uint64_t)REGION_UNIT)
#else
#define READ_COUNT_MAX 256u /* to the device, or in the decode stage */
#define OUTPUT_COUNT_MAX 16384u /* chunk outputs between issue and decode */
#define BIND_BYTES_MAX MIB(64) /* asked of the engine ahead of the reads: some frames' worth on a fast disk */
#define SPARE_SLOT_COUNT 16u /* versions of packs that were replaced and are still in use */
#define SCHED_BUCKET_COUNT 2048u /* of 4 ms: deadlines up to 8 s ahead are told apart */
#define SCHED_PAGE_BITS 8u /* nodes of a heap are had so many at a time, as a power of two */
#define REGION_UNIT HUGE_PAGE_SIZE /* pool and lent memory are multiples of this */
#define POOL_BYTES_MIN MIB(4) /* some reads of the largest chunk, and the share that is kept for urgent ones */
#define LENT_BYTES_MIN MIB(2)
#endif

#define READ_TASK_COUNT_MAX 32u
#define CHUNK_BUCKET_COUNT 4096u
#define READ_RETRY_COUNT_MAX 64u /* EAGAIN and EINTR; then it is an error */
#define READ_ERROR_RETRY_COUNT_MAX 1u

#endif
