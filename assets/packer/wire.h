/* wire.h - results as bytes, and back: for the pipe from an import's process, and for what the cache keeps.
 *
 * The bytes may come from a process that has gone wild or from a damaged file: every length is checked. They stay on
 * one machine: numbers are as the processor has them. */
#ifndef LEAT_PACKER_WIRE_H
#define LEAT_PACKER_WIRE_H

#include "import.h"

typedef struct wire_out {
    uint8_t *bytes; /* malloc'ed; the caller's */
    size_t size, capacity;
    bool failed; /* out of memory: what is put from then on is lost */
} wire_out;

void wire_put(wire_out *b, const void *bytes, size_t size);
void wire_put_u32(wire_out *b, uint32_t value);
void wire_put_block(wire_out *b, const void *bytes, uint64_t size); /* with its size before it */
void wire_put_text(wire_out *b, const char *text);

typedef struct wire_in {
    const uint8_t *at;
    size_t left;
    bool failed; /* something did not fit: what is taken from then on is zero */
} wire_in;

void wire_take(wire_in *c, void *out, size_t size);
uint32_t wire_take_u32(wire_in *c);
/* How many records follow, of at least record_size bytes each; 0 and failed where they cannot be in what is left. So a
 * table of that many is as large as the bytes are long, not as large as they say. */
uint32_t wire_take_count(wire_in *c, size_t record_size);
/* A malloc'ed block, with a zero behind it so that it can be a text; NULL after a failure. */
void *wire_take_block(wire_in *c, uint64_t *size);

/* import_unpack: false, and *result empty, if the bytes do not make sense. import_pack: NULL if out of memory; else
 * malloc'ed. */
uint8_t *import_pack(const import_result *result, bool good, size_t *size);
bool import_unpack(const uint8_t *bytes, size_t size, import_result *result, bool *good);

#endif
