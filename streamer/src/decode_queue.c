/* decode_queue.c - see decode_queue.h. */
#include "decode_queue.h"

/* The chunks of a request, which have one key, are taken in the order in which they lie on disk. */
static bool entry_before(const decode_entry *a, const decode_entry *b)
{
    return decode_key_before(&a->key, &b->key) || (a->chunk < b->chunk && !decode_key_before(&b->key, &a->key));
}

static void place(decode_queue *q, uint32_t index, const decode_entry *entry)
{
    q->entries[index] = *entry;
    entry->task->heap_index = index;
}

static void up(decode_queue *q, uint32_t index, decode_entry entry)
{
    while (index > 0) {
        uint32_t parent = (index - 1) / 2;
        if (!entry_before(&entry, &q->entries[parent])) {
            break;
        }
        place(q, index, &q->entries[parent]);
        index = parent;
    }
    place(q, index, &entry);
}

static void down(decode_queue *q, uint32_t index, decode_entry entry)
{
    for (;;) {
        uint32_t child = 2 * index + 1;
        if (child >= q->count) {
            break;
        }
        if (child + 1 < q->count && entry_before(&q->entries[child + 1], &q->entries[child])) {
            ++child;
        }
        if (!entry_before(&q->entries[child], &entry)) {
            break;
        }
        place(q, index, &q->entries[child]);
        index = child;
    }
    place(q, index, &entry);
}

void decode_queue_push(decode_queue *q, decode_task *task)
{
    task->state = DECODE_QUEUED;
    up(q, q->count++, (decode_entry){ .key = task->key, .task = task, .chunk = task->chunk });
}

void decode_queue_take(decode_queue *q, decode_task *task)
{
    uint32_t index = task->heap_index;
    ASSERT(task->state == DECODE_QUEUED && index < q->count && q->entries[index].task == task);
    decode_entry last = q->entries[--q->count];
    if (last.task != task && index > 0 && entry_before(&last, &q->entries[(index - 1) / 2])) {
        up(q, index, last);
    } else if (last.task != task) {
        down(q, index, last);
    }
    task->state = DECODE_STARTED;
}

void decode_queue_raise(decode_queue *q, decode_task *task, const decode_key *key)
{
    task->key = *key;
    decode_entry entry = q->entries[task->heap_index];
    entry.key = *key;
    up(q, task->heap_index, entry);
}

void decode_queue_change(decode_queue *q, const decode_desc *desc)
{
    for (uint32_t i = 0; i < q->count; ++i) {
        decode_task *task = q->entries[i].task;
        task->key = desc->key(desc->owner, task);
        q->entries[i].key = task->key;
    }
    for (uint32_t i = q->count / 2; i-- > 0;) { /* all keys may have moved both ways: rebuild, O(n) */
        down(q, i, q->entries[i]);
    }
}
