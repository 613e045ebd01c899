/* output.h - what commands print: JSON, and sizes and counts for people. */
#ifndef LEAT_PACKER_OUTPUT_H
#define LEAT_PACKER_OUTPUT_H

#include <cJSON.h>
#include <stdbool.h>
#include <stdint.h>

/* "leat: TEXT" and the end of the line, on standard error. Paths may hold anything, also what moves a terminal's
 * cursor: control characters are printed as '?'. (Names of assets hold none.) */
__attribute__((format(printf, 1, 2))) void message_print(const char *format, ...);

/* Prints it on standard output, and frees it. Paths are bytes, JSON is UTF-8: bytes that are not become '?'. */
void json_print(cJSON *root);

/* An array item by item, as one of a million objects takes gigabytes as a whole: begin, each one (which frees it), end.
 */
void json_array_begin(void);
void json_array_add(cJSON *item, bool first);
void json_array_end(void);

typedef struct size_text {
    char text[24];
} size_text;
/* "812 B", "12.6 KiB", "213.9 MiB", "4.0 GiB". */
size_text size_to_text(uint64_t bytes);

typedef struct count_text {
    char text[48];
} count_text;
/* "1 mesh", "265 meshes". */
count_text count_to_text(uint64_t count, const char *one, const char *many);

#endif
