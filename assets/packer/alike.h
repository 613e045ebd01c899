/* alike.h - of many messages that say the same of other files, some are told, and the rest is counted. One thread. */
#ifndef LEAT_PACKER_ALIKE_H
#define LEAT_PACKER_ALIKE_H

#include <stdbool.h>
#include <stdint.h>

#define ALIKE_TOLD_MAX 5u /* messages of a kind that are told one by one */
#define ALIKE_KINDS_MAX 32u /* more kinds than there are are all told */

typedef struct alike_kind {
    uint32_t kind, count;
    bool failed;
    char *first; /* its text; NULL: there was no memory for it */
} alike_kind;

/* Zeros: none yet. */
typedef struct alike_list {
    bool tell_all; /* --verbose */
    alike_kind kinds[ALIKE_KINDS_MAX];
    uint32_t kind_count;
} alike_list;

/* The kind of all messages that are made of this text. */
uint32_t alike_kind_of(const char *text);
/* Whether a message is to be told now; else alike_end() says how many more there were. kind 0: like no other. */
bool alike_add(alike_list *list, bool failed, uint32_t kind, const char *text);
/* Says how many were not told, and frees. */
void alike_end(alike_list *list);

#endif
