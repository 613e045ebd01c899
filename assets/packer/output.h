/* output.h - what commands print: JSON, and sizes for people. */
#ifndef LEAT_PACKER_OUTPUT_H
#define LEAT_PACKER_OUTPUT_H

#include <cJSON.h>
#include <stdint.h>

/* Prints it on standard output, and frees it. Paths are bytes, JSON is UTF-8: bytes that are not become '?'. */
void json_print(cJSON *root);

typedef struct size_text {
    char text[24];
} size_text;
/* "812 B", "12.6 KiB", "213.9 MiB", "4.0 GiB". */
size_text size_to_text(uint64_t bytes);

#endif
